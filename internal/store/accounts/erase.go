package accounts

import (
	"context"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/blobs"
)

// Erase deletes everything personal of a user. The row stays, because messages refer to it.
func Erase(ctx context.Context, t *store.Tx, user string, now time.Time) error {
	for _, table := range []string{"sessions", "flows", "totp", "recovery_codes", "remembered", "passkeys", "identities",
		"tickets"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, user); err != nil {
			return err
		}
	}
	if err := blobs.RemoveRef(ctx, t, avatarHolder(user), now); err != nil {
		return err
	}
	t.Invalidate()
	name := "deleted-" + strings.TrimPrefix(user, domain.UserPrefix+"_")
	_, err := t.ExecContext(ctx,
		`UPDATE users SET username = $2, display_name = $3, folded = '', skeleton = '', email = '', about = '', locale = '',
			time_zone = '', avatar = '', role = 'user', guest_until = 0, guest_invite = '',
		disabled = TRUE, password = '', status_mode = '', status_text = '', status_emoji = '', last_seen_at = $4, epoch =
		epoch + 1 WHERE id = $1`,
		user, name, "Deleted account", store.Millis(now))
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM avatars WHERE NOT EXISTS (SELECT 1 FROM users WHERE avatar = avatars.hash)`)
	return err
}
