// Package device manages devices: their owners, and the keys by which they connect. A device is a
// member of rooms like a user; this package does not decide what it may do there. A key opens
// connections by WebSocket and MQTT, and nothing else.
package device

import (
	"context"
	"crypto/hmac"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Store stores devices and keys for their owners.
type Store interface {
	CreateDevice(
		ctx context.Context, d domain.Device, k domain.DeviceKey, secret domain.DeviceSecret,
		from *domain.NamedTemplate, limit int, now time.Time,
	) error
	FindDevices(
		ctx context.Context, q domain.DeviceQuery, after string, limit int, now time.Time,
	) ([]domain.Device, error)
	Connected(ctx context.Context, ended []domain.DeviceConnection) error
	Connections(ctx context.Context, device string) ([]domain.DeviceConnection, error)
	Away(ctx context.Context, device, reason string, until time.Time) error
	ImportDevices(
		ctx context.Context, owner string, rows []domain.DeviceImport, newKeys bool, limit int, now time.Time,
	) ([]domain.DeviceImported, error)
	Links
	Log
	Bridges
	Certificates
	DeviceByID(ctx context.Context, id string) (domain.Device, error)
	ChangeDevice(ctx context.Context, owner, id string, c domain.DeviceChange, now time.Time) (domain.Device, error)
	RotateDeviceKey(
		ctx context.Context, owner string, k domain.DeviceKey, secret domain.DeviceSecret, until, now time.Time,
	) (domain.Device, error)
	RevokeDevice(ctx context.Context, id, reason string, now time.Time) error
	RevokeDeviceKey(ctx context.Context, device, key, reason string, now time.Time) error
	Describe(ctx context.Context, device string, c domain.Capabilities, now time.Time) (changed bool, err error)
	Capabilities(ctx context.Context, device string) (c domain.Capabilities, at time.Time, err error)
	Described(ctx context.Context, devices []domain.Device) ([]domain.DescribedDevice, error)
	RoomDevices(
		ctx context.Context, viewer, room, after string, limit int, now time.Time,
	) ([]domain.DescribedDevice, error)
	Logins
}

// Links is the part of the store that knows which devices are there.
type Links interface {
	Link(
		ctx context.Context, node string, changes []domain.LinkChange,
	) (came []domain.DeviceStatus, rivals []domain.LinkRivals, err error)
	Overdue(ctx context.Context, now time.Time) ([]domain.DeviceStatus, error)
	NodeLives(ctx context.Context, node string, now time.Time) (known bool, err error)
	DeadNode(ctx context.Context, since, now, due time.Time) (node string, err error)
	EndNode(ctx context.Context, node string, now, due time.Time) error
	Doubled(
		ctx context.Context, device string, places []string, since, now time.Time,
	) (s domain.DeviceStatus, news bool, err error)
	Statuses(ctx context.Context, devices []string) ([]domain.DeviceStatus, error)
}

// Peers says who is in a room with whom.
type Peers interface {
	// SharesRoom returns those of others who are in a room with the user.
	SharesRoom(ctx context.Context, user string, others []string) ([]string, error)
}

// Logins is the part of the store that authenticates devices and finds those that must be
// disconnected.
type Logins interface {
	DeviceLogin(ctx context.Context, key string) (domain.DeviceLogin, error)
	UsedDeviceKeys(ctx context.Context, uses []domain.DeviceUse) error
	CountKeys(ctx context.Context, q domain.DeviceQuery, now time.Time) (domain.KeyTally, error)
	RevokeKeys(
		ctx context.Context, q domain.DeviceQuery, expect int, reason string, now time.Time,
	) (n domain.KeyTally, devices []string, err error)
	EndedDevices(ctx context.Context, since, until time.Time) ([]domain.DeviceEnd, error)
	DisabledOwners(ctx context.Context, owners []string) ([]string, error)
	PruneDeviceKeys(ctx context.Context, before time.Time) error
}

// Deps are the dependencies of the service.
type Deps struct {
	Store           Store
	Groups          Groups
	Templates       Templates
	Transfers       Transfers
	Claims          Claims
	Handovers       Handovers
	Users           Users
	Peers           Peers   // nil: nobody but the owner sees a device, as in a command beside the server
	Bus             bus.Bus // nil: no events, as in a command beside the server
	Log             *slog.Logger
	Audit           Recorder              // nil: recorded in Log only
	Metrics         prometheus.Registerer // nil: none
	Pepper          []byte                // the key of the HMAC in the store
	Now             func() time.Time      // nil: time.Now
	Max             int                   // devices of one user; 0: no limit
	RegisterPerHour int                   // of one user; 0: no limit
}

// Service is the device module.
type Service struct {
	Deps
	registrations *ratelimit.Limiter
	rotations     *ratelimit.Limiter
	live          live
	connects      prometheus.Counter
	described     described
	notes         notes
	node          string     // of this process, in the store
	registered    bool       // node is in the store; of whoever holds linking
	linking       sync.Mutex // held while links are stored, so that they are in their order
	mu            sync.Mutex
	used          map[string]domain.DeviceUse // by key, not yet in the store
}

// New returns the service. Run must be called for it to notice changes by other nodes.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{
		Deps: d, registrations: ratelimit.New(d.RegisterPerHour, time.Hour, d.RegisterPerHour),
		rotations: ratelimit.New(rotationsPerHour, time.Hour, rotationsPerHour),
		live:      newLive(), described: newDescribed(), node: domain.NewID("node"), used: make(map[string]domain.DeviceUse),
	}
	s.watch(d.Metrics)
	s.notes.reset()
	return s
}

