package firmware

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/firmware" + path, Tags: []string{"firmware"},
			Security: httpx.Bearer, Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("get-offer-key", "GET", "/offer-key",
		"The key by which this server signs offers; roots of products name it", 200), s.getOfferKey)
	httpx.Register(api, op("list-products", "GET", "/products", "The products that you may see, by name", 200),
		s.listProducts)
	httpx.Register(api, op("create-product", "POST", "/products", "Make a product, which firmware is for", 201),
		s.createProduct)
	httpx.Register(api, op("get-product", "GET", "/products/{product}", "A product", 200), s.getProduct)
	httpx.Register(api, op("update-product", "PATCH", "/products/{product}",
		"Change the title or room of your product", 200),
		s.updateProduct)
	httpx.Register(api, op("share-product", "PUT", "/products/{product}/sharing",
		"Let others join your product with their devices, or nobody any more; those that have joined stay", 200),
		s.shareProduct)
	httpx.Register(api, op("delete-product", "DELETE", "/products/{product}",
		"Delete your product with its releases and files; none may be active", 204), s.deleteProduct)
	httpx.Register(api, op("list-roots", "GET", "/products/{product}/roots",
		"The roots of a product: whose signatures it trusts, in their order", 200), s.listRoots)
	httpx.Register(api, op("add-root", "POST", "/products/{product}/roots",
		"Add the first root of your product, or the one that follows the newest", 201), s.addRoot)
	s.uploadRoutes(api, op)
	s.releaseRoutes(api, op)
}

type makeOp func(id, method, path, summary string, status int) huma.Operation

// OnProduct is the input of operations on one product.
type OnProduct struct {
	Product string `path:"product" maxLength:"64"`
}

// FirmwareProduct is a product as the API shows it.
type FirmwareProduct struct {
	ID        string    `json:"id"`
	Owner     wire.User `json:"owner"`
	Name      string    `json:"name" doc:"also the project name of its images"`
	Title     string    `json:"title"`
	Room      string    `json:"room,omitempty" doc:"members see the product; its owner and administrators manage it"`
	Root      int       `json:"root" doc:"version of the newest root; 0: there is none"`
	Right     string    `json:"right,omitempty" enum:"see,manage,own" doc:"what you may do with it"`
	Open      bool      `json:"open" doc:"whoever knows its id may join with their devices"`
	Code      string    `json:"code,omitempty" doc:"by which others join with their devices; for its owner"`
	Joined    int       `json:"joined" doc:"devices of others that have joined"`
	CreatedAt time.Time `json:"created_at"`
}

func productView(p domain.Product, has domain.ProductRight) FirmwareProduct {
	rights := map[domain.ProductRight]string{domain.SeeProduct: "see", domain.ManageProduct: "manage",
		domain.OwnProduct: "own"}
	v := FirmwareProduct{ID: p.ID, Owner: wire.FromUser(p.Owner), Name: p.Name, Title: p.Title, Room: p.Room,
		Root: p.Root, Right: rights[has], Open: p.Open, Joined: p.Joined, CreatedAt: p.Created}
	if has == domain.OwnProduct {
		v.Code = p.Code
	}
	return v
}

type productOutput struct{ Body FirmwareProduct }

func (s *Service) productOut(ctx context.Context, id string, err error) (*productOutput, error) {
	if err != nil {
		return nil, err
	}
	p, has, err := s.Products.Product(ctx, id, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	return &productOutput{productView(p, has)}, nil
}

type offerKey struct {
	KeyID string `json:"keyid"`
	Key   string `json:"key" doc:"SubjectPublicKeyInfo, PEM"`
}

func (s *Service) getOfferKey(context.Context, *struct{}) (*struct{ Body offerKey }, error) {
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.offerKey.Key})
	return &struct{ Body offerKey }{offerKey{s.offerKey.KeyID, string(text)}}, nil
}

type productList struct {
	Items []FirmwareProduct `json:"items" nullable:"false"`
}

