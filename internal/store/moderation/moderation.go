// Package moderation has the SQL of reports of messages, and of what those decide who moderate.
package moderation

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/messages"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Repository stores reports.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// Report stores that r.By.ID reports a message of a room that they may read. If they have reported it before, it
// changes nothing and returns what was stored then, and fresh is false. admins says that moderators of the room do not
// decide on it.
func (repo *Repository) Report(
	ctx context.Context, r domain.MessageReport, now time.Time,
) (kept domain.MessageReport, fresh, admins bool, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		fresh, admins = false, false
		room, m, err := rooms.LockAndAuthorize(ctx, t, r.Room, r.By.ID, domain.ReadRoom, now)
		if err != nil {
			return err
		}
		had, err := reportsWhere(ctx, t, `p.room_id = $1 AND p.seq = $2 AND p.user_id = $3`, r.Room, r.Seq, r.By.ID)
		if err != nil {
			return err
		}
		if len(had) > 0 {
			kept = had[0]
			return nil
		}
		msg, err := reportable(ctx, t, m.View(), r)
		if err != nil {
			return err
		}
		if err := checkLimits(ctx, t, r.By.ID, now); err != nil {
			return err
		}
		author, err := rooms.MemberOf(ctx, t, r.Room, msg.Sender.ID)
		if err != nil {
			return err
		}
		later := now.Add(domain.ReportPatience)
		admins = room.Kind == domain.DirectRoom || room.Archived || domain.Moderates(room, author)
		if admins {
			later = now
		}
		kept, fresh = r, true
		kept.ID, kept.Text, kept.At, kept.State = domain.NewID(domain.ReportPrefix), msg.Text, now, domain.ReportOpen
		return insert(ctx, t, kept, later)
	})
	return kept, fresh, admins, err
}

// insert stores a report, on which administrators may decide too from the time later on.
func insert(ctx context.Context, t *store.Tx, r domain.MessageReport, later time.Time) error {
	_, err := t.ExecContext(ctx, `INSERT INTO message_reports (id, room_id, seq, user_id, reason, note, text, at,
			admins_at, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, r.ID, r.Room, r.Seq, r.By.ID, r.Reason, r.Note, r.Text,
		store.Millis(r.At), store.Millis(later), r.State)
	return err
}

// reportable returns the message that r reports, or says why it cannot be reported.
func reportable(
	ctx context.Context, t *store.Tx, v domain.View, r domain.MessageReport,
) (*domain.Message, error) {
	msg, err := roomlog.Message(ctx, t, v, r.Seq)
	switch {
	case err != nil:
		return nil, err
	case !msg.DeletedAt.IsZero():
		return nil, domain.Conflict.Errorf(domain.CodeMessageDeleted, "this message was deleted")
	case msg.Sender.ID == r.By.ID:
		return nil, domain.Conflict.Errorf(domain.CodeReportOwn, "this message is your own: edit or delete it")
	}
	return msg, nil
}

// checkLimits fails if user has reported as many messages as one person may in an hour, or in a day.
func checkLimits(ctx context.Context, t *store.Tx, user string, now time.Time) error {
	if err := t.LockKey(ctx, "reports "+user); err != nil {
		return err
	}
	for _, limit := range []struct {
		n      int
		window time.Duration
	}{{domain.ReportsPerHour, time.Hour}, {domain.ReportsPerDay, 24 * time.Hour}} {
		var oldest int64
		err := t.QueryRowContext(ctx, `SELECT at FROM message_reports WHERE user_id = $1 AND at > $2 ORDER BY at DESC, id DESC
			LIMIT 1 OFFSET $3`, user, store.Millis(now.Add(-limit.window)), limit.n-1).Scan(&oldest)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		return domain.RateLimited.Errorf(domain.CodeTooManyReports,
			"you have reported %d messages, as many as one person can in that time; try again later", limit.n).
			After(store.Time(oldest).Add(limit.window).Sub(now))
	}
	return nil
}

// reportsWhere reads reports p. rest is what follows WHERE.
func reportsWhere(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.MessageReport, error) {
	rows, err := q.QueryContext(ctx, `SELECT p.id, p.room_id, p.seq, p.reason, p.note, p.text, p.at, p.state, p.decided_at,
			u.id, u.kind, u.username, u.display_name, u.avatar
		FROM message_reports p LEFT JOIN users u ON u.id = p.user_id WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.MessageReport, err error) {
		var at, decided int64
		var by accounts.RefRow
		dest := []any{&r.ID, &r.Room, &r.Seq, &r.Reason, &r.Note, &r.Text, &at, &r.State, &decided}
		err = rows.Scan(append(dest, by.Dest()...)...)
		r.At, r.DecidedAt, r.By = store.Time(at), store.Time(decided), by.Ref()
		return r, err
	})
}

