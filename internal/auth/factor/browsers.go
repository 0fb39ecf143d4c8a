package factor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// RememberLife is how long a browser is not asked, from the second factor on, however often
// it is used.
const RememberLife = 30 * 24 * time.Hour

// Browser is the cookie of a browser that is not asked for a second factor.
type Browser struct {
	Cookie string // name, without the prefix that https adds
	Value  string
	Until  time.Time
}

func cookieOf(user string) string {
	sum := sha256.Sum256([]byte(user))
	return "unhidra_r_" + hex.EncodeToString(sum[:4]) // one for each who uses this browser
}

// Remember has the browser not asked again. It is done after a second factor
// only, and never after a recovery code.
func (f *Factors) Remember(ctx context.Context, u domain.User, c report.Client) (Browser, error) {
	now, secret := f.Report.Now(), token.Secret()
	r := domain.Remembered{
		ID: domain.NewID(domain.RememberPrefix), User: u.ID, Epoch: u.Epoch, CreatedAt: now, UsedAt: now,
		Expires: now.Add(RememberLife),
		IP:      c.Addr.String(), UserAgent: c.UserAgent,
	}
	if err := f.Store.Remember(ctx, r, f.Keys.Hash(secret)); err != nil {
		return Browser{}, err
	}
	f.Report.Record(ctx, c, report.Event{Kind: domain.AuditRememberAdd, User: u})
	return Browser{cookieOf(u.ID), r.ID + "." + secret, r.Expires}, nil
}

// Remembered returns what the browser of c shows to prove that it need not be asked, and the
// cookie that it shows the next time. It reports whether the browser shows anything.
func (f *Factors) Remembered(u domain.User, c report.Client) (use domain.RememberedUse, next Browser, ok bool) {
	name := cookieOf(u.ID)
	id, shown, ok := strings.Cut(c.Cookies[f.CookieName(name)], ".")
	if !ok {
		return use, next, false
	}
	secret := token.Secret()
	use = domain.RememberedUse{ID: id, Hash: f.Keys.Hash(shown), Next: f.Keys.Hash(secret)}
	return use, Browser{name, id + "." + secret, f.Report.Now().Add(RememberLife)}, true
}

// ForgetBrowser has one of the caller's browsers asked again, or all with an
// empty id.
func (f *Factors) ForgetBrowser(ctx context.Context, p domain.Principal, id string, c report.Client) error {
	if err := f.Store.ForgetRemembered(ctx, p.ID, id); err != nil {
		return err
	}
	f.Report.Record(ctx, c, report.Event{Kind: domain.AuditRememberRevoke, User: domain.User{ID: p.ID},
		Session: p.SessionID})
	return nil
}
