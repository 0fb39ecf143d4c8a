package preview

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// oneBlob keeps the last picture.
type oneBlob struct {
	data []byte
	puts int
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }

func (b *oneBlob) Put(_ context.Context, r io.Reader, _ int64) (domain.Blob, error) {
	data, err := io.ReadAll(r)
	b.data, b.puts = data, b.puts+1
	return domain.Blob{Hash: "hash", Type: "image/png"}, err
}

func (b *oneBlob) Open(context.Context, string) (io.ReadSeekCloser, domain.Blob, error) {
	if b.data == nil {
		return nil, domain.Blob{}, domain.NotFound.Errorf(domain.CodeNoSuchFile, "there is no such file")
	}
	return reader{bytes.NewReader(b.data)}, domain.Blob{}, nil
}

// A page is asked once in 24 hours, however often it is linked to. Its picture is kept for as long, and a page whose
// picture is gone is asked again.
func TestPagesAreRememberedForADay(t *testing.T) {
	t.Parallel()
	s, blobs, asked, now := service(t, ""), &oneBlob{}, 0, time.Now()
	s.Blobs, s.Now = blobs, func() time.Time { return now }
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 20, 10))); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/i.png" {
			_, _ = w.Write(picture.Bytes())
			return
		}
		asked++
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, `<title>Tea</title><meta property="og:image" content="/i.png">`)
	}))
	t.Cleanup(web.Close)
	look := func(when string, wantAsked, wantPuts int) {
		t.Helper()
		p := s.preview(t.Context(), web.URL)
		if p.Title != "Tea" || p.Image.Hash == "" || p.Image.ID == "" {
			t.Errorf("%s: %+v", when, p)
		}
		if asked != wantAsked || blobs.puts != wantPuts {
			t.Errorf("%s: asked %d times, and stored %d pictures", when, asked, blobs.puts)
		}
	}
	look("at first", 1, 1)
	now = now.Add(24*time.Hour - time.Second)
	look("after almost a day", 1, 2)
	now = now.Add(time.Second)
	look("after a day", 2, 3)
	blobs.data = nil
	look("without its picture", 3, 4)
}

// That there is no picture is forgotten sooner than which one there is.
func TestPicturesAreRemembered(t *testing.T) {
	t.Parallel()
	c, now := newCache(), time.Now()
	for hash, keep := range map[string]time.Duration{"": keepFailed, "hash": keepFound} {
		c.putImage("icon", domain.PreviewImage{Hash: hash}, now)
		if p, known := c.get("icon", now.Add(keep-time.Second)); !known || p.Image.Hash != hash {
			t.Errorf("%q: remembered %v, %+v", hash, known, p)
		}
		if _, known := c.get("icon", now.Add(keep)); known {
			t.Errorf("%q is remembered for longer than %v", hash, keep)
		}
	}
}