// rotationsPerHour limits the keys that an owner may rotate: enough for 100 devices, three times.
const rotationsPerHour = 300

// Registration describes a new device.
type Registration struct {
	By         domain.AuditActor // who registers it; empty: the owner
	Name       string
	Type       string
	Serial     string
	Notes      string
	Tags       []string
	Template   string // of the owner, that it begins with; empty: none
	Access     domain.DeviceAccess
	Expires    time.Time // of the device; zero: never
	KeyExpires time.Time // of its first key; zero: with the device
}

// Issued is a device with a new key. The key cannot be read again.
type Issued struct {
	Device domain.Device
	KeyID  string
	Key    string
}

// Register creates a device of owner with its first key.
func (s *Service) Register(ctx context.Context, owner string, r Registration) (Issued, error) {
	now := s.Now()
	if r.By.Kind == "" {
		r.By = userActor(owner)
	}
	name, err := names.CheckPrincipal("/name", r.Name, domain.MaxDeviceName, true)
	if err == nil {
		err = errors.Join(domain.CheckEnd("/expires", r.Expires, now), domain.CheckEnd("/key_expires", r.KeyExpires, now),
			domain.CheckDeviceAccess("/access", r.Access))
	}
	if err != nil {
		return Issued{}, err
	}
	said := domain.DeviceChange{Type: &r.Type, Serial: &r.Serial, Notes: &r.Notes, Tags: &r.Tags}
	from, err := s.begin(ctx, owner, r.Template, &said)
	if err == nil {
		said, err = domain.CheckDeviceChange(said)
	}
	if err != nil {
		return Issued{}, err
	}
	if ok, wait := s.registrations.Allow(owner, now); !ok {
		return Issued{}, errRegistrations(wait)
	}
	d := domain.Device{ID: domain.NewID(domain.DevicePrefix), Owner: domain.UserRef{ID: owner}, Name: name, CreatedAt: now,
		Expires: r.Expires, Type: *said.Type, Serial: *said.Serial, Notes: *said.Notes, Tags: *said.Tags,
		Access: r.Access}
	key, k, secret := s.issue(d.ID, r.KeyExpires)
	if err := s.Store.CreateDevice(ctx, d, k, secret, from, s.Max, now); err != nil {
		return Issued{}, err
	}
	s.record(ctx, domain.AuditDeviceRegister, d.ID, k.ID, domain.AuditEvent{Actor: r.By})
	d, err = s.Store.DeviceByID(ctx, d.ID)
	return Issued{d, k.ID, key}, err
}

