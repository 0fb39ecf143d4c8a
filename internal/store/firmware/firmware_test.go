package firmware_test

import (
	"context"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// A house has a product of ann's with a release and an upload.
type house struct {
	*testing.T
	db                      *all.Store
	ann                     string
	product, release, image string
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file stores a blob whose hash consists of one digit.
func (h *house) file(digit string, size int64) domain.Blob {
	h.Helper()
	hash := ""
	for range 64 {
		hash += digit
	}
	b, err := h.db.Blobs.AddBlob(h.Context(), domain.Blob{Hash: hash, Size: size, Object: "o" + digit, Created: now}, now)
	must(h.T, err)
	return b
}

func build(t *testing.T, db *all.Store) *house {
	t.Helper()
	ctx := t.Context()
	testkit.Room(t, db, 2) // the first user is the first administrator, who stays
	h := &house{T: t, db: db, ann: testkit.UserID(1), product: domain.NewID(domain.ProductPrefix),
		release: domain.NewID(domain.ReleasePrefix)}
	product := domain.Product{ID: h.product, Owner: domain.UserRef{ID: h.ann}, Name: "tank"}
	must(t, db.Products.CreateProduct(ctx, product, now))
	must(t, db.Releases.CreateRelease(ctx, domain.Release{ID: h.release, Product: h.product, Version: "1", Code: 1,
		CreatedBy: h.ann}, now))
	h.image = h.file("a", 100).Hash
	return h
}

// upload begins an upload of ann's that has the file as its only part.
func (h *house) upload(b domain.Blob) (string, error) {
	h.Helper()
	u := domain.FirmwareUpload{ID: domain.NewID(domain.UploadPrefix), Product: h.product, By: h.ann,
		Kind: domain.RawUpload, Size: b.Size, SHA256: b.Hash}
	must(h.T, h.db.Uploads.CreateUpload(h.Context(), u, now))
	_, err := h.db.Uploads.AddPart(h.Context(), u.ID, h.ann, 0, b, 0, now)
	return u.ID, err
}

func (h *house) attach(release, upload string, quota int64) error {
	return h.db.Releases.AddImage(h.Context(), h.ann, domain.FirmwareImage{Release: release, SHA256: h.image, Size: 100,
		Chip: "esp32", RevisionMax: domain.MaxRevision}, upload, quota, now)
}

// factory makes the file with a digit the factory image of the image.
func (h *house) factory(digit string) error {
	b := h.file(digit, 400)
	upload, err := h.upload(b)
	if err != nil {
		return err
	}
	f := domain.FactoryImage{SHA256: b.Hash, Size: b.Size, Info: domain.ImageInfo{Format: "factory", FlashSize: 4 << 20}}
	return h.db.Releases.SetFactory(h.Context(), h.ann, h.release, h.image, f, upload, 0, now)
}

// A factory image is read back as it was stored, belongs to one image, and is nothing for devices.
func TestAFactoryImageIsBesideItsImage(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h := build(t, db)
		upload, err := h.upload(h.file("a", 100))
		must(t, err)
		if err := h.factory("c"); domain.CodeOf(err) != domain.CodeNoImage {
			t.Errorf("of an image that is not there: %v", err)
		}
		must(t, h.attach(h.release, upload, 0))
		must(t, h.factory("d"))
		r, err := db.Releases.Release(t.Context(), h.release)
		must(t, err)
		f := r.Images[0].Factory
		if f == nil || f.Size != 400 || f.Info.FlashSize != 4<<20 {
			t.Fatalf("%+v", f)
		}
		for active, want := range map[bool]int{false: 1, true: 0} {
			if found, err := db.Releases.ImageProducts(t.Context(), f.SHA256, active); err != nil || len(found) != want {
				t.Errorf("active %v: %v, %v", active, found, err)
			}
		}
		stranger := testkit.UserID(2)
		if err := db.Releases.RemoveFactory(t.Context(), stranger, h.release, h.image, now); err == nil {
			t.Error("a stranger takes it away")
		}
		must(t, db.Releases.RemoveFactory(t.Context(), h.ann, h.release, h.image, now))
		if r, err = db.Releases.Release(t.Context(), h.release); err != nil || r.Images[0].Factory != nil {
			t.Errorf("after it was taken away: %+v, %v", r.Images[0].Factory, err)
		}
	})
}

