package blobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/blob/blobtest"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/blobs"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A kept is a service over a store, with a clock of its own.
type kept struct {
	*blob.Service
	db  *all.Store
	dir string
	mu  sync.Mutex
	now time.Time
}

func open(t *testing.T, db *all.Store) *kept {
	t.Helper()
	k := &kept{db: db, dir: t.TempDir(), now: time.Now()}
	disk, err := blob.OpenDisk(filepath.Join(k.dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	k.Service = blob.New(blob.Deps{Objects: disk, Rows: db.Blobs, Temp: k.dir, Now: k.clock})
	return k
}

func (k *kept) clock() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *kept) wait(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = k.now.Add(d)
}

func (k *kept) put(t *testing.T, data []byte) domain.Blob {
	t.Helper()
	b, err := k.Put(t.Context(), bytes.NewReader(data), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (k *kept) refer(ctx context.Context, r blobs.Ref) error {
	return k.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return blobs.AddRef(ctx, t, r, k.clock()) })
}

func (k *kept) release(ctx context.Context, holder string) error {
	return k.db.Write(ctx, func(ctx context.Context,
		t *store.Tx) error {
		return blobs.RemoveRef(ctx, t, holder, k.clock())
	})
}

func (k *kept) read(ctx context.Context, hash string) ([]byte, error) {
	r, _, err := k.Open(ctx, hash)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestAFileIsKeptOnceByItsContent(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		k := open(t, db)
		png := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 100)...)
		b := k.put(t, png)
		if again := k.put(t, png); again != b {
			t.Errorf("kept twice: %+v and %+v", b, again)
		}
		if b.Type != "image/png" || b.Size != int64(len(png)) {
			t.Errorf("kept as %+v", b)
		}
		if got, err := k.read(t.Context(), b.Hash); err != nil || !bytes.Equal(got, png) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		report, err := k.Check(t.Context())
		if err != nil || report.Objects != 1 || len(report.Orphans) != 0 {
			t.Errorf("objects: %+v, %v", report, err)
		}
	})
}

func TestAFileThatIsTooLargeLeavesNothing(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		k := open(t, db)
		if _, err := k.Put(t.Context(), bytes.NewReader(make([]byte, 101)), 100); domain.KindOf(err) != domain.TooLarge {
			t.Errorf("101 of 100 bytes: %v", err)
		}
		broken := io.MultiReader(bytes.NewReader([]byte("half")), failing{})
		if _, err := k.Put(t.Context(), broken, 100); err == nil {
			t.Error("half a file was kept")
		}
		left, _ := filepath.Glob(filepath.Join(k.dir, "upload-*"))
		if report, err := k.Check(t.Context()); err != nil || report.Objects+len(left) != 0 {
			t.Errorf("left: %v, %+v, %v", left, report, err)
		}
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the network ends") }

func TestWhatNobodyRefersToGoesAfterADay(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		k := open(t, db)
		ctx := t.Context()
		wanted, loose := k.put(t, []byte("wanted")), k.put(t, []byte("loose"))
		if err := k.refer(ctx, blobs.Ref{Holder: "test/1", Hash: wanted.Hash}); err != nil {
			t.Fatal(err)
		}
		there := func(when string, want ...bool) {
			t.Helper()
			if err := k.Collect(ctx); err != nil {
				t.Fatal(err)
			}
			for i, hash := range []string{wanted.Hash, loose.Hash} {
				if _, err := k.read(ctx, hash); (err == nil) != want[i] {
					t.Errorf("%s: file %d is there: %v, want %v (%v)", when, i, err == nil, want[i], err)
				}
			}
		}
		there("at once", true, true)
		k.wait(25 * time.Hour)
		there("after a day", true, false)
		if err := k.release(ctx, "test/1"); err != nil {
			t.Fatal(err)
		}
		there("when its holder let go", true, false)
		k.wait(25 * time.Hour)
		there("a day later", false, false)
		if report, err := k.Check(ctx); err != nil || report.Objects != 0 {
			t.Errorf("objects are left: %+v, %v", report, err)
		}
		if err := k.refer(ctx, blobs.Ref{Holder: "test/1",
			Hash: wanted.Hash}); domain.CodeOf(err) != domain.CodeNoSuchFile {
			t.Errorf("referred to what is gone: %v", err)
		}
	})
}

