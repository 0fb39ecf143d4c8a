package preview

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/testkit"
)

// wanting has every link looked at, and keeps nothing.
type wanting struct{ Store }

func (wanting) Wanted(_ context.Context, _ string, _ int64, links []string) ([]string, error) {
	return links, nil
}

// service is one whose clock stands still.
func service(t *testing.T, serverURL string) *Service {
	t.Helper()
	now := time.Now()
	return New(Deps{Store: wanting{}, DiskFull: func() error { return nil }, URL: serverURL,
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Log: testkit.Logger(t),
		Metrics: prometheus.NewRegistry(), Now: func() time.Time { return now }})
}

func said(s *Service, sender, text string) feed.Entry[domain.Event] {
	return feed.Entry[domain.Event]{Value: domain.Event{Type: domain.MessageCreated, At: s.Now(), Message: &domain.Message{
		Room: "room", Sender: domain.UserRef{ID: sender}, ContentType: domain.ContentMarkdown, Text: text}}}
}

// Of one sender not every message is looked at, and of all not more than fit the queue. Nobody waits for a page: here
// no page is ever loaded, and each message is done with.
func TestNobodyWaitsForPreviews(t *testing.T) {
	t.Parallel()
	s := service(t, "")
	var one []feed.Entry[domain.Event]
	for range 20 {
		one = append(one, said(s, "ann", "https://a.example https://b.example"))
	}
	if err := s.handle(t.Context(), one); err != nil || len(s.jobs) != 15 {
		t.Errorf("of 20 messages at once of one sender %d are looked at; %v", len(s.jobs), err)
	}
	var many []feed.Entry[domain.Event]
	for i := range maxWaiting {
		many = append(many, said(s, fmt.Sprint("user", i), "https://a.example"))
	}
	if err := s.handle(t.Context(), many); err != nil || len(s.jobs) != maxWaiting {
		t.Errorf("%d messages wait; %v", len(s.jobs), err)
	}
	if q := s.Queues()[0]; q.Depth() != q.Limit || q.Full() != 15 {
		t.Errorf("the queue says %d of %d, and that it was full %d times", q.Depth(), q.Limit, q.Full())
	}
	if n := testutil.ToFloat64(s.looks.WithLabelValues(resultDropped)); n != 2*5+15 {
		t.Errorf("%v links count as dropped", n)
	}
}

// What is no message of today with a link is left alone.
func TestWhatHasNoPreview(t *testing.T) {
	t.Parallel()
	s := service(t, "")
	edit := func(change func(*domain.Event)) feed.Entry[domain.Event] {
		e := said(s, "ann", "https://a.example")
		change(&e.Value)
		return e
	}
	err := s.handle(t.Context(), []feed.Entry[domain.Event]{
		said(s, "ann", "no link"), said(s, "ann", "<https://a.example> ||https://a.example||"),
		edit(func(e *domain.Event) { e.At = e.At.Add(-maxAge - time.Second) }),
		edit(func(e *domain.Event) { e.Type = domain.MessagePreviewed }),
		edit(func(e *domain.Event) { e.Type = domain.MessageDeleted }),
		edit(func(e *domain.Event) { e.Message.DeletedAt = e.At }),
		edit(func(e *domain.Event) { e.Message.ContentType = "text/x-card" }),
		edit(func(e *domain.Event) { e.Message = nil }),
	})
	if err != nil || len(s.jobs) != 0 {
		t.Errorf("%d messages wait; %v", len(s.jobs), err)
	}
	s.DiskFull = func() error { return domain.ErrNoText() }
	if err := s.handle(t.Context(), []feed.Entry[domain.Event]{said(s, "ann", "https://a.example")}); err != nil ||
		len(s.jobs) != 0 {
		t.Errorf("with a full disk %d messages wait; %v", len(s.jobs), err)
	}
}

