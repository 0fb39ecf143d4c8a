package firmware

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/manifest"
)

func (s *Service) releaseRoutes(api huma.API, op makeOp) {
	httpx.Register(api, op("list-releases", "GET", "/products/{product}/releases",
		"The releases of a product, the highest version_code first", 200), s.listReleases)
	httpx.Register(api, op("create-release", "POST", "/products/{product}/releases",
		"Make a draft of a release, to which images are added", 201), s.createRelease)
	httpx.Register(api, op("get-release", "GET", "/releases/{release}", "A release with its images", 200), s.getRelease)
	httpx.Register(api, op("update-release", "PATCH", "/releases/{release}",
		"Change the notes of a release, activate it, or withdraw it", 200), s.updateRelease)
	httpx.Register(api, op("delete-release", "DELETE", "/releases/{release}",
		"Delete a release that was never active", 204), s.deleteRelease)
	httpx.Register(api, op("add-image", "POST", "/releases/{release}/images",
		"Make a complete upload an image of a draft", 201), s.addImage)
	httpx.Register(api, op("remove-image", "DELETE", "/releases/{release}/images/{sha256}",
		"Take an image out of a draft", 204), s.removeImage)
	httpx.Register(api, op("set-factory-image", "PUT", "/releases/{release}/images/{sha256}/factory",
		"Make a complete upload the factory image of an image: what a new board gets by its cable", 200), s.setFactory)
	httpx.Register(api, op("remove-factory-image", "DELETE", "/releases/{release}/images/{sha256}/factory",
		"Take the factory image of an image away", 204), s.removeFactory)
	httpx.Register(api, op("get-manifest", "GET", "/releases/{release}/manifest",
		"The manifest of a release: to be signed, or with the signatures so far", 200), s.getManifest)
	httpx.Register(api, op("sign-release", "PUT", "/releases/{release}/manifest",
		"Add signatures, which were made offline, of the manifest; the first one fixes the release", 200), s.signRelease)
}

// OnRelease is the input of operations on one release.
type OnRelease struct {
	Release string `path:"release" maxLength:"64"`
}

// FirmwareRelease is a release as the API shows it.
type FirmwareRelease struct {
	ID               string              `json:"id"`
	Product          string              `json:"product"`
	Version          string              `json:"version"`
	Code             uint32              `json:"version_code" format:"int64"`
	MinCode          uint32              `json:"min_version_code,omitempty" format:"int64"`
	AllowDowngradeTo uint32              `json:"allow_downgrade_to,omitempty" format:"int64"`
	NotAfter         *time.Time          `json:"not_after,omitempty"`
	Notes            string              `json:"notes"`
	State            string              `json:"state" enum:"draft,signed,active,withdrawn"`
	ManifestHash     string              `json:"manifest_sha256,omitempty"`
	SignedBy         []string            `json:"signed_by" nullable:"false" doc:"ids of keys"`
	Images           []FirmwareImageView `json:"images" nullable:"false"`
	CreatedAt        time.Time           `json:"created_at"`
	CreatedBy        string              `json:"created_by"`
	ChangedAt        time.Time           `json:"changed_at" doc:"when its state last changed"`
}

// FirmwareImageView is an image as the API shows it.
type FirmwareImageView struct {
	SHA256        string           `json:"sha256"`
	Size          int64            `json:"size"`
	Chip          string           `json:"chip"`
	RevisionMin   int              `json:"revision_min"`
	RevisionMax   int              `json:"revision_max" doc:"65535: any"`
	SecureVersion uint32           `json:"secure_version" format:"int64"`
	ELF           string           `json:"elf_sha256,omitempty"`
	HasELF        bool             `json:"has_elf" doc:"that file is here, to explain crashes"`
	Info          domain.ImageInfo `json:"info"`
	Deltas        []FirmwarePatch  `json:"deltas" nullable:"false" doc:"patches that make it of what devices run"`
	URL           string           `json:"url" doc:"by which the image can be loaded for some hours"`
	Factory       *FactoryView     `json:"factory,omitempty" doc:"what a new board gets by its cable; absent: nothing"`
}

// FactoryView is a factory image as the API shows it: a flash from its beginning, with bootloader, partition table and
// the image that it belongs to.
type FactoryView struct {
	SHA256 string           `json:"sha256"`
	Size   int64            `json:"size"`
	Info   domain.ImageInfo `json:"info"`
	URL    string           `json:"url" doc:"by which it can be loaded for some hours"`
}

