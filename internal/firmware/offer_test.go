package firmware

import (
	"bytes"
	"context"
	"errors"
	"io"
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
	return &strict{bytes.NewReader(f.image)}, domain.Blob{Size: int64(len(f.image))}, nil
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
