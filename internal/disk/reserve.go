package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
)

const (
	reserveMax   = 16 << 20 // bytes of the reserve file
	reserveEvery = time.Second
	reserveDelay = 10 * time.Second // after the start, which it need not hold up
	// With less free than this, and no reserve to release, nothing can be written.
	unwritable = 1 << 20
	fullRetry  = 30 * time.Second // somebody has to make room first
)

// A Reserve is a file that takes up room on the disk of a SQLite database. When others have
// filled the disk, the server releases it: what it has to write to let people sign in,
// read and delete has room then, while new messages are refused already. The file is made
// again when there is room for it. A nil Reserve is of a database whose disk is elsewhere:
// it refuses nothing.
type Reserve struct {
	path    string
	size    int64
	minFree int64 // bytes that must be free to accept messages, and to make the file
	use     func(dir string) (domain.DiskUse, error)
	log     *slog.Logger
	logged  bool // that the disk is full
}

// NewReserve returns the reserve beside a SQLite database. It needs minFree bytes free on
// its disk for new messages; of these, the file takes up to 16 MiB more.
func NewReserve(database string, minFree int64, log *slog.Logger) *Reserve {
	return &Reserve{path: database + ".reserve", size: min(reserveMax, minFree), minFree: minFree, use: Use, log: log}
}

// free returns how many bytes are free; ok is false where that is not known.
func (r *Reserve) free() (bytes int64, ok bool) {
	u, err := r.use(filepath.Dir(r.path))
	return int64(u.Free), err == nil // no disk has more than an int64 holds
}

// Full fails, with a domain.Error of kind unavailable, while the disk has no room for new
// messages and files, so that it is not found out in the middle of a commit.
func (r *Reserve) Full() error {
	if r == nil {
		return nil
	}
	if free, ok := r.free(); !ok || free >= r.minFree {
		return nil
	}
	return domain.Unavailable.Errorf(domain.CodeDiskFull,
		"the server's disk is nearly full; it takes nothing new until somebody has made room").After(fullRetry)
}

// uploadMargin is how much more than for messages must be free for files, so that uploads stop before messages do.
const uploadMargin = 3

// Space returns an error unless size bytes fit on the disk, and uploadMargin times what messages need stays free.
func (r *Reserve) Space(size int64) error {
	if r == nil {
		return nil
	}
	if free, ok := r.free(); !ok || free-size >= uploadMargin*r.minFree {
		return nil
	}
	return domain.Unavailable.Errorf(domain.CodeDiskFull,
		"the server's disk has no room for this file; an operator must make some").After(fullRetry)
}

// Release removes the file if the disk is full, and reports whether there is none left.
func (r *Reserve) Release() (gone bool) {
	_, err := os.Stat(r.path)
	missing := errors.Is(err, fs.ErrNotExist)
	free, ok := r.free()
	if !ok || free >= r.size/2 {
		if ok && free >= r.minFree {
			r.logged = false
		}
		return missing
	}
	if !missing {
		err = os.Remove(r.path)
	}
	if !r.logged {
		r.logged = true
		r.log.Error("the disk is full; the reserve is released for sign-ins, reading and deletions, and new messages are "+
			"refused. Make room",
			"folder", filepath.Dir(r.path), "free", free, "reserve", !missing, "err", err)
	}
	return true
}

// restore makes the file if there is room for it.
func (r *Reserve) restore() error {
	if free, ok := r.free(); !ok || free < r.minFree+r.size {
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, r.size) // what a file system cannot compress
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(r.path))
	}
	return nil
}

// Run releases and restores the file until ctx is done.
func (r *Reserve) Run(ctx context.Context) error {
	tick := time.NewTicker(reserveEvery)
	defer tick.Stop()
	begin := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if r.Release() && time.Since(begin) > reserveDelay {
			if err := r.restore(); err != nil {
				r.log.WarnContext(ctx, "cannot make the disk reserve", "file", r.path, "err", err)
				begin = time.Now() // and not each second
			}
		}
	}
}

// CheckWritable fails, for readiness, once there is neither room nor a reserve to release.
func (r *Reserve) CheckWritable(context.Context) error {
	if free, ok := r.free(); ok && free < unwritable {
		if _, err := os.Stat(r.path); err != nil {
			return obs.PublicError("the disk is full")
		}
	}
	return nil
}

// CheckFree fails, as a hint of readiness, while new messages are refused.
func (r *Reserve) CheckFree(context.Context) error {
	if r.Full() != nil {
		return obs.PublicError("nearly full; new messages are refused")
	}
	return nil
}
