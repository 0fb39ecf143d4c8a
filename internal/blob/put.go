package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Put stores the content of r, at most limit bytes, and returns its blob. The type is detected from
// the first bytes (WHATWG MIME Sniffing), whatever the sender says. The file is kept for a day, and
// longer if something refers to it by then.
func (s *Service) Put(ctx context.Context, r io.Reader, limit int64) (domain.Blob, error) {
	if err := s.Full(); err != nil {
		return domain.Blob{}, err
	}
	f, err := os.CreateTemp(s.Temp, "upload-*")
	if err != nil {
		return domain.Blob{}, fmt.Errorf("keep an upload: %w", err)
	}
	defer os.Remove(f.Name()) // does nothing after the file was moved
	b, err := fill(f, r, limit)
	if err = errors.Join(err, f.Close()); err == nil {
		b, err = s.keep(ctx, b, f.Name())
	}
	if errors.Is(err, syscall.ENOSPC) { // since Full was asked
		err = domain.Unavailable.Errorf(domain.CodeDiskFull,
			"the server's disk is full; send this again once somebody has made room").After(fullRetry).Because(err)
	}
	if err != nil {
		return domain.Blob{}, err
	}
	return b, nil
}

// fullRetry is when a file may be sent again that found the disk full.
const fullRetry = 30 * time.Second

// fill writes r to f, syncs it, and returns its hash, size and type.
func fill(f *os.File, r io.Reader, limit int64) (b domain.Blob, err error) {
	hash := sha256.New()
	head := &prefix{}
	b.Size, err = io.Copy(io.MultiWriter(f, hash, head), io.LimitReader(r, limit+1))
	if err != nil {
		return b, err
	}
	if b.Size > limit {
		return b, domain.TooLarge.Errorf(domain.CodeFileTooLarge,
			"this file has more than %d bytes; send a smaller one", limit)
	}
	b.Hash = hex.EncodeToString(hash.Sum(nil))
	b.Type = http.DetectContentType(head.Bytes())
	return b, f.Sync()
}

// A prefix stores the first bytes that are written to it.
type prefix struct{ bytes.Buffer }

func (p *prefix) Write(b []byte) (int, error) {
	if left := sniffLength - p.Len(); left > 0 {
		p.Buffer.Write(b[:min(left, len(b))])
	}
	return len(b), nil
}

// keep stores the file at path as the object of b, unless a blob with its hash exists.
func (s *Service) keep(ctx context.Context, b domain.Blob, path string) (domain.Blob, error) {
	if old, ok, err := s.Rows.TouchBlob(ctx, b.Hash, s.Now()); ok || err != nil {
		if err == nil {
			err = s.repair(ctx, old, path)
		}
		return old, err
	}
	b.Object, b.Created = objectName(b.Hash), s.Now()
	if err := s.Objects.Put(ctx, b.Object, path, b.Size); err != nil {
		return domain.Blob{}, err
	}
	kept, err := s.Rows.AddBlob(ctx, b, s.Now())
	if err == nil && kept.Object != b.Object { // the same file was added concurrently
		if err := s.Objects.Delete(ctx, b.Object); err != nil {
			s.Log.DebugContext(ctx, "delete the second copy of a file", "object", b.Object, "err", err)
		}
	}
	return kept, err
}

// repair restores the object of b from the same content at path, if it is missing, for example
// after the loss of a disk.
func (s *Service) repair(ctx context.Context, b domain.Blob, path string) error {
	if there, err := s.exists(ctx, b); there || err != nil {
		return err
	}
	s.Log.WarnContext(ctx, "a file was missing, and was sent again", "object", b.Object)
	return s.Objects.Put(ctx, b.Object, path, b.Size)
}

// exists reports whether the object of b can be read.
func (s *Service) exists(ctx context.Context, b domain.Blob) (bool, error) {
	r, err := s.Objects.Get(ctx, b.Object, 0, min(1, b.Size))
	if domain.KindOf(err) == domain.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, r.Close()
}

// objectName returns a unique name: two levels of folders, the hash, and an id.
func objectName(hash string) string {
	return filepath.ToSlash(filepath.Join(hash[:2], hash[2:4], hash+"-"+domain.NewID("o")))
}

// Presign returns a URL by which whoever has it can load the blob with a hash for some time, from the objects and not
// by this server. ok is false if these cannot be loaded so.
func (s *Service) Presign(ctx context.Context, hash string, life time.Duration) (url string, ok bool, err error) {
	objects, ok := s.Objects.(Presigner)
	if !ok {
		return "", false, nil
	}
	b, err := s.Rows.Blob(ctx, hash)
	if err == nil {
		url, err = objects.Presign(b.Object, life)
	}
	return url, true, err
}

// Open returns the content of the blob with a hash. The reader streams from the objects and can
// seek, for range requests.
func (s *Service) Open(ctx context.Context, hash string) (io.ReadSeekCloser, domain.Blob, error) {
	files, ok := s.Objects.(Opener)
	if !ok {
		b, err := s.Rows.Blob(ctx, hash)
		if err != nil {
			return nil, b, err
		}
		return &reader{ctx: ctx, objects: s.Objects, blob: b}, b, nil
	}
	if b, known := s.recent.get(hash); known {
		if f, err := files.OpenObject(b.Object); err == nil {
			return f, b, nil
		}
	}
	b, err := s.Rows.Blob(ctx, hash)
	if err != nil {
		return nil, b, err
	}
	f, err := files.OpenObject(b.Object)
	if err != nil {
		return nil, b, err
	}
	s.recent.put(b)
	return f, b, nil
}

// A reader reads one object. After a Seek it requests the object again.
type reader struct {
	ctx     context.Context
	objects Objects
	blob    domain.Blob
	offset  int64
	body    io.ReadCloser // from offset; nil: not requested yet
}

func (r *reader) Read(p []byte) (int, error) {
	if r.offset >= r.blob.Size {
		return 0, io.EOF
	}
	if r.body == nil {
		body, err := r.objects.Get(r.ctx, r.blob.Object, r.offset, -1)
		if err != nil {
			return 0, err
		}
		r.body = body
	}
	n, err := r.body.Read(p)
	r.offset += int64(n)
	if err == io.EOF && r.offset < r.blob.Size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.blob.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a file")
	}
	if offset != r.offset {
		r.offset = offset
		return offset, r.Close()
	}
	return offset, nil
}

func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
