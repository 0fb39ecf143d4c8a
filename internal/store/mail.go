package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	noticeEvery = 24 * time.Hour // how often a notice of one name may be sent
	mailsAtMost = 10_000         // wait at a time
)

// QueueMail keeps a mail until it is sent. With a name in once, it reports false
// and keeps nothing if a mail of that name was queued in the last 24 hours,
// by whichever node.
func (db *DB) QueueMail(ctx context.Context, m domain.QueuedMail, once string) (queued bool, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		queued = false
		if once != "" {
			res, err := t.ExecContext(ctx, `INSERT INTO mail_notices (name, at) VALUES ($1, $2)
				ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE mail_notices.at <= $3`, once, ms(m.Created), ms(m.Created.Add(-noticeEvery)))
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				return err
			}
		}
		var waiting int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM mails WHERE state = 'waiting' LIMIT $1) AS w`, mailsAtMost).Scan(&waiting)
		if err != nil {
			return err
		}
		if waiting >= mailsAtMost {
			return domain.Unavailable.Errorf("mail_queue_full", "too many mails wait to be sent; see why the mail server takes none").After(time.Minute)
		}
		_, err = t.ExecContext(ctx, `INSERT INTO mails (id, recipient, template, data, created_at, next_at, give_up_at) VALUES ($1, $2, $3, $4, $5, $5, $6)`,
			m.ID, m.To, m.Template, m.Data, ms(m.Created), ms(m.GiveUp))
		queued = err == nil
		return err
	})
	return queued, err
}

// ClaimMail takes the mail that has waited longest and is due, for the time of
// lease: no other worker, on this node or another, gets it before then. Nil
// means that none is due.
func (db *DB) ClaimMail(ctx context.Context, lease time.Duration, now time.Time) (*domain.QueuedMail, error) {
	const due = `SELECT id FROM mails WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at, id LIMIT 1`
	var id string
	// Most of the time none is due: then nothing is written.
	if err := db.read.QueryRowContext(ctx, due, ms(now)).Scan(&id); errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var m domain.QueuedMail
	var created, giveUp int64
	err := db.write(ctx, func(ctx context.Context, t *tx) error {
		pick := due
		if t.d == postgres {
			pick += t.d.forUpdate + " SKIP LOCKED"
		}
		return t.QueryRowContext(ctx, `UPDATE mails SET next_at = $2, attempts = attempts + 1 WHERE id = (`+pick+`)
			RETURNING id, recipient, template, data, attempts, created_at, give_up_at`, ms(now), ms(now.Add(lease))).
			Scan(&m.ID, &m.To, &m.Template, &m.Data, &m.Attempts, &created, &giveUp)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil // another worker was quicker
	}
	if err != nil {
		return nil, err
	}
	m.Created, m.GiveUp = at(created), at(giveUp)
	return &m, nil
}

// RetryMail lets a claimed mail wait until next. Attempt is the one that it was
// claimed for: a claim that has passed to another worker is left alone.
func (db *DB) RetryMail(ctx context.Context, id string, attempt int, next time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `UPDATE mails SET next_at = $3 WHERE id = $1 AND attempts = $2 AND state = 'waiting'`, id, attempt, ms(next))
		return err
	})
}

// EndMail records that a mail was sent, or else given up, and drops what it said.
func (db *DB) EndMail(ctx context.Context, id string, sent bool, now time.Time) error {
	state := "failed"
	if sent {
		state = "sent"
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `UPDATE mails SET state = $2, data = $3, ended_at = $4 WHERE id = $1`, id, state, []byte{}, ms(now))
		return err
	})
}

// WaitingMails returns how many mails wait to be sent.
func (db *DB) WaitingMails(ctx context.Context) (n int, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT count(*) FROM mails WHERE state = 'waiting'`).Scan(&n)
	return n, err
}

// ForgetMails removes the mails that ended before a time, with their addresses,
// and notices that hold nothing back any more.
func (db *DB) ForgetMails(ctx context.Context, before, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.ExecContext(ctx, `DELETE FROM mails WHERE state <> 'waiting' AND ended_at < $1`, ms(before)); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM mail_notices WHERE at < $1`, ms(now.Add(-noticeEvery)))
		return err
	})
}
