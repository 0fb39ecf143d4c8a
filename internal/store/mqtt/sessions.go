package mqtt

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// MaxSessions is how many sessions one device or user may have. It is exact for one client at a time.
const MaxSessions = 20

// OpenSession gives the session of a client to a connection, s.Conn. Without one, or with clean, or
// if it has expired, it makes a new one; but none if s.Expiry is 0, and then its ID is empty.
// It fails with too_large if there would be more than MaxSessions.
// present says that it was there.
func (repo *Repository) OpenSession(
	ctx context.Context, s domain.MQTTSession, clean bool, now time.Time,
) (opened domain.MQTTSession, present bool, err error) {
	if clean && s.Expiry == 0 { // nearly always there is nothing to write
		var id string
		err := repo.db.QueryRowContext(ctx, `SELECT id FROM mqtt_sessions WHERE principal_id = $1 AND client = $2`,
			s.Principal, s.Client).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return domain.MQTTSession{}, false, nil
		}
		if err != nil {
			return s, false, err
		}
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		opened, present, err = open(ctx, t, s, clean, now)
		return err
	})
	return opened, present, err
}

func open(
	ctx context.Context, t *store.Tx, s domain.MQTTSession, clean bool, now time.Time,
) (opened domain.MQTTSession, present bool, err error) {
	opened = s
	var expires int64
	err = t.QueryRowContext(ctx, `SELECT id, expires_at FROM mqtt_sessions WHERE principal_id = $1 AND client = $2`+
		t.ForUpdate(), s.Principal, s.Client).Scan(&opened.ID, &expires)
	present = err == nil && !clean && expires > store.Millis(now)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return s, false, err
	case present:
		_, err = t.ExecContext(ctx, `UPDATE mqtt_sessions SET expiry = $2, conn_id = $3, expires_at = $4 WHERE id = $1`,
			opened.ID, s.Expiry, s.Conn, store.Millis(s.ExpiresAt))
		if err != nil {
			return s, false, err
		}
		opened.Subs, err = subscriptions(ctx, t, opened.ID)
		return opened, true, err
	case err == nil: // it is over
		if _, err := t.ExecContext(ctx, `DELETE FROM mqtt_sessions WHERE id = $1`, opened.ID); err != nil {
			return s, false, err
		}
	}
	if err := moveOn(ctx, t, s.Site); err != nil || s.Expiry == 0 {
		return domain.MQTTSession{}, false, err
	}
	var n int
	if err := t.QueryRowContext(ctx, `SELECT count(*) FROM mqtt_sessions WHERE principal_id = $1 AND expires_at > $2`,
		s.Principal, store.Millis(now)).Scan(&n); err != nil {
		return s, false, err
	}
	if n >= MaxSessions {
		return s, false, domain.TooLarge.Errorf(domain.CodeQuotaExceeded, "a device can have %d sessions that are kept", n)
	}
	opened.ID = domain.NewID("mqs")
	_, err = t.ExecContext(ctx, `INSERT INTO mqtt_sessions (id, site_id, principal_id, client, expiry, conn_id, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, opened.ID, s.Site, s.Principal, s.Client, s.Expiry, s.Conn,
		store.Millis(s.ExpiresAt))
	return opened, false, err
}

// moveOn increments the version of a site.
func moveOn(ctx context.Context, t *store.Tx, site string) error {
	_, err := t.ExecContext(ctx, `INSERT INTO mqtt_sites (site_id, version) VALUES ($1, 1)
		ON CONFLICT (site_id) DO UPDATE SET version = mqtt_sites.version + 1`, site)
	return err
}

// subscriptions returns those of a session.
func subscriptions(ctx context.Context, q store.Queryer, session string) ([]domain.MQTTSubscription, error) {
	rows, err := q.QueryContext(ctx, `SELECT filter, options, number FROM mqtt_subscriptions WHERE session_id = $1`,
		session)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (s domain.MQTTSubscription, err error) {
		err = rows.Scan(&s.Filter, &s.Options, &s.Number)
		return s, err
	})
}

// CloseSession says until when a session waits for its client, unless another connection has it. With
// the zero time it ends.
func (repo *Repository) CloseSession(ctx context.Context, s domain.MQTTSession) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if !s.ExpiresAt.IsZero() {
			_, err := t.ExecContext(ctx, `UPDATE mqtt_sessions SET expires_at = $3, expiry = $4 WHERE id = $1 AND conn_id = $2`,
				s.ID, s.Conn, store.Millis(s.ExpiresAt), s.Expiry)
			return err
		}
		res, err := t.ExecContext(ctx, `DELETE FROM mqtt_sessions WHERE id = $1 AND conn_id = $2`, s.ID, s.Conn)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return moveOn(ctx, t, s.Site)
	})
}

// RenewSessions moves the end of sessions on whose clients are connected.
func (repo *Repository) RenewSessions(ctx context.Context, ids []string, slack time.Duration, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for some := range store.Chunks(ids) {
			_, err := t.ExecContext(ctx, `UPDATE mqtt_sessions SET expires_at = $1 + expiry * 1000 WHERE id IN (`+
				store.Placeholders(2, len(some))+`)`, append([]any{store.Millis(now.Add(slack))}, store.Args(some)...)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SiteVersion returns a number that changes with the sessions and subscriptions of a site.
func (repo *Repository) SiteVersion(ctx context.Context, site string) (v int64, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT version FROM mqtt_sites WHERE site_id = $1`, site).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return v, err
}