// One host is not asked more than 30 times at once, whatever its pages are called.
func TestOneHostIsNotAskedTooOften(t *testing.T) {
	t.Parallel()
	s := service(t, "")
	var asked atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<title>Page %s</title>", r.URL.Path)
	}))
	t.Cleanup(web.Close)
	for i := range 35 {
		p, err := s.load(t.Context(), fmt.Sprint(web.URL, "/", i))
		if refused := i >= 30; refused != (err != nil) || refused == (p.Title == fmt.Sprint("Page /", i)) {
			t.Errorf("page %d: %+v %v", i, p, err)
		}
	}
	if asked.Load() != 30 {
		t.Errorf("asked %d times", asked.Load())
	}
	// What failed is remembered as well as what was found.
	link := fmt.Sprint(web.URL, "/35")
	if p := s.preview(t.Context(), link); p.URL != "" {
		t.Errorf("it has a preview: %+v", p)
	}
	if p, known := s.known.get(link, s.Now().Add(keepFailed-time.Second)); !known || p.URL != "" {
		t.Errorf("remembered: %v %+v", known, p)
	}
	if _, known := s.known.get(link, s.Now().Add(keepFailed)); known {
		t.Error("a failure is remembered for longer than 10 minutes")
	}
}

// A page that stalls is read as far as it came, if its head is there, and given up in time.
func TestAPageThatStallsIsGivenUp(t *testing.T) {
	t.Parallel()
	s := service(t, "")
	s.patience = 300 * time.Millisecond
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/told" {
			_, _ = fmt.Fprint(w, "<title>Told</title>", strings.Repeat(" ", 1024))
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(web.Close)
	for path, want := range map[string]string{"/told": "Told", "/silent": ""} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			p, err := s.load(t.Context(), web.URL+path)
			if p.Title != want || (err == nil) != (want != "") {
				t.Errorf("%+v %v", p, err)
			}
		})
	}
}

// Pages are followed, and read, so far and no further.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	s := service(t, "")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		left := 0
		switch _, err := fmt.Sscanf(r.URL.Path, "/redirect/%d", &left); {
		case err == nil && left > 0:
			http.Redirect(w, r, fmt.Sprint("/redirect/", left-1), http.StatusFound)
		case r.URL.Path == "/late":
			_, _ = fmt.Fprint(w, strings.Repeat("<!-- -->", maxPage/8), "<title>Late</title>")
		case r.URL.Path == "/picture":
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write(make([]byte, maxImage+1))
		default:
			_, _ = fmt.Fprint(w, "<title>Found</title>")
		}
	}))
	t.Cleanup(web.Close)
	for path, want := range map[string]struct{ title, err string }{
		fmt.Sprint("/redirect/", maxRedirects):   {"Found", ""},
		fmt.Sprint("/redirect/", maxRedirects+1): {"", "redirects more than"},
		"/late":                                  {"", ""},
		"/picture":                               {"", "it has more than"},
	} {
		p, err := s.load(t.Context(), web.URL+path)
		if (want.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want.err) ||
			err == nil && p.Title != want.title {
			t.Errorf("%s: %+v %v", path, p, err)
		}
	}
}

func TestTheServerDoesNotLookAtItself(t *testing.T) {
	t.Parallel()
	s := service(t, "https://chat.example.org")
	for text, want := range map[string]bool{
		"https://chat.example.org/x": false, "https://CHAT.example.org.:443": false, "http://chat.example.org": true,
		"https://chat.example.org:8443": false, "https://example.org": true, "https://example.org:80": true,
		"https://ann@example.org": false, "ftp://example.org": false, "https://example.org:22": false,
		"http://127.0.0.1:8080": true, "http://127.0.0.2:8080": false, "http://[::ffff:127.0.0.1]:8080": true,
		"http://localhost:8080": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.check(u); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What a page says of itself is shown up to a length, in characters, and as a whole if it fits.
func TestWhatPagesSayIsBounded(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int{"og:title": domain.MaxPreviewTitle,
		"og:description": domain.MaxPreviewDescription, "og:site_name": domain.MaxPreviewSite,
		"og:image:alt": domain.MaxPreviewAlt} {
		for n := most; n <= most+1; n++ {
			said := strings.Repeat("ä", n)
			h := readHead(strings.NewReader(fmt.Sprintf(`<head><meta property=%q content=%q></head>`, name, said)))
			got := map[string]string{"og:title": h.title(), "og:description": h.description(), "og:site_name": h.site(),
				"og:image:alt": h.imageAlt()}[name]
			if whole := got == said; whole != (n == most) || utf8.RuneCountInString(got) > most || len(got) < most {
				t.Errorf("%s of %d characters is shown as %d", name, n, utf8.RuneCountInString(got))
			}
		}
	}
}
