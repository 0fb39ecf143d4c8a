package rollout

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) joinRoutes(
	api huma.API, op func(id, method, path, summary string, status int) huma.Operation,
) {
	terms := op("get-product-terms", "GET", "/firmware/terms",
		"What the owner of a device agrees to who has it join a product of somebody else", 200)
	terms.Description = "The publisher does not learn which device it is, but its version; its chip and revision " +
		"(hardware); how updates went and what they waited for (update); and summaries of its crashes."
	terms.Errors = append(terms.Errors, http.StatusNotFound)
	httpx.Register(api, terms, s.getTerms)
	httpx.Register(api, op("join-product", "PUT", "/devices/{device}/product",
		"Agree to the terms of a product of somebody else: its owner may bring firmware to your device", 200), s.putJoin)
	httpx.Register(api, op("leave-product", "DELETE", "/devices/{device}/product",
		"Take your device out of the product of somebody else; an update that is under way is stopped", 204), s.deleteJoin)
	httpx.Register(api, op("send-devices-away", "DELETE", "/firmware/products/{product}/joins",
		"Have all devices of others leave your product; updates that are under way are stopped", 200), s.deleteJoins)
	httpx.Register(api, op("list-fleet", "GET", "/firmware/products/{product}/fleet",
		"How many devices run which version of a product, the most first", 200), s.listFleet)
}

// ProductTerms are what the owner of a device agrees to.
type ProductTerms struct {
	Product   string    `json:"product" doc:"id"`
	Name      string    `json:"name" doc:"that the device must report: the project name of its images"`
	Title     string    `json:"title"`
	Publisher wire.User `json:"publisher" doc:"who may bring firmware to the device"`
	May       []string  `json:"may" nullable:"false" enum:"update" doc:"what the publisher may do with the device"`
	Learns    []string  `json:"learns" nullable:"false" enum:"version,hardware,update,crashes" doc:"what they learn"`
}

func termsView(p domain.Product) ProductTerms {
	return ProductTerms{Product: p.ID, Name: p.Name, Title: p.Title, Publisher: wire.FromUser(p.Owner),
		May: []string{"update"}, Learns: []string{"version", "hardware", "update", "crashes"}}
}

func (s *Service) getTerms(ctx context.Context, in *struct {
	Product string `query:"product" maxLength:"64" doc:"id of an open product"`
	Code    string `query:"code" maxLength:"64" doc:"that the owner of the product has given"`
}) (*struct{ Body ProductTerms }, error) {
	p, err := s.Terms(ctx, in.Product, in.Code)
	if err != nil {
		return nil, err
	}
	return &struct{ Body ProductTerms }{termsView(p)}, nil
}

// DeviceJoin is the product of somebody else that a device has joined.
type DeviceJoin struct {
	ProductTerms
	Ask      bool      `json:"ask" doc:"whether its owner is asked about each release"`
	JoinedAt time.Time `json:"joined_at"`
}

func joinView(j domain.FirmwareJoin) DeviceJoin {
	return DeviceJoin{ProductTerms: termsView(j.Product), Ask: j.Ask, JoinedAt: j.At}
}

// joinShown returns what a device has joined, or nil.
func (s *Service) joinShown(ctx context.Context, device string) (*DeviceJoin, error) {
	j, err := s.Joins.JoinOf(ctx, device)
	if domain.CodeOf(err) == domain.CodeNotJoined {
		return nil, nil
	}
	v := joinView(j)
	return &v, err
}

func (s *Service) putJoin(ctx context.Context, in *struct {
	Device string `path:"device" maxLength:"64"`
	Body   struct {
		Product string `json:"product,omitempty" maxLength:"64" doc:"id of an open product, or of that which it has joined"`
		Code    string `json:"code,omitempty" maxLength:"64" doc:"that the owner of the product has given, instead of its id"`
		Ask     bool   `json:"ask,omitempty" doc:"whether you are asked about each release"`
	}
}) (*struct{ Body DeviceJoin }, error) {
	j, err := s.Join(ctx, httpx.Principal(ctx), in.Device, in.Body.Product, in.Body.Code, in.Body.Ask)
	if err != nil {
		return nil, err
	}
	return &struct{ Body DeviceJoin }{joinView(j)}, nil
}

func (s *Service) deleteJoin(ctx context.Context, in *struct {
	Device string `path:"device" maxLength:"64"`
}) (*struct{}, error) {
	return nil, s.Leave(ctx, httpx.Principal(ctx), in.Device)
}

// SentAway says how many devices have left a product.
type SentAway struct {
	Devices int `json:"devices"`
}

func (s *Service) deleteJoins(ctx context.Context, in *struct {
	Product string `path:"product" maxLength:"64"`
}) (*struct{ Body SentAway }, error) {
	n, err := s.SendAway(ctx, httpx.Principal(ctx), in.Product)
	if err != nil {
		return nil, err
	}
	return &struct{ Body SentAway }{SentAway{n}}, nil
}

// FleetGroupView are devices that run the same image.
type FleetGroupView struct {
	Version string `json:"version"`
	Chip    string `json:"chip"`
	Devices int    `json:"devices"`
	Shared  int    `json:"shared" doc:"of these, devices of others that have joined the product"`
}

// fleetList are the devices of a product as the API shows them.
type fleetList struct {
	Items []FleetGroupView `json:"items" nullable:"false"`
}

const fleetMost = 200 // groups

func (s *Service) listFleet(ctx context.Context, in *struct {
	Product string `path:"product" maxLength:"64"`
}) (*struct{ Body fleetList }, error) {
	v, _, err := s.Products.Product(ctx, in.Product, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	found, err := s.Joins.FleetGroups(ctx, v.Owner.ID, v.Name, fleetMost)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body fleetList }{fleetList{make([]FleetGroupView, len(found))}}
	for i, g := range found {
		out.Body.Items[i] = FleetGroupView(g)
	}
	return out, nil
}