// SiteSessions returns the sessions of a site with their subscriptions, of at least the version that
// it returns.
func (repo *Repository) SiteSessions(
	ctx context.Context, site string, now time.Time,
) (all []domain.MQTTSession, version int64, err error) {
	if version, err = repo.SiteVersion(ctx, site); err != nil {
		return nil, 0, err
	}
	if version == 0 { // there never was one
		return nil, 0, nil
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT s.id, s.principal_id, s.client, s.expiry, s.conn_id,
			COALESCE(b.filter, ''), COALESCE(b.options, 0), COALESCE(b.number, 0), COALESCE(d.access, '')
		FROM mqtt_sessions s LEFT JOIN mqtt_subscriptions b ON b.session_id = s.id LEFT
		JOIN devices d ON d.id = s.principal_id
		WHERE s.site_id = $1 AND s.expires_at > $2 ORDER BY s.id`, site, store.Millis(now))
	if err != nil {
		return nil, 0, err
	}
	_, err = store.Collect(rows, func(rows *sql.Rows) (struct{}, error) {
		s := domain.MQTTSession{Site: site}
		var b domain.MQTTSubscription
		err := rows.Scan(&s.ID, &s.Principal, &s.Client, &s.Expiry, &s.Conn, &b.Filter, &b.Options, &b.Number, &s.Access)
		if len(all) == 0 || all[len(all)-1].ID != s.ID {
			all = append(all, s)
		}
		if b.Filter != "" {
			last := &all[len(all)-1]
			last.Subs = append(last.Subs, b)
		}
		return struct{}{}, err
	})
	return all, version, err
}

// SetSubscriptions adds subscriptions to a session, and removes others by their filters.
func (repo *Repository) SetSubscriptions(
	ctx context.Context, s domain.MQTTSession, add []domain.MQTTSubscription, remove []string,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for _, b := range add {
			_, err := t.ExecContext(ctx, `INSERT INTO mqtt_subscriptions (session_id, filter, options, number)
				SELECT id, $2, $3, $4 FROM mqtt_sessions WHERE id = $1 ON CONFLICT (session_id, filter) DO UPDATE SET
				options = excluded.options, number = excluded.number`, s.ID, b.Filter, b.Options, b.Number)
			if err != nil {
				return err
			}
		}
		for _, f := range remove {
			_, err := t.ExecContext(ctx, `DELETE FROM mqtt_subscriptions WHERE session_id = $1 AND filter = $2`, s.ID, f)
			if err != nil {
				return err
			}
		}
		return moveOn(ctx, t, s.Site)
	})
}

// ForgetSessions deletes those that are over, and those of devices that are gone for good.
func (repo *Repository) ForgetSessions(ctx context.Context, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `DELETE FROM mqtt_sessions WHERE expires_at <= $1
			OR principal_id IN (SELECT id FROM devices WHERE revoked_at > 0) RETURNING site_id`, store.Millis(now))
		if err != nil {
			return err
		}
		sites, err := store.Collect(rows, store.ScanString)
		for _, site := range sites {
			if err := moveOn(ctx, t, site); err != nil {
				return err
			}
		}
		return err
	})
}

// Leave has a device that changes hands leave the site of its owner: its sessions end, its topics are nobody's, and
// what is retained of it is over, which ForgetTopics tells.
func Leave(ctx context.Context, t *store.Tx, device string) error {
	rows, err := t.QueryContext(ctx, `DELETE FROM mqtt_sessions WHERE principal_id = $1 RETURNING site_id`, device)
	if err != nil {
		return err
	}
	sites, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return err
	}
	for _, site := range sites {
		if err := moveOn(ctx, t, site); err != nil {
			return err
		}
	}
	_, err = t.ExecContext(ctx, `UPDATE mqtt_topics SET expires_at = CASE WHEN payload IS NULL THEN 0 ELSE 1 END,
		device_id = CASE WHEN device_id = $1 THEN '' ELSE device_id END WHERE device_id = $1 OR sender_id = $1`, device)
	return err
}
