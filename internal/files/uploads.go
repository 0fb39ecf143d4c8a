package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Begin begins the upload of a file of size bytes, which p wants to post in room. All that can be known by now is
// said now: whether p may, how large files may be, how much room p has left, and the server.
func (s *Service) Begin(
	ctx context.Context, p domain.Principal, room, name string, size int64,
) (domain.File, error) {
	f, err := s.begin(ctx, p, room, name, size)
	if err != nil {
		s.uploads.WithLabelValues("refused").Inc()
		return f, err
	}
	s.uploads.WithLabelValues("begun").Inc()
	return f, nil
}

func (s *Service) begin(
	ctx context.Context, p domain.Principal, room, name string, size int64,
) (f domain.File, err error) {
	if name, err = s.checkNew(room, name, size); err != nil {
		return f, err
	}
	now := s.now()
	f = domain.File{ID: domain.NewID(domain.FilePrefix), Owner: p.ID, Room: room, Name: name, Size: size,
		State: domain.FileUploading, Created: now, Expires: now.Add(domain.UnattachedLife)}
	return f, s.Store.Create(ctx, f, s.Limits.Quota, now)
}

// checkNew refuses a file that cannot be one, for which there is no place, or that is too large. It returns its name.
func (s *Service) checkNew(room, name string, size int64) (string, error) {
	if err := domain.CheckRoomID(room); err != nil {
		return "", err
	}
	name, err := domain.CheckFileName(name)
	if err != nil {
		return "", err
	}
	switch most := min(s.Limits.Size, domain.FilePart*domain.MaxFileParts); {
	case size < 1:
		return "", domain.InvalidField("/size", "the file is empty; choose another one")
	case size > most:
		e := domain.TooLarge.Errorf(domain.CodeFileTooLarge,
			"a file may have at most %d MiB on this server, and this one has %d; send a smaller one, or a link to it",
			most>>20, (size+1<<20-1)>>20)
		e.Fields = []domain.Field{{Pointer: "/size", Detail: e.Msg}}
		return "", e
	}
	return name, s.Space(size)
}

// Own returns a file of p, with its parts.
func (s *Service) Own(ctx context.Context, p domain.Principal, id string) (domain.File, error) {
	if !domain.ValidID(domain.FilePrefix, id) {
		return domain.File{}, errNoFile()
	}
	return s.Store.Own(ctx, id, p.ID)
}

func errNoFile() error {
	return domain.NotFound.Errorf(domain.CodeNoSuchFile, "there is no such file, or you don't have access to it")
}

// A Part is a part of a file that comes.
type Part struct {
	N      int
	Size   int64  // as announced; negative: unknown
	SHA256 string // that it must have; empty: whichever
}

// AddPart takes a part of an upload from r. The same part may be sent again; the last one counts.
func (s *Service) AddPart(ctx context.Context, p domain.Principal, id string, part Part, r io.Reader) error {
	n, hash := part.N, part.SHA256
	if err := checkSHA256(hash); err != nil {
		return err
	}
	f, err := s.Own(ctx, p, id)
	if err != nil {
		return err
	}
	if f.State != domain.FileUploading {
		return domain.Conflict.Errorf(domain.CodeUploadComplete, "this file is complete, and takes no more parts")
	}
	length := domain.PartLength(f.Size, n)
	if length == 0 {
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "this file has the parts 0 to %d",
			domain.PartCount(f.Size)-1)
	}
	if part.Size >= 0 && part.Size != length {
		return errPartLength(n, length)
	}
	if err := s.Space(length); err != nil {
		return err
	}
	b, err := s.Blobs.Receive(ctx, io.LimitReader(r, length+1), length)
	if err == nil {
		defer b.Close()
	}
	switch {
	case domain.CodeOf(err) == domain.CodeFileTooLarge, err == nil && b.Size != length:
		return errPartLength(n, length)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "the part did not arrive; send it again").Because(err)
	case err != nil:
		return err
	case hash != "" && hash != b.Hash:
		return domain.Invalid.Errorf(domain.CodeUploadHash,
			"the part has the SHA-256 %s, and %s was announced; send it again", b.Hash, hash)
	}
	s.received.Add(float64(b.Size))
	return s.Blobs.Keep(ctx, func(ctx context.Context, made []domain.Blob) error {
		return s.Store.AddPart(ctx, id, p.ID, domain.FilePiece{N: n, Size: b.Size, Hash: b.Hash}, made, s.now())
	}, b)
}

func errPartLength(n int, length int64) error {
	return domain.Invalid.Errorf(domain.CodeInvalidRequest, "part %d of this file has exactly %d bytes; send it anew", n,
		length)
}

