package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

// fakeObjects are objects in memory.
type fakeObjects struct {
	has   map[string][]byte
	putFn func(name string, b []byte) error // after an upload; nil: it is kept
	away  error                             // what every operation fails with
}

func (o *fakeObjects) Put(_ context.Context, name string, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err = errors.Join(err, o.away); err != nil {
		return err
	}
	o.has[name] = b
	if o.putFn != nil {
		return o.putFn(name, b)
	}
	return nil
}

func (o *fakeObjects) Get(_ context.Context, name string) (io.ReadCloser, error) {
	b, ok := o.has[name]
	if o.away != nil {
		return nil, o.away
	}
	if !ok {
		return nil, domain.NotFound.Errorf(domain.CodeFileMissing, "there is none")
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (o *fakeObjects) Delete(_ context.Context, name string) error {
	delete(o.has, name)
	return o.away
}

func (o *fakeObjects) List(context.Context) (all []Stored, err error) {
	for name, b := range o.has {
		all = append(all, Stored{name, int64(len(b))})
	}
	return all, o.away
}

func newBucket() (Bucket, *fakeObjects) {
	o := &fakeObjects{has: make(map[string][]byte)}
	return Bucket{o, "https://s3.example.org/b"}, o
}

func TestABackupInABucketHasWhatTheServerHas(t *testing.T) {
	t.Parallel()
	const name = "unhidra-20261101T030000Z.tar.age"
	s, _ := newSource(t)
	b, _ := newBucket()
	key := newKey(t)
	wrote, err := b.Write(t.Context(), s, name, key.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	for _, asked := range []string{name, ""} {
		in, opened, err := b.Open(t.Context(), asked)
		if err != nil || opened != name {
			t.Fatalf("%q: %s, %v", asked, opened, err)
		}
		all, err := io.ReadAll(in)
		if err != nil || int64(len(all)) != wrote.Bytes {
			t.Errorf("%d bytes of %d, %v", len(all), wrote.Bytes, err)
		}
		if r, err := verify(t, all, key); err != nil || r.Has.Events != 9 || r.Objects != 2 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if _, _, err := b.Open(t.Context(), "other.tar"); err == nil || !strings.Contains(err.Error(), b.Path("other.tar")) {
		t.Errorf("one that is not there: %v", err)
	}
}

// Whatever fails, nothing stays that may be taken for a good backup, and what was there does.
func TestABackupThatABucketDoesNotKeepLeavesNothing(t *testing.T) {
	t.Parallel()
	for says, bad := range map[string]func(db *fakeDB, o *fakeObjects){
		"has a gap": func(db *fakeDB, _ *fakeObjects) { db.Damage = "the log of room rom_a has a gap" },
		"other bytes": func(_ *fakeDB, o *fakeObjects) {
			o.putFn = func(name string, b []byte) error { o.has[name] = append([]byte("x"), b[1:]...); return nil }
		},
		"read the backup back": func(_ *fakeDB, o *fakeObjects) {
			o.putFn = func(name string, _ []byte) error { delete(o.has, name); return nil }
		},
		"refused": func(_ *fakeDB, o *fakeObjects) { // though it is there
			o.putFn = func(string, []byte) error { return errors.New("refused") }
		},
	} {
		s, db := newSource(t)
		b, o := newBucket()
		o.has["a.tar"] = []byte("of before")
		bad(db, o)
		if _, err := b.Write(t.Context(), s, "b.tar", nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
		if _, err := b.Write(t.Context(), s, "a.tar", nil); err == nil || !strings.Contains(err.Error(), "already exists") {
			t.Errorf("a backup was overwritten: %v", err)
		}
		if len(o.has) != 1 || string(o.has["a.tar"]) != "of before" {
			t.Errorf("%s: left %v", says, slices.Sorted(maps.Keys(o.has)))
		}
	}
}

// A connection that breaks is no damage of the backup.
func TestABrokenDownloadIsNoDamage(t *testing.T) {
	t.Parallel()
	s, _ := newSource(t)
	whole := written(t, s, nil)
	for _, err := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		body := io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), failing{err})
		_, got := Verify(t.Context(), download{io.NopCloser(body), "https://b/x"}, t.TempDir(), fakes, nil)
		var file *fs.PathError
		if !errors.As(got, &file) || !errors.Is(got, err) || strings.Contains(got.Error(), "damaged") {
			t.Errorf("%v: %v", err, got)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// In a bucket the newest stay as in a folder, and a bucket that was away at the start is asked again.
func TestOldBackupsInABucketGo(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 11, 5, 3, 0, 0, 0, time.UTC)}
	source, _ := newSource(t)
	b, o := newBucket()
	for _, name := range []string{
		"unhidra-20261102T030000Z.tar", "unhidra-20261103T030000Z.tar", "unhidra-20261104T040000Z.tar", "mine.tar",
		"below/unhidra-20260101T030000Z.tar",
	} {
		o.has[name] = []byte(name)
	}
	s := New(Deps{Source: source, Place: b, Every: 24 * time.Hour, Keep: 2, Log: slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry(), Now: func() time.Time { return c.now }})
	o.away = errors.New("away")
	s.turn(t.Context())
	if got := problems(t, s); len(got) != 1 || got[0].Code != "backup_failed" {
		t.Errorf("while it is away: %v", got)
	}
	o.away = nil
	c.now = c.now.Add(retryAfter)
	s.turn(t.Context()) // the newest is younger than a day
	if len(o.has) != 5 {
		t.Errorf("a backup was made too early: %v", slices.Sorted(maps.Keys(o.has)))
	}
	if got := problems(t, s); len(got) != 0 {
		t.Errorf("once it is there, and nothing is due: %v", got)
	}
	c.now = c.now.Add(time.Hour)
	s.turn(t.Context())
	want := []string{"below/unhidra-20260101T030000Z.tar", "mine.tar", "unhidra-20261104T040000Z.tar",
		"unhidra-20261105T041500Z.tar"}
	if got := slices.Sorted(maps.Keys(o.has)); !slices.Equal(got, want) {
		t.Errorf("kept %v\nwant %v", got, want)
	}
	if got := problems(t, s); len(got) != 0 {
		t.Errorf("after a good one: %v", got)
	}
}