// left returns how many files nothing refers to any more, two days later.
func (h *house) left() int {
	h.Helper()
	n, err := h.db.Blobs.DropBlobs(h.Context(), now.Add(48*time.Hour), 100)
	must(h.T, err)
	return n
}

func TestFilesGoWithWhatHasThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(ctx context.Context, h *house) error
		gone int // of three: that of an image, its factory image, and the part of an upload
	}{
		"nothing": {func(context.Context, *house) error { return nil }, 0},
		"the image": {func(ctx context.Context, h *house) error {
			return h.db.Releases.RemoveImage(ctx, h.ann, h.release, h.image, now)
		}, 2},
		"the factory image": {func(ctx context.Context, h *house) error {
			return h.db.Releases.RemoveFactory(ctx, h.ann, h.release, h.image, now)
		}, 1},
		"the factory image, for another": {func(ctx context.Context, h *house) error {
			return h.factory("d")
		}, 1},
		"the release": {func(ctx context.Context, h *house) error {
			return h.db.Releases.DeleteRelease(ctx, h.ann, h.release, now)
		}, 2},
		"the uploads, once they are old": {func(ctx context.Context, h *house) error {
			return h.db.Uploads.PruneUploads(ctx, now.Add(time.Hour), now)
		}, 1},
		"the product": {func(ctx context.Context, h *house) error {
			return h.db.Products.DeleteProduct(ctx, h.ann, h.product, now)
		}, 3},
		"the account": {func(ctx context.Context, h *house) error { return h.db.Departure.DeleteUser(ctx, h.ann, now) }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.EachStore(t, func(t *testing.T, db *all.Store) {
				h := build(t, db)
				upload, err := h.upload(h.file("a", 100))
				must(t, err)
				must(t, h.attach(h.release, upload, 0))
				must(t, h.factory("c"))
				_, err = h.upload(h.file("b", 50))
				must(t, err)
				must(t, c.do(t.Context(), h))
				if n := h.left(); n != c.gone {
					t.Errorf("%d files are not needed any more, and should be %d", n, c.gone)
				}
			})
		})
	}
}

func TestFirmwareTakesNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h := build(t, db)
		upload, err := h.upload(h.file("a", 100))
		must(t, err)
		if err := h.attach(h.release, upload, 99); domain.CodeOf(err) != domain.CodeQuotaExceeded {
			t.Errorf("100 bytes of 99: %v", err)
		}
		must(t, h.attach(h.release, upload, 100))
		for range domain.MaxFirmwareUploads {
			_, err = h.upload(h.file("b", 1))
			must(t, err)
		}
		u := domain.FirmwareUpload{ID: domain.NewID(domain.UploadPrefix), Product: h.product, By: h.ann, Size: 1}
		if err := h.db.Uploads.CreateUpload(t.Context(), u, now); domain.CodeOf(err) != domain.CodeManyUploads {
			t.Errorf("one upload too many: %v", err)
		}
	})
}

