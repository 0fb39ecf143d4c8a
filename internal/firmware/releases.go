package firmware

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
)

// NewRelease makes a draft.
func (s *Service) NewRelease(ctx context.Context, p domain.Principal, r domain.Release) (domain.Release, error) {
	r, err := domain.CheckRelease(r)
	if err != nil {
		return r, err
	}
	r.ID, r.CreatedBy = domain.NewID(domain.ReleasePrefix), p.ID
	if err := s.Releases.CreateRelease(ctx, r, s.now()); err != nil {
		return r, err
	}
	s.released(ctx, p, r, "created")
	return s.Releases.Release(ctx, r.ID)
}

func (s *Service) released(ctx context.Context, p domain.Principal, r domain.Release, done string) {
	s.record(ctx, p, domain.AuditRelease, "release", r.ID, map[string]string{
		"done": done, "product": r.Product, "version": r.Version, "code": strconv.FormatUint(uint64(r.Code), 10)})
}

// Release returns a release that p may see, and its product.
func (s *Service) Release(
	ctx context.Context, p domain.Principal, id string,
) (domain.Release, domain.Product, error) {
	r, v, _, err := s.release(ctx, p, id)
	return r, v, err
}

func (s *Service) release(
	ctx context.Context, p domain.Principal, id string,
) (r domain.Release, v domain.Product, has domain.ProductRight, err error) {
	if r, err = s.Releases.Release(ctx, id); err != nil {
		return r, v, has, err
	}
	v, has, err = s.Products.Product(ctx, r.Product, p.ID)
	if domain.CodeOf(err) == domain.CodeNoProduct {
		err = domain.ErrNoRelease()
	}
	return r, v, has, err
}

// managed returns a release that p may change, and its product.
func (s *Service) managed(
	ctx context.Context, p domain.Principal, id string,
) (r domain.Release, v domain.Product, err error) {
	r, v, has, err := s.release(ctx, p, id)
	if err == nil {
		err = has.Allow(domain.ManageProduct)
	}
	return r, v, err
}

// SetNotes changes what people read of a release.
func (s *Service) SetNotes(ctx context.Context, p domain.Principal, id, notes string) error {
	notes, err := domain.CheckProse("/notes", notes, domain.MaxReleaseNotes)
	if err != nil {
		return err
	}
	return s.Releases.SetNotes(ctx, p.ID, id, notes)
}

// Activate lets rollouts bring a release to devices. Its signatures are verified again, with the keys of now.
func (s *Service) Activate(ctx context.Context, p domain.Principal, id string) error {
	r, v, err := s.managed(ctx, p, id)
	if err != nil {
		return err
	}
	if r.State == domain.DraftRelease {
		return s.unsigned(ctx, v, r)
	}
	if r.State != domain.SignedRelease {
		return domain.Conflict.Errorf(domain.CodeReleaseState, "only a release that is signed can be activated; this is %s",
			r.State)
	}
	if err := s.Offerable(ctx, v, r); err != nil {
		return err
	}
	if err := s.Releases.SetState(ctx, p.ID, id, domain.SignedRelease, domain.ActiveRelease, s.now()); err != nil {
		return err
	}
	s.released(ctx, p, r, "activated")
	select {
	case s.activated <- struct{}{}:
	default:
	}
	return nil
}

// unsigned says how many signatures a draft lacks.
func (s *Service) unsigned(ctx context.Context, v domain.Product, r domain.Release) error {
	root, err := s.root(ctx, v)
	if err != nil {
		return err
	}
	n := 0
	if len(r.Manifest) > 0 {
		e, err := manifest.Parse(r.Manifest)
		if err != nil {
			return err
		}
		m, err := manifest.ReadManifest(e)
		if err != nil {
			return err
		}
		_, n = manifest.Judge(e, root.ReleaseKeys, m.Created)
	}
	return domain.Conflict.Errorf(domain.CodeReleaseState,
		"only a release that is signed can be activated; this one has %d of %d signatures", n, root.ReleaseThreshold)
}

