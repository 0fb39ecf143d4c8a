package app_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A website has pages of many kinds, and another one beside it that nobody may look at.
type website struct {
	URL     string
	private string       // of the other one
	own     string       // a third one, by which people reach the server
	reached atomic.Int64 // requests to these two
	asked   atomic.Int64 // requests to /tea
	headers atomic.Pointer[http.Header]
}

const teaPage = `<html><head><meta property="og:title" content="Tea &amp; scones ` + "\u202e" + `&#x202e;backwards">
<meta property="og:description" content="How&#10;to &lt;b&gt;make&lt;/b&gt; it">
<meta name="description" content="other">
<meta property="og:site_name" content="The Tea Book"><meta property="og:image" content="/tea.png">
<meta property="og:image:alt" content="A pot of &#x202e;tea"><link rel="icon" href="/icon.png">
<title>Another</title></head><body><meta property="og:title" content="late">`

func newWebsite(t *testing.T) *website {
	w := &website{}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.2:0")
	must(t, err)
	other := &httptest.Server{Listener: listener, Config: &http.Server{
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { w.reached.Add(1) })}}
	other.Start()
	t.Cleanup(other.Close)
	w.private = other.URL
	own := httptest.NewServer(other.Config.Handler)
	t.Cleanup(own.Close)
	w.own = own.URL
	var tea bytes.Buffer
	must(t, png.Encode(&tea, image.NewGray(image.Rect(0, 0, 1000, 500))))
	pages := http.NewServeMux()
	typed := func(path, media, body string) {
		pages.HandleFunc(path, func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", media)
			_, _ = io.WriteString(out, body)
		})
	}
	pages.HandleFunc("/tea", func(out http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		h := r.Header.Clone()
		w.headers.Store(&h)
		http.SetCookie(out, &http.Cookie{Name: "seen", Value: "1"})
		out.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(out, teaPage)
	})
	typed("/tea.png", "image/png", tea.String())
	var icon bytes.Buffer
	must(t, png.Encode(&icon, image.NewGray(image.Rect(0, 0, 64, 64))))
	typed("/icon.png", "image/png", icon.String())
	typed("/latin", "text/html; charset=iso-8859-1", "<title>Caf\xe9</title>")
	typed("/untitled", "text/html", "<p>no title")
	typed("/zero", "text/html", "<title>\u200b\u2060\u202e</title>")
	typed("/json", "application/json", `{"title":"<title>x</title>"}`)
	typed("/svg.svg", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>`)
	typed("/private-image", "text/html", `<title>Picture elsewhere</title><meta property="og:image" content="`+
		w.private+`/x.png">`)
	typed("/bomb", "text/html", `<title>Bomb</title><meta property="og:image" content="bomb.png">`)
	typed("/bomb.png", "image/png", string(bombPNG(t)))
	pages.HandleFunc("/again", func(out http.ResponseWriter, r *http.Request) {
		http.Redirect(out, r, "/tea", http.StatusFound)
	})
	pages.HandleFunc("/loop", func(out http.ResponseWriter, r *http.Request) {
		http.Redirect(out, r, "/loop", http.StatusFound)
	})
	pages.HandleFunc("/inside", func(out http.ResponseWriter, r *http.Request) {
		http.Redirect(out, r, w.private, http.StatusFound)
	})
	pages.HandleFunc("/file", func(out http.ResponseWriter, r *http.Request) {
		http.Redirect(out, r, "file:///etc/passwd", http.StatusFound)
	})
	pages.HandleFunc("/gone", func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Type", "text/html")
		out.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(out, "<title>Not found</title>")
	})
	// More than anybody reads, unpacked, before the title.
	pages.HandleFunc("/endless", func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/html")
		out.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(out)
		for range 64 {
			if _, err := z.Write(bytes.Repeat([]byte("<i></i>"), 1<<15)); err != nil {
				return
			}
		}
		_, _ = io.WriteString(z, "<title>Too late</title>")
		_ = z.Close()
	})
	s := httptest.NewServer(pages)
	t.Cleanup(s.Close)
	w.URL = s.URL
	return w
}

// bombPNG says that it is of more pixels than a server has memory for.
func bombPNG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	m := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Black})
	must(t, png.Encode(&b, m))
	data := b.Bytes()
	copy(data[16:], []byte{0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff}) // its sum is wrong then, which is read later
	return data
}

// previewsOf returns the previews of a message once it has any.
func previewsOf(t *testing.T, c *client.Client, room string, seq int64) (found []client.LinkPreview) {
	t.Helper()
	wait(t, func() bool {
		m, err := c.Message(t.Context(), room, seq)
		must(t, err)
		found = m.Previews
		return len(found) > 0
	})
	return found
}

func previewServer(
	t *testing.T, o store.Options, web *website,
) (s *live.Server, ann, bob *client.Client, room string) {
	t.Helper()
	s = live.Start(t, o, "UNHIDRA_LINK_PREVIEWS=on", "UNHIDRA_PRIVATE_NETWORKS=127.0.0.1/32",
		"UNHIDRA_PUBLIC_URL="+web.own)
	ann, bob = s.User("ann"), s.User("bob")
	r, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Garden"})
	must(t, err)
	joins(t, ann, bob, r.ID)
	return s, ann, bob, r.ID
}

