package mails

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const (
	noticeInterval = 24 * time.Hour // minimum interval between notices of one name
	maxQueued      = 10_000         // waiting mails
)

// QueueMail stores a mail until it is sent. If once is not empty and a mail of that name was queued
// in the last 24 hours, by any node, it stores nothing and returns false.
func (repo *Repository) QueueMail(ctx context.Context, m domain.QueuedMail, once string) (queued bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		queued = false
		if once != "" {
			res, err := t.ExecContext(ctx, `INSERT INTO mail_notices (name, at) VALUES ($1, $2)
				ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE mail_notices.at <=
				$3`, once, store.Millis(m.Created), store.Millis(m.Created.Add(-noticeInterval)))
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				return err
			}
		}
		err := Queue(ctx, t, m)
		queued = err == nil
		return err
	})
	return queued, err
}

// Queue stores a mail until it is sent, with what else t writes.
func Queue(ctx context.Context, t *store.Tx, m domain.QueuedMail) error {
	var waiting int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM mails WHERE state = 'waiting' LIMIT $1) AS w`,
		maxQueued).Scan(&waiting)
	if err != nil {
		return err
	}
	if waiting >= maxQueued {
		return domain.Unavailable.Errorf(domain.CodeMailQueueFull,
			"too many mails are waiting; check why the mail server accepts none").After(time.Minute)
	}
	_, err = t.ExecContext(ctx,
		`INSERT INTO mails (id, recipient, template, data, created_at, next_at, give_up_at, trace)
			VALUES ($1, $2, $3, $4, $5, $5, $6, NULLIF($7, ''))`,
		m.ID, m.To, m.Template, m.Data, store.Millis(m.Created), store.Millis(m.GiveUp), m.Trace)
	return err
}

// ClaimMail leases the mail that has been due for longest: no other worker, on any node, gets it
// during lease. It returns nil if no mail is due.
func (repo *Repository) ClaimMail(ctx context.Context, lease time.Duration, now time.Time) (*domain.QueuedMail, error) {
	const due = `SELECT id FROM mails WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at, id LIMIT 1`
	var id string
	// Usually no mail is due. Then this avoids a write.
	if err := repo.db.QueryRowContext(ctx, due, store.Millis(now)).Scan(&id); errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var m domain.QueuedMail
	var created, giveUp int64
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		return t.QueryRowContext(ctx, `UPDATE mails SET next_at = $2, attempts = attempts + 1 WHERE id = (`+due+
			t.SkipLocked()+`)
			RETURNING id, recipient, template, data, attempts, created_at,
			give_up_at, COALESCE(trace, '')`, store.Millis(now), store.Millis(now.Add(lease))).
			Scan(&m.ID, &m.To, &m.Template, &m.Data, &m.Attempts, &created, &giveUp, &m.Trace)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil // another worker has claimed it
	}
	if err != nil {
		return nil, err
	}
	m.Created, m.GiveUp = store.Time(created), store.Time(giveUp)
	return &m, nil
}

// RetryMail makes a claimed mail due again at next. attempt is the one it was claimed for: if
// another worker has claimed the mail since, nothing changes.
func (repo *Repository) RetryMail(ctx context.Context, id string, attempt int, next time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE mails SET next_at = $3 WHERE id = $1 AND attempts = $2 AND state = 'waiting'`,
			id, attempt, store.Millis(next))
		return err
	})
}

// FinishMail records that a mail was sent or given up, and deletes its content.
func (repo *Repository) FinishMail(ctx context.Context, id string, sent bool, now time.Time) error {
	state := "failed"
	if sent {
		state = "sent"
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE mails SET state = $2, data = $3, ended_at = $4 WHERE id = $1`, id, state,
			[]byte{}, store.Millis(now))
		return err
	})
}

// WaitingMails returns how many mails wait to be sent.
func (repo *Repository) WaitingMails(ctx context.Context) (n int, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT count(*) FROM mails WHERE state = 'waiting'`).Scan(&n)
	return n, err
}

// PruneMails deletes the mails that ended before a time, with their addresses, and the notices that
// no longer suppress another.
func (repo *Repository) PruneMails(ctx context.Context, before, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := t.ExecContext(ctx, `DELETE FROM mails WHERE state <> 'waiting' AND ended_at < $1`,
			store.Millis(before)); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM mail_notices WHERE at < $1`, store.Millis(now.Add(-noticeInterval)))
		return err
	})
}

// MailState returns how many mails wait and since when, and how many were given up.
func (repo *Repository) MailState(ctx context.Context) (m domain.MailState, err error) {
	var oldest int64
	err = repo.db.QueryRowContext(ctx,
		`SELECT COALESCE(SUM(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN state = 'failed' THEN
			1 ELSE 0 END), 0),
		COALESCE(MIN(CASE WHEN state = 'waiting' THEN created_at END), 0) FROM mails`).Scan(&m.Waiting, &m.Failed, &oldest)
	m.Oldest = store.Time(oldest)
	return m, err
}
