package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Put stores the content of r, at most limit bytes, and returns its blob. The type is detected from
// the first bytes (WHATWG MIME Sniffing), whatever the sender says. The file is kept for a day, and
// longer if something refers to it by then.
func (s *Service) Put(ctx context.Context, r io.Reader, limit int64) (b domain.Blob, err error) {
	in, err := s.Receive(ctx, r, limit)
	if err != nil {
		return b, err
	}
	defer in.Close()
	err = s.Keep(ctx, func(ctx context.Context, made []domain.Blob) error {
		for _, b := range made {
			kept, err := s.Rows.AddBlob(ctx, b, s.Now())
			if err != nil {
				return err
			}
			if kept.Object != b.Object { // the same file was added concurrently
				s.drop(ctx, made)
			}
			in.Blob = kept
		}
		return nil
	}, in)
	if err != nil {
		return b, err
	}
	return in.Blob, nil
}

// An Incoming is content that has arrived, and is not kept yet.
type Incoming struct {
	domain.Blob // without an object
	f           *os.File
}

// Receive takes the content of r, at most limit bytes. Close lets go of it.
func (s *Service) Receive(ctx context.Context, r io.Reader, limit int64) (*Incoming, error) {
	if err := s.Full(); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.Temp, "upload-*")
	if err != nil {
		return nil, fmt.Errorf("keep an upload: %w", err)
	}
	in := &Incoming{f: f}
	if in.Blob, err = fill(f, r, limit); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		in.Close()
		return nil, fullDisk(err)
	}
	return in, nil
}

// Open returns the content. It can be read until Close is called, also after it is kept.
func (in *Incoming) Open() io.ReadSeekCloser { return content{io.NewSectionReader(in.f, 0, in.Size)} }

type content struct{ io.ReadSeeker }

func (content) Close() error { return nil }

// Close deletes the content unless it was kept.
func (in *Incoming) Close() {
	_ = in.f.Close()           // what counts is synced
	_ = os.Remove(in.f.Name()) // it may have moved
}

// fullDisk says of an error that the disk is full, if it is: it may be since Full was asked.
func fullDisk(err error) error {
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return domain.Unavailable.Errorf(domain.CodeDiskFull,
		"the server's disk is full; send this again once somebody has made room").After(fullRetry).Because(err)
}

// fullRetry is when a file may be sent again that found the disk full.
const fullRetry = 30 * time.Second

// fill writes r to f, and returns its hash, size and type. While more arrives, the disk writes what is there, and
// another processor hashes it.
func fill(f *os.File, r io.Reader, limit int64) (b domain.Blob, err error) {
	h := startHash()
	var head []byte
	begun := int64(0) // up to where the disk writes
	for r = io.LimitReader(r, limit+1); err == nil; {
		buffer := h.buffer()
		var n int
		n, err = r.Read(buffer[:])
		if len(head) < sniffLength {
			head = append(head, buffer[:min(n, sniffLength-len(head))]...)
		}
		if _, failed := f.Write(buffer[:n]); failed != nil {
			err = failed
		}
		h.add(buffer, n)
		if b.Size += int64(n); b.Size-begun >= writeStep {
			startWriting(f, begun, b.Size-begun)
			begun = b.Size
		}
	}
	b.Hash = h.sum()
	if !errors.Is(err, io.EOF) {
		return b, err
	}
	if b.Size > limit {
		return b, domain.TooLarge.Errorf(domain.CodeFileTooLarge,
			"this file has more than %d bytes; send a smaller one", limit)
	}
	b.Type = http.DetectContentType(head)
	return b, nil
}

const (
	copied    = 64 << 10  // bytes at a time
	writeStep = 512 << 10 // bytes from which the disk begins to write
)

type buffer [copied]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// A hashing computes a SHA-256 beside what fills its two buffers.
type hashing struct {
	free   chan *buffer
	filled chan filled
	hash   chan string
}

type filled struct {
	*buffer
	n int
}

func startHash() *hashing {
	h := &hashing{make(chan *buffer, 2), make(chan filled, 2), make(chan string, 1)}
	for range cap(h.free) {
		h.free <- buffers.Get().(*buffer)
	}
	go func() {
		hash := sha256.New()
		for part := range h.filled {
			_, _ = hash.Write(part.buffer[:part.n]) // never fails
			h.free <- part.buffer
		}
		h.hash <- hex.EncodeToString(hash.Sum(nil))
	}()
	return h
}

// buffer waits for one to fill. The caller gives it to add.
func (h *hashing) buffer() *buffer { return <-h.free }

// add hashes the first n bytes of a buffer next.
func (h *hashing) add(b *buffer, n int) { h.filled <- filled{b, n} }

// sum returns the hash of all that was added, and ends the hashing.
func (h *hashing) sum() string {
	close(h.filled)
	sum := <-h.hash
	for range cap(h.free) {
		buffers.Put(<-h.free)
	}
	return sum
}

// Keep stores what has come as objects, so that it outlives a power cut, and then has add store the rows of those that
// have none, and what refers to all, in one transaction. If add refuses, which a domain.Error of any kind but Internal
// and Unavailable says, the objects are deleted.
func (s *Service) Keep(
	ctx context.Context, add func(ctx context.Context, made []domain.Blob) error, arrived ...*Incoming,
) error {
	var made []domain.Blob
	for _, in := range arrived {
		known, err := s.known(ctx, in)
		if err == nil && !known {
			in.Object, in.Created = objectName(in.Hash), s.Now()
			if err = s.Objects.Put(ctx, in.Object, in.f, in.Size); err == nil {
				made = append(made, in.Blob)
			}
		}
		if err != nil {
			s.drop(ctx, made)
			return fullDisk(err)
		}
	}
	err := add(ctx, made)
	if refused(err) {
		s.drop(ctx, made)
	}
	return err
}

// refused reports whether err says that a transaction made no change. Of other errors nobody knows.
func refused(err error) bool {
	e, ok := errors.AsType[*domain.Error](err)
	return ok && e.Kind != domain.Unavailable && e.Kind != domain.Internal
}

// drop deletes objects without rows.
func (s *Service) drop(ctx context.Context, made []domain.Blob) {
	for _, b := range made {
		if err := s.Objects.Delete(context.WithoutCancel(ctx), b.Object); err != nil {
			s.Log.DebugContext(ctx, "delete a file that was refused", "object", b.Object, "err", err)
		}
	}
}

// known reports whether there is a blob with the content of in, which then has its row and will last for a day. If its
// object is missing, it gets this one.
func (s *Service) known(ctx context.Context, in *Incoming) (bool, error) {
	_, err := s.Rows.Blob(ctx, in.Hash) // most are not, and to look takes no place among the writes
	if domain.KindOf(err) == domain.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	old, ok, err := s.Rows.TouchBlob(ctx, in.Hash, s.Now())
	if !ok || err != nil {
		return false, err
	}
	in.Blob = old
	return true, s.repair(ctx, old, in.f)
}

// repair restores the object of b from the same content in f, if it is missing, for example
// after the loss of a disk.
func (s *Service) repair(ctx context.Context, b domain.Blob, f *os.File) error {
	if there, err := s.exists(ctx, b); there || err != nil {
		return err
	}
	s.Log.WarnContext(ctx, "a file was missing, and was sent again", "object", b.Object)
	return s.Objects.Put(ctx, b.Object, f, b.Size)
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

// objectName returns a unique name: one of 256 folders, the hash, and an id. Older objects are two folders deep.
func objectName(hash string) string {
	return filepath.ToSlash(filepath.Join(hash[:2], hash+"-"+domain.NewID("o")))
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
