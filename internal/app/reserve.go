package app

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

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/obs"
)

const (
	reserveMost  = 16 << 20 // bytes of the file that keeps room
	reserveEvery = time.Second
	reserveDelay = 10 * time.Second // after the start, which it need not hold up
	// Less room than this, and no file to give up: nothing can be written.
	diskGone = 1 << 20
)

// A reserve is a file that keeps room on the disk of a SQLite database. When others have
// filled the disk, the server gives it up: what it has to write to let people sign in,
// read and delete has room then, while new messages are refused already. It is made again
// when there is room for it.
type reserve struct {
	path string
	size int64
	room int64 // bytes that the disk must have beside it, before it is made again
	free func() (bytes int64, ok bool)
	log  *slog.Logger
	full bool // was said
}

// newReserve returns nil where no room is kept: for PostgreSQL, whose disk is elsewhere,
// and where the configuration says so.
func newReserve(c config.Config, log *slog.Logger) *reserve {
	keep := int64(c.DiskReserve) << 20
	if keep == 0 || c.DatabaseURL != "" {
		return nil
	}
	dir := filepath.Dir(c.Database())
	return &reserve{path: c.Database() + ".reserve", size: min(reserveMost, keep), room: keep, log: log, free: func() (int64, bool) {
		d, ok := obs.DiskOf(dir)
		return int64(d.Free), ok // no disk has so much
	}}
}

// giveUp removes the file if the disk is full, and reports whether there is none left.
func (r *reserve) giveUp() (gone bool) {
	_, err := os.Stat(r.path)
	missing := errors.Is(err, fs.ErrNotExist)
	free, ok := r.free()
	if !ok || free >= r.size/2 {
		if ok && free >= r.room {
			r.full = false
		}
		return missing
	}
	if !missing {
		err = os.Remove(r.path)
	}
	if !r.full {
		r.full = true
		r.log.Error("the disk is full; the room that was kept is given to sign-ins, reading and deletions, and new messages are refused. Make room",
			"folder", filepath.Dir(r.path), "free", free, "kept", !missing, "err", err)
	}
	return true
}

// keep makes the file if there is room for it.
func (r *reserve) keep() error {
	if free, ok := r.free(); !ok || free < r.room+r.size {
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, r.size) // what a file system cannot make smaller
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(r.path))
	}
	return nil
}

// run looks after the file until ctx is done.
func (r *reserve) run(ctx context.Context) error {
	tick := time.NewTicker(reserveEvery)
	defer tick.Stop()
	begin := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if r.giveUp() && time.Since(begin) > reserveDelay {
			if err := r.keep(); err != nil {
				r.log.Warn("cannot keep room on the disk", "file", r.path, "err", err)
				begin = time.Now() // and not each second
			}
		}
	}
}

// writable fails once there is neither room nor a file to give up.
func (r *reserve) writable(context.Context) error {
	if free, ok := r.free(); ok && free < diskGone {
		if _, err := os.Stat(r.path); err != nil {
			return obs.Told("the disk is full")
		}
	}
	return nil
}

// ample fails while new messages are refused for want of room.
func (r *reserve) ample(context.Context) error {
	if free, ok := r.free(); ok && free < r.room {
		return obs.Told("nearly full; new messages are refused")
	}
	return nil
}