// FirmwarePatch makes an image of another one, which a device has.
type FirmwarePatch struct {
	Base   string `json:"base_sha256"`
	Format string `json:"format"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size" doc:"bytes, instead of those of the image"`
}

func (s *Service) releaseView(ctx context.Context, r domain.Release, deltas []domain.ImageDelta) FirmwareRelease {
	v := FirmwareRelease{ID: r.ID, Product: r.Product, Version: r.Version, Code: r.Code, MinCode: r.MinCode,
		AllowDowngradeTo: r.AllowDowngradeTo, NotAfter: at(r.NotAfter), Notes: r.Notes, State: string(r.State),
		ManifestHash: r.ManifestHash, SignedBy: []string{}, Images: make([]FirmwareImageView, len(r.Images)),
		CreatedAt: r.Created, CreatedBy: r.CreatedBy, ChangedAt: r.Changed}
	for n, i := range r.Images {
		v.Images[n] = FirmwareImageView{SHA256: i.SHA256, Size: i.Size, Chip: i.Chip, RevisionMin: i.RevisionMin,
			RevisionMax: i.RevisionMax, SecureVersion: i.SecureVersion, ELF: i.ELF, HasELF: i.HasELF, Info: i.Info,
			Deltas: patches(deltas, i.SHA256), URL: s.Link(ctx, i.SHA256, httpx.Principal(ctx).ID)}
	}
	for n, i := range r.Images {
		if f := i.Factory; f != nil {
			v.Images[n].Factory = &FactoryView{SHA256: f.SHA256, Size: f.Size, Info: f.Info,
				URL: s.Link(ctx, f.SHA256, httpx.Principal(ctx).ID)}
		}
	}
	if e, err := manifest.Parse(r.Manifest); err == nil {
		for _, sig := range e.Signatures {
			v.SignedBy = append(v.SignedBy, sig.KeyID)
		}
	}
	return v
}

// patches are those of deltas that make an image.
func patches(deltas []domain.ImageDelta, image string) []FirmwarePatch {
	out := []FirmwarePatch{}
	for _, d := range deltas {
		if d.Target == image && d.SHA256 != "" {
			out = append(out, FirmwarePatch{d.Base, d.Format, d.SHA256, d.Size})
		}
	}
	return out
}

type releaseOutput struct{ Body FirmwareRelease }

func (s *Service) releaseOut(ctx context.Context, id string, err error) (*releaseOutput, error) {
	if err != nil {
		return nil, err
	}
	r, _, err := s.Release(ctx, httpx.Principal(ctx), id)
	if err != nil {
		return nil, err
	}
	deltas, err := s.Deltas.Deltas(ctx, r.Product)
	if err != nil {
		return nil, err
	}
	return &releaseOutput{s.releaseView(ctx, r, deltas)}, nil
}

func (s *Service) listReleases(ctx context.Context, in *struct {
	OnProduct
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
}) (*struct{ Body httpx.Page[FirmwareRelease] }, error) {
	if _, _, err := s.Products.Product(ctx, in.Product, httpx.Principal(ctx).ID); err != nil {
		return nil, err
	}
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	before := uint64(0)
	if after != "" {
		if before, err = strconv.ParseUint(after, 10, 32); err != nil {
			return nil, domain.Invalid.Errorf(domain.CodeBadCursor, "this cursor is not of this list")
		}
	}
	found, err := s.Releases.Releases(ctx, in.Product, uint32(before), in.Limit+1)
	if err != nil {
		return nil, err
	}
	deltas, err := s.Deltas.Deltas(ctx, in.Product)
	if err != nil {
		return nil, err
	}
	view := func(r domain.Release) FirmwareRelease { return s.releaseView(ctx, r, deltas) }
	return &struct {
		Body httpx.Page[FirmwareRelease]
	}{httpx.PageOf(found, in.Limit, code, view)}, nil
}

func (s *Service) createRelease(ctx context.Context, in *struct {
	OnProduct
	Body struct {
		Version          string    `json:"version" maxLength:"32" doc:"for people, such as 2.4.1; that of its images"`
		Code             uint32    `json:"version_code" minimum:"1" format:"int64" doc:"for devices, which take no lower one"`
		MinCode          uint32    `json:"min_version_code,omitempty" format:"int64" doc:"that devices must have"`
		AllowDowngradeTo uint32    `json:"allow_downgrade_to,omitempty" format:"int64" doc:"version_code; absent: none"`
		NotAfter         time.Time `json:"not_after,omitzero" doc:"devices refuse it later"`
		Notes            string    `json:"notes,omitempty"`
	}
}) (*releaseOutput, error) {
	b := in.Body
	r, err := s.NewRelease(ctx, httpx.Principal(ctx), domain.Release{Product: in.Product, Version: b.Version, Code: b.Code,
		MinCode: b.MinCode, AllowDowngradeTo: b.AllowDowngradeTo, NotAfter: b.NotAfter.UTC().Truncate(time.Second),
		Notes: b.Notes})
	return s.releaseOut(ctx, r.ID, err)
}

