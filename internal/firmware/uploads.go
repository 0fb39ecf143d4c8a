package firmware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/espimage"
)

// BeginUpload begins an upload of a file, whose size and hash the sender announces.
func (s *Service) BeginUpload(
	ctx context.Context, p domain.Principal, u domain.FirmwareUpload,
) (domain.FirmwareUpload, error) {
	most := int64(domain.MaxFirmwareImage)
	if u.Kind == domain.ELFUpload {
		most = domain.MaxFirmwareELF
	}
	switch {
	case !slices.Contains(domain.UploadKinds(), u.Kind):
		return u, domain.InvalidField("/kind", "an upload is an image, raw, elf, or factory")
	case u.Size < 1 || u.Size > most:
		return u, domain.InvalidField("/size", "such a file has 1 to %d bytes", most)
	case !domain.ValidSHA256(u.SHA256):
		return u, domain.InvalidField("/sha256", "this is the SHA-256 of the file, in 64 lower-case hexadecimal digits")
	}
	u.ID, u.By = domain.NewID(domain.UploadPrefix), p.ID
	if err := s.Uploads.CreateUpload(ctx, u, s.now()); err != nil {
		return u, err
	}
	return s.Uploads.Upload(ctx, u.ID, p.ID)
}

// Upload returns an upload of p.
func (s *Service) Upload(ctx context.Context, p domain.Principal, id string) (domain.FirmwareUpload, error) {
	return s.Uploads.Upload(ctx, id, p.ID)
}

// AddPart takes the next part of an upload, which begins where the last one ended.
func (s *Service) AddPart(
	ctx context.Context, p domain.Principal, id string, start int64, data []byte,
) (domain.FirmwareUpload, error) {
	u, err := s.Uploads.Upload(ctx, id, p.ID)
	switch {
	case err != nil:
		return u, err
	case len(data) == 0 || len(data) > domain.FirmwarePart:
		return u, domain.Invalid.Errorf(domain.CodeInvalidRequest, "a part has 1 to %d bytes", domain.FirmwarePart)
	case start != u.Received:
		return u, domain.Conflict.Errorf(domain.CodeUploadOffset, "%d bytes are here; go on from there", u.Received)
	case u.Received+int64(len(data)) > u.Size:
		return u, domain.TooLarge.Errorf(domain.CodeFileTooLarge, "the file was announced with %d bytes, and this is more",
			u.Size)
	}
	part, err := s.Files.Put(ctx, bytes.NewReader(data), domain.FirmwarePart)
	if err != nil {
		return u, err
	}
	return s.Uploads.AddPart(ctx, id, p.ID, start, part, s.Quota, s.now())
}

// CompleteUpload puts the parts of an upload together, and has an image inspected. The upload of an image is there
// until a release takes it; an ELF file is there for the images that name it, and its upload is over.
func (s *Service) CompleteUpload(
	ctx context.Context, p domain.Principal, id string,
) (domain.FirmwareUpload, error) {
	u, err := s.Uploads.Upload(ctx, id, p.ID)
	if err != nil || u.Info != nil {
		return u, err
	}
	if u.Received < u.Size {
		return u, domain.Conflict.Errorf(domain.CodeUploadOpen, "%d of %d bytes are here; send the rest", u.Received, u.Size)
	}
	copied, err := os.CreateTemp(s.Temp, "upload-*")
	if err != nil {
		return u, fmt.Errorf("keep a file to inspect: %w", err)
	}
	defer os.Remove(copied.Name()) // it was only read
	defer copied.Close()
	if err := s.join(ctx, u, copied); err != nil {
		return u, err
	}
	info, err := s.inspect(ctx, u, copied)
	if err != nil {
		return u, err
	}
	u.Info = &info
	if u.Kind != domain.ELFUpload {
		if info.MD5, info.SHA1, err = sums(io.NewSectionReader(copied, 0, u.Size)); err != nil {
			return u, err
		}
		return u, s.Uploads.CompleteImage(ctx, u, s.Quota, s.now())
	}
	if err := refused(info); err != nil {
		return u, err
	}
	if err := s.Uploads.CompleteELF(ctx, u, s.Quota, s.now()); err != nil {
		return u, err
	}
	s.record(ctx, p, domain.AuditRelease, "product", u.Product, map[string]string{"done": "elf", "sha256": u.SHA256})
	return u, nil
}

