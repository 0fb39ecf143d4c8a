// Package mqtt has the SQL of MQTT: the topics of each site, whose they are, and retained messages.
package mqtt

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// A Repository stores the state of MQTT.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// ClaimTopic gives a topic to a device unless another has it, and returns who has it. It fails with
// too_large if the device has limit topics already.
func (repo *Repository) ClaimTopic(
	ctx context.Context, site, topic, device string, limit int,
) (holder string, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT device_id FROM mqtt_topics WHERE site_id = $1 AND topic = $2`, site,
		topic).Scan(&holder)
	if err == nil && holder != "" {
		return holder, nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := t.LockKey(ctx, "mqtt_topics:"+device); err != nil { // so that the limit holds
			return err
		}
		var n int
		if err := t.QueryRowContext(ctx, `SELECT count(*) FROM mqtt_topics WHERE device_id = $1`,
			device).Scan(&n); err != nil {
			return err
		}
		if n >= limit {
			return domain.TooLarge.Errorf(domain.CodeQuotaExceeded, "a device can publish to %d topics", limit)
		}
		return t.QueryRowContext(ctx, `INSERT INTO mqtt_topics (site_id, topic, device_id) VALUES ($1, $2, $3)
			ON CONFLICT (site_id, topic) DO UPDATE SET device_id = CASE WHEN mqtt_topics.device_id = ''
				THEN excluded.device_id ELSE mqtt_topics.device_id END RETURNING device_id`, site, topic, device).Scan(&holder)
	})
	return holder, err
}

// RetainMessages stores messages, each in the place of the one before on its topic. One without a
// payload deletes.
func (repo *Repository) RetainMessages(ctx context.Context, ms []domain.RetainedMessage) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for _, m := range ms {
			if err := retain(ctx, t, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func retain(ctx context.Context, t *store.Tx, m domain.RetainedMessage) error {
	if len(m.Payload) == 0 {
		_, err := t.ExecContext(ctx, `UPDATE mqtt_topics SET payload = NULL, props = NULL WHERE site_id = $1 AND topic = $2`,
			m.Site, m.Topic)
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM mqtt_topics WHERE site_id = $1 AND topic = $2 AND device_id = ''`, m.Site,
			m.Topic)
		return err
	}
	_, err := t.ExecContext(ctx,
		`INSERT INTO mqtt_topics (site_id, topic, sender_id, payload, qos, props, at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (site_id, topic) DO UPDATE SET
			sender_id = excluded.sender_id, payload = excluded.payload, qos = excluded.qos, props = excluded.props,
			at = excluded.at, expires_at = excluded.expires_at`,
		m.Site, m.Topic, m.Device, m.Payload, m.QoS, m.Props, store.Millis(m.At), store.Millis(m.Expires))
	return err
}

// byOwner says of a retained message that the owner, one of their controllers or the server has published it.
const byOwner = `(sender_id = '' OR sender_id IN (SELECT id FROM devices WHERE access = 'controller'))`

// RetainedMessages returns at most limit of those whose topics start with prefix and follow after,
// in the order of their topics.
func (repo *Repository) RetainedMessages(
	ctx context.Context, site, prefix, after string, limit int,
) ([]domain.RetainedMessage, error) {
	const columns = `SELECT topic, sender_id, ` + byOwner + `, payload, qos, props, at, expires_at FROM mqtt_topics
		WHERE site_id = $1 AND payload IS NOT NULL AND topic > $2 `
	const order = ` ORDER BY topic LIMIT $3`
	rows, err := repo.db.QueryContext(ctx, columns+`AND topic >= $4 AND topic < $5`+order, site, after, limit, prefix,
		prefix+"\U0010ffff")
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.RetainedMessage, error) {
		m := domain.RetainedMessage{Site: site}
		var at, expires int64
		err := rows.Scan(&m.Topic, &m.Device, &m.Open, &m.Payload, &m.QoS, &m.Props, &at, &expires)
		m.At, m.Expires = store.Time(at), store.Time(expires)
		return m, err
	})
}

// RetainedSizes returns the bytes of each retained message that a device has published; of the owner, their
// controllers and the server with an empty device.
func (repo *Repository) RetainedSizes(ctx context.Context, site, device string) (map[string]int, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT topic, length(payload) FROM mqtt_topics
		WHERE site_id = $1 AND payload IS NOT NULL AND (sender_id = $2 OR $2 = '' AND `+byOwner+`)`, site, device)
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int)
	_, err = store.Collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var topic string
		var n int
		err := rows.Scan(&topic, &n)
		sizes[topic] = n
		return struct{}{}, err
	})
	return sizes, err
}

// ForgetTopics deletes what devices and controllers left behind that are gone for good, and retained messages that
// are over. It returns the retained messages that are no more, without their payloads. A topic remains that of its
// device, whoever had published what was retained there.
func (repo *Repository) ForgetTopics(ctx context.Context, now time.Time) (gone []domain.RetainedMessage, err error) {
	const dead = `IN (SELECT id FROM devices WHERE revoked_at > 0)`
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `UPDATE mqtt_topics SET payload = NULL, props = NULL, sender_id = '', expires_at = 0
			WHERE payload IS NOT NULL AND (device_id `+dead+` OR sender_id `+dead+` OR expires_at > 0 AND expires_at <= $1)
			RETURNING site_id, topic`, store.Millis(now))
		if err != nil {
			return err
		}
		gone, err = store.Collect(rows, func(rows *sql.Rows) (m domain.RetainedMessage, err error) {
			err = rows.Scan(&m.Site, &m.Topic)
			return m, err
		})
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM mqtt_topics WHERE device_id `+dead+` OR payload IS NULL AND device_id = ''`)
		return err
	})
	return gone, err
}