func (s *Service) getRelease(ctx context.Context, in *OnRelease) (*releaseOutput, error) {
	return s.releaseOut(ctx, in.Release, nil)
}

func (s *Service) updateRelease(ctx context.Context, in *struct {
	OnRelease
	Body struct {
		Notes *string `json:"notes,omitempty"`
		State string  `json:"state,omitempty" enum:"active,withdrawn"`
	}
}) (*releaseOutput, error) {
	p := httpx.Principal(ctx)
	if (in.Body.Notes != nil) == (in.Body.State != "") {
		return nil, domain.Invalid.Errorf(domain.CodeOneChange, "name either notes or a state")
	}
	var err error
	switch {
	case in.Body.Notes != nil:
		err = s.SetNotes(ctx, p, in.Release, *in.Body.Notes)
	case in.Body.State == string(domain.ActiveRelease):
		err = s.Activate(ctx, p, in.Release)
	default:
		err = s.Withdraw(ctx, p, in.Release)
	}
	return s.releaseOut(ctx, in.Release, err)
}

func (s *Service) deleteRelease(ctx context.Context, in *OnRelease) (*struct{}, error) {
	return nil, s.DeleteRelease(ctx, httpx.Principal(ctx), in.Release)
}

func (s *Service) addImage(ctx context.Context, in *struct {
	OnRelease
	Body struct {
		Upload        string `json:"upload" maxLength:"64" doc:"that is complete"`
		Chip          string `json:"chip,omitempty" maxLength:"32" doc:"of a raw image"`
		RevisionMin   *int   `json:"revision_min,omitempty" minimum:"0" maximum:"65535" doc:"absent: as the image says"`
		RevisionMax   *int   `json:"revision_max,omitempty" minimum:"0" maximum:"65535" doc:"absent: as the image says"`
		SecureVersion uint32 `json:"secure_version,omitempty" format:"int64" doc:"of a raw image"`
	}
}) (*releaseOutput, error) {
	b := in.Body
	r, err := s.AddImage(ctx, httpx.Principal(ctx), in.Release, Attach{Upload: b.Upload, Chip: b.Chip,
		RevisionMin: b.RevisionMin, RevisionMax: b.RevisionMax, SecureVersion: b.SecureVersion})
	return s.releaseOut(ctx, r.ID, err)
}

// OnImage is the input of operations on one image of a release.
type OnImage struct {
	OnRelease
	SHA256 string `path:"sha256" maxLength:"64"`
}

func (s *Service) removeImage(ctx context.Context, in *OnImage) (*struct{}, error) {
	return nil, s.RemoveImage(ctx, httpx.Principal(ctx), in.Release, in.SHA256)
}

func (s *Service) setFactory(ctx context.Context, in *struct {
	OnImage
	Body struct {
		Upload string `json:"upload" maxLength:"64" doc:"of the kind factory, that is complete"`
	}
}) (*releaseOutput, error) {
	err := s.SetFactory(ctx, httpx.Principal(ctx), in.Release, in.SHA256, in.Body.Upload)
	return s.releaseOut(ctx, in.Release, err)
}

func (s *Service) removeFactory(ctx context.Context, in *OnImage) (*struct{}, error) {
	return nil, s.RemoveFactory(ctx, httpx.Principal(ctx), in.Release, in.SHA256)
}

func (s *Service) getManifest(ctx context.Context, in *OnRelease) (*struct{ Body SignedDocument }, error) {
	e, err := s.Manifest(ctx, httpx.Principal(ctx), in.Release)
	if err != nil {
		return nil, err
	}
	data, err := e.Bytes()
	if err != nil {
		return nil, err
	}
	d, err := documentView(data)
	return &struct{ Body SignedDocument }{d}, err
}

func (s *Service) signRelease(ctx context.Context, in *struct {
	OnRelease
	Body SignedDocument
}) (*releaseOutput, error) {
	data, err := in.Body.bytes()
	if err == nil {
		_, err = s.Sign(ctx, httpx.Principal(ctx), in.Release, data)
	}
	return s.releaseOut(ctx, in.Release, err)
}
