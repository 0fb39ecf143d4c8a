package ota

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/devices/{device}/ota", Tags: []string{"firmware"},
			Security: httpx.Bearer, Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("get-device-ota", "GET", "By which link your device gets updates over plain HTTP", 200), s.get)
	httpx.Register(api, op("put-device-ota", "PUT",
		"Let your device get updates over other protocols: say what it is, since it cannot", 200), s.put)
	httpx.Register(api, op("delete-device-ota", "DELETE",
		"End the link of your device, and its updates over other protocols", 204), s.delete)
}

// OnOTADevice is the input of operations on the link of one device.
type OnOTADevice struct {
	Device string `path:"device" maxLength:"64"`
}

// DeviceOTA is what the owner of a device has said of it, and its links, as the API shows them.
type DeviceOTA struct {
	Product   string            `json:"product"`
	Chip      string            `json:"chip"`
	Revision  int               `json:"revision"`
	Image     string            `json:"image" doc:"URL of the image. Whoever has it gets the device's firmware"`
	Manifest  string            `json:"manifest" doc:"URL of the manifest for ESPHome"`
	MD5       string            `json:"md5" doc:"URL of the MD5 of the image"`
	Says      map[string]string `json:"says,omitempty" doc:"what the device has said of itself over hawkBit's protocol"`
	CreatedAt time.Time         `json:"created_at"`
}

type output struct{ Body DeviceOTA }

func (s *Service) shown(ctx context.Context, device string) (*output, error) {
	o, err := s.Store.Device(ctx, device)
	if err != nil {
		return nil, err
	}
	return &output{DeviceOTA{Product: o.Product, Chip: o.Chip, Revision: o.Revision, Image: s.at(o, imageName),
		Manifest: s.at(o, "manifest.json"), MD5: s.at(o, "firmware.md5"), Says: o.Attributes, CreatedAt: o.Created}}, nil
}

// at is the URL of a file of a device, by its link.
func (s *Service) at(o domain.OTADevice, file string) string {
	return s.URL() + httpx.OTAPath + file + "?link=" + s.Link(o)
}

// mine returns an error unless a device belongs to who asks.
func (s *Service) mine(ctx context.Context, device string) error {
	p := httpx.Principal(ctx)
	d, _, err := s.Devices.MaySee(ctx, p, device)
	if err == nil && d.Owner.ID != p.ID {
		err = domain.NotFound.Errorf(domain.CodeNoDevice, "there is no such device, or it is not yours")
	}
	return err
}

func (s *Service) get(ctx context.Context, in *OnOTADevice) (*output, error) {
	if err := s.mine(ctx, in.Device); err != nil {
		return nil, err
	}
	return s.shown(ctx, in.Device)
}

func (s *Service) put(ctx context.Context, in *struct {
	OnOTADevice
	Body struct {
		Product  string `json:"product" maxLength:"64" doc:"id of a product of yours, or of that which the device has joined"`
		Chip     string `json:"chip" maxLength:"32" doc:"as its images name it, such as esp32c3"`
		Revision int    `json:"revision,omitempty" minimum:"0" maximum:"65535" doc:"major*100 + minor"`
		Renew    bool   `json:"renew,omitempty" doc:"ends the link that there is, and makes another one"`
	}
}) (*output, error) {
	if err := s.mine(ctx, in.Device); err != nil {
		return nil, err
	}
	p := httpx.Principal(ctx)
	o := domain.OTADevice{Device: in.Device, Owner: p.ID, Product: in.Body.Product, Chip: in.Body.Chip,
		Revision: in.Body.Revision, Link: rand.Text()}
	if err := domain.CheckOTADevice(o); err != nil {
		return nil, err
	}
	if err := s.Store.PutDevice(ctx, o, in.Body.Renew, s.now()); err != nil {
		return nil, err
	}
	details := map[string]string{"done": "set", "product": o.Product, "chip": o.Chip}
	if in.Body.Renew {
		details["link"] = "renewed"
	}
	s.record(ctx, p, o.Device, details)
	return s.shown(ctx, in.Device)
}

func (s *Service) delete(ctx context.Context, in *OnOTADevice) (*struct{}, error) {
	if err := s.mine(ctx, in.Device); err != nil {
		return nil, err
	}
	p := httpx.Principal(ctx)
	err := s.Store.DeleteDevice(ctx, p.ID, in.Device)
	if err == nil {
		s.record(ctx, p, in.Device, map[string]string{"done": "ended"})
	}
	return nil, err
}

// record tells the audit log what p did about the updates of a device.
func (s *Service) record(ctx context.Context, p domain.Principal, device string, details map[string]string) {
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: domain.AuditDeviceOTA, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: "device", ID: device}, Addr: httpx.ClientAddr(ctx),
		UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx), Details: details,
	})
}
