package firmware

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

// SetFactory makes a complete upload the factory image of an image of a release, in place of the one before. It is
// refused unless the application that a board starts by it is that image, byte for byte: so the application is what
// the release's keys have signed. Bootloader and partition table are in no manifest.
func (s *Service) SetFactory(ctx context.Context, p domain.Principal, release, hash, upload string) error {
	r, v, err := s.managed(ctx, p, release)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(r.Images, func(i domain.FirmwareImage) bool { return i.SHA256 == hash })
	if at < 0 {
		return errNoImage()
	}
	u, err := s.completed(ctx, p, v, upload)
	if err == nil && u.Kind != domain.FactoryUpload {
		err = domain.Invalid.Errorf(domain.CodeBadImage, "upload it as a factory image: kind factory")
	}
	if err == nil {
		err = refused(*u.Info)
	}
	if err == nil {
		err = s.contains(ctx, u, r.Images[at])
	}
	if err != nil {
		return err
	}
	f := domain.FactoryImage{SHA256: u.SHA256, Size: u.Size, Info: *u.Info}
	if err := s.Releases.SetFactory(ctx, p.ID, r.ID, hash, f, u.ID, s.Quota, s.now()); err != nil {
		return err
	}
	s.record(ctx, p, domain.AuditRelease, "release", r.ID, map[string]string{
		"done": "factory_added", "chip": r.Images[at].Chip, "sha256": u.SHA256})
	return nil
}

// contains returns an error unless the application that a factory image starts is an image of the release.
func (s *Service) contains(ctx context.Context, u domain.FirmwareUpload, image domain.FirmwareImage) error {
	at := slices.IndexFunc(u.Info.Parts, func(f domain.FlashPart) bool { return f.App })
	if at < 0 {
		return domain.Invalid.Errorf(domain.CodeBadImage, "no application is in the factory image")
	}
	other := domain.Invalid.Errorf(domain.CodeBadImage,
		"the application in the factory image is not the image of this release for %s; merge the file that was uploaded "+
			"as the image", image.Chip)
	app := u.Info.Parts[at]
	if image.Size > app.Size {
		return other
	}
	file, _, err := s.Files.Open(ctx, u.SHA256)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	if _, err := file.Seek(app.Offset, io.SeekStart); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, file, image.Size); errors.Is(err, io.EOF) {
		return other
	} else if err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != image.SHA256 {
		return other
	}
	return nil
}

// RemoveFactory takes the factory image of an image of a release away.
func (s *Service) RemoveFactory(ctx context.Context, p domain.Principal, release, hash string) error {
	r, _, err := s.managed(ctx, p, release)
	if err != nil {
		return err
	}
	if err := s.Releases.RemoveFactory(ctx, p.ID, r.ID, hash, s.now()); err != nil {
		return err
	}
	s.record(ctx, p, domain.AuditRelease, "release", r.ID, map[string]string{"done": "factory_removed", "sha256": hash})
	return nil
}
