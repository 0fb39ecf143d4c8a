package preview

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/outbound"
)

// shelf keeps pictures by how large they are.
type shelf struct{}

func (shelf) Put(_ context.Context, r io.Reader, _ int64) (b domain.Blob, err error) {
	c, _, err := image.DecodeConfig(r)
	return domain.Blob{Hash: fmt.Sprintf("%dx%d", c.Width, c.Height), Type: "image/png"}, err
}

func (shelf) Open(_ context.Context, hash string) (io.ReadSeekCloser, domain.Blob, error) {
	var w, h int
	_, err := fmt.Sscanf(hash, "%dx%d", &w, &h)
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(pngOf(w, h)), io.NopCloser(nil)}, domain.Blob{}, err
}

func pngOf(w, h int) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// A host has files, each with its type, and notes which were asked for.
type host struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newHost(t *testing.T, files map[string][2]string) *host {
	t.Helper()
	return newHostAt(t, "127.0.0.1:0", files)
}

func newHostAt(t *testing.T, address string, files map[string][2]string) *host {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{}
	answer := func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, r.URL.Path)
		h.mu.Unlock()
		switch f, has := files[r.URL.Path]; {
		case strings.HasPrefix(r.URL.Path, "/to/"):
			http.Redirect(w, r, strings.TrimPrefix(r.URL.Path, "/to/"), http.StatusFound)
		case !has:
			http.NotFound(w, r)
		case f[0] == "stalls":
			<-r.Context().Done()
		default:
			w.Header().Set("Content-Type", f[0])
			_, _ = io.WriteString(w, f[1])
		}
	}
	h.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(answer)}}
	h.Start()
	t.Cleanup(h.Close)
	return h
}

// got returns which files were asked for, in order of their names.
func (h *host) got() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(h.asked)), " ")
}

// The first icon that is a picture of pixels is shown, else that for phones, made small; it is loaded once for a site.
func TestIconsOfSites(t *testing.T) {
	t.Parallel()
	const touch = `<link rel="apple-touch-icon" href="/touch.png">`
	for head, want := range map[string]string{
		``:                                   "",
		`<link rel="icon" href="/icon.png">`: "32x16",
		`<link rel="Shortcut ICON" href="icon.png">` + touch:                        "32x16",
		touch + `<link rel="icon" href="/icon.svg"><link rel="icon" href="/i.ico">`: "32x32",
		`<link rel="icon" type="image/svg+xml" href="/icon">` + touch:               "32x32",
		`<link rel="icon" href="/gone.png">` + touch:                                "",
		`<link rel="icon" href="/page">`:                                            "",
		`<link rel="icon" href="/large.png">`:                                       "",
		`<link rel="icon" href="data:image/png;base64,AAAA">`:                       "",
		`<link rel="icon" href="http://10.0.0.1/icon.png">`:                         "",
		`<link rel="icon" href="/to/http://127.0.0.2/icon.png">`:                    "",
		`<link rel="icon" href="http://[">`:                                         "",
		`<link rel="icon"><link rel="mask-icon" href="/icon.png">`:                  "",
	} {
		web := newHost(t, map[string][2]string{"/page": {"text/html", "<title>Tea</title>" + head},
			"/icon.png": {"image/png", string(pngOf(64, 32))}, "/touch.png": {"image/png", string(pngOf(180, 180))},
			"/large.png": {"image/png", string(make([]byte, maxIcon+1))}})
		s := service(t, "")
		s.Blobs = shelf{}
		for range 2 {
			p, err := s.load(t.Context(), web.URL+"/page")
			if err != nil || p.Title != "Tea" || p.Icon.Hash != want {
				t.Errorf("%s: %+v %v", head, p, err)
			}
		}
		if got := web.got(); len(strings.Fields(got)) > 3 || strings.Contains(got, "favicon") {
			t.Errorf("%s: asked for %s", head, got)
		}
	}
}

// An icon that does not come holds a preview back for its own short time at most.
func TestAnIconThatStallsIsLeftOut(t *testing.T) {
	t.Parallel()
	web := newHost(t, map[string][2]string{"/i.png": {"stalls"}, "/page": {"text/html",
		`<title>Tea</title><link rel="icon" href="/i.png"><meta property="og:image" content="/p.png">` +
			`<meta property="og:image:alt" content="A &#x202e;pot">`}, "/p.png": {"image/png", string(pngOf(10, 20))}})
	s := service(t, "")
	s.Blobs, s.patience = shelf{}, 300*time.Millisecond
	p, err := s.load(t.Context(), web.URL+"/page")
	if err != nil || p.Image.Hash != "10x20" || p.Image.Alt != "A pot" || p.Icon.Hash != "" {
		t.Errorf("%+v %v", p, err)
	}
}

