// Package ota serves firmware to devices that know only other protocols: plain HTTP as ESPHome, ESP-IDF, Arduino and
// Tasmota ask for it, and the Direct Device Integration API of hawkBit. Rollouts decide which release a device gets, as
// for any other; the firmware module delivers the bytes.
package ota

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Store stores what owners say of such devices, and finds what devices run by what they tell.
type Store interface {
	Device(ctx context.Context, device string) (domain.OTADevice, error)
	PutDevice(ctx context.Context, o domain.OTADevice, renew bool, now time.Time) error
	DeleteDevice(ctx context.Context, owner, device string) error
	Runs(ctx context.Context, product, version, md5 string) (r domain.Release, known bool, err error)
	SetAttributes(ctx context.Context, device string, attributes map[string]string) error
	SetCanceled(ctx context.Context, device, action string) error
}

// Products has the products that firmware is for.
type Products interface {
	ProductByID(ctx context.Context, id string) (domain.Product, error)
}

// Fleet knows what devices last said of their firmware.
type Fleet interface {
	Firmware(ctx context.Context, device string) (d domain.DeviceFirmware, known bool, err error)
	DeviceUpdates(ctx context.Context, device string, limit int) ([]domain.Update, error)
}

// Updates decides which release a device gets.
type Updates interface {
	Pull(ctx context.Context, p domain.Principal, f domain.FirmwareReport) (domain.Pulled, error)
	Pulling(ctx context.Context, device string) (domain.Pulled, error)
	Progress(ctx context.Context, p domain.Principal, r domain.FirmwareProgress) (domain.FirmwareAnswer, error)
}

// Images delivers the files of releases.
type Images interface {
	Deliver(w http.ResponseWriter, r *http.Request, hash string, may func() error) (end int64)
	Deliverable(ctx context.Context, r domain.Release) error
	Summed(ctx context.Context, i domain.FirmwareImage) (domain.FirmwareImage, error)
	Suffix(ctx context.Context, i domain.FirmwareImage) (string, error)
}

// Devices lets devices in.
type Devices interface {
	MaySee(ctx context.Context, p domain.Principal, id string) (d domain.Device, mine bool, err error)
	AuthenticateDevice(ctx context.Context, key string, from netip.Addr) (domain.Principal, error)
	AdmitDevice(ctx context.Context, id string, from netip.Addr) (domain.Principal, error)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Products Products
	Fleet    Fleet
	Updates  Updates
	Images   Images
	Devices  Devices
	LinkKey  []byte        // of the HMAC in links of devices
	URL      func() string // of this server, without a slash at its end
	Audit    Recorder
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Limits of requests a minute. A device that loads an image in ranges asks often.
const (
	perDevice = 600
	wrong     = perDevice // keys and links from one address
)

// Service is the module.
type Service struct {
	Deps
	devices *ratelimit.Limiter
	proofs  *ratelimit.Proofs
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{Deps: d, devices: ratelimit.New(perDevice, time.Minute, perDevice),
		proofs: ratelimit.NewProofs(wrong, time.Minute)}
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// linkSeparator stands between the id of a device and the signature in its link. Clients take dots and hyphens in what
// follows the name of a file for parts of that name, so that links have none.
const linkSeparator = "_"

// Link returns what proves in a URL who asks: the id of a device, and a signature that is good until the owner ends it.
func (s *Service) Link(o domain.OTADevice) string {
	h := hmac.New(sha256.New, s.LinkKey)
	h.Write([]byte(o.Device + "\n" + o.Link))
	return o.Device + linkSeparator + hex.EncodeToString(h.Sum(nil)[:16])
}

// caller is a device that asks.
type caller struct {
	domain.Principal
	domain.OTADevice
	link string // by which it has asked; empty: by its key
	by   domain.UpdateProtocol
}

// who finds out which device sends a request: by its key, in a header, or by its link. Whoever sends neither is asked
// for the key each time, as clients expect it.
func (s *Service) who(r *http.Request) (c caller, err error) {
	ctx, from, now := r.Context(), httpx.ClientAddr(r.Context()), s.Now()
	c.by, c.link = domain.HTTPProtocol, r.URL.Query().Get("link")
	secret, prove := c.link, s.byLink
	if secret == "" {
		prove = s.byKey
		if secret, c.by, err = key(r); err != nil {
			return c, err
		}
	}
	proof, ok, wait := s.proofs.Check(secret, from, now)
	if !ok {
		return c, busy(wait)
	}
	if err = prove(ctx, &c, secret, from); err != nil {
		switch domain.KindOf(err) {
		case domain.Unauthorized, domain.Forbidden, domain.NotFound:
			proof.Wrong(now)
		default:
			proof.Unclear()
		}
		return c, err
	}
	proof.Good(now)
	if ok, wait := s.devices.Allow(c.Principal.ID, now); !ok {
		return c, busy(wait)
	}
	return c, nil
}

func busy(wait time.Duration) error {
	return domain.RateLimited.Errorf(domain.CodeTooManyAttempts, "too many requests; wait a moment").After(wait)
}

func (s *Service) byLink(ctx context.Context, c *caller, link string, from netip.Addr) (err error) {
	at := strings.LastIndex(link, linkSeparator)
	if at < 0 {
		return domain.ErrNoOTA()
	}
	if c.OTADevice, err = s.Store.Device(ctx, link[:at]); err != nil {
		return err
	}
	if !hmac.Equal([]byte(link), []byte(s.Link(c.OTADevice))) {
		return domain.ErrNoOTA()
	}
	c.Principal, err = s.Devices.AdmitDevice(ctx, c.Device, from)
	return err
}

// key returns the key of a device that a request has in a header, and of which protocol that header is.
func key(r *http.Request) (key string, by domain.UpdateProtocol, err error) {
	by = domain.HTTPProtocol
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch _, password, basic := r.BasicAuth(); {
	case basic:
		key = password
	case strings.EqualFold(scheme, "TargetToken"): // of hawkBit
		by = domain.DDIProtocol
	case !strings.EqualFold(scheme, "Bearer"):
		return "", by, domain.Unauthorized.Errorf(domain.CodeNoCredentials,
			"send the key of the device, as a bearer token or as the password, or ask by its link")
	}
	return strings.TrimSpace(key), by, nil
}

func (s *Service) byKey(ctx context.Context, c *caller, key string, from netip.Addr) (err error) {
	if c.Principal, err = s.Devices.AuthenticateDevice(ctx, key, from); err != nil {
		return err
	}
	c.OTADevice, err = s.Store.Device(ctx, c.Principal.ID)
	return err
}

// fail answers an error.
func fail(w http.ResponseWriter, r *http.Request, err error) { httpx.Fail(asking{w}, r, err) }

// asking asks for a password where there is none. The clients read one header, and understand Basic alone.
type asking struct{ http.ResponseWriter }

func (w asking) WriteHeader(status int) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="unhidra"`)
	}
	w.ResponseWriter.WriteHeader(status)
}