// ReportsBy returns reports of user, the last first, after a place in that order. Those of rooms that were deleted are
// left out.
func (repo *Repository) ReportsBy(
	ctx context.Context, user string, c domain.OwnReportCursor, limit int,
) ([]domain.MessageReport, error) {
	if c.At == 0 {
		c.At = math.MaxInt64
	}
	return reportsWhere(ctx, repo.db, `p.user_id = $1 AND (p.at, p.id) < ($2, $3)
		AND EXISTS (SELECT 1 FROM rooms r WHERE r.id = p.room_id AND r.kind <> 'gone')
		ORDER BY p.at DESC, p.id DESC LIMIT $4`, user, c.At, c.ID, limit)
}

const exportBatch = 500

// EachReportBy calls do for each report of user, and returns how many there are.
func (repo *Repository) EachReportBy(
	ctx context.Context, user string, do func(domain.MessageReport) error,
) (count int, err error) {
	var c domain.OwnReportCursor
	for {
		page, err := repo.ReportsBy(ctx, user, c, exportBatch)
		if err != nil {
			return count, err
		}
		for _, r := range page {
			if err := do(r); err != nil {
				return count, err
			}
			c = domain.OwnReportCursor{At: store.Millis(r.At), ID: r.ID}
		}
		if count += len(page); len(page) < exportBatch {
			return count, nil
		}
	}
}

// EraseUser takes the name of a user off what they reported. What was decided stays, and so does what is still to be.
func EraseUser(ctx context.Context, t *store.Tx, user string) error {
	_, err := t.ExecContext(ctx, `UPDATE message_reports SET user_id = '' WHERE user_id = $1`, user)
	return err
}

// Moderators returns the ids of those people who hear of reports of a message: moderators of its room, or with admins
// the administrators of the server. Its author is none of them.
func (repo *Repository) Moderators(ctx context.Context, room string, seq int64, admins bool) ([]string, error) {
	const author = `COALESCE((SELECT e.actor_id FROM events e WHERE e.room_id = $1 AND e.seq = $2), '')`
	query, args := `SELECT m.user_id FROM members m JOIN users u ON u.id = m.user_id WHERE m.room_id = $1
		AND m.since < $2 AND m.role <> $3 AND u.kind = $4 AND u.id <> `+author, []any{room, seq, domain.RegularMember, domain.KindUser}
	if admins {
		query, args = `SELECT u.id FROM users u WHERE u.role = $3 AND NOT u.disabled AND u.id <> `+author,
			[]any{room, seq, domain.SystemAdmin}
	}
	rows, err := repo.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// Decide closes the open reports of a message, which it deletes if state says so.
func (repo *Repository) Decide(
	ctx context.Context, d domain.ReportDesk, seq int64, state domain.ReportState,
) (done domain.ReportDecision, err error) {
	d.Now = store.Trim(d.Now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		done = domain.ReportDecision{State: state}
		room, err := rooms.ByID(ctx, t, d.Room, t.ForUpdate())
		if err != nil {
			return err
		}
		if _, err := one(ctx, t, d, seq); err != nil {
			return err
		}
		decide := keep
		if state == domain.ReportRemoved {
			decide = remove
		}
		if err := decide(ctx, t, room, d, seq); err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `UPDATE message_reports SET state = $3, decided_by = $4, decided_at = $5
			WHERE room_id = $1 AND seq = $2 AND state = 'open' RETURNING user_id`, d.Room, seq, state, d.User,
			store.Millis(d.Now))
		if err != nil {
			return err
		}
		all, err := store.Collect(rows, store.ScanString)
		for _, user := range all {
			if user != "" {
				done.Reporters = append(done.Reporters, user)
			}
		}
		done.Reports = len(all)
		return err
	})
	return done, err
}

// remove deletes a reported message, unless it was deleted meanwhile.
func remove(ctx context.Context, t *store.Tx, room domain.Room, d domain.ReportDesk, seq int64) error {
	msg, err := roomlog.Message(ctx, t, domain.WholeLog(d.Room), seq)
	if err != nil || !msg.DeletedAt.IsZero() {
		return err
	}
	actor, err := decider(ctx, t, room, d)
	if err == nil {
		_, err = messages.Delete(ctx, t, room, actor, msg, d.Now)
	}
	return err
}

// keep takes the server's flag off a reported message, if it has one.
func keep(ctx context.Context, t *store.Tx, room domain.Room, d domain.ReportDesk, seq int64) error {
	msg, err := roomlog.Message(ctx, t, domain.WholeLog(d.Room), seq)
	if err != nil || msg.Flag == nil {
		return unlessGone(err)
	}
	actor, err := decider(ctx, t, room, d)
	if err != nil {
		return err
	}
	return roomlog.SetFlag(ctx, t, msg, nil, actor, d.Now)
}

// decider is the user of d, if they may delete messages of others.
func decider(ctx context.Context, t *store.Tx, room domain.Room, d domain.ReportDesk) (domain.UserRef, error) {
	if d.Admin {
		return accounts.Ref(ctx, t, d.User)
	}
	m, err := rooms.MemberOf(ctx, t, d.Room, d.User)
	if err != nil {
		return domain.UserRef{}, err
	}
	return m.User, domain.Allow(room, m, domain.DeleteAny, d.Now)
}