// passedOver waits until all messages were looked at for links.
func passedOver(t *testing.T, s *live.Server) {
	t.Helper()
	wait(t, func() bool {
		_, metrics := get(t, "http://"+s.Operator+"/metrics")
		return strings.Contains(metrics, "feed_lag_seconds{consumer=\"link previews\"} 0\n")
	})
}

func TestLinksGetPreviews(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		ctx, web := t.Context(), newWebsite(t)
		s, ann, bob, room := previewServer(t, o, web)
		link := web.URL + "/tea"
		send := func(text string) int64 {
			t.Helper()
			m, err := bob.Send(ctx, client.Draft{Room: room, Text: text})
			must(t, err)
			return m.Seq
		}
		before := send("no previews yet: " + link)
		passedOver(t, s)
		on := map[string]any{"previews": true}
		if err := bob.Do(ctx, "PATCH", "/rooms/"+room, on, nil); codeOf(err) != client.CodeRoleTooLow {
			t.Errorf("a plain member switches previews on: %v", err)
		}
		must(t, ann.Do(ctx, "PATCH", "/rooms/"+room, on, nil))
		root := administrator(t, s)
		wait(t, func() bool {
			var page struct {
				Records []struct {
					Target  string            `json:"target_id"`
					Details map[string]string `json:"details"`
				}
			}
			must(t, root.Do(ctx, "GET", "/admin/audit?type="+string(domain.AuditRoomPreviews), nil, &page))
			return len(page.Records) == 1 && page.Records[0].Target == room && page.Records[0].Details["on"] == "true"
		})
		seq := send("read " + link + " and <" + web.URL + "/latin>, `" + web.URL + "/latin`")
		got := previewsOf(t, ann, room, seq)
		if len(got) != 1 || got[0].URL != link || got[0].Title != "Tea & scones backwards" ||
			got[0].Description != "How to <b>make</b> it" || got[0].Site != "The Tea Book" || got[0].Image == nil {
			t.Fatalf("%+v", got)
		}
		if i := got[0].Image; i.Width != 480 || i.Height != 240 || i.Alt != "A pot of tea" {
			t.Errorf("the picture is %+v", i)
		}
		small := s.Get("/api/v1/previews/" + got[0].Icon)
		icon, _, err := image.DecodeConfig(small.Body)
		must(t, err)
		must(t, small.Body.Close())
		if icon.Width != 32 || small.StatusCode != 200 {
			t.Errorf("the icon: %d, %+v", small.StatusCode, icon)
		}
		if h := *web.headers.Load(); h.Get("Cookie")+h.Get("Authorization")+h.Get("Referer") != "" ||
			!strings.Contains(h.Get("User-Agent"), "Unhidra") {
			t.Errorf("the page was told %v", h)
		}
		picture := "/api/v1/previews/" + got[0].Image.ID
		res := s.Get(picture)
		config, format, err := image.DecodeConfig(res.Body)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != 200 || format != "jpeg" || config.Width != 480 ||
			res.Header.Get("Content-Type") != "image/jpeg" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("the picture: %d %s %v %v", res.StatusCode, format, config, res.Header)
		}

		// It is an event, which has nothing to read.
		events := func() (found int) {
			e, err := ann.Events(ctx, room, seq, 100)
			must(t, err)
			for _, e := range e.Events {
				if e.Type == "message.previewed" && e.Message != nil && e.Message.Seq == seq && e.Actor.Username == "bob" {
					found++
				}
			}
			return found
		}
		if events() != 1 {
			t.Errorf("%d events of previews", events())
		}

		// The page is not asked again for another message, and gives a picture of its own.
		asked := web.asked.Load()
		other := send("again: " + link)
		if again := previewsOf(t, ann, room, other); web.asked.Load() != asked || again[0].Image.ID == got[0].Image.ID {
			t.Errorf("asked %d times; %+v", web.asked.Load(), again)
		}
		// An edit takes away what is no longer linked, with its picture, and brings what is new.
		must(t, bob.Do(ctx, "PATCH", fmt.Sprintf("/rooms/%s/messages/%d", room, seq),
			map[string]string{"text": "read " + web.URL + "/latin"}, nil))
		wait(t, func() bool {
			m, err := ann.Message(ctx, room, seq)
			must(t, err)
			return len(m.Previews) == 1 && m.Previews[0].Title == "Café" && m.Previews[0].Image == nil
		})
		if status, _ := get(t, s.URL+picture); status != 404 {
			t.Errorf("the picture of what is no longer linked: %d", status)
		}
		// Nobody but the author and moderators takes previews away; they do not come back.
		third := send(link + " " + web.URL + "/latin")
		previewsOf(t, ann, room, third)
		carl := s.User("carl")
		if err := carl.RemovePreview(ctx, room, third, ""); codeOf(err) != client.CodeNoRoom {
			t.Errorf("a stranger: %v", err)
		}
		joins(t, ann, carl, room)
		if err := carl.RemovePreview(ctx, room, third, ""); codeOf(err) != client.CodeRoleTooLow {
			t.Errorf("another member: %v", err)
		}
		must(t, bob.RemovePreview(ctx, room, third, link))
		must(t, bob.RemovePreview(ctx, room, third, link))
		if left := previewsOf(t, ann, room, third); len(left) != 1 || left[0].Title != "Café" {
			t.Errorf("after one was taken away: %+v", left)
		}
		must(t, ann.RemovePreview(ctx, room, third, ""))
		must(t, bob.Do(ctx, "PATCH", fmt.Sprintf("/rooms/%s/messages/%d", room, third),
			map[string]string{"text": link + " " + web.URL + "/latin " + web.URL + "/again"}, nil))
		if left := previewsOf(t, ann, room, third); len(left) != 1 || left[0].URL != web.URL+"/again" {
			t.Errorf("after all were taken away and one came: %+v", left)
		}
		// A deleted message has none, nor its picture.
		gone := previewsOf(t, ann, room, other)[0].Image.ID
		must(t, bob.Do(ctx, "DELETE", fmt.Sprintf("/rooms/%s/messages/%d", room, other), nil, nil))
		if status, _ := get(t, s.URL+"/api/v1/previews/"+gone); status != 404 {
			t.Errorf("the picture of a deleted message: %d", status)
		}
		// Once they are off again, no page is asked, and what was written before they were on has none.
		must(t, ann.Do(ctx, "PATCH", "/rooms/"+room, map[string]any{"previews": false}, nil))
		asked = web.asked.Load()
		after := send("off again: " + link + "?off")
		passedOver(t, s)
		if now := web.asked.Load(); now != asked {
			t.Errorf("asked %d times once they are off", now-asked)
		}
		for _, seq := range []int64{before, after} {
			if m, err := ann.Message(ctx, room, seq); err != nil || len(m.Previews) != 0 {
				t.Errorf("of message %d: %+v %v", seq, m.Previews, err)
			}
		}
	})
}