func errRegistrations(wait time.Duration) error {
	return domain.RateLimited.Errorf(domain.CodeRegistrations,
		"you registered too many devices in a short time; try again later").After(wait)
}

func (s *Service) issue(device string, expires time.Time) (key string, k domain.DeviceKey, secret domain.DeviceSecret) {
	key, id := newKey()
	k = domain.DeviceKey{ID: id, Device: device, CreatedAt: s.Now(), Expires: expires}
	return key, k, domain.DeviceSecret{Hash: hash(s.Pepper, key), Pepper: pepperVersion}
}

// Rotate adds a key to a device of owner. The previous key stays valid until oldUntil, so that the
// device can be given the new one; the zero time is a day from now.
func (s *Service) Rotate(ctx context.Context, owner, id string, oldUntil, expires time.Time) (Issued, error) {
	now := s.Now()
	if oldUntil.IsZero() {
		oldUntil = now.Add(domain.KeyOverlap)
	}
	if oldUntil.Before(now) {
		oldUntil = now
	}
	if oldUntil.After(now.Add(domain.MaxOverlap)) {
		return Issued{}, domain.InvalidField("/old_until", "the old key can stay good for %d days at most",
			domain.MaxOverlap/(24*time.Hour))
	}
	if err := domain.CheckEnd("/expires", expires, now); err != nil {
		return Issued{}, err
	}
	if ok, wait := s.rotations.Allow(owner, now); !ok {
		return Issued{}, domain.RateLimited.Errorf(domain.CodeRotations,
			"you created too many keys in a short time; try again later").After(wait)
	}
	key, k, secret := s.issue(id, expires)
	d, err := s.Store.RotateDeviceKey(ctx, owner, k, secret, oldUntil, now)
	if err != nil {
		return Issued{}, err
	}
	s.record(ctx, domain.AuditDeviceRotate, id, k.ID, domain.AuditEvent{Actor: userActor(owner)})
	for _, old := range d.Keys {
		if old.Ended(now) {
			s.announce(ctx, domain.DeviceEnd{Device: id, Key: old.ID, Reason: "rotated"})
		}
	}
	return Issued{d, k.ID, key}, nil
}

// Revoke revokes a device, or only one of its keys if key is not empty, and closes its connections.
func (s *Service) Revoke(ctx context.Context, by domain.AuditActor, id, key string) (err error) {
	if key == "" {
		err = s.Store.RevokeDevice(ctx, id, "revoked", s.Now())
	} else {
		err = s.Store.RevokeDeviceKey(ctx, id, key, "revoked", s.Now())
	}
	if err != nil {
		return err
	}
	s.record(ctx, domain.AuditDeviceRevoke, id, key, domain.AuditEvent{Actor: by})
	s.announce(ctx, domain.DeviceEnd{Device: id, Key: key, Reason: "revoked"})
	return nil
}

// Change renames a device of owner, changes when it expires or what is said about it, or suspends it.
// The connections of a suspended device are closed, and its keys open none.
func (s *Service) Change(ctx context.Context, owner, id string, c domain.DeviceChange) (d domain.Device, err error) {
	if c, err = s.checkChange(c); err != nil {
		return d, err
	}
	if d, err = s.Store.ChangeDevice(ctx, owner, id, c, s.Now()); err != nil {
		return d, err
	}
	s.tellDescribed(ctx, id)
	if c.Suspend == nil {
		return d, nil
	}
	what := domain.AuditDeviceResume
	if *c.Suspend {
		what = domain.AuditDeviceSuspend
		s.announce(ctx, domain.DeviceEnd{Device: id, Reason: "suspended"})
	}
	s.record(ctx, what, id, "", domain.AuditEvent{Actor: userActor(owner)})
	return d, nil
}