// TestNoUploadLosesItsFile adds, refers to and releases the same few files from several
// sides while the collector runs with no patience at all: whatever is referred to can
// be read.
func TestNoUploadLosesItsFile(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		k := open(t, db)
		ctx, stop := context.WithCancel(t.Context())
		var collector, uploaders sync.WaitGroup
		collector.Go(func() {
			for ctx.Err() == nil {
				if err := k.Collect(ctx); err != nil && ctx.Err() == nil {
					t.Errorf("collect: %v", err)
					return
				}
			}
		})
		for who := range 4 {
			uploaders.Go(func() { k.uploads(t, who) })
		}
		uploaders.Wait()
		stop()
		collector.Wait()
	})
}

func (k *kept) uploads(t *testing.T, who int) {
	random := rand.New(rand.NewPCG(uint64(who), 1))
	holder := fmt.Sprint("test/", who)
	for range 40 {
		data := fmt.Appendf(nil, "file %d", random.IntN(3))
		b, err := k.Put(t.Context(), bytes.NewReader(data), 100)
		if err != nil {
			t.Errorf("put: %v", err)
			return
		}
		if random.IntN(3) == 0 {
			k.wait(25 * time.Hour) // what nobody refers to is old
		}
		if err := k.refer(t.Context(), blobs.Ref{Holder: holder,
			Hash: b.Hash}); domain.CodeOf(err) == domain.CodeNoSuchFile {
			continue // it was told, and would be sent again
		} else if err != nil {
			t.Errorf("refer: %v", err)
			return
		}
		if got, err := k.read(t.Context(), b.Hash); err != nil || !bytes.Equal(got, data) {
			t.Errorf("lost %q: %q, %v", data, got, err)
			return
		}
		if err := k.release(t.Context(), holder); err != nil {
			t.Errorf("release: %v", err)
			return
		}
	}
}

func TestAQuotaCountsAFileOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		k := open(t, db)
		ctx := t.Context()
		small, large := k.put(t, make([]byte, 40)), k.put(t, make([]byte, 70))
		refer := func(holder, hash string) error {
			return k.refer(ctx, blobs.Ref{Holder: holder, Hash: hash, Owner: "ann", Quota: 100})
		}
		for _, holder := range []string{"a", "b", "c"} {
			if err := refer(holder, small.Hash); err != nil {
				t.Fatal(err)
			}
		}
		if err := refer("d", large.Hash); domain.CodeOf(err) != domain.CodeQuotaExceeded {
			t.Errorf("110 of 100 bytes: %v", err)
		}
		if used, err := db.Blobs.Usage(ctx, "ann"); err != nil || used != 40 {
			t.Errorf("used %d, %v", used, err)
		}
	})
}

func TestObjectsWithoutARowAreFound(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		k := open(t, db)
		k.put(t, []byte("known"))
		orphan := filepath.Join(k.dir, "blobs", "aa", "bb", "orphan")
		if err := errors.Join(os.MkdirAll(filepath.Dir(orphan), 0o700),
			os.WriteFile(orphan, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if r, err := k.Check(t.Context()); r.Objects != 2 || len(r.Orphans) != 0 || err != nil {
			t.Errorf("one that may get its row yet: %+v, %v", r, err)
		}
		k.wait(25 * time.Hour)
		if r, err := k.Check(t.Context()); len(r.Orphans) != 1 || r.Orphans[0].Name != "aa/bb/orphan" || err != nil {
			t.Errorf("a day later: %+v, %v", r, err)
		}
	})
}

func TestObjectsInTheDatabase(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) { blobtest.Conform(t, blobs.NewObjects(db.DB)) })
}

// TestAFileWhoseContentWasLostIsTold: until somebody sends it again.
func TestAFileWhoseContentWasLostIsTold(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		k := open(t, db)
		ctx := t.Context()
		for _, data := range []string{"lost", "there", ""} {
			if err := k.refer(ctx, blobs.Ref{Holder: "test/" + data, Hash: k.put(t, []byte(data)).Hash}); err != nil {
				t.Fatal(err)
			}
		}
		lost := k.put(t, []byte("lost"))
		if err := k.Objects.Delete(ctx, lost.Object); err != nil {
			t.Fatal(err)
		}
		if report, err := k.Check(ctx); err != nil || len(report.Missing) != 1 || report.Missing[0] != lost {
			t.Errorf("missing: %+v, %v", report.Missing, err)
		}
		if again := k.put(t, []byte("lost")); again != lost {
			t.Errorf("sent again: %+v, want %+v", again, lost)
		}
		if report, err := k.Check(ctx); err != nil || len(report.Missing) != 0 {
			t.Errorf("missing after it was sent again: %+v, %v", report.Missing, err)
		}
	})
}