// join puts the parts of an upload together: as a file, and in copied.
func (s *Service) join(ctx context.Context, u domain.FirmwareUpload, copied io.Writer) error {
	hashes, err := s.Uploads.Parts(ctx, u.ID)
	if err != nil {
		return err
	}
	parts := &joined{ctx: ctx, files: s.Files, rest: hashes}
	defer parts.close()
	whole, err := s.Files.Put(ctx, io.TeeReader(parts, copied), u.Size)
	if err != nil || whole.Hash == u.SHA256 {
		return err
	}
	if err := s.Uploads.DeleteUpload(ctx, u.ID, u.By, s.now()); err != nil {
		return err
	}
	return domain.Invalid.Errorf(domain.CodeUploadHash,
		"the file has the SHA-256 %s, and %s was announced; upload it again", whole.Hash, u.SHA256)
}

// inspect says what the file of an upload is, and what is wrong with it, also for its product.
func (s *Service) inspect(
	ctx context.Context, u domain.FirmwareUpload, file io.ReaderAt,
) (info domain.ImageInfo, err error) {
	var read *espimage.Image
	switch u.Kind {
	case domain.RawUpload:
		read, err = espimage.ReadRaw(file, u.Size, espimage.Declared{})
	case domain.ELFUpload:
		read, err = espimage.ReadELF(file, u.Size)
	case domain.FactoryUpload:
		read, err = espimage.ReadFactory(file, u.Size)
	default:
		read, err = espimage.Read(file, u.Size)
	}
	if err == nil && (u.Kind == domain.ImageUpload || u.Kind == domain.FactoryUpload) {
		err = s.expect(ctx, u.Product, read)
	}
	if err != nil {
		return info, err
	}
	info = domain.ImageInfo{Format: read.Format, Chip: read.Chip, RevisionMin: int(read.RevisionMin),
		RevisionMax: int(read.RevisionMax), Project: read.Project, Version: read.Version, Built: read.Built, SDK: read.SDK,
		SecureVersion: read.SecureVersion, ELF: read.ELFSHA256, Findings: read.Findings, FlashSize: read.FlashBytes,
		Parts: read.Parts}
	for _, signature := range read.Signatures {
		if signature.Valid {
			info.SigningKeys = append(info.SigningKeys, signature.KeyDigest)
		}
	}
	return info, nil
}

// expect adds findings about what an image is not that its product needs. The secure version is compared with that
// of releases that devices may have.
func (s *Service) expect(ctx context.Context, product string, image *espimage.Image) error {
	v, err := s.Products.ProductByID(ctx, product)
	if err != nil {
		return err
	}
	least, err := s.Releases.SecureVersion(ctx, product, image.Chip)
	if err == nil && !image.Refused() {
		image.Expect(espimage.Expected{Product: v.Name, SecureVersion: least})
	}
	return err
}

// refused returns an error if a file has a finding for which it is refused.
func refused(info domain.ImageInfo) error {
	f, bad := info.Refused()
	switch {
	case !bad:
		return nil
	case f.Fix != "":
		return domain.Invalid.Errorf(domain.CodeBadImage, "%s. %s", f.Text, f.Fix)
	}
	return domain.Invalid.Errorf(domain.CodeBadImage, "%s", f.Text)
}

// DeleteUpload forgets an upload of p.
func (s *Service) DeleteUpload(ctx context.Context, p domain.Principal, id string) error {
	return s.Uploads.DeleteUpload(ctx, id, p.ID, s.now())
}

// Attach is what somebody says of an image that they add to a release. What the image says itself need not be said.
type Attach struct {
	Upload                   string
	Chip                     string // of a raw image
	RevisionMin, RevisionMax *int
	SecureVersion            uint32 // of a raw image
}

