package files

import (
	"context"
	"errors"
	"io"

	"github.com/unhidra/unhidra/internal/domain"
)

// A Whole is a file that comes in one piece.
type Whole struct {
	Room, Name string
	Size       int64  // as announced; negative: unknown
	Key        string // by which the same file is not added again; empty: none
	Completion
}

// Upload takes a file of at most one part from r, so that it can be posted. What the file consists of and the file are
// stored in one transaction, once the former outlives a power cut.
func (s *Service) Upload(ctx context.Context, p domain.Principal, w Whole, r io.Reader) (domain.File, error) {
	f, had, err := s.upload(ctx, p, w, r)
	switch {
	case err != nil:
		s.uploads.WithLabelValues("refused").Inc()
	case !had:
		s.uploads.WithLabelValues("begun").Inc()
		s.uploads.WithLabelValues("complete").Inc()
	}
	return f, err
}

func (s *Service) upload(
	ctx context.Context, p domain.Principal, w Whole, r io.Reader,
) (f domain.File, had bool, err error) {
	if f, err = s.announced(p, w); err != nil {
		return f, false, err
	}
	if old, found, err := s.Store.MayAdd(ctx, f, s.Limits.Quota, f.Created); found || err != nil {
		return old, found, err
	}
	d := &pending{File: f, blobs: s.Blobs}
	defer d.close()
	if err := s.arrive(ctx, d, w, r); err != nil {
		return f, false, err
	}
	if err := s.examine(ctx, d, w.Completion); err != nil {
		return f, false, err
	}
	err = d.keep(ctx, func(ctx context.Context, made []domain.Blob) (err error) {
		f, err = s.Store.Add(ctx, d.File, made, s.Limits.Quota, d.Created)
		return err
	})
	return f, err == nil && f.ID != d.ID, err
}

// announced returns the file that w says there will be, of which as much is checked as is known by now.
func (s *Service) announced(p domain.Principal, w Whole) (f domain.File, err error) {
	if err := w.check(); err != nil {
		return f, err
	}
	id := domain.NewID(domain.FilePrefix)
	if w.Key != "" {
		if err := domain.CheckKey(w.Key); err != nil {
			return f, err
		}
		id = domain.KeyedID(domain.FilePrefix, p.ID, w.Key)
	}
	if w.Size > domain.FilePart {
		return f, errLargerThanAPart()
	}
	size := w.Size
	if size < 0 {
		size = 1 // at least
	}
	if w.Name, err = s.checkNew(w.Room, w.Name, size); err != nil {
		return f, err
	}
	now := s.now()
	return domain.File{ID: id, Owner: p.ID, Room: w.Room, Name: w.Name, Size: size, Created: now,
		Expires: now.Add(domain.UnattachedLife)}, nil
}

func errLargerThanAPart() error {
	return domain.TooLarge.Errorf(domain.CodeFileTooLarge,
		"a file that is sent in one request has at most %d MiB; send this one in parts: POST /api/v1/files",
		domain.FilePart>>20)
}

// arrive takes the content of a file.
func (s *Service) arrive(ctx context.Context, d *pending, w Whole, r io.Reader) error {
	in, err := d.receive(ctx, r, domain.FilePart)
	switch {
	case domain.CodeOf(err) == domain.CodeFileTooLarge:
		return errLargerThanAPart()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "the file did not arrive; send it again").Because(err)
	case err != nil:
		return err
	}
	s.received.Add(float64(in.Size))
	if w.SHA256 != "" && w.SHA256 != in.Hash {
		return errHash(in.Hash, w.SHA256)
	}
	d.Size, d.Parts = in.Size, []domain.FilePiece{{Size: in.Size, Hash: in.Hash}}
	_, err = s.checkNew(w.Room, d.Name, d.Size) // with the size as it is
	return err
}
