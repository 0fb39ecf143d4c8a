package updater

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/wire"
)

// checkpoint is after how many bytes it is remembered that they are in flash.
const checkpoint = 64 << 10

var (
	errStopped = errors.New("the server wants no more of it")
	errPatch   = errors.New("delta") // a patch did not make the image
)

// fetch brings the image to flash, and installs it.
func (u *Updater) fetch(ctx context.Context, s Server, o *update) error {
	if o.Delta != nil {
		err := u.fetchDelta(ctx, s, o)
		if !errors.Is(err, errPatch) {
			return u.fetched(ctx, s, o, err)
		}
		u.o.Hear(o.ID, err) // the whole image will do
		if err := u.change(func(m *memory) { m.Open.Delta, m.Open.Offset = nil, 0 }); err != nil {
			return err
		}
		o.Delta, o.Offset = nil, 0
	}
	return u.fetched(ctx, s, o, u.fetchImage(ctx, s, o))
}

// fetched goes on after the image was fetched, or was not.
func (u *Updater) fetched(ctx context.Context, s Server, o *update, err error) error {
	var link *linkError
	switch {
	case err == nil:
		err = u.checkSlot(o)
	case errors.Is(err, errStopped):
		return u.forget()
	case errors.As(err, &link):
		return link.err
	}
	if err != nil {
		return u.failed(ctx, s, o, err)
	}
	return u.install(ctx, s, o)
}

// fetchImage fetches the image, from where it was interrupted.
func (u *Updater) fetchImage(ctx context.Context, s Server, o *update) error {
	d := u.download(ctx, s, o.ID, wire.FirmwareFile{SHA256: o.Image.SHA256, Size: o.Image.Size, URL: o.URL}, o.Offset)
	defer d.close()
	if err := d.tell(true); err != nil {
		return err
	}
	b := make([]byte, u.o.Window)
	for at := o.Offset; at < o.Image.Size; {
		n, err := io.ReadFull(d, b[:min(int64(len(b)), o.Image.Size-at)])
		if err != nil {
			u.reached(at)
			return err
		}
		if err := u.o.Board.Write(at, b[:n]); err != nil {
			return fmt.Errorf("flash: %w", err)
		}
		before := at
		if at += int64(n); at/checkpoint > before/checkpoint {
			if err := u.change(func(m *memory) { m.Open.Offset = at }); err != nil {
				return err
			}
		}
	}
	return nil
}

// reached has the download go on from there with the next connection. After a power cut it is the last checkpoint.
func (u *Updater) reached(at int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.m.Open != nil {
		open := *u.m.Open
		open.Offset = at
		u.m.Open = &open
	}
}

// fetchDelta makes the image of the one that runs, and of a patch that it fetches. What does not make it is errPatch.
func (u *Updater) fetchDelta(ctx context.Context, s Server, o *update) error {
	d := u.download(ctx, s, o.ID, wire.FirmwareFile{SHA256: o.Delta.SHA256, Size: o.Delta.Size, URL: o.Delta.URL}, 0)
	defer d.close()
	if err := d.tell(true); err != nil {
		return err
	}
	out := &sectors{board: u.o.Board, most: o.Image.Size}
	err := u.o.Patches[o.Delta.Format](running{u.o.Board}, u.o.Board.Running().Size, d, out)
	if err == nil {
		err = out.flush()
	}
	if d.fatal != nil {
		return d.fatal
	}
	if err == nil {
		err = u.checkSlot(o)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errPatch, err)
	}
	return nil
}

// running is the image that runs, to be read.
type running struct{ Board }