func checkSHA256(hash string) error {
	if hash != "" && !domain.ValidSHA256(hash) {
		return domain.InvalidField("/sha256", "this is a SHA-256, in 64 lower-case hexadecimal digits")
	}
	return nil
}

// A Completion is what a client says of a file that it has sent.
type Completion struct {
	SHA256        string // of the whole file; empty: not checked
	Width, Height int    // of a video
	Duration      time.Duration
}

func (c Completion) check() error {
	if err := checkSHA256(c.SHA256); err != nil {
		return err
	}
	switch {
	case c.Width < 0 || c.Height < 0 || c.Width > domain.MaxPictureSide || c.Height > domain.MaxPictureSide:
		return domain.InvalidField("/width", "a side has at most %d pixels", domain.MaxPictureSide)
	case c.Duration < 0 || c.Duration > domain.MaxMediaLength:
		return domain.InvalidField("/duration_ms", "it lasts at most %d hours", int(domain.MaxMediaLength.Hours()))
	}
	return nil
}

// Complete makes an upload whose parts are all here a file that can be posted. To repeat it changes nothing.
func (s *Service) Complete(ctx context.Context, p domain.Principal, id string, c Completion) (domain.File, error) {
	if err := c.check(); err != nil {
		return domain.File{}, err
	}
	f, err := s.Own(ctx, p, id)
	if err != nil || f.State != domain.FileUploading {
		return f, err
	}
	if missing := missingParts(f); len(missing) > 0 {
		return f, domain.Conflict.Errorf(domain.CodeUploadOpen, "parts of this file are missing: %s; send them first",
			strings.Join(missing, ", "))
	}
	if c.SHA256 != "" {
		if err := s.checkHash(ctx, f, c.SHA256); err != nil {
			return f, err
		}
	}
	d := &pending{File: f, blobs: s.Blobs}
	defer d.close()
	if err := s.examine(ctx, d, c); err != nil {
		if domain.CodeOf(err) == domain.CodeFileRefused {
			if err := s.Store.Delete(ctx, f.ID, f.Owner, s.now()); err != nil {
				return f, err
			}
		}
		return f, err
	}
	now := s.now()
	d.Expires = now.Add(domain.UnattachedLife)
	err = d.keep(ctx, func(ctx context.Context, made []domain.Blob) (err error) {
		f, err = s.Store.Complete(ctx, d.File, made, now)
		return err
	})
	if err == nil {
		s.uploads.WithLabelValues("complete").Inc()
	}
	return f, err
}

// examine refuses a file that is not to be posted, and finds out what there is to know of it. Then it is ready.
func (s *Service) examine(ctx context.Context, f *pending, c Completion) (err error) {
	if err := s.scan(ctx, f); err != nil {
		return err
	}
	if f.Type, err = f.sniff(ctx); err != nil {
		return err
	}
	if err := s.look(ctx, f); err != nil {
		return err
	}
	if kind := domain.KindOfFile(f.Type); kind != domain.OtherFile && f.Width == 0 {
		f.Width, f.Height = c.Width, c.Height
		if kind != domain.ImageFile {
			f.Duration = c.Duration
		}
	}
	f.State = domain.FileReady
	return nil
}

const missingListed = 10

// missingParts returns the numbers of the parts that are not here, or the first of them.
func missingParts(f domain.File) (missing []string) {
	here := make(map[int]bool, len(f.Parts))
	for _, p := range f.Parts {
		here[p.N] = true
	}
	for n := range domain.PartCount(f.Size) {
		if here[n] {
			continue
		}
		if len(missing) == missingListed {
			return append(missing, "…")
		}
		missing = append(missing, fmt.Sprint(n))
	}
	return missing
}

// checkHash returns an error if a file has another SHA-256. It reads one of several parts whole; that of a single one
// was found when it came.
func (s *Service) checkHash(ctx context.Context, f domain.File, want string) error {
	is := f.Parts[0].Hash
	if len(f.Parts) > 1 {
		r := s.open(ctx, f)
		defer r.Close()
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			return err
		}
		is = hex.EncodeToString(h.Sum(nil))
	}
	if is != want {
		return errHash(is, want)
	}
	return nil
}

func errHash(is, want string) error {
	return domain.Invalid.Errorf(domain.CodeUploadHash,
		"the file has the SHA-256 %s, and %s was announced; upload it again", is, want)
}

// Delete deletes a file of p that no message has.
func (s *Service) Delete(ctx context.Context, p domain.Principal, id string) error {
	if !domain.ValidID(domain.FilePrefix, id) {
		return errNoFile()
	}
	return s.Store.Delete(ctx, id, p.ID, s.now())
}
