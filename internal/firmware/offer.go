package firmware

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
)

// Offer makes an offer of a release to a device, with the nonce that it told last: signed by the server's offer key,
// with the roots that the device does not have yet, and a link to the image.
func (s *Service) Offer(ctx context.Context, to domain.OfferTo) (o domain.FirmwareOffer, err error) {
	v, err := s.Products.ProductByID(ctx, to.Product)
	if err != nil {
		return o, err
	}
	if err := s.Offerable(ctx, v, to.Release); err != nil {
		return o, err
	}
	now := s.now()
	document := &manifest.Offer{Type: "offer", Product: v.Name, Device: to.Device.Device, Nonce: to.Device.Report.Nonce,
		ManifestSHA256: to.Release.ManifestHash, Rollout: to.Rollout, Update: to.Update, Issued: now,
		Expires: now.Add(manifest.MaxOffer)}
	e, err := document.Seal()
	if err != nil {
		return o, domain.Invalid.Errorf(domain.CodeInvalidRequest, "the device can be made no offer").Because(err)
	}
	if err := e.Sign(s.OfferKey); err != nil {
		return o, err
	}
	if o.Offer, err = e.Bytes(); err != nil {
		return o, err
	}
	roots, err := s.Products.Roots(ctx, v.ID, to.Device.Report.RootVersion)
	if err != nil {
		return o, err
	}
	for _, r := range roots[:min(len(roots), domain.MaxOfferRoots)] {
		o.Roots = append(o.Roots, json.RawMessage(r.Envelope))
	}
	o.Manifest = to.Release.Manifest
	for _, i := range to.Release.Images {
		if i.SHA256 == to.Image {
			o.Image = domain.FirmwareFile{SHA256: i.SHA256, Size: i.Size,
				URL: s.Link(ctx, i.SHA256, to.Device.Device)}
		}
	}
	o.Delta, err = s.deltaFor(ctx, to.Product, to.Device, to.Image)
	return o, err
}

// ReadUpdate returns what the device p asks for: a part of an image of an active release for a product of its owner,
// or one that it has joined. It is empty at the end. It goes to an address at the pace of downloads: what is too early
// is refused, and says when to ask again.
func (s *Service) ReadUpdate(
	ctx context.Context, p domain.Principal, to netip.Addr, r domain.FirmwareRead,
) ([]byte, error) {
	if err := s.mayHave(ctx, p, r.SHA256); err != nil {
		return nil, err
	}
	product, err := s.sharing(ctx, r.SHA256)
	if err == nil {
		err = s.downloads.take(r.Length, to, product)
	}
	if err != nil {
		return nil, err
	}
	file, b, err := s.Files.Open(ctx, r.SHA256)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	if r.Offset >= b.Size {
		return nil, nil
	}
	if _, err := file.Seek(r.Offset, io.SeekStart); err != nil {
		return nil, err
	}
	part := make([]byte, r.Length)
	n, err := io.ReadFull(file, part)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	s.downloads.bytes.Add(float64(n))
	return part[:n], err
}