// What a page says as oEmbed takes the place of what its head lacks. It is plain text, and its addresses are checked as
// all others are.
func TestPagesThatSayItAsOEmbed(t *testing.T) {
	t.Parallel()
	const all = `{"type":"video","title":"Pouring \u202e tea","author_name":"A\u0000nn\u2066",` +
		`"provider_name":"\u200fFilms\n","thumbnail_url":"%s/p.png","html":"<script>1</script>"}`
	other := newHostAt(t, "127.0.0.2:0", map[string][2]string{"/p.png": {"image/png", string(pngOf(10, 20))}})
	deep := strings.Repeat(`{"title":`, 5000) + "1" + strings.Repeat("}", 5000)
	for name, c := range map[string]struct {
		head, media, body string
		want              domain.LinkPreview
		asks              int
	}{
		"nothing else": {"", "application/json", all, domain.LinkPreview{Title: "Pouring tea", Description: "Ann",
			Site: "Films", Image: domain.PreviewImage{Hash: "10x20"}}, 3},
		"what is lacking": {`<title>Tea</title><meta name="description" content="Hot">` +
			`<meta property="og:image:alt" content="x">`, "application/json+oembed; charset=utf-8", all,
			domain.LinkPreview{Title: "Tea", Description: "Hot", Site: "Films",
				Image: domain.PreviewImage{Hash: "10x20"}}, 3},
		"it is not needed": {`<title>Tea</title><meta property="og:image" content="/p.png">`, "application/json", all,
			domain.LinkPreview{Title: "Tea", Image: domain.PreviewImage{Hash: "10x20"}}, 2},
		"no JSON":      {"", "text/html", all, domain.LinkPreview{}, 2},
		"broken":       {"", "application/json", `{"title":`, domain.LinkPreview{}, 2},
		"other values": {"", "application/json", `{"title":["x"],"thumbnail_url":7}`, domain.LinkPreview{}, 2},
		"deep":         {"", "application/json", deep, domain.LinkPreview{}, 2},
		"deeper":       {"", "application/json", `{"title":` + strings.Repeat("[", 60_000), domain.LinkPreview{}, 2},
		"long": {"", "application/json", `{"title":"` + strings.Repeat("x", maxOEmbed) + `"}`, domain.LinkPreview{},
			2},
		"a private picture": {"", "application/json", `{"title":"Tea","thumbnail_url":"http://127.0.0.2:` +
			portOf(t, other) + `/p.png"}`, domain.LinkPreview{Title: "Tea"}, 2},
		"a long address": {"", "application/json", `{"title":"Tea","thumbnail_url":"%s/p.png?` +
			strings.Repeat("x", domain.MaxPreviewAddress) + `"}`, domain.LinkPreview{Title: "Tea"}, 2},
		"data for an address": {"", "application/json", `{"title":"Tea","thumbnail_url":"data:image/png;base64,AAAA"}`,
			domain.LinkPreview{Title: "Tea"}, 2},
		"no address": {"", "application/json", `{"title":"Tea","thumbnail_url":"javascript:alert(1)"}`,
			domain.LinkPreview{Title: "Tea"}, 2},
	} {
		files := map[string][2]string{"/p.png": {"image/png", string(pngOf(10, 20))}}
		web := newHost(t, files)
		files["/page"] = [2]string{"text/html", c.head + linkTo("/o?x=1")}
		files["/o"] = [2]string{c.media, strings.ReplaceAll(c.body, "%s", web.URL)}
		s := service(t, "")
		s.Blobs = shelf{}
		p, err := s.load(t.Context(), web.URL+"/page")
		p.URL, p.Image.Type, p.Image.Width, p.Image.Height = "", "", 0, 0
		if err != nil || p != c.want {
			t.Errorf("%s: %+v, want %+v: %v", name, p, c.want, err)
		}
		if got := web.got(); len(strings.Fields(got)) != c.asks {
			t.Errorf("%s: asked for %s", name, got)
		}
	}
}

// Where a page says that its oEmbed is, nobody is reached who is not reached by a link.
func TestOEmbedReachesNobodyElse(t *testing.T) {
	t.Parallel()
	other := newHostAt(t, "127.0.0.2:0", map[string][2]string{"/o": {"application/json", `{"title":"secret"}`}})
	port := portOf(t, other)
	for _, href := range []string{"http://127.0.0.2:" + port + "/o", "http://[::1]:" + port + "/o",
		"http://localhost:" + port + "/o", "http://[64:ff9b::7f00:1]:80/o", "http://169.254.169.254/latest",
		"http://a:b@127.0.0.2:" + port + "/o", "file:///etc/passwd", "data:application/json,{}", "javascript:1",
		"//127.0.0.2/o", "http://10.0.0.1/o", "http://192.168.0.1/o", "/to/http://10.0.0.1/o",
		"/to/http://[64:ff9b::7f00:1]/o",
		"/to/http://127.0.0.2:" + port + "/o", "/to/file:///etc/passwd"} {
		web := newHost(t, map[string][2]string{"/page": {"text/html", linkTo(href)}})
		p, err := service(t, "").load(t.Context(), web.URL+"/page")
		if err != nil || p.Title != "" {
			t.Errorf("%s: %+v %v", href, p, err)
		}
	}
	if got := other.got(); got != "" {
		t.Errorf("asked for %s", got)
	}
}

