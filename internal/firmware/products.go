package firmware

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
)

// NewProduct makes a product of p.
func (s *Service) NewProduct(ctx context.Context, p domain.Principal, n domain.Product) (domain.Product, error) {
	n, err := domain.CheckProduct(n)
	if err != nil {
		return n, err
	}
	if p.Kind == domain.KindDevice {
		return n, domain.Forbidden.Errorf(domain.CodePeopleOnly, "products belong to people")
	}
	n.ID, n.Owner = domain.NewID(domain.ProductPrefix), domain.UserRef{ID: p.ID}
	if err := s.Products.CreateProduct(ctx, n, s.now()); err != nil {
		return n, err
	}
	s.record(ctx, p, domain.AuditProduct, "product", n.ID, map[string]string{"done": "created", "name": n.Name})
	n, _, err = s.Products.Product(ctx, n.ID, p.ID)
	return n, err
}

// ProductChange is what changes of a product.
type ProductChange struct{ Title, Room *string }

// ChangeProduct changes a product of p.
func (s *Service) ChangeProduct(
	ctx context.Context, p domain.Principal, id string, c ProductChange,
) (domain.Product, error) {
	if c == (ProductChange{}) {
		return domain.Product{}, domain.Invalid.Errorf(domain.CodeNothingToChange, "name a title or a room")
	}
	v, _, err := s.Products.Product(ctx, id, p.ID)
	if err != nil {
		return v, err
	}
	if c.Title != nil {
		v.Title = *c.Title
	}
	if c.Room != nil {
		v.Room = *c.Room
	}
	if v, err = domain.CheckProduct(v); err != nil {
		return v, err
	}
	if err := s.Products.ChangeProduct(ctx, p.ID, v, s.now()); err != nil {
		return v, err
	}
	s.record(ctx, p, domain.AuditProduct, "product", id, map[string]string{"done": "changed", "room": v.Room})
	v, _, err = s.Products.Product(ctx, id, p.ID)
	return v, err
}

// ShareProduct says how others may join a product of p with their devices: open, by its id; by its code, of which a
// new one takes the place of the one before. nil leaves it as it is. Devices that have joined stay.
func (s *Service) ShareProduct(
	ctx context.Context, p domain.Principal, id string, open *bool, code CodeChange,
) error {
	sharing, details := domain.ProductSharing{Open: open}, map[string]string{"done": "shared"}
	switch code {
	case NewCode, NoCode:
		next := ""
		if code == NewCode {
			next = rand.Text()
		}
		sharing.Code, details["code"] = &next, string(code)
	default:
		if open == nil {
			return domain.Invalid.Errorf(domain.CodeNothingToChange,
				"say whether the product is open, or what becomes of its code")
		}
	}
	if open != nil {
		details["open"] = strconv.FormatBool(*open)
	}
	err := s.Products.ShareProduct(ctx, p.ID, id, sharing)
	if err == nil {
		s.record(ctx, p, domain.AuditProduct, "product", id, details)
	}
	return err
}

// CodeChange is what becomes of the code of a product; empty: it stays.
type CodeChange string

// The changes.
const (
	NewCode CodeChange = "new"
	NoCode  CodeChange = "none"
)

// DeleteProduct deletes a product of p with its releases and files.
func (s *Service) DeleteProduct(ctx context.Context, p domain.Principal, id string) error {
	err := s.Products.DeleteProduct(ctx, p.ID, id, s.now())
	if err == nil {
		s.record(ctx, p, domain.AuditProduct, "product", id, map[string]string{"done": "deleted"})
	}
	return err
}