// AddImage makes a complete upload an image of a draft.
func (s *Service) AddImage(
	ctx context.Context, p domain.Principal, release string, a Attach,
) (domain.Release, error) {
	r, v, err := s.managed(ctx, p, release)
	if err != nil {
		return r, err
	}
	u, err := s.completed(ctx, p, v, a.Upload)
	if err == nil && u.Kind == domain.FactoryUpload {
		err = domain.Invalid.Errorf(domain.CodeBadImage,
			"this is a factory image; it goes beside an image of the release, which devices get")
	}
	if err != nil {
		return r, err
	}
	i, err := imageOf(r, u, a)
	if err != nil {
		return r, err
	}
	if err := s.Releases.AddImage(ctx, p.ID, i, u.ID, s.Quota, s.now()); err != nil {
		return r, err
	}
	s.record(ctx, p, domain.AuditRelease, "release", r.ID, map[string]string{
		"done": "image_added", "chip": i.Chip, "sha256": i.SHA256})
	return s.Releases.Release(ctx, release)
}

// completed returns an upload of p to a product, which is whole.
func (s *Service) completed(
	ctx context.Context, p domain.Principal, v domain.Product, id string,
) (domain.FirmwareUpload, error) {
	u, err := s.Uploads.Upload(ctx, id, p.ID)
	switch {
	case err != nil:
		return u, err
	case u.Product != v.ID:
		return u, domain.NotFound.Errorf(domain.CodeNoUpload, "this upload is for another product")
	case u.Info == nil:
		return u, domain.Conflict.Errorf(domain.CodeUploadOpen, "the upload is not complete; complete it first")
	}
	return u, nil
}

// imageOf is the image that an upload becomes in a release. It is refused if it says of itself that it is
// something else.
func imageOf(r domain.Release, u domain.FirmwareUpload, a Attach) (domain.FirmwareImage, error) {
	info := *u.Info
	i := domain.FirmwareImage{Release: r.ID, SHA256: u.SHA256, Size: u.Size, Chip: info.Chip,
		RevisionMin: info.RevisionMin, RevisionMax: info.RevisionMax, SecureVersion: info.SecureVersion, ELF: info.ELF,
		MD5: info.MD5, SHA1: info.SHA1, Info: info}
	if u.Kind == domain.RawUpload {
		i.Chip, i.SecureVersion = a.Chip, a.SecureVersion
	}
	if a.RevisionMin != nil {
		i.RevisionMin = *a.RevisionMin
	}
	if a.RevisionMax != nil {
		i.RevisionMax = *a.RevisionMax
	}
	bad := func(format string, args ...any) error {
		return domain.Invalid.Errorf(domain.CodeBadImage, format, args...)
	}
	if err := refused(info); err != nil {
		return i, err
	}
	switch {
	case u.Kind != domain.RawUpload && a.Chip != "" && a.Chip != info.Chip:
		return i, bad("the image is for %s, and not for %s; choose the file that was built for it", info.Chip, a.Chip)
	case info.Version != "" && info.Version != r.Version:
		return i, bad("the image is of version %q, and the release of %q; set PROJECT_VER, or make a release of that version",
			info.Version, r.Version)
	case i.RevisionMin < info.RevisionMin || i.RevisionMax > info.RevisionMax:
		return i, bad("the image is for revisions %d to %d; choose some of these", info.RevisionMin, info.RevisionMax)
	}
	return i, domain.CheckImage(i)
}

// RemoveImage takes an image out of a draft.
func (s *Service) RemoveImage(ctx context.Context, p domain.Principal, release, hash string) error {
	r, _, err := s.managed(ctx, p, release)
	if err != nil {
		return err
	}
	if err := s.Releases.RemoveImage(ctx, p.ID, release, hash, s.now()); err != nil {
		return err
	}
	s.record(ctx, p, domain.AuditRelease, "release", r.ID, map[string]string{"done": "image_removed", "sha256": hash})
	return nil
}

// joined reads files one after another.
type joined struct {
	ctx   context.Context
	files Files
	rest  []string
	now   io.ReadCloser // nil: none is open
}

func (j *joined) Read(b []byte) (int, error) {
	for {
		if j.now == nil {
			if len(j.rest) == 0 {
				return 0, io.EOF
			}
			r, _, err := j.files.Open(j.ctx, j.rest[0])
			if err != nil {
				return 0, err
			}
			j.now, j.rest = r, j.rest[1:]
		}
		n, err := j.now.Read(b)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		err = j.now.Close()
		if j.now = nil; n > 0 || err != nil {
			return n, err
		}
	}
}

func (j *joined) close() {
	if j.now != nil {
		_ = j.now.Close() // it was read
	}
}