// It is the address that is dialed which is refused, whatever names it, and not the port alone.
func TestTheDialerRefusesPrivateNetworks(t *testing.T) {
	t.Parallel()
	s := service(t, "")
	for _, at := range []string{"127.0.0.2", "[::1]", "[::ffff:127.0.0.2]", "10.0.0.1", "172.16.0.1", "192.168.0.1",
		"100.64.0.1", "169.254.169.254", "0.0.0.0", "[64:ff9b::7f00:1]", "[64:ff9b:1::a00:1]", "[fd00::1]", "[fe80::1]"} {
		res, err := s.get(t.Context(), "http://"+at+"/o", "application/json")
		if err == nil {
			t.Errorf("%s answers %s; %v", at, res.Status, res.Body.Close())
		} else if !errors.Is(err, outbound.ErrPrivate) {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// Of a page that names many pictures, icons and oEmbeds, no more is loaded than one of each.
func TestAPageHasFourThingsLoaded(t *testing.T) {
	t.Parallel()
	picture := [2]string{"image/png", string(pngOf(8, 8))}
	web := newHost(t, map[string][2]string{"/p.png": picture, "/i.png": picture, "/page": {"text/html",
		strings.Repeat(linkTo("/o")+linkTo("/o2")+`<link rel="icon" href="/i.png"><link rel="icon" href="/i2.png">`+
			`<link rel="apple-touch-icon" href="/t.png"><meta property="og:image" content="/p.png">`+
			`<meta property="og:image" content="/p2.png"><meta name="twitter:image" content="/p3.png">`, 50)},
		"/o": {"application/json", `{"title":"Tea","thumbnail_url":"/p4.png","url":"/o3","html":"<img src=/p5.png>"}`}})
	s := service(t, "")
	s.Blobs = shelf{}
	p, err := s.load(t.Context(), web.URL+"/page")
	if err != nil || p.Title != "Tea" || p.Image.Hash != "8x8" || p.Icon.Hash != "8x8" {
		t.Errorf("%+v %v", p, err)
	}
	if got := web.got(); got != "/i.png /o /p.png /page" {
		t.Errorf("asked for %s", got)
	}
}

// An oEmbed that does not come takes the time that the page has left, and no more: there is none for the icon then.
func TestAnOEmbedThatStallsHasThePagesTime(t *testing.T) {
	t.Parallel()
	web := newHost(t, map[string][2]string{"/o": {"stalls"}, "/i.png": {"image/png", string(pngOf(8, 8))}, "/page": {
		"text/html", `<title>Tea</title><link rel="icon" href="/i.png">` + linkTo("/o")}})
	s := service(t, "")
	s.Blobs, s.patience = shelf{}, 500*time.Millisecond
	began := time.Now()
	p, err := s.load(t.Context(), web.URL+"/page")
	if took := time.Since(began); err != nil || p.Title != "Tea" || p.Icon.Hash != "" || took > 5*time.Second {
		t.Errorf("%+v %v after %v", p, err, took)
	}
	if got := web.got(); got != "/o /page" {
		t.Errorf("asked for %s", got)
	}
	// It was not the icon's fault: it is asked for the next time.
	if _, known := s.known.get(iconKey+web.URL+"/i.png", s.Now()); known {
		t.Error("that the icon failed is remembered")
	}
}

// A page fills the memory of the server with no long addresses.
func TestLongAddressesOfIconsAreNotRemembered(t *testing.T) {
	t.Parallel()
	for _, href := range []string{"data:image/png;base64," + strings.Repeat("A", 100<<10),
		"/" + strings.Repeat("i", domain.MaxPreviewAddress)} {
		web := newHost(t, map[string][2]string{"/page": {"text/html", `<title>Tea</title><link rel="icon" href="` + href +
			`"><meta property="og:image" content="` + href + `">` + linkTo(href)}})
		s := service(t, "")
		if p, err := s.load(t.Context(), web.URL+"/page"); err != nil || p.Title != "Tea" || len(s.known.found) > 0 {
			t.Errorf("%.30s: %+v %v, and %d remembered", href, p, err, len(s.known.found))
		}
		if got := web.got(); got != "/page" {
			t.Errorf("asked for %.60s", got)
		}
	}
}

func linkTo(oembed string) string {
	return `<link rel="alternate" type="application/json+oembed" href="` + oembed + `">`
}

func portOf(t *testing.T, h *host) string {
	t.Helper()
	u, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}
