package firmware

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/delta"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/espimage"
)

// Deltas stores which patches between images there are.
type Deltas interface {
	AddDelta(ctx context.Context, d domain.ImageDelta) error
	Deltas(ctx context.Context, product string) ([]domain.ImageDelta, error)
	Rolling(ctx context.Context) ([]domain.Product, error)
	PruneDeltas(ctx context.Context, now time.Time) error
}

// Fleet knows what devices run.
type Fleet interface {
	// Running returns how many devices that take a product of an owner run each image of it, by its SHA-256.
	Running(ctx context.Context, owner, product string) (map[string]int, error)
	// MayTake reports whether a device takes the firmware of a product.
	MayTake(ctx context.Context, device, product string) (bool, error)
}

const (
	deltaBases = 3           // of each image, the most frequent ones
	deltaWorth = 60          // percent of an image that a patch has at most
	deltaEvery = time.Minute // new bases are looked for
)

// RunDeltas makes patches to the newest active release of each product, from the images that most of its devices
// run, until ctx is done.
func (s *Service) RunDeltas(ctx context.Context) error {
	tick := time.NewTicker(deltaEvery)
	defer tick.Stop()
	for {
		if err := s.MakeDeltas(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "make patches of firmware; will try again", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.activated:
		case <-tick.C:
		}
	}
}

// MakeDeltas makes the patches that are missing, one after another, and forgets those that nobody needs.
func (s *Service) MakeDeltas(ctx context.Context) error {
	if err := s.Deltas.PruneDeltas(ctx, s.now()); err != nil {
		return err
	}
	products, err := s.Deltas.Rolling(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, p := range products {
		if err := s.deltasOf(ctx, p); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.ID, err))
		}
	}
	return errors.Join(failed...)
}

// deltasOf makes the missing patches of a product.
func (s *Service) deltasOf(ctx context.Context, p domain.Product) error {
	releases, err := s.Releases.Releases(ctx, p.ID, 0, domain.MaxReleases)
	if err != nil {
		return err
	}
	newest := slices.IndexFunc(releases, func(r domain.Release) bool { return r.State == domain.ActiveRelease })
	if newest < 0 {
		return nil
	}
	running, err := s.Fleet.Running(ctx, p.Owner.ID, p.Name)
	if err != nil {
		return err
	}
	have, err := s.Deltas.Deltas(ctx, p.ID)
	if err != nil {
		return err
	}
	for _, target := range releases[newest].Images {
		for _, base := range bases(releases, target, running) {
			done := func(d domain.ImageDelta) bool {
				return d.Base == base.SHA256 && d.Target == target.SHA256 && d.Format == delta.Format
			}
			if slices.ContainsFunc(have, done) {
				continue
			}
			if err := s.makeDelta(ctx, p, base, target); err != nil {
				return err
			}
		}
	}
	return nil
}

// bases returns the images for the same chip that most devices run. Nobody has to run them for a patch to be
// right, but for it to be of use.
func bases(
	releases []domain.Release, target domain.FirmwareImage, running map[string]int,
) (found []domain.FirmwareImage) {
	byHash := make(map[string]domain.FirmwareImage)
	for _, r := range releases {
		for _, i := range r.Images {
			if i.Chip == target.Chip && i.SHA256 != target.SHA256 && running[i.SHA256] > 0 &&
				max(i.Size, target.Size) <= delta.MaxImage {
				byHash[i.SHA256] = i
			}
		}
	}
	found = slices.SortedFunc(maps.Values(byHash), func(a, b domain.FirmwareImage) int {
		return cmp.Or(running[b.SHA256]-running[a.SHA256], cmp.Compare(a.SHA256, b.SHA256))
	})
	return found[:min(len(found), deltaBases)]
}

// makeDelta makes one patch, and keeps it if it is small enough.
func (s *Service) makeDelta(ctx context.Context, p domain.Product, base, target domain.FirmwareImage) error {
	from, err := s.whole(ctx, base)
	if err != nil {
		return err
	}
	to, err := s.whole(ctx, target)
	if err != nil {
		return err
	}
	id, err := baseID(from)
	if err != nil {
		return err
	}
	d := domain.ImageDelta{Product: p.ID, Base: base.SHA256, Target: target.SHA256, Format: delta.Format, Made: s.now()}
	patch, err := delta.Create(ctx, from, to, id)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && !errors.Is(err, delta.ErrDifferent) {
		s.Log.WarnContext(ctx, "an image cannot be made of another one; devices load it whole", "base", base.SHA256,
			"image", target.SHA256, "err", err)
	} else if err == nil && int64(len(patch))*100 <= target.Size*deltaWorth {
		b, err := s.Files.Put(ctx, bytes.NewReader(patch), delta.MaxImage)
		if err != nil {
			return err
		}
		d.SHA256, d.Size = b.Hash, b.Size
	}
	if err := s.Deltas.AddDelta(ctx, d); err != nil {
		return err
	}
	s.Log.InfoContext(ctx, "compared images of firmware", "product", p.ID, "base", base.SHA256, "image", target.SHA256,
		"patch", d.Size, "size", target.Size)
	return nil
}

// whole reads an image.
func (s *Service) whole(ctx context.Context, i domain.FirmwareImage) ([]byte, error) {
	file, _, err := s.Files.Open(ctx, i.SHA256)
	if err != nil {
		return nil, err
	}
	b := make([]byte, i.Size)
	_, err = io.ReadFull(file, b)
	return b, errors.Join(err, file.Close())
}

// baseID is how the header of a patch names its base.
func baseID(base []byte) (id [32]byte, err error) {
	read, err := espimage.Read(bytes.NewReader(base), int64(len(base)))
	if err != nil {
		return id, err
	}
	if read.Validation == "" {
		return sha256.Sum256(base), nil
	}
	_, err = hex.Decode(id[:], []byte(read.Validation))
	return id, err
}

// deltaFor returns the patch by which a device makes an image of what it runs, or nil if there is none that it can
// apply.
func (s *Service) deltaFor(
	ctx context.Context, product string, d domain.DeviceFirmware, image string,
) (*domain.FirmwareDelta, error) {
	if !d.Report.Has(delta.Format) {
		return nil, nil
	}
	all, err := s.Deltas.Deltas(ctx, product)
	if err != nil {
		return nil, err
	}
	for _, found := range all {
		if found.SHA256 != "" && found.Base == d.Report.SHA256 && found.Target == image && found.Format == delta.Format {
			return &domain.FirmwareDelta{Format: found.Format, BaseSHA256: found.Base, FirmwareFile: domain.FirmwareFile{
				SHA256: found.SHA256, Size: found.Size, URL: s.Link(ctx, found.SHA256, d.Device)}}, nil
		}
	}
	return nil, nil
}
