package notifications

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// live is the condition of SQL that s is a session that lasts at a time.
func live(now string) string {
	return `s.revoked_at = 0 AND s.idle_expires > ` + now + ` AND s.expires_at > ` + now
}

const columns = `p.id, p.user_id, p.session_id, p.endpoint, p.p256dh, p.auth, p.created_at, p.sent_at, p.failed_at,
	p.failure, s.user_agent`

func dest(s *domain.Subscription, created, sent, failed *int64) []any {
	return []any{&s.ID, &s.User, &s.Session, &s.Endpoint, &s.Key, &s.Auth, created, sent, failed, &s.Failure, &s.Name}
}

// Subscribe adds a subscription, or gives that of its endpoint to s.User. A session has one: another one of it ends.
// If the user has too many, the one that was added first ends.
func (repo *Repository) Subscribe(ctx context.Context, s domain.Subscription) (domain.Subscription, error) {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		err := t.QueryRowContext(ctx, `SELECT id, created_at FROM push_subscriptions WHERE endpoint = $1 AND session_id = $2
			AND p256dh = $3 AND auth = $4`, s.Endpoint, s.Session, s.Key, s.Auth).Scan(&s.ID, new(int64))
		if !errors.Is(err, sql.ErrNoRows) {
			return err // it is there already
		}
		_, err = t.ExecContext(ctx, `DELETE FROM push_subscriptions WHERE endpoint = $1 OR session_id = $2`, s.Endpoint,
			s.Session)
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM push_subscriptions WHERE user_id = $1 AND id NOT IN (
			SELECT id FROM push_subscriptions WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)`, s.User,
			domain.MaxSubscriptions-1)
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO push_subscriptions (id, user_id, session_id, endpoint, p256dh, auth,
			created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`, s.ID, s.User, s.Session, s.Endpoint, s.Key, s.Auth,
			store.Millis(s.CreatedAt))
		return err
	})
	return s, err
}

// Subscriptions lists the subscriptions of a user whose sessions last, the newest first.
func (repo *Repository) Subscriptions(
	ctx context.Context, user string, now time.Time,
) ([]domain.Subscription, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+columns+` FROM push_subscriptions p
		JOIN sessions s ON s.id = p.session_id WHERE p.user_id = $1 AND `+live("$2")+` ORDER BY p.created_at DESC, p.id DESC`,
		user, store.Millis(now))
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (s domain.Subscription, err error) {
		var created, sent, failed int64
		err = rows.Scan(dest(&s, &created, &sent, &failed)...)
		s.CreatedAt, s.SentAt, s.FailedAt = store.Time(created), store.Time(sent), store.Time(failed)
		return s, err
	})
}

// Unsubscribe ends a subscription of a user.
func (repo *Repository) Unsubscribe(ctx context.Context, user, id string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM push_subscriptions WHERE user_id = $1 AND id = $2`, user, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.NotFound.Errorf(domain.CodeNoSubscription, "there is no such subscription"))
		}
		return nil
	})
}
