package mqtt

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// MaxQueueBytes is how much may wait for one session, but for the last message.
const MaxQueueBytes = 4 << 20

// Enqueue stores messages for sessions, those that are there still and have fewer than limit and
// less than MaxQueueBytes waiting.
// In the same transaction it remembers which message of a client they come from. It returns how many
// had no place.
func (repo *Repository) Enqueue(
	ctx context.Context, ms []domain.QueuedMessage, from domain.MQTTReceived, limit int,
) (full int, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		full = 0
		for _, m := range ms {
			res, err := t.ExecContext(ctx,
				`INSERT INTO mqtt_queue (session_id, topic, payload, qos, retain, props, numbers, expires_at)
				SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM mqtt_sessions
				WHERE id = $1 AND (SELECT count(*) FROM mqtt_queue WHERE session_id = $1) < $9
					AND (SELECT COALESCE(sum(length(payload)), 0) FROM mqtt_queue WHERE session_id = $1) < $10`,
				m.Session, m.Topic, payload(m.Payload), m.QoS, m.Retain, m.Props, joinNumbers(m.Numbers), store.Millis(m.Expires),
				limit, MaxQueueBytes)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil {
				return err
			} else if n == 0 {
				full++
			}
		}
		if from.Session == "" {
			return nil
		}
		_, err := t.ExecContext(ctx, `INSERT INTO mqtt_received (session_id, packet_id)
			SELECT id, $2 FROM mqtt_sessions WHERE id = $1 ON CONFLICT (session_id, packet_id) DO NOTHING`, from.Session,
			from.PacketID)
		return err
	})
	return full, err
}

// payload keeps an empty payload from being NULL.
func payload(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

const queueColumns = `seq, packet_id, released, topic, payload, qos, retain, props, numbers, expires_at`

func scanQueued(session string) func(*sql.Rows) (domain.QueuedMessage, error) {
	return func(rows *sql.Rows) (domain.QueuedMessage, error) {
		m := domain.QueuedMessage{Session: session}
		var numbers string
		var expires int64
		err := rows.Scan(&m.Seq, &m.PacketID, &m.Released, &m.Topic, &m.Payload, &m.QoS, &m.Retain, &m.Props, &numbers,
			&expires)
		m.Numbers, m.Expires = splitNumbers(numbers), store.Time(expires)
		return m, err
	}
}

// LaunchQueued gives the next messages of a session that were not sent yet the packet ids, as many
// as there are, and returns them in their order. It returns none if the session has another
// connection than conn.
func (repo *Repository) LaunchQueued(
	ctx context.Context, session, conn string, ids []uint16,
) (ms []domain.QueuedMessage, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var id string
		ms = nil
		// Locked: else another connection could have read meanwhile what is under way.
		err := t.QueryRowContext(ctx, `SELECT id FROM mqtt_sessions WHERE id = $1 AND conn_id = $2`+t.ForUpdate(), session,
			conn).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `SELECT `+queueColumns+` FROM mqtt_queue WHERE session_id = $1 AND packet_id = 0
			ORDER BY seq LIMIT $2`, session, len(ids))
		if err != nil {
			return err
		}
		if ms, err = store.Collect(rows, scanQueued(session)); err != nil {
			return err
		}
		for i := range ms {
			ms[i].PacketID = ids[i]
			if _, err := t.ExecContext(ctx, `UPDATE mqtt_queue SET packet_id = $2 WHERE seq = $1`, ms[i].Seq,
				ids[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return ms, err
}

// Unacknowledged returns the messages of a session that were sent and not acknowledged, in their order,
// and the packet ids of messages of QoS 2 that its client has not released.
func (repo *Repository) Unacknowledged(
	ctx context.Context, session string,
) (ms []domain.QueuedMessage, received []uint16, err error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+queueColumns+` FROM mqtt_queue WHERE session_id = $1 AND packet_id > 0
		ORDER BY seq`, session)
	if err != nil {
		return nil, nil, err
	}
	if ms, err = store.Collect(rows, scanQueued(session)); err != nil {
		return nil, nil, err
	}
	rows, err = repo.db.QueryContext(ctx, `SELECT packet_id FROM mqtt_received WHERE session_id = $1`, session)
	if err != nil {
		return nil, nil, err
	}
	received, err = store.Collect(rows, func(rows *sql.Rows) (id uint16, err error) {
		err = rows.Scan(&id)
		return id, err
	})
	return ms, received, err
}

// ReleaseQueued records that the client has a message of QoS 2.
func (repo *Repository) ReleaseQueued(ctx context.Context, seq int64) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE mqtt_queue SET released = TRUE WHERE seq = $1`, seq)
		return err
	})
}

// DropQueued deletes messages that were acknowledged, or are over.
func (repo *Repository) DropQueued(ctx context.Context, seqs []int64) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for some := range store.Chunks(seqs) {
			_, err := t.ExecContext(ctx, `DELETE FROM mqtt_queue WHERE seq IN (`+store.Placeholders(1, len(some))+`)`,
				store.Args(some)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// DropReceived forgets a message of QoS 2 that the client has released.
func (repo *Repository) DropReceived(ctx context.Context, r domain.MQTTReceived) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM mqtt_received WHERE session_id = $1 AND packet_id = $2`, r.Session,
			r.PacketID)
		return err
	})
}

func joinNumbers(ns []uint32) string {
	var b strings.Builder
	for i, n := range ns {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.FormatUint(uint64(n), 10))
	}
	return b.String()
}

func splitNumbers(s string) (ns []uint32) {
	for f := range strings.FieldsSeq(s) {
		if n, err := strconv.ParseUint(f, 10, 32); err == nil {
			ns = append(ns, uint32(n))
		}
	}
	return ns
}
