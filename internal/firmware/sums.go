package firmware

import (
	"context"
	"crypto/md5"  //nolint:gosec // clients of other protocols check by it what has broken on the way
	"crypto/sha1" //nolint:gosec // the same
	"encoding/hex"
	"errors"
	"io"

	"github.com/unhidra/unhidra/internal/domain"
)

// sums returns the MD5 and the SHA-1 of a file, in hex.
func sums(file io.Reader) (inMD5, inSHA1 string, err error) {
	five, one := md5.New(), sha1.New() //nolint:gosec // as above
	_, err = io.Copy(io.MultiWriter(five, one), file)
	return hex.EncodeToString(five.Sum(nil)), hex.EncodeToString(one.Sum(nil)), err
}

// Summed returns an image with its MD5 and SHA-1. Of one that was uploaded before the server computed them, it does so
// now, and keeps them.
func (s *Service) Summed(ctx context.Context, i domain.FirmwareImage) (domain.FirmwareImage, error) {
	if i.MD5 != "" {
		return i, nil
	}
	file, _, err := s.Files.Open(ctx, i.SHA256)
	if err != nil {
		return i, err
	}
	defer func() { _ = file.Close() }() // it was only read
	if i.MD5, i.SHA1, err = sums(file); err != nil {
		return i, err
	}
	return i, s.Sums.SetSums(ctx, i.SHA256, i.MD5, i.SHA1)
}

// Deliverable returns an error unless a release may be given to devices now, also to those that check no signature: the
// server has checked it for them, with the keys of now.
func (s *Service) Deliverable(ctx context.Context, r domain.Release) error {
	v, err := s.Products.ProductByID(ctx, r.Product)
	if err != nil {
		return err
	}
	return s.Offerable(ctx, v, r)
}

// Suffix returns how the name of an image is to end, so that its client takes it: .raucb for a bundle of RAUC
// (squashfs), .swu for one of SWUpdate (cpio), and else .bin.
func (s *Service) Suffix(ctx context.Context, i domain.FirmwareImage) (string, error) {
	file, _, err := s.Files.Open(ctx, i.SHA256)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	magic := make([]byte, 6)
	if _, err := io.ReadFull(file, magic); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	switch {
	case string(magic[:4]) == "hsqs":
		return ".raucb", nil
	case string(magic) == "070701" || string(magic) == "070702":
		return ".swu", nil
	}
	return ".bin", nil
}