// What a page may not do to the server: lead into private networks, never end, or be no page.
func TestPreviewsOfHostilePages(t *testing.T) {
	t.Parallel()
	ctx, web := t.Context(), newWebsite(t)
	_, ann, _, room := previewServer(t, testkit.SQLite(t), web)
	must(t, ann.Do(ctx, "PATCH", "/rooms/"+room, map[string]any{"previews": true}, nil))
	port := web.URL[strings.LastIndex(web.URL, ":"):]
	private, err := url.Parse(web.private)
	must(t, err)
	bad := []string{web.private, web.URL + "/inside", web.URL + "/file", web.URL + "/loop", web.URL + "/gone",
		web.URL + "/json", web.URL + "/svg.svg", web.URL + "/untitled", web.URL + "/zero", web.URL + "/endless",
		"http://localhost" + port + "/tea", "http://[::ffff:127.0.0.2]:" + private.Port(),
		"http://2130706434:" + private.Port(), "http://user:pw@127.0.0.1" + port + "/tea", web.own + "/",
		"http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/"}
	good := []string{web.URL + "/latin", web.URL + "/private-image", web.URL + "/bomb"}
	seqs := make(map[int64][]string)
	for links := range slices.Chunk(bad, 3) {
		m, err := ann.Send(ctx, client.Draft{Room: room, Text: strings.Join(append(links, good[0]), " ")})
		must(t, err)
		seqs[m.Seq] = good[:1]
	}
	m, err := ann.Send(ctx, client.Draft{Room: room, Text: strings.Join(good, " ")})
	must(t, err)
	seqs[m.Seq] = good
	for seq, want := range seqs {
		got := previewsOf(t, ann, room, seq)
		var links []string
		for _, p := range got {
			links = append(links, p.URL)
			if p.Image != nil {
				t.Errorf("%s has a picture", p.URL)
			}
		}
		if !slices.Equal(links, want) {
			t.Errorf("of %v have a preview: %v", want, links)
		}
	}
	if n := web.reached.Load(); n != 0 {
		t.Errorf("a private network, or the server itself, was reached %d times", n)
	}
}

// Without the operator's consent no room has previews.
func TestPreviewsAreOffByDefault(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ann := s.User("ann")
	r, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Garden"})
	must(t, err)
	change := func(on bool) error {
		return ann.Do(t.Context(), "PATCH", "/rooms/"+r.ID, map[string]any{"previews": on}, nil)
	}
	if err := change(true); codeOf(err) != client.CodePreviewsOff {
		t.Errorf("previews are switched on: %v", err)
	}
	must(t, change(false))
	var server struct {
		Previews bool `json:"link_previews"`
	}
	must(t, ann.Do(t.Context(), "GET", "/server", nil, &server))
	if server.Previews {
		t.Error("the server says that it shows previews")
	}
}