// ReadAt implements io.ReaderAt.
func (r running) ReadAt(b []byte, at int64) (int, error) {
	size := r.Running().Size
	if at >= size {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), size-at))
	if err := r.ReadRunning(at, b[:n]); err != nil {
		return 0, err
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// sectors writes to the other slot, a sector at a time.
type sectors struct {
	board   Board
	most    int64
	at      int64
	pending []byte
}

// Write implements io.Writer.
func (w *sectors) Write(b []byte) (int, error) {
	if w.at+int64(len(w.pending)+len(b)) > w.most {
		return 0, fmt.Errorf("it makes more than the %d bytes of the image", w.most)
	}
	w.pending = append(w.pending, b...)
	for len(w.pending) >= SectorSize {
		if err := w.put(SectorSize); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (w *sectors) flush() error {
	if len(w.pending) == 0 {
		return nil
	}
	return w.put(len(w.pending))
}

func (w *sectors) put(n int) error {
	if err := w.board.Write(w.at, w.pending[:n]); err != nil {
		return fmt.Errorf("flash: %w", err)
	}
	w.at += int64(n)
	w.pending = append(w.pending[:0], w.pending[n:]...)
	return nil
}

// linkError is that of the connection to the server: the update goes on with the next one.
type linkError struct{ err error }

func (e *linkError) Error() string { return e.err.Error() }

// download reads a file of an update: over HTTP while that works, else over the connection.
type download struct {
	u     *Updater
	ctx   context.Context
	s     Server
	id    string
	file  wire.FirmwareFile
	at    int64
	told  time.Duration
	body  io.ReadCloser // nil: there is no answer of HTTP
	tries int           // of HTTP
	left  []byte        // of a window
	fatal error         // reading cannot go on, and that is not the file's fault
}

const httpTries = 3

func (u *Updater) download(ctx context.Context, s Server, id string, f wire.FirmwareFile, at int64) *download {
	return &download{u: u, ctx: ctx, s: s, id: id, file: f, at: at}
}

func (d *download) close() {
	if d.body != nil {
		_ = d.body.Close()
		d.body = nil
	}
}

// tell tells how far the download is, if that is due. An error says that it is over.
func (d *download) tell(now bool) error {
	if at := d.u.o.Clock(); now || at-d.told >= d.u.o.Every {
		d.told = at
		goOn, err := d.u.progress(d.ctx, d.s, wire.FirmwareProgress{Update: d.id, State: string(domain.FirmwareDownloading),
			Offset: d.at, Size: d.file.Size})
		switch {
		case err != nil:
			d.fatal = &linkError{err}
		case !goOn:
			d.fatal = errStopped
		}
	}
	return d.fatal
}

// Read implements io.Reader.
func (d *download) Read(b []byte) (int, error) {
	if err := d.tell(false); err != nil {
		return 0, err
	}
	if d.at >= d.file.Size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), d.file.Size-d.at)]
	for d.u.o.HTTP != nil && d.file.URL != "" && d.tries < httpTries && len(d.left) == 0 {
		n, err := d.overHTTP(b)
		if n > 0 {
			d.at += int64(n)
			return n, nil
		}
		d.close()
		d.tries++
		d.u.o.Hear(d.id, fmt.Errorf("http: %w", err))
	}
	if len(d.left) == 0 {
		if err := d.window(); err != nil {
			return 0, err
		}
	}
	n := copy(b, d.left)
	d.left = d.left[n:]
	d.at += int64(n)
	return n, nil
}

// window reads the next window over the connection.
func (d *download) window() error {
	length := int(min(int64(d.u.o.Window), d.file.Size-d.at))
	data, err := d.s.Read(d.ctx, wire.FirmwareRead{Update: d.id, SHA256: d.file.SHA256, Offset: d.at, Length: length})
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		d.fatal = fmt.Errorf("read: %w", err)
	case err != nil:
		d.fatal = &linkError{err}
	case len(data) == 0:
		return fmt.Errorf("%w: the file ends after %d of %d bytes", manifest.WrongSize, d.at, d.file.Size)
	case len(data) > length:
		d.fatal = fmt.Errorf("read: %d bytes came, and %d were asked for", len(data), length)
	default:
		d.left = data
	}
	return d.fatal
}

// overHTTP reads over HTTP. Without an answer it asks for the file from where the download is.
func (d *download) overHTTP(b []byte) (int, error) {
	if d.body == nil {
		if err := d.get(); err != nil {
			return 0, err
		}
	}
	n, err := d.body.Read(b)
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return n, err
}

func (d *download) get() error {
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, d.file.URL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Range", "bytes="+strconv.FormatInt(d.at, 10)+"-")
	res, err := d.u.o.HTTP.Do(req)
	if err != nil {
		return err
	}
	from := fmt.Sprintf("bytes %d-", d.at)
	switch {
	case res.StatusCode == http.StatusPartialContent && strings.HasPrefix(res.Header.Get("Content-Range"), from):
	case res.StatusCode == http.StatusOK: // whoever is in between knows no ranges
		if _, err := io.CopyN(io.Discard, res.Body, d.at); err != nil {
			return errors.Join(err, res.Body.Close())
		}
	default:
		return errors.Join(fmt.Errorf("it was answered with %s", res.Status), res.Body.Close())
	}
	d.body = res.Body
	return nil
}
