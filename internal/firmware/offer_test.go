package firmware

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

type anyReleases interface{ Releases } // to embed, beside a method of that name

// A folder has one image of ann's, and seeks nowhere beyond its end, as disks do with offsets near 2^62.
type folder struct {
	anyReleases
	image []byte
	away  error // of the storage
}

func (f *folder) ImageProducts(context.Context, string, bool) ([]domain.Product, error) {
	return []domain.Product{{Owner: domain.UserRef{ID: "ann"}}}, nil
}

func (f *folder) Running(context.Context, string, string) (map[string]int, error) { return nil, nil }

func (f *folder) MayTake(context.Context, string, string) (bool, error) { return true, nil }

func (f *folder) Put(context.Context, io.Reader, int64) (domain.Blob, error) {
	return domain.Blob{}, errors.New("not here")
}

func (f *folder) Open(context.Context, string) (io.ReadSeekCloser, domain.Blob, error) {
	return &strict{bytes.NewReader(f.image)}, domain.Blob{Size: int64(len(f.image))}, f.away
}

type strict struct{ *bytes.Reader }

func (s *strict) Seek(offset int64, whence int) (int64, error) {
	if offset > s.Size() {
		return 0, errors.New("invalid argument")
	}
	return s.Reader.Seek(offset, whence)
}

func (s *strict) Close() error { return nil }

func TestBeyondItsEndAnImageHasNothing(t *testing.T) {
	t.Parallel()
	f := &folder{image: []byte("0123456789")}
	s := &Service{Deps: Deps{Releases: f, Files: f, Fleet: f}, downloads: newDownloads(Pace{}, nil, time.Now)}
	for offset, want := range map[int64]string{0: "0123", 8: "89", 10: "", 11: "", 1 << 62: ""} {
		got, err := s.ReadUpdate(t.Context(), domain.Principal{Kind: domain.KindDevice, Owner: "ann"}, netip.Addr{},
			domain.FirmwareRead{Offset: offset, Length: 4})
		if string(got) != want || err != nil {
			t.Errorf("from %d it has %q, %v", offset, got, err)
		}
	}
}

// While the storage of files is away, a device is told when to come again, and goes on from where it was.
func TestADownloadGoesOnAfterTheStorageWasAway(t *testing.T) {
	t.Parallel()
	f := &folder{image: []byte("0123456789")}
	s := &Service{Deps: Deps{Releases: f, Files: f, Fleet: f}, downloads: newDownloads(Pace{}, nil, time.Now)}
	read := func() ([]byte, error) {
		return s.ReadUpdate(t.Context(), domain.Principal{Kind: domain.KindDevice, Owner: "ann"}, netip.Addr{},
			domain.FirmwareRead{Offset: 4, Length: 4})
	}
	load := func() *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Range", "bytes=4-")
		s.Deliver(w, r, "x", func() error { return nil })
		return w
	}
	f.away = domain.Unavailable.Errorf(domain.CodeFilesUnavailable, "not now").After(time.Second)
	if w := load(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("a download: %d %v", w.Code, w.Header())
	}
	if _, err := read(); domain.CodeOf(err) != domain.CodeFilesUnavailable {
		t.Errorf("a window: %v", err)
	}
	f.away = nil
	if w := load(); w.Code != http.StatusPartialContent || w.Body.String() != "456789" {
		t.Errorf("a download afterwards: %d %q", w.Code, w.Body)
	}
	if got, err := read(); string(got) != "4567" || err != nil {
		t.Errorf("a window afterwards: %q, %v", got, err)
	}
}