// AddRoot takes a root of a product of p: the first one, or the one that follows the newest. It is verified as
// devices do.
func (s *Service) AddRoot(
	ctx context.Context, p domain.Principal, product string, envelope []byte,
) (domain.FirmwareRoot, error) {
	v, has, err := s.Products.Product(ctx, product, p.ID)
	if err == nil {
		err = has.Allow(domain.OwnProduct)
	}
	if err != nil {
		return domain.FirmwareRoot{}, err
	}
	e, err := manifest.Parse(envelope)
	if err != nil {
		return domain.FirmwareRoot{}, badDocument(err)
	}
	var root *manifest.Root
	if v.Root == 0 {
		root, err = firstRoot(e, s.now())
	} else {
		var newest *manifest.Root
		if newest, err = s.root(ctx, v); err != nil {
			return domain.FirmwareRoot{}, err
		}
		root, err = newest.Next(e)
	}
	if err == nil && root.Product != v.Name {
		err = fmt.Errorf("%w: %q, and this product is %q", manifest.WrongProduct, root.Product, v.Name)
	}
	if err != nil {
		return domain.FirmwareRoot{}, badDocument(err)
	}
	r := domain.FirmwareRoot{Product: product, Version: root.Version, Expires: root.Expires, Added: s.now(), AddedBy: p.ID}
	if r.Envelope, err = e.Bytes(); err != nil {
		return r, err
	}
	if err := s.Products.AddRoot(ctx, r); err != nil {
		return r, err
	}
	s.record(ctx, p, domain.AuditFirmwareRoot, "product", product, map[string]string{
		"version": strconv.Itoa(r.Version), "sha256": e.Hash()})
	return r, nil
}

// firstRoot reads the first root of a product. It is one that devices can follow now, since nothing replaces it but
// another one that its keys have signed.
func firstRoot(e *manifest.Envelope, now time.Time) (*manifest.Root, error) {
	root, err := manifest.ReadRoot(e)
	if err != nil {
		return nil, err
	}
	if root.Version == 1 {
		if verdicts, n := manifest.Judge(e, root.RootKeys, time.Time{}); n < root.RootThreshold {
			return nil, fmt.Errorf("the root has %d of %d signatures by its root keys%s; sign it with "+
				"`unhidra firmware sign --key KEY FILE`", n, root.RootThreshold, reasons(verdicts))
		}
	}
	if root, err = manifest.FirstRoot(e); err != nil {
		return nil, err
	}
	left := 0
	for _, k := range root.ReleaseKeys {
		if k.NotAfter.IsZero() || now.Before(k.NotAfter) {
			left++
		}
	}
	switch {
	case root.Expired(now):
		return nil, fmt.Errorf("the root has expired at %s; make one that expires later", stamp(root.Expires))
	case left < root.ReleaseThreshold:
		return nil, fmt.Errorf("%d of the release keys have not expired, and releases need %d signatures; make a root whose "+
			"release keys are good for longer", left, root.ReleaseThreshold)
	}
	return root, nil
}

// root returns the newest root of a product.
func (s *Service) root(ctx context.Context, p domain.Product) (*manifest.Root, error) {
	envelope, err := s.newestRoot(ctx, p)
	if err != nil {
		return nil, err
	}
	return readRoot(envelope)
}

// readRoot reads the envelope of a root that is stored.
func readRoot(envelope []byte) (*manifest.Root, error) {
	e, err := manifest.Parse(envelope)
	if err != nil {
		return nil, fmt.Errorf("a root that is stored: %w", err)
	}
	root, err := manifest.ReadRoot(e)
	if err != nil {
		return nil, fmt.Errorf("a root that is stored: %w", err)
	}
	return root, nil
}

// newestRoot returns the envelope of the newest root of a product. It was verified when it was added.
func (s *Service) newestRoot(ctx context.Context, p domain.Product) ([]byte, error) {
	if p.Root == 0 {
		return nil, domain.Conflict.Errorf(domain.CodeNoRoot,
			"the product has no root yet; make one with `unhidra firmware root`, and add it")
	}
	roots, err := s.Products.Roots(ctx, p.ID, p.Root-1)
	if err != nil {
		return nil, err
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("root %d of %s is missing", p.Root, p.ID)
	}
	return roots[0].Envelope, nil
}

// badDocument says what is wrong with a document.
func badDocument(err error) error {
	return domain.Invalid.Errorf(domain.CodeBadDocument, "%s", err.Error())
}