func (s *Service) listProducts(ctx context.Context, _ *struct{}) (*struct{ Body productList }, error) {
	found, err := s.Products.Products(ctx, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	out := productList{make([]FirmwareProduct, len(found))}
	for i, p := range found {
		out.Items[i] = productView(p, domain.NoProductRight)
	}
	return &struct{ Body productList }{out}, nil
}

func (s *Service) createProduct(ctx context.Context, in *struct {
	Body struct {
		Name  string `json:"name" maxLength:"31" doc:"the project name of its images; it stays"`
		Title string `json:"title,omitempty"`
		Room  string `json:"room,omitempty" maxLength:"64" doc:"of which you are the owner or an administrator"`
	}
}) (*productOutput, error) {
	p, err := s.NewProduct(ctx, httpx.Principal(ctx), domain.Product{Name: in.Body.Name, Title: in.Body.Title,
		Room: in.Body.Room})
	return s.productOut(ctx, p.ID, err)
}

func (s *Service) getProduct(ctx context.Context, in *OnProduct) (*productOutput, error) {
	return s.productOut(ctx, in.Product, nil)
}

func (s *Service) updateProduct(ctx context.Context, in *struct {
	OnProduct
	Body struct {
		Title *string `json:"title,omitempty"`
		Room  *string `json:"room,omitempty" maxLength:"64" doc:"of which you are the owner or an administrator; empty: none"`
	}
}) (*productOutput, error) {
	c := ProductChange{Title: in.Body.Title, Room: in.Body.Room}
	_, err := s.ChangeProduct(ctx, httpx.Principal(ctx), in.Product, c)
	return s.productOut(ctx, in.Product, err)
}

func (s *Service) shareProduct(ctx context.Context, in *struct {
	OnProduct
	Body struct {
		Open *bool  `json:"open,omitempty" doc:"whoever knows its id may join; absent: as it is"`
		Code string `json:"code,omitempty" enum:"new,none" doc:"a new one replaces the one before; absent: as it is"`
	}
}) (*productOutput, error) {
	err := s.ShareProduct(ctx, httpx.Principal(ctx), in.Product, in.Body.Open, CodeChange(in.Body.Code))
	return s.productOut(ctx, in.Product, err)
}

func (s *Service) deleteProduct(ctx context.Context, in *OnProduct) (*struct{}, error) {
	return nil, s.DeleteProduct(ctx, httpx.Principal(ctx), in.Product)
}

// SignedDocument is a signed document: an envelope of DSSE.
type SignedDocument struct {
	PayloadType string              `json:"payloadType" maxLength:"64"`
	Payload     string              `json:"payload" doc:"Base64"`
	Signatures  []DocumentSignature `json:"signatures" maxItems:"16" nullable:"false"`
}

// DocumentSignature is one signature of a document.
type DocumentSignature struct {
	KeyID string `json:"keyid" maxLength:"64"`
	Sig   string `json:"sig" doc:"Base64"`
}

func (d SignedDocument) bytes() ([]byte, error) { return json.Marshal(d) }

func documentView(data []byte) (d SignedDocument, err error) {
	return d, json.Unmarshal(data, &d)
}

// FirmwareRoot is a root as the API shows it.
type FirmwareRoot struct {
	Version          int            `json:"version"`
	SHA256           string         `json:"sha256" doc:"of the payload; devices may be made with that of the first root"`
	Expires          *time.Time     `json:"expires,omitempty"`
	AddedAt          time.Time      `json:"added_at"`
	RootThreshold    int            `json:"root_threshold"`
	ReleaseThreshold int            `json:"release_threshold"`
	RootKeys         []FirmwareKey  `json:"root_keys" nullable:"false"`
	ReleaseKeys      []FirmwareKey  `json:"release_keys" nullable:"false"`
	OfferKeys        []FirmwareKey  `json:"offer_keys" nullable:"false"`
	TrustsServer     bool           `json:"trusts_server" doc:"whether this server's offer key is among them"`
	Document         SignedDocument `json:"document"`
}

// FirmwareKey is a key in a root.
type FirmwareKey struct {
	KeyID     string     `json:"keyid"`
	Kind      string     `json:"kind" enum:"p256,ed25519"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  *time.Time `json:"not_after,omitempty"`
}

// at is a time of a document, or nil for none.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func keyViews(keys []manifest.Key) []FirmwareKey {
	out := make([]FirmwareKey, len(keys))
	for i, k := range keys {
		out[i] = FirmwareKey{k.KeyID, k.Kind(), at(k.NotBefore), at(k.NotAfter)}
	}
	return out
}

func (s *Service) rootView(r domain.FirmwareRoot) (v FirmwareRoot, err error) {
	e, err := manifest.Parse(r.Envelope)
	if err != nil {
		return v, err
	}
	root, err := manifest.ReadRoot(e)
	if err != nil {
		return v, err
	}
	v = FirmwareRoot{Version: r.Version, SHA256: e.Hash(), Expires: at(r.Expires), AddedAt: r.Added,
		RootThreshold: root.RootThreshold, ReleaseThreshold: root.ReleaseThreshold, RootKeys: keyViews(root.RootKeys),
		ReleaseKeys: keyViews(root.ReleaseKeys), OfferKeys: keyViews(root.OfferKeys),
		TrustsServer: trusts(root.OfferKeys, s.offerKey, s.now())}
	v.Document, err = documentView(r.Envelope)
	return v, err
}

type rootList struct {
	Items []FirmwareRoot `json:"items" nullable:"false"`
}

func (s *Service) listRoots(ctx context.Context, in *OnProduct) (*struct{ Body rootList }, error) {
	if _, _, err := s.Products.Product(ctx, in.Product, httpx.Principal(ctx).ID); err != nil {
		return nil, err
	}
	roots, err := s.Products.Roots(ctx, in.Product, 0)
	if err != nil {
		return nil, err
	}
	out := rootList{make([]FirmwareRoot, len(roots))}
	for i, r := range roots {
		if out.Items[i], err = s.rootView(r); err != nil {
			return nil, err
		}
	}
	return &struct{ Body rootList }{out}, nil
}

func (s *Service) addRoot(ctx context.Context, in *struct {
	OnProduct
	Body SignedDocument
}) (*struct{ Body FirmwareRoot }, error) {
	data, err := in.Body.bytes()
	if err != nil {
		return nil, err
	}
	r, err := s.AddRoot(ctx, httpx.Principal(ctx), in.Product, data)
	if err != nil {
		return nil, err
	}
	v, err := s.rootView(r)
	return &struct{ Body FirmwareRoot }{v}, err
}

// code is how a page of releases names where it goes on.
func code(r domain.Release) string { return strconv.FormatUint(uint64(r.Code), 10) }
