package device

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// device is a device as the API shows it.
type device struct {
	ID        string      `json:"id" doc:"also names the device as a member of rooms"`
	Owner     deviceOwner `json:"owner"`
	Name      string      `json:"name"`
	CreatedAt time.Time   `json:"created_at"`
	Expires   *time.Time  `json:"expires,omitempty" doc:"cannot connect after this time; absent: no end"`
	RevokedAt *time.Time  `json:"revoked_at,omitempty"`
	LastUsed  *time.Time  `json:"last_used,omitempty" doc:"when it last connected, to the minute"`
	LastIP    string      `json:"last_ip,omitempty"`
	Type      string      `json:"type,omitempty" doc:"the owner's word for what it is"`
	Serial    string      `json:"serial,omitempty" doc:"as the owner knows it; what the device tells is among its capabilities"`
	Notes     string      `json:"notes,omitempty" doc:"of the owner, who alone sees them"`
	Tags      []string    `json:"tags,omitempty"`
	Access    string      `json:"access,omitempty" enum:"controller,bridge" doc:"controller: by MQTT its key sees and commands all devices of the owner; bridge: it speaks for others, which it announces; absent: it speaks for itself alone"`
	Bridge    string      `json:"bridge,omitempty" doc:"id of the device that speaks for it, and falls with it"`
	Suspended *time.Time  `json:"suspended_at,omitempty" doc:"since when it may not connect"`
	AwayUntil *time.Time  `json:"away_until,omitempty" doc:"when it wants to be back; it said so"`
	Away      string      `json:"away,omitempty" enum:"sleep,update,restart,off" doc:"why it is away"`
	KeyKnown  bool        `json:"key_known,omitempty" doc:"a former owner may know a key: replace it"`
	Keys      []deviceKey `json:"keys" nullable:"false" doc:"newest first; of others' devices none is shown"`

	Status *wire.DeviceStatus `json:"status,omitempty" doc:"whether it is there; absent: it never connected"`

	Capabilities *domain.Capabilities `json:"capabilities,omitempty" doc:"what it says about itself; absent: it has said nothing"`
	DescribedAt  *time.Time           `json:"described_at,omitempty" doc:"when it last said something else than before"`
}

type deviceOwner struct {
	ID          string `json:"id"`
	Username    string `json:"username"`
	DisplayName string `json:"display_name"`
}

