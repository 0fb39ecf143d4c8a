package blobs

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/store"
)

const partSize = 1 << 20

// Objects stores objects in the database itself: all nodes can read them, and the database's backup
// contains them.
type Objects struct{ db *store.DB }

// NewObjects returns the objects in db.
func NewObjects(db *store.DB) *Objects { return &Objects{db} }

// Put stores the content of f, each part in its own transaction. Nobody reads the object before Put
// returns, because its name is not known before.
func (o *Objects) Put(ctx context.Context, name string, f *os.File, size int64) error {
	content := io.NewSectionReader(f, 0, size)
	buffer := make([]byte, partSize)
	for part := int64(0); ; part++ {
		n, err := io.ReadFull(content, buffer)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		if n > 0 || part == 0 { // an empty object has one part too
			if err := o.putPart(ctx, name, part, buffer[:n]); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

func (o *Objects) putPart(ctx context.Context, name string, part int64, data []byte) error {
	return o.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO blob_data (object, part, size, created_at, data) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (object, part) DO UPDATE SET size = excluded.size, data = excluded.data`,
			name, part, len(data), store.Millis(time.Now()), data)
		return err
	})
}

// part reads a part. After the last one it returns io.EOF.
func (o *Objects) part(ctx context.Context, name string, part int64) (data []byte, err error) {
	err = o.db.QueryRowContext(ctx, `SELECT data FROM blob_data WHERE object = $1 AND part = $2`, name, part).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		err = io.EOF
	}
	return data, err
}

// Get returns a reader that loads the parts as it is read.
func (o *Objects) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	r := &parts{ctx: ctx, objects: o, name: name, next: offset / partSize}
	if err := r.load(); errors.Is(err, io.EOF) && r.next == 0 {
		return nil, blob.Missing(name)
	} else if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if skip := offset % partSize; skip > 0 {
		_, _ = r.current.Seek(min(skip, r.current.Size()), io.SeekStart) // within the part
	}
	if length < 0 {
		return io.NopCloser(r), nil
	}
	return io.NopCloser(io.LimitReader(r, length)), nil
}

// parts reads an object, starting with the part next.
type parts struct {
	ctx     context.Context
	objects *Objects
	name    string
	next    int64
	current bytes.Reader
}

func (r *parts) load() error {
	data, err := r.objects.part(r.ctx, r.name, r.next)
	if err != nil {
		return err
	}
	r.next++
	r.current.Reset(data)
	return nil
}

func (r *parts) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.current.Len() == 0 {
		if err := r.load(); err != nil {
			return 0, err
		}
		if r.current.Size() == 0 { // the part of an empty object
			return 0, io.EOF
		}
	}
	return r.current.Read(p)
}

// Delete deletes all parts of an object.
func (o *Objects) Delete(ctx context.Context, name string) error {
	return o.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM blob_data WHERE object = $1`, name)
		return err
	})
}

const listed = 500 // objects at a time

// List calls fn for each object, by name.
func (o *Objects) List(ctx context.Context, fn func(blob.Object) error) error {
	after := ""
	for {
		rows, err := o.db.QueryContext(ctx, `SELECT object, sum(size), max(created_at) FROM blob_data WHERE object > $1
			GROUP BY object ORDER BY object LIMIT $2`, after, listed)
		if err != nil {
			return err
		}
		page, err := store.Collect(rows, func(rows *sql.Rows) (b blob.Object, err error) {
			var created int64
			err = rows.Scan(&b.Name, &b.Size, &created)
			b.Modified = store.Time(created)
			return b, err
		})
		if err != nil {
			return err
		}
		for _, b := range page {
			if err := fn(b); err != nil {
				return err
			}
			after = b.Name
		}
		if len(page) < listed {
			return nil
		}
	}
}

var (
	_ blob.Objects = (*Objects)(nil)
	_ blob.Rows    = (*Repository)(nil)
)
