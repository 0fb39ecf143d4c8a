package backup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"filippo.io/age"

	"github.com/unhidra/unhidra/internal/domain"
)

// Objects are the objects of a bucket, below one prefix.
type Objects interface {
	// Put stores what r has up to its end, completely or, if r fails, not at all.
	Put(ctx context.Context, name string, r io.Reader) error
	// Get reads an object. If there is none, the error is of kind domain.NotFound.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// Delete deletes an object. Deleting a missing object is no error.
	Delete(ctx context.Context, name string) error
	List(ctx context.Context) ([]Stored, error)
}

// A Bucket is a Place in an object store.
type Bucket struct {
	Objects
	URL string // of the prefix, without a slash at the end
}

// cleanUp is how long an object that is not good may take to be deleted.
const cleanUp = 10 * time.Second

// Write implements Place. The backup goes to the bucket as it is made, and takes no room on this
// machine beside the copy of the database.
func (b Bucket) Write(ctx context.Context, s Source, name string, to age.Recipient) (r Report, err error) {
	if there, err := b.has(ctx, name); there || err != nil {
		return r, cmp.Or(err, errExists(b.Path(name)))
	}
	defer func() {
		if err != nil { // the answer to a complete upload may have been lost
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
			defer cancel()
			_ = b.Delete(ctx, name)
		}
	}()
	sum := sha256.New()
	if r, err = b.upload(ctx, s, name, to, sum); err != nil {
		return r, err
	}
	stored, err := b.sum(ctx, name)
	if err != nil {
		return r, fmt.Errorf("read the backup back: %w", err)
	}
	if stored != hex.EncodeToString(sum.Sum(nil)) {
		return r, fmt.Errorf("the backup failed its check and was not kept: "+
			"%s returns other bytes than were written", b.URL)
	}
	return r, nil
}

// upload writes a backup to an object and to sum.
func (b Bucket) upload(
	ctx context.Context, s Source, name string, to age.Recipient, sum io.Writer,
) (r Report, err error) {
	out, in := io.Pipe()
	made := make(chan error, 1)
	go func() {
		var err error
		r, err = s.Write(ctx, io.MultiWriter(in, sum), to)
		_ = in.CloseWithError(err) // nil: the end
		made <- err
	}()
	err = b.Put(ctx, name, out)
	_ = out.CloseWithError(cmp.Or(err, io.ErrClosedPipe)) // the writer must not wait
	makeErr := <-made
	if makeErr != nil && (err == nil || !errors.Is(makeErr, err)) {
		return r, makeErr // and the upload failed for that
	}
	return r, err
}

func (b Bucket) has(ctx context.Context, name string) (bool, error) {
	r, err := b.Get(ctx, name)
	if domain.KindOf(err) == domain.NotFound {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, r.Close()
}

func (b Bucket) sum(ctx context.Context, name string) (string, error) {
	r, err := b.Get(ctx, name)
	if err != nil {
		return "", err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, stoppable{ctx, r}); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Path implements Place.
func (b Bucket) Path(name string) string { return b.URL + "/" + name }

// Open opens a backup to read it, and returns its name. An empty name stands for the newest of
// those that a Service has made.
func (b Bucket) Open(ctx context.Context, name string) (r io.ReadCloser, opened string, err error) {
	if name == "" {
		all, err := b.List(ctx)
		if err != nil {
			return nil, "", err
		}
		found := newestFirst(all)
		if len(found) == 0 {
			return nil, "", fmt.Errorf("there is no backup in %s", b.URL)
		}
		name = found[0].Name
	}
	body, err := b.Get(ctx, name)
	if domain.KindOf(err) == domain.NotFound {
		err = fmt.Errorf("there is no %s", b.Path(name))
	}
	if err != nil {
		return nil, name, err
	}
	return download{body, b.Path(name)}, name, nil
}

// A download says of errors other than the end that they are not those of what is read.
type download struct {
	io.ReadCloser
	path string
}

func (d download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = &fs.PathError{Op: "read", Path: d.path, Err: err}
	}
	return n, err
}