// Offerable returns an error if devices would refuse an offer of a release that this server makes now.
func (s *Service) Offerable(ctx context.Context, v domain.Product, r domain.Release) error {
	envelope, err := s.newestRoot(ctx, v)
	if err != nil {
		return err
	}
	stands, err := s.verified.check(envelope, r.Manifest)
	if err != nil {
		return err
	}
	root, m, now := stands.root, stands.manifest, s.now()
	switch {
	case m.Expired(now):
		return domain.Conflict.Errorf(domain.CodeNotSigned, "devices refuse the release since %s", stamp(m.NotAfter))
	case root.Expired(now):
		return domain.Conflict.Errorf(domain.CodeNoRoot, "the root has expired at %s; add the next one", stamp(root.Expires))
	case !trusts(root.OfferKeys, s.offerKey, now):
		return domain.Conflict.Errorf(domain.CodeNoRoot,
			"the root does not trust this server's offer key %s now; add a root that does", s.offerKey.KeyID)
	}
	return nil
}

func trusts(keys []manifest.Key, key manifest.Key, now time.Time) bool {
	return slices.ContainsFunc(keys, func(k manifest.Key) bool { return k.KeyID == key.KeyID && k.ValidAt(now) })
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Withdraw has a release offered to nobody any more.
func (s *Service) Withdraw(ctx context.Context, p domain.Principal, id string) error {
	r, _, err := s.managed(ctx, p, id)
	if err != nil {
		return err
	}
	if r.State != domain.ActiveRelease && r.State != domain.SignedRelease {
		return domain.Conflict.Errorf(domain.CodeReleaseState, "this release is %s, and offered to nobody", r.State)
	}
	if err := s.Releases.SetState(ctx, p.ID, id, r.State, domain.WithdrawnRelease, s.now()); err != nil {
		return err
	}
	s.released(ctx, p, r, "withdrawn")
	return nil
}

// DeleteRelease deletes a release that was never active.
func (s *Service) DeleteRelease(ctx context.Context, p domain.Principal, id string) error {
	r, _, err := s.managed(ctx, p, id)
	if err != nil {
		return err
	}
	if err := s.Releases.DeleteRelease(ctx, p.ID, id, s.now()); err != nil {
		return err
	}
	s.released(ctx, p, r, "deleted")
	return nil
}

// Manifest returns the manifest of a release with the signatures so far, or without any, to be signed.
func (s *Service) Manifest(ctx context.Context, p domain.Principal, id string) (*manifest.Envelope, error) {
	r, v, _, err := s.release(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if len(r.Manifest) > 0 {
		return manifest.Parse(r.Manifest)
	}
	if len(r.Images) == 0 {
		return nil, domain.Conflict.Errorf(domain.CodeReleaseState, "the release has no image yet; upload one")
	}
	m := described(v, r)
	m.Created = s.now().Truncate(time.Second)
	e, err := m.Seal()
	if err != nil {
		return nil, badDocument(err)
	}
	return e, nil
}

// described is what a manifest must say of a release, but for when it was created.
func described(v domain.Product, r domain.Release) *manifest.Manifest {
	m := &manifest.Manifest{
		Type: "manifest", Product: v.Name, Version: r.Version, VersionCode: r.Code, NotAfter: r.NotAfter,
		MinVersion: r.MinCode, AllowDowngradeTo: r.AllowDowngradeTo,
	}
	for _, i := range r.Images {
		image := manifest.Image{Chip: i.Chip, RevisionMin: uint16(i.RevisionMin), Size: i.Size, SHA256: i.SHA256,
			ELFSHA256: i.ELF, SecureVersion: i.SecureVersion}
		if i.RevisionMax < domain.MaxRevision {
			most := uint16(i.RevisionMax)
			image.RevisionMax = &most
		}
		m.Images = append(m.Images, image)
	}
	return m
}

// Sign adds signatures to a release: those of envelope, whose payload must describe the release. The first one
// fixes the release, and as many as the root demands make it signed.
func (s *Service) Sign(
	ctx context.Context, p domain.Principal, id string, envelope []byte,
) (verdicts []manifest.Verdict, err error) {
	r, v, err := s.managed(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if r.State == domain.WithdrawnRelease {
		return nil, domain.Conflict.Errorf(domain.CodeReleaseState, "the release is withdrawn")
	}
	root, err := s.root(ctx, v)
	if err != nil {
		return nil, err
	}
	e, err := manifest.Parse(envelope)
	if err != nil {
		return nil, badDocument(err)
	}
	m, err := manifest.ReadManifest(e)
	if err == nil {
		err = describes(m, v, r)
	}
	if err != nil {
		return nil, badDocument(err)
	}
	verdicts, _ = manifest.Judge(e, root.ReleaseKeys, m.Created)
	if !slices.ContainsFunc(verdicts, counts) {
		return verdicts, domain.Invalid.Errorf(domain.CodeBadSignature,
			"none of the signatures counts%s; sign with a release key of the root", reasons(verdicts))
	}
	all, err := merged(r.Manifest, e, verdicts)
	if err != nil {
		return verdicts, err
	}
	if _, n := manifest.Judge(all, root.ReleaseKeys, m.Created); n >= root.ReleaseThreshold &&
		r.State == domain.DraftRelease {
		r.State = domain.SignedRelease
	}
	data, err := all.Bytes()
	if err != nil {
		return verdicts, err
	}
	if err := s.Releases.SignRelease(ctx, p.ID, r, v.Root, data, all.Hash(), s.now()); err != nil {
		return verdicts, err
	}
	s.record(ctx, p, domain.AuditRelease, "release", r.ID, map[string]string{
		"done": "signed", "keys": keys(verdicts), "state": string(r.State), "sha256": all.Hash()})
	return verdicts, nil
}

func counts(v manifest.Verdict) bool { return v.Problem == "" }

func reasons(verdicts []manifest.Verdict) string {
	var b strings.Builder
	for _, v := range verdicts {
		if !counts(v) {
			fmt.Fprintf(&b, "; %.40s: %s", v.KeyID, v.Problem)
		}
	}
	return b.String()
}

func keys(verdicts []manifest.Verdict) string {
	var ids []string
	for _, v := range verdicts {
		if counts(v) {
			ids = append(ids, v.KeyID)
		}
	}
	return strings.Join(ids, " ")
}

// merged adds the signatures of e that count to those of an envelope that is stored, if there is one.
func merged(stored []byte, e *manifest.Envelope, verdicts []manifest.Verdict) (*manifest.Envelope, error) {
	all := &manifest.Envelope{PayloadType: e.PayloadType, Payload: e.Payload}
	if len(stored) > 0 {
		before, err := manifest.Parse(stored)
		if err != nil {
			return nil, err
		}
		if before.Hash() != e.Hash() {
			return nil, domain.Conflict.Errorf(domain.CodeReleaseFixed,
				"another manifest of this release is signed already; load that one, and sign it")
		}
		all.Signatures = before.Signatures
	}
	for i, v := range verdicts {
		if !counts(v) {
			continue
		}
		all.Signatures = slices.DeleteFunc(all.Signatures, func(o manifest.Signature) bool { return o.KeyID == v.KeyID })
		all.Signatures = append(all.Signatures, e.Signatures[i])
	}
	return all, nil
}

// describes returns an error unless a manifest says of a release what it is.
func describes(m *manifest.Manifest, v domain.Product, r domain.Release) error {
	want := described(v, r)
	switch {
	case m.Product != want.Product:
		return fmt.Errorf("it is for the product %q, and this is %q", m.Product, want.Product)
	case m.Version != want.Version || m.VersionCode != want.VersionCode:
		return fmt.Errorf("it is of version %s (%d), and the release is %s (%d)", m.Version, m.VersionCode, want.Version,
			want.VersionCode)
	case m.MinVersion != want.MinVersion || m.AllowDowngradeTo != want.AllowDowngradeTo ||
		!m.NotAfter.Equal(want.NotAfter):
		return fmt.Errorf("min_version_code, allow_downgrade_to or not_after differ from those of the release")
	case len(m.Images) != len(want.Images):
		return fmt.Errorf("it has %d images, and the release has %d", len(m.Images), len(want.Images))
	}
	for _, image := range want.Images {
		if !slices.ContainsFunc(m.Images, func(i manifest.Image) bool { return same(i, image) }) {
			return fmt.Errorf("it does not describe the image for %s with SHA-256 %s as the release does", image.Chip,
				image.SHA256)
		}
	}
	return nil
}

func same(a, b manifest.Image) bool {
	upTo := func(i manifest.Image) uint16 {
		if i.RevisionMax == nil {
			return domain.MaxRevision
		}
		return *i.RevisionMax
	}
	return a.Chip == b.Chip && a.RevisionMin == b.RevisionMin && upTo(a) == upTo(b) && a.Size == b.Size &&
		a.SHA256 == b.SHA256 && a.ELFSHA256 == b.ELFSHA256 && a.SecureVersion == b.SecureVersion
}