// deviceKey is a key without its secret.
type deviceKey struct {
	ID        string     `json:"id" doc:"stands in the key itself, after dk_"`
	CreatedAt time.Time  `json:"created_at"`
	Expires   *time.Time `json:"expires,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	LastUsed  *time.Time `json:"last_used,omitempty"`
	LastIP    string     `json:"last_ip,omitempty"`
	Live      bool       `json:"live" doc:"it would be let in now"`
}

// issuedDevice is the one answer that a key is in.
type issuedDevice struct {
	Device device `json:"device"`
	KeyID  string `json:"key_id"`
	Key    string `json:"key" doc:"the device's secret; this is the only time that it is shown"`
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func (s *Service) view(d domain.Device) device {
	now := s.Now()
	v := device{
		ID: d.ID, Owner: deviceOwner{d.Owner.ID, d.Owner.Username, d.Owner.DisplayName}, Name: d.Name, CreatedAt: d.CreatedAt,
		Expires: when(d.Expires), RevokedAt: when(d.RevokedAt), LastUsed: when(d.LastUsed), LastIP: d.LastIP,
		Type: d.Type, Serial: d.Serial, Notes: d.Notes, Tags: d.Tags, Access: string(d.Access), Bridge: d.Bridge,
		Suspended: when(d.Suspended), KeyKnown: d.KeyKnown(now), Keys: []deviceKey{},
	}
	v.Status = wire.FromDeviceStatus(d.Status, true, now)
	if d.AwayUntil.After(now) {
		v.AwayUntil, v.Away = &d.AwayUntil, d.Away
	}
	for _, k := range d.Keys {
		v.Keys = append(v.Keys, deviceKey{
			ID: k.ID, CreatedAt: k.CreatedAt, Expires: when(k.Expires), RevokedAt: when(k.RevokedAt),
			LastUsed: when(k.LastUsed), LastIP: k.LastIP, Live: !d.Ended(now) && !k.Ended(now) && d.Suspended.IsZero(),
		})
	}
	return v
}

type deviceOutput struct{ Body device }

type issuedOutput struct{ Body issuedDevice }

func (s *Service) issued(i Issued, err error) (*issuedOutput, error) {
	if err != nil {
		return nil, err
	}
	return &issuedOutput{issuedDevice{s.view(i.Device), i.KeyID, i.Key}}, nil
}

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"devices"}, Security: httpx.Bearer,
			Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("register-device", "POST", "/devices", "Register a device, and get its key", 201), s.postDevice)
	imports := op("import-devices", "POST", "/devices/import",
		"Register or change many devices, by the lines of a file; the answer comes line by line, with their keys", 200)
	imports.MaxBodyBytes = importBytes
	imports.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{
		"application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
	httpx.Register(api, imports, s.postImport)
	list := op("list-devices", "GET", "/devices", "Your devices, the oldest first", 200)
	list.Errors = []int{http.StatusNotFound} // of the group
	httpx.Register(api, list, s.listDevices)
	httpx.Register(api, op("get-device", "GET", "/devices/{device}", "One device", 200), s.getDevice)
	httpx.Register(api, op("list-room-devices", "GET", "/rooms/{room}/devices",
		"The devices in a room, with what they measure and can be told", 200), s.listRoomDevices)
	httpx.Register(api, op("update-device", "PATCH", "/devices/{device}", "Rename a device, or set when it ends", 200),
		s.patchDevice)
	httpx.Register(api, op("list-device-connections", "GET", "/devices/{device}/connections",
		"The last 100 connections that have ended, the latest first", 200), s.listConnections)
	httpx.Register(api, op("list-device-log", "GET", "/devices/{device}/log",
		"What of a device was refused or went wrong, and why; what happened last first", 200), s.listNotes)
	httpx.Register(api, op("revoke-device", "DELETE", "/devices/{device}", "Keep a device out for good", 204),
		s.deleteDevice)
	httpx.Register(api, op("rotate-device-key", "POST", "/devices/{device}/keys", "Give a device another key", 201),
		s.postKey)
	httpx.Register(api, op("revoke-device-key", "DELETE", "/devices/{device}/keys/{key}",
		"End one key of a device for good", 204), s.deleteKey)
	many := op("revoke-device-keys", "POST", "/devices/revoke-keys",
		"End all keys of many devices at once, or count them", 200)
	many.Errors = []int{http.StatusNotFound} // of the group
	httpx.Register(api, many, s.postRevokeKeys)
	s.groupRoutes(api, op)
	s.templateRoutes(api, op)
	s.transferRoutes(api, op)
	s.claimRoutes(api, op)
}

type newDeviceInput struct {
	Body struct {
		Name       string     `json:"name" example:"Kitchen thermometer"`
		Type       string     `json:"type,omitempty" maxLength:"64" doc:"the owner's word for what it is"`
		Serial     string     `json:"serial,omitempty" maxLength:"64"`
		Template   string     `json:"template,omitempty" maxLength:"32" doc:"of yours, that it begins with: its groups and capabilities, and its type and tags if you send none"`
		Notes      string     `json:"notes,omitempty" maxLength:"2000"`
		Tags       []string   `json:"tags,omitempty" maxItems:"64"`
		Access     string     `json:"access,omitempty" enum:"controller,bridge" doc:"controller: a program that sees and commands all your devices by MQTT, such as Home Assistant; bridge: a program that speaks for other devices, such as zigbee2mqtt; absent: a device that speaks for itself. It cannot be changed later"`
		Expires    *time.Time `json:"expires,omitempty" doc:"end of the device; absent: none"`
		KeyExpires *time.Time `json:"key_expires,omitempty" doc:"end of its first key; absent: with the device"`
	}
}

func (s *Service) postDevice(ctx context.Context, in *newDeviceInput) (*issuedOutput, error) {
	b := in.Body
	return s.issued(s.Register(ctx, httpx.Principal(ctx).ID, Registration{Name: b.Name, Type: b.Type, Serial: b.Serial,
		Notes: b.Notes, Tags: b.Tags, Template: b.Template, Access: domain.DeviceAccess(b.Access), Expires: timeOf(b.Expires),
		KeyExpires: timeOf(b.KeyExpires)}))
}

type devicesInput struct {
	All     bool   `query:"all" doc:"everybody's; for administrators"`
	Q       string `query:"q" maxLength:"64" doc:"part of the name, type, model or serial number"`
	Tag     string `query:"tag" maxLength:"32"`
	Type    string `query:"type" maxLength:"64"`
	Model   string `query:"model" maxLength:"64"`
	Group   string `query:"group" maxLength:"32" doc:"those in one of your groups"`
	Product string `query:"product" maxLength:"32" doc:"of their firmware, as they report it"`
	State   string `query:"state" enum:"active,online,asleep,offline,suspended,ended" doc:"active: any of the next three"`
	Cursor  string `query:"cursor"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (s *Service) listDevices(ctx context.Context, in *devicesInput) (*struct{ Body httpx.Page[device] }, error) {
	p := httpx.Principal(ctx)
	owner := p.ID
	if in.All {
		if !p.IsAdmin() {
			return nil, domain.Forbidden.Errorf(domain.CodeNotAdmin, "only administrators see everybody's devices")
		}
		owner = ""
	}
	if in.All && in.Group != "" {
		return nil, domain.InvalidField("?group", "a group has your own devices only; leave out all")
	}
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	devices, err := s.Store.FindDevices(ctx, domain.DeviceQuery{Owner: owner, Text: in.Q, Tag: in.Tag, Type: in.Type,
		Model: in.Model, Group: in.Group, Product: in.Product, State: domain.DeviceState(in.State)},
		after, in.Limit+1, s.Now())
	if err != nil {
		return nil, err
	}
	described, err := s.Store.Described(ctx, devices)
	if err != nil {
		return nil, err
	}
	return s.page(p.ID, described, in.Limit), nil
}

// OnDevice is the input of operations on one device.
type OnDevice struct {
	Device string `path:"device" maxLength:"64"`
}

func (s *Service) getDevice(ctx context.Context, in *OnDevice) (*deviceOutput, error) {
	p := httpx.Principal(ctx)
	d, err := s.visible(ctx, p, in.Device)
	if domain.KindOf(err) == domain.NotFound {
		d, _, err = s.MaySee(ctx, p, in.Device)
	}
	if err != nil {
		return nil, err
	}
	c, at, err := s.Store.Capabilities(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	return &deviceOutput{s.viewDescribed(p.ID, domain.DescribedDevice{Device: d, Capabilities: c, DescribedAt: at})}, nil
}

func (s *Service) listRoomDevices(ctx context.Context, in *struct {
	Room   string `path:"room" maxLength:"64"`
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body httpx.Page[device] }, error) {
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	viewer := httpx.Principal(ctx).ID
	found, err := s.Store.RoomDevices(ctx, viewer, in.Room, after, in.Limit+1, s.Now())
	if err != nil {
		return nil, err
	}
	return s.page(viewer, found, in.Limit), nil
}

func (s *Service) page(viewer string, found []domain.DescribedDevice, limit int) *struct{ Body httpx.Page[device] } {
	return &struct{ Body httpx.Page[device] }{httpx.PageOf(found, limit,
		func(d domain.DescribedDevice) string { return d.ID },
		func(d domain.DescribedDevice) device { return s.viewDescribed(viewer, d) })}
}

// viewDescribed is a device as viewer may see it.
func (s *Service) viewDescribed(viewer string, d domain.DescribedDevice) device {
	v := s.view(d.Device)
	owner := d.Owner.ID == viewer
	if !owner {
		v.Notes = ""
	}
	v.Status = wire.FromDeviceStatus(d.Status, owner, s.Now())
	if !d.DescribedAt.IsZero() {
		v.Capabilities, v.DescribedAt = &d.Capabilities, when(d.DescribedAt)
	}
	return v
}

// connection is a connection of a device that has ended.
type connection struct {
	Key    string    `json:"key" doc:"id of the key that opened it"`
	Addr   string    `json:"addr"`
	Opened time.Time `json:"opened_at"`
	Closed time.Time `json:"closed_at"`
	Reason string    `json:"reason" doc:"why it ended"`
}

type connections struct {
	Items []connection `json:"items" nullable:"false"`
}

func (s *Service) listConnections(ctx context.Context, in *OnDevice) (*struct{ Body connections }, error) {
	d, err := s.visible(ctx, httpx.Principal(ctx), in.Device)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Connections(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	items := make([]connection, len(found))
	for i, c := range found {
		items[i] = connection{c.Key, c.Addr, c.Opened, c.Closed, c.Reason}
	}
	return &struct{ Body connections }{connections{items}}, nil
}

func (s *Service) shown(d domain.Device, err error) (*deviceOutput, error) {
	if err != nil {
		return nil, err
	}
	return &deviceOutput{s.view(d)}, nil
}

func (s *Service) patchDevice(ctx context.Context, in *struct {
	OnDevice
	Body struct {
		Name    *string    `json:"name,omitempty"`
		Expires *time.Time `json:"expires,omitempty" doc:"when it cannot connect any more"`
		Endless bool       `json:"endless,omitempty" doc:"true: takes the end away"`
		Type    *string    `json:"type,omitempty" maxLength:"64" doc:"the owner's word for what it is"`
		Serial  *string    `json:"serial,omitempty" maxLength:"64"`
		Notes   *string    `json:"notes,omitempty" maxLength:"2000"`
		Tags    *[]string  `json:"tags,omitempty" maxItems:"64" doc:"replace those before"`
		Suspend *bool      `json:"suspended,omitempty" doc:"true: its connections end, and its keys open none; false: they do again"`
	}
}) (*deviceOutput, error) {
	c := domain.DeviceChange{Name: in.Body.Name, Expires: in.Body.Expires, Type: in.Body.Type, Serial: in.Body.Serial,
		Notes: in.Body.Notes, Tags: in.Body.Tags, Suspend: in.Body.Suspend}
	if in.Body.Endless {
		if c.Expires != nil {
			return nil, domain.InvalidField("/endless", "send either expires or endless")
		}
		c.Expires = &time.Time{}
	}
	d, err := s.Change(ctx, httpx.Principal(ctx).ID, in.Device, c)
	return s.shown(d, err)
}

func (s *Service) deleteDevice(ctx context.Context, in *OnDevice) (*struct{}, error) {
	return nil, s.end(ctx, in.Device, "")
}

// end revokes what the caller may see.
func (s *Service) end(ctx context.Context, device, key string) error {
	p := httpx.Principal(ctx)
	d, err := s.visible(ctx, p, device)
	if err != nil {
		return err
	}
	by := userActor(p.ID)
	if d.Owner.ID != p.ID {
		by.Kind = domain.ActorAdmin
	}
	return s.Revoke(ctx, by, d.ID, key)
}

func (s *Service) postKey(ctx context.Context, in *struct {
	OnDevice
	Body struct {
		OldUntil *time.Time `json:"old_until,omitempty" doc:"until when the key before stays good; absent: a day from now; past: not at all"`
		Expires  *time.Time `json:"expires,omitempty" doc:"end of the new key; absent: with the device"`
	}
}) (*issuedOutput, error) {
	b := in.Body
	return s.issued(s.Rotate(ctx, httpx.Principal(ctx).ID, in.Device, timeOf(b.OldUntil), timeOf(b.Expires)))
}

func (s *Service) deleteKey(ctx context.Context, in *struct {
	OnDevice
	Key string `path:"key" maxLength:"32"`
}) (*struct{}, error) {
	if in.Key == "" {
		return nil, domain.NotFound.Errorf(domain.CodeNoDeviceKey, "this device has no such key")
	}
	return nil, s.end(ctx, in.Device, in.Key)
}
