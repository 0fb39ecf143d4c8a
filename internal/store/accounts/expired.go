package accounts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/store"
)

// purgePending is how long an account waits for its e-mail address to be proven.
const purgePending = 7 * 24 * time.Hour

// ForgetExpired removes sessions, tokens, flows, tickets and counters that ended
// before a time, what statuses said that did, and accounts whose address nobody proved
// within a week.
func (repo *Sessions) ForgetExpired(ctx context.Context, before time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for _, q := range []string{
			`DELETE FROM flows WHERE expires_at < $1`,
			`DELETE FROM tickets WHERE expires_at < $1`,
			`DELETE FROM sessions WHERE expires_at < $1 OR idle_expires < $1 OR (revoked_at > 0 AND revoked_at < $1)`,
			`DELETE FROM attempts WHERE at < $1 AND locked_until < $1`,
			`DELETE FROM remembered WHERE expires_at < $1`,
			`DELETE FROM totp WHERE confirmed = 0 AND expires < $1`,
			`UPDATE users SET status_text = '', status_emoji = '', status_expires = 0 WHERE status_expires > 0
				AND status_expires < $1`,
		} {
			if _, err := t.ExecContext(ctx, q, store.Millis(before)); err != nil {
				return err
			}
		}
		_, err := t.ExecContext(ctx, `DELETE FROM users WHERE pending AND created_at < $1`,
			store.Millis(before.Add(-purgePending)))
		return err
	})
}