// visible returns a device as the registry has it: of p's own, or any for administrators.
func (s *Service) visible(ctx context.Context, p domain.Principal, id string) (domain.Device, error) {
	d, err := s.Store.DeviceByID(ctx, id)
	if err == nil && d.Owner.ID != p.ID && !p.IsAdmin() {
		return domain.Device{}, errNoDevice()
	}
	return d, err
}

func errNoDevice() error {
	return domain.NotFound.Errorf(domain.CodeNoDevice, "there is no such device, or it is not yours")
}

// MaySee returns a device whose readings, commands and alarms p may see: their own, and those that are in
// a room with p. Of a device of the last kind neither keys nor addresses are in the answer; mine is false
// then. Administrators see no more than others: theirs is the registry alone.
func (s *Service) MaySee(ctx context.Context, p domain.Principal, id string) (d domain.Device, mine bool, err error) {
	d, err = s.Store.DeviceByID(ctx, id)
	if err != nil || d.Owner.ID == p.ID || d.ID == p.ID {
		return d, true, err
	}
	if s.Peers == nil {
		return domain.Device{}, false, errNoDevice()
	}
	shared, err := s.Peers.SharesRoom(ctx, p.ID, []string{id})
	if err != nil {
		return domain.Device{}, false, err
	}
	if len(shared) == 0 {
		return domain.Device{}, false, errNoDevice()
	}
	d.Keys, d.LastIP = nil, ""
	return d, false, nil
}

// AuthenticateDevice returns the device that a valid key belongs to. The error for an invalid key
// does not say why it is invalid; its cause is domain.ErrKeyResting if the key may open again.
func (s *Service) AuthenticateDevice(ctx context.Context, key string, from netip.Addr) (domain.Principal, error) {
	id, ok := keyID(key)
	if !ok {
		return s.refused(ctx, "", "", "malformed", from)
	}
	l, err := s.Store.DeviceLogin(ctx, id)
	if domain.KindOf(err) == domain.NotFound {
		return s.refused(ctx, "", id, "unknown_key", from)
	}
	if err != nil {
		return domain.Principal{}, err
	}
	good := l.Secret.Pepper == pepperVersion && hmac.Equal(l.Secret.Hash, hash(s.Pepper, key))
	return s.letIn(ctx, l, good, from)
}

// AdmitDevice returns the device with an id, for a caller that has verified by other means who asks. It refuses one
// that is revoked, expired or suspended, or whose owner is disabled, as AuthenticateDevice does.
func (s *Service) AdmitDevice(ctx context.Context, id string, from netip.Addr) (domain.Principal, error) {
	d, err := s.Store.DeviceByID(ctx, id)
	if err != nil {
		return domain.Principal{}, err
	}
	barred, err := s.Store.DisabledOwners(ctx, []string{d.Owner.ID})
	if err != nil {
		return domain.Principal{}, err
	}
	return s.letIn(ctx, domain.DeviceLogin{Device: d, Barred: len(barred) > 0}, true, from)
}

const wrongSecret = "wrong_secret"

func (s *Service) refused(ctx context.Context, device, key, why string, from netip.Addr) (domain.Principal, error) {
	e := deviceActor(device, from)
	e.Outcome, e.Reason = domain.AuditFailure, why
	if device == "" || why == wrongSecret { // the device is not authenticated
		e.Actor = domain.AuditActor{Kind: domain.ActorAnonymous}
	} else {
		s.Note(device, domain.DeviceNote{Kind: domain.NoteConnection, Subject: key, Reason: why})
	}
	s.record(ctx, domain.AuditDeviceAuthFailed, device, key, e)
	err := domain.Unauthorized.Errorf(domain.CodeBadDeviceKey, "this device key is not valid, or is revoked or expired")
	if device != "" && why != wrongSecret {
		err = err.Because(domain.ErrKeyResting)
	}
	return domain.Principal{}, err
}
