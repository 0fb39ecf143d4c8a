package firmware

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A bucket has a presigned URL for each file, unless it is away.
type bucket struct{ away error }

func (b *bucket) Presign(_ context.Context, hash string, life time.Duration) (string, bool, error) {
	return "https://s3.example.org/" + hash + "?life=" + life.String(), true, b.away
}

// serving returns a service that has an image, with a server for it, and a clock.
func serving(t *testing.T, d Deps) (s *Service, clock *time.Time) {
	t.Helper()
	f := &folder{image: []byte("0123456789")}
	now := time.Unix(1_800_000_000, 0)
	d.Releases, d.Files, d.Fleet, d.LinkKey, d.Log = f, f, f, []byte("key"), testkit.Logger(t)
	d.Now = func() time.Time { return now }
	s = &Service{Deps: d, downloads: newDownloads(Pace{}, nil, d.Now),
		proofs: ratelimit.NewProofs(wrongProofs, time.Minute)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /firmware/images/{sha256}", s.ServeImage)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.URL = func() string { return server.URL }
	return s, &now
}

func fetch(t *testing.T, url, ranges string) (res *http.Response, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ranges != "" {
		req.Header.Set("Range", ranges)
	}
	if res, err = http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

var imageHash = strings.Repeat("ab", 32)

// All devices get the same link to a file by a CDN for hours, so that it keeps one answer, until the link ends.
func TestACDNKeepsAnImageUntilItsLinkEnds(t *testing.T) {
	t.Parallel()
	s, clock := serving(t, Deps{CDN: "https://cdn.example.org"})
	link := s.Link(t.Context(), imageHash, "dev_1")
	*clock = clock.Truncate(LinkLife).Add(LinkLife - time.Second)
	last := s.Link(t.Context(), imageHash, "dev_2")
	if link != last || !strings.HasPrefix(link, "https://cdn.example.org/firmware/images/"+imageHash+"?") {
		t.Errorf("%s, and then %s", link, last)
	}
	origin := s.URL() + strings.TrimPrefix(link, s.CDN) // as the CDN asks for it
	res, got := fetch(t, origin, "bytes=4-")
	if res.StatusCode != http.StatusPartialContent || got != "456789" ||
		res.Header.Get("Cache-Control") != "public, max-age=21601, immutable" {
		t.Errorf("%s %q, %q", res.Status, got, res.Header.Get("Cache-Control"))
	}
	for what, url := range map[string]string{
		"another file":  strings.Replace(origin, imageHash, strings.Repeat("cd", 32), 1),
		"for longer":    strings.Replace(origin, "until=1", "until=2", 1),
		"for one alone": strings.Replace(origin, "for=all", "for=dev_1", 1),
	} {
		if res, _ := fetch(t, url, ""); res.StatusCode != http.StatusForbidden ||
			strings.Contains(res.Header.Get("Cache-Control"), "public") {
			t.Errorf("%s: %s, %q", what, res.Status, res.Header.Get("Cache-Control"))
		}
	}
	*clock = clock.Add(LinkLife + 2*time.Second)
	if res, _ := fetch(t, origin, ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("after its end: %s", res.Status)
	}
	if s.Link(t.Context(), imageHash, "dev_1") == link {
		t.Error("the link is never another one")
	}
}

// A key opens an image for its device alone: a URL that only looks like a link for all has a CDN keep nothing.
func TestNobodyKeepsWhatAKeyHasOpened(t *testing.T) {
	t.Parallel()
	s, _ := serving(t, Deps{CDN: "https://cdn.example.org", Secrets: letsIn{}})
	at := s.URL() + "/firmware/images/" + imageHash + "?for=all&until=9999999999"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer dk_1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if kept := res.Header.Get("Cache-Control"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kept, "private") {
		t.Errorf("%s, %q", res.Status, kept)
	}
}

// letsIn takes any secret for the key of a device.
type letsIn struct{}

func (letsIn) Authenticate(context.Context, string, netip.Addr) (domain.Principal, error) {
	return domain.Principal{Kind: domain.KindDevice, ID: "dev_1"}, nil
}

// The link of one device is kept by nobody on its way.
func TestALinkToThisServerIsForOne(t *testing.T) {
	t.Parallel()
	s, _ := serving(t, Deps{})
	link := s.Link(t.Context(), imageHash, "dev_1")
	res, got := fetch(t, link, "")
	if got != "0123456789" || !strings.HasPrefix(res.Header.Get("Cache-Control"), "private") {
		t.Errorf("%s %q, %q", res.Status, got, res.Header.Get("Cache-Control"))
	}
	if res, _ := fetch(t, strings.Replace(link, "for=dev_1", "for=all", 1), ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("made one for all: %s", res.Status)
	}
}

// A link to the bucket is that which it signs. Without one, the file goes by this server.
func TestALinkLeadsToTheBucketIfThereIsOne(t *testing.T) {
	t.Parallel()
	b := &bucket{}
	s, _ := serving(t, Deps{Direct: b})
	if link := s.Link(t.Context(), imageHash, "dev_1"); link != "https://s3.example.org/"+imageHash+"?life=6h0m0s" {
		t.Error(link)
	}
	b.away = errors.New("away")
	if _, got := fetch(t, s.Link(t.Context(), imageHash, "dev_1"), ""); got != "0123456789" {
		t.Errorf("by this server: %q", got)
	}
}
