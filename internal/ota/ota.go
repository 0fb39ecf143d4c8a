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

// Limits of requests a minute. A device that loads an image in ranges asks often, and a house of them shares an
// address.
const (
	perDevice = 600
	perAddr   = 6000
	strangers = 60 // that have proved nothing, from one address
)

// Service is the module.
type Service struct {
	Deps
	devices, addrs, failed *ratelimit.Limiter
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	limiter := func(n int) *ratelimit.Limiter { return ratelimit.New(n, time.Minute, n) }
	return &Service{Deps: d, devices: limiter(perDevice), addrs: limiter(perAddr), failed: limiter(strangers)}
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

// who finds out which device sends a request: by its key, in a header, or by its link.
func (s *Service) who(r *http.Request) (c caller, err error) {
	ctx, from, now := r.Context(), httpx.ClientAddr(r.Context()), s.Now()
	c.by = domain.HTTPProtocol
	if ok, wait := s.addrs.AllowAddr(from, now); !ok {
		return c, busy(wait)
	}
	if ok, wait := s.failed.AllowAddr(from, now); !ok {
		return c, busy(wait)
	}
	if c.link = r.URL.Query().Get("link"); c.link != "" {
		err = s.byLink(ctx, &c, from)
	} else {
		err = s.byKey(ctx, &c, r, from)
	}
	if err == nil || domain.CodeOf(err) == domain.CodeNoCredentials { // clients are asked for the password each time
		s.failed.RefundAddr(from)
	}
	if err != nil {
		return c, err
	}
	if ok, wait := s.devices.Allow(c.Principal.ID, now); !ok {
		return c, busy(wait)
	}
	return c, nil
}

func busy(wait time.Duration) error {
	return domain.RateLimited.Errorf(domain.CodeTooManyAttempts, "too many requests; wait a moment").After(wait)
}

func (s *Service) byLink(ctx context.Context, c *caller, from netip.Addr) (err error) {
	at := strings.LastIndex(c.link, linkSeparator)
	if at < 0 {
		return domain.ErrNoOTA()
	}
	if c.OTADevice, err = s.Store.Device(ctx, c.link[:at]); err != nil {
		return err
	}
	if !hmac.Equal([]byte(c.link), []byte(s.Link(c.OTADevice))) {
		return domain.ErrNoOTA()
	}
	c.Principal, err = s.Devices.AdmitDevice(ctx, c.Device, from)
	return err
}

func (s *Service) byKey(ctx context.Context, c *caller, r *http.Request, from netip.Addr) (err error) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch _, password, basic := r.BasicAuth(); {
	case basic:
		key = password
	case strings.EqualFold(scheme, "TargetToken"): // of hawkBit
		c.by = domain.DDIProtocol
	case !strings.EqualFold(scheme, "Bearer"):
		return domain.Unauthorized.Errorf(domain.CodeNoCredentials,
			"send the key of the device, as a bearer token or as the password, or ask by its link")
	}
	if c.Principal, err = s.Devices.AuthenticateDevice(ctx, strings.TrimSpace(key), from); err != nil {
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
