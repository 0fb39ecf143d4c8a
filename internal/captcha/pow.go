package captcha

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

const (
	lifetime = 20 * time.Minute
	// leastCost is the number of PBKDF2 iterations for one key. A client derives 256 keys on
	// average, which takes an eighth of a second on a laptop, and some four seconds at level 5. The
	// server derives one.
	leastCost    = 2000
	keyPrefix    = "00"
	perMinute    = 30 // challenges per address
	maxSeen      = 100_000
	forgetEvery  = 10 * time.Minute
	actionInData = "action"
	addrInData   = "from"
)

// Uses records used challenges for all nodes. Package store/server implements it.
type Uses interface {
	UseCaptcha(ctx context.Context, id []byte, expires time.Time) (first bool, err error)
	PruneCaptchas(ctx context.Context, now time.Time) error
}

// PoWOptions are the options of a proof of work.
type PoWOptions struct {
	Key  []byte // signs challenges; the same on every node
	Uses Uses
	Log  *slog.Logger
	Now  func() time.Time // nil: time.Now
}

// PoW is a proof of work: the browser searches a number that takes some time to find and no time to
// check. No third party is involved. Challenges are not stored, but signed together with their
// action and expiry. Only used ones are recorded, until they expire. The difficulty rises with
// demand; see type pressure.
type PoW struct {
	o        PoWOptions
	pressure *pressure
	limit    *ratelimit.Limiter

	mu   sync.Mutex
	seen map[string]time.Time // signatures this node has verified, and their expiry
}

// NewPoW returns a PoW.
func NewPoW(o PoWOptions) *PoW {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &PoW{o: o, pressure: newPressure(), limit: ratelimit.New(perMinute, time.Minute, perMinute),
		seen: make(map[string]time.Time)}
}

// Kind implements Captcha.
func (p *PoW) Kind() string { return KindPoW }

// ClientConfig implements Captcha.
func (p *PoW) ClientConfig(action string) map[string]any {
	return map[string]any{"kind": KindPoW, "action": action}
}

// Challenge implements Captcha. It returns a Challenge. One address gets 30 per minute.
func (p *PoW) Challenge(_ context.Context, action string, addr netip.Addr) (any, error) {
	now := p.o.Now()
	if ok, after := p.limit.AllowAddr(addr, now); !ok {
		return nil, domain.RateLimited.Errorf(domain.CodeCaptchaRate,
			"too many challenges; try again later").After(after)
	}
	c := Challenge{Parameters: Parameters{
		Algorithm: algorithm, Cost: leastCost << p.pressure.add(addr, now),
		Data:      map[string]string{actionInData: action, addrInData: p.from(addr)},
		ExpiresAt: now.Add(lifetime).Unix(), KeyLength: keyLength, KeyPrefix: keyPrefix, Nonce: random(), Salt: random(),
	}}
	var err error
	c.Signature, err = c.Parameters.sign(p.o.Key)
	return c, err
}

// from returns a keyed hash of the address. A challenge is bound to it, so that it cannot be solved
// by a farm of other machines.
func (p *PoW) from(addr netip.Addr) string {
	h := hmac.New(sha256.New, p.o.Key)
	_, _ = h.Write([]byte("address\x00" + ratelimit.AddrKey(addr))) // never fails
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func random() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// Verify implements Captcha. It makes the free checks first, and verifies the signature before it
// uses anything in the challenge. So clients cannot choose the work of the server: each challenge
// allows one derivation, whether it is solved or not.
func (p *PoW) Verify(ctx context.Context, token, action string, addr netip.Addr) (Result, error) {
	now := p.o.Now()
	r, err := p.verify(ctx, token, action, addr, now)
	if err == nil && !r.OK {
		p.pressure.add(addr, now)
	}
	return r, err
}

func (p *PoW) verify(ctx context.Context, token, action string, addr netip.Addr, now time.Time) (Result, error) {
	payload, err := decode(token)
	if err != nil {
		return refuse(domain.CodeCaptchaMalformed), nil
	}
	params, signature := payload.Challenge.Parameters, payload.Challenge.Signature
	expires := time.Unix(params.ExpiresAt, 0)
	if !now.Before(expires) {
		return refuse(domain.CodeCaptchaExpired), nil
	}
	want, err := params.sign(p.o.Key)
	if err != nil {
		return Result{}, err
	}
	if !hmac.Equal([]byte(want), []byte(signature)) {
		return refuse(domain.CodeCaptchaForged), nil
	}
	if params.Data[actionInData] != action {
		return refuse(domain.CodeCaptchaWrongAction), nil
	}
	if params.Data[addrInData] != p.from(addr) {
		return refuse(domain.CodeCaptchaOtherAddress), nil
	}
	if !p.markUsed(signature, expires, now) {
		return refuse(domain.CodeCaptchaReused), nil
	}
	if !params.solvedBy(payload.Solution) {
		return refuse(domain.CodeCaptchaWrong), nil
	}
	id, err := hex.DecodeString(signature)
	if err != nil {
		return Result{}, err
	}
	switch first, err := p.o.Uses.UseCaptcha(ctx, id, expires); {
	case err != nil:
		return Result{}, unavailable(err)
	case !first:
		return refuse(domain.CodeCaptchaReused), nil // on another node
	}
	return Result{OK: true, Action: action, At: now}, nil
}

// markUsed reports whether this node sees a signature for the first time. The number of recorded
// signatures is limited. Beyond that, new ones are refused until old ones expire; the store still
// detects reuse.
func (p *PoW) markUsed(signature string, expires, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, again := p.seen[signature]; again {
		return false
	}
	if len(p.seen) >= maxSeen {
		p.forget(now)
	}
	if len(p.seen) < maxSeen {
		p.seen[signature] = expires
	}
	return true
}

func (p *PoW) forget(now time.Time) {
	for s, expires := range p.seen {
		if !now.Before(expires) {
			delete(p.seen, s)
		}
	}
}

// Run deletes expired records until ctx is done.
func (p *PoW) Run(ctx context.Context) error {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now := p.o.Now()
		p.mu.Lock()
		p.forget(now)
		p.mu.Unlock()
		if err := p.o.Uses.PruneCaptchas(ctx, now); err != nil && !errors.Is(err, context.Canceled) {
			p.o.Log.WarnContext(ctx, "forget used CAPTCHAs", "err", err)
		}
	}
}