// The parts of a complete file count no longer, so that an ELF file may take all that there is left.
func TestAnELFFileCountsOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h, ctx := build(t, db), t.Context()
		whole := h.file("e", 300)
		u := domain.FirmwareUpload{ID: domain.NewID(domain.UploadPrefix), Product: h.product, By: h.ann,
			Kind: domain.ELFUpload, Size: whole.Size, SHA256: whole.Hash}
		must(t, db.Uploads.CreateUpload(ctx, u, now))
		for n, part := range []domain.Blob{h.file("b", 200), h.file("c", 100)} {
			_, err := db.Uploads.AddPart(ctx, u.ID, h.ann, int64(n)*200, part, whole.Size, now)
			must(t, err)
		}
		if err := db.Uploads.CompleteELF(ctx, u, whole.Size-1, now); domain.CodeOf(err) != domain.CodeQuotaExceeded {
			t.Errorf("300 bytes of 299: %v", err)
		}
		must(t, db.Uploads.CompleteELF(ctx, u, whole.Size, now))
		size, err := db.Releases.ELF(ctx, h.product, whole.Hash)
		if must(t, err); size != whole.Size {
			t.Errorf("it has %d bytes", size)
		}
	})
}

// An active release stays, since devices may have it, and so does its product.
func TestWhatDevicesMayHaveIsNotDeleted(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h, ctx := build(t, db), t.Context()
		must(t, db.Releases.SetState(ctx, h.ann, h.release, domain.DraftRelease, domain.SignedRelease, now))
		must(t, db.Releases.SetState(ctx, h.ann, h.release, domain.SignedRelease, domain.ActiveRelease, now))
		if err := db.Releases.DeleteRelease(ctx, h.ann, h.release, now); domain.CodeOf(err) != domain.CodeReleaseState {
			t.Errorf("an active release is deleted: %v", err)
		}
		if err := db.Products.DeleteProduct(ctx, h.ann, h.product, now); domain.CodeOf(err) != domain.CodeProductInUse {
			t.Errorf("its product is deleted: %v", err)
		}
		err := db.Releases.SetState(ctx, h.ann, h.release, domain.SignedRelease, domain.WithdrawnRelease, now)
		if domain.CodeOf(err) != domain.CodeReleaseState {
			t.Errorf("from a state that it was in before: %v", err)
		}
	})
}

// A patch is there once, for whoever may have the images that it makes, as long as devices may be offered them.
func TestAPatchIsKeptWhileItsImageIsOffered(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h, ctx := build(t, db), t.Context()
		upload, err := h.upload(h.file("a", 100))
		must(t, err)
		must(t, h.attach(h.release, upload, 0))
		must(t, db.Releases.SetState(ctx, h.ann, h.release, domain.DraftRelease, domain.SignedRelease, now))
		must(t, db.Releases.SetState(ctx, h.ann, h.release, domain.SignedRelease, domain.ActiveRelease, now))
		patch := h.file("c", 10)
		d := domain.ImageDelta{Product: h.product, Base: "old", Target: h.image, Format: "f", SHA256: patch.Hash, Size: 10,
			Made: now}
		must(t, db.Deltas.AddDelta(ctx, d))
		must(t, db.Deltas.AddDelta(ctx, d)) // another node
		must(t, db.Deltas.AddDelta(ctx, domain.ImageDelta{Product: h.product, Base: "older", Target: h.image, Format: "f",
			Made: now}))
		must(t, db.Deltas.PruneDeltas(ctx, now))
		have, err := db.Deltas.Deltas(ctx, h.product)
		if err != nil || len(have) != 2 || h.left() != 0 {
			t.Errorf("%+v, %v", have, err)
		}
		products, err := db.Releases.ImageProducts(ctx, patch.Hash, true)
		if err != nil || len(products) != 1 || products[0].ID != h.product {
			t.Errorf("the patch is of %+v, %v", products, err)
		}
		must(t, db.Releases.SetState(ctx, h.ann, h.release, domain.ActiveRelease, domain.WithdrawnRelease, now))
		must(t, db.Deltas.PruneDeltas(ctx, now))
		have, err = db.Deltas.Deltas(ctx, h.product)
		if n := h.left(); err != nil || len(have) != 0 || n != 1 {
			t.Errorf("of a withdrawn release: %+v, %d files are not needed, %v", have, n, err)
		}
	})
}
