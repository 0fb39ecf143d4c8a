package firmware

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

type anyUploads interface{ Uploads } // to embed, beside a method of that name

// A shelf has one upload, and files that may be out of reach.
type shelf struct {
	anyUploads
	Files
	upload domain.FirmwareUpload
	away   error
}

func (s *shelf) Upload(context.Context, string, string) (domain.FirmwareUpload, error) {
	return s.upload, nil
}

func (s *shelf) AddPart(
	_ context.Context, _, _ string, start int64, part domain.Blob, _ int64, _ time.Time,
) (domain.FirmwareUpload, error) {
	s.upload.Received = start + part.Size
	return s.upload, nil
}

func (s *shelf) Put(_ context.Context, r io.Reader, _ int64) (domain.Blob, error) {
	b, err := io.ReadAll(r)
	if err == nil {
		err = s.away
	}
	return domain.Blob{Hash: "x", Size: int64(len(b))}, err
}

// While the disk is full, or the storage of files away, an upload stays where it is, and the sender is told so. It
// goes on from there afterwards.
func TestAnUploadGoesOnAfterTheDiskWasFull(t *testing.T) {
	t.Parallel()
	for _, code := range []domain.Code{domain.CodeDiskFull, domain.CodeStoreUnavailable} {
		s := &shelf{upload: domain.FirmwareUpload{ID: "u", Kind: domain.RawUpload, Size: 8}}
		service := &Service{Deps: Deps{Uploads: s, Files: s, Now: time.Now}}
		part := func(start int64) error {
			_, err := service.AddPart(t.Context(), domain.Principal{ID: "ann"}, "u", start, bytes.Repeat([]byte("x"), 4))
			return err
		}
		if err := part(0); err != nil {
			t.Fatal(err)
		}
		s.away = domain.Unavailable.Errorf(code, "not now")
		if err := part(4); domain.CodeOf(err) != code || domain.KindOf(err) != domain.Unavailable {
			t.Errorf("%s: %v", code, err)
		}
		if u, err := service.Upload(t.Context(), domain.Principal{ID: "ann"}, "u"); err != nil || u.Received != 4 {
			t.Errorf("%s: %d bytes are there, %v", code, u.Received, err)
		}
		s.away = nil
		if err := part(4); err != nil || s.upload.Received != 8 {
			t.Errorf("%s is over: %d bytes are there, %v", code, s.upload.Received, err)
		}
	}
}
