package device

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/totp"
)

// A claim token is what somebody gives to a device that they set up: with it the device gets a key of its own, which
// nobody else has seen. It is "dc_", a secret of 32 characters (190 bits), and a checksum of 6 as that of a key.

// Claims stores claim tokens.
type Claims interface {
	PutClaim(ctx context.Context, owner string, c domain.DeviceClaim) error
	Claim(
		ctx context.Context, hash, claimant []byte, k domain.DeviceKey, secret domain.DeviceSecret, now time.Time,
	) (d domain.Device, why domain.ClaimRefusal, err error)
}

const claimLen = len(domain.ClaimPrefix) + secretLen

// LetClaim returns a token by which a device of owner gets a key once, within life; 0: domain.ClaimExpiry. A token that
// was made before is good no more. The token cannot be read again.
func (s *Service) LetClaim(
	ctx context.Context, by domain.AuditActor, owner, device string, life time.Duration,
) (token string, expires time.Time, err error) {
	if life == 0 {
		life = domain.ClaimExpiry
	}
	if life < 0 || life > domain.MaxClaim {
		return "", expires, domain.InvalidField("/expires_in", "a claim token is good for %d days at most",
			domain.MaxClaim/(24*time.Hour))
	}
	body := domain.ClaimPrefix + random(secretLen)
	token, expires = body+checksum(body), s.Now().Add(life)
	c := domain.DeviceClaim{Device: device, Hash: hash(s.Pepper, token), Expires: expires}
	if err := s.Claims.PutClaim(ctx, owner, c); err != nil {
		return "", expires, err
	}
	s.record(ctx, domain.AuditDeviceLetClaim, device, "", domain.AuditEvent{Actor: by})
	return token, expires, nil
}

// Claim gives a device the key that a claim token is for. Its keys before end, and so do the connections that they
// opened; certificates stay. Who has got no answer may ask again with the same nonce, and gets another key.
func (s *Service) Claim(ctx context.Context, token, nonce string) (Issued, error) {
	if len(nonce) < domain.MinClaimNonce || len(nonce) > domain.MaxClaimNonce {
		return Issued{}, domain.InvalidField("/nonce", "the nonce has %d to %d characters, made at random",
			domain.MinClaimNonce, domain.MaxClaimNonce)
	}
	if !strings.HasPrefix(token, domain.ClaimPrefix) || len(token) != claimLen+sumLength ||
		checksum(token[:claimLen]) != token[claimLen:] {
		return Issued{}, s.refuseClaim(ctx, "", "malformed")
	}
	key, k, secret := s.issue("", time.Time{})
	d, why, err := s.Claims.Claim(ctx, hash(s.Pepper, token), hash(s.Pepper, domain.ClaimPrefix+nonce), k, secret, s.Now())
	if err != nil {
		return Issued{}, err
	}
	if why != "" {
		return Issued{}, s.refuseClaim(ctx, d.ID, why)
	}
	s.record(ctx, domain.AuditDeviceClaim, d.ID, k.ID, deviceActor(d.ID, httpx.ClientAddr(ctx)))
	for _, old := range d.Keys {
		if !old.Ended(s.Now()) && !old.Certificate() {
			s.announce(ctx, domain.DeviceEnd{Device: d.ID, Key: old.ID, Reason: "claimed"})
		}
	}
	d, err = s.Store.DeviceByID(ctx, d.ID)
	return Issued{d, k.ID, key}, err
}

func (s *Service) refuseClaim(ctx context.Context, device string, why domain.ClaimRefusal) error {
	e := domain.AuditEvent{Actor: domain.AuditActor{Kind: domain.ActorAnonymous}, Outcome: domain.AuditFailure,
		Reason: string(why)}
	s.record(ctx, domain.AuditDeviceClaim, device, "", e)
	if device != "" {
		s.Note(device, domain.DeviceNote{Kind: domain.NoteConnection, Reason: string(why)})
	}
	return domain.ErrClaim()
}

// claimRoutes adds the operations on claims to api.
func (s *Service) claimRoutes(api huma.API, op func(id, method, path, summary string, status int) huma.Operation) {
	httpx.Register(api, op("let-device-claim", "POST", "/devices/{device}/claim",
		"Make a token by which a device gets a key of its own, once", 201), s.postClaim)
	claim := op("claim-device-key", "POST", "/device-claims", "For a device: get its own key by a claim token", 201)
	claim.Security = nil
	claim.Errors = []int{403}
	httpx.Register(api, claim, s.claimKey)
}

// ClaimToken is what a device is given to claim its key.
type ClaimToken struct {
	Token   string        `json:"token" doc:"cannot be read again"`
	Expires time.Time     `json:"expires_at"`
	Setup   string        `json:"setup,omitempty" doc:"JSON with server and claim, as firmware takes it; if the request named the server"`
	Picture *totp.Picture `json:"picture,omitempty" doc:"QR code of setup: the path of an SVG of this size"`
}

// with adds the setup for the server at an address, which is checked.
func (c *ClaimToken) with(server string) error {
	b, err := json.Marshal(struct {
		Server string `json:"server"`
		Claim  string `json:"claim"`
	}{server, c.Token})
	if err != nil {
		return err
	}
	picture, err := totp.Draw(string(b))
	c.Setup, c.Picture = string(b), &picture
	return err
}

// checkServer checks that an address is one as firmware takes it.
func checkServer(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "wss" && u.Scheme != "ws" || u.Hostname() == "" || u.Port() == "" ||
		address != u.Scheme+"://"+u.Host {
		return domain.InvalidField("/server", "the address of the server is wss://HOST:PORT, or ws://HOST:PORT where "+
			"nothing is encrypted")
	}
	return nil
}

func (s *Service) postClaim(ctx context.Context, in *struct {
	OnDevice
	Body struct {
		ExpiresIn int    `json:"expires_in,omitempty" minimum:"1" maximum:"604800" doc:"seconds that it is good for, at most 7 days; absent: 15 minutes"`
		Server    string `json:"server,omitempty" maxLength:"139" doc:"address of this server as the device reaches it, such as wss://chat.example.org:443; the answer then has setup and picture"`
	}
}) (*struct{ Body ClaimToken }, error) {
	if in.Body.Server != "" { // before a token that is good ends
		if err := checkServer(in.Body.Server); err != nil {
			return nil, err
		}
	}
	owner := httpx.Principal(ctx).ID
	token, expires, err := s.LetClaim(ctx, userActor(owner), owner, in.Device, domain.Seconds(in.Body.ExpiresIn))
	if err != nil {
		return nil, err
	}
	c := ClaimToken{Token: token, Expires: expires}
	if in.Body.Server != "" {
		err = c.with(in.Body.Server)
	}
	return &struct{ Body ClaimToken }{c}, err
}

// ClaimedKey is a device's own key.
type ClaimedKey struct {
	Device string `json:"device"`
	Name   string `json:"name"`
	KeyID  string `json:"key_id"`
	Key    string `json:"key"`
}

func (s *Service) claimKey(ctx context.Context, in *struct {
	Body struct {
		Token string `json:"token" maxLength:"64"`
		Nonce string `json:"nonce" maxLength:"64" doc:"16 to 64 characters that the device has made at random. With the same ones it may ask again, if it has got no answer"`
	}
}) (*struct{ Body ClaimedKey }, error) {
	i, err := s.Claim(ctx, in.Body.Token, in.Body.Nonce)
	if err != nil {
		return nil, err
	}
	return &struct{ Body ClaimedKey }{ClaimedKey{i.Device.ID, i.Device.Name, i.KeyID, i.Key}}, nil
}
