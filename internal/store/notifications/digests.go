package notifications

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/mails"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// Digest returns when user gets digests, when the next one comes, and whether they have an address for it.
func (repo *Repository) Digest(
	ctx context.Context, user string,
) (d domain.DigestSettings, next time.Time, address bool, err error) {
	var minute, due int64
	err = repo.db.QueryRowContext(ctx, `SELECT u.email <> '', COALESCE(d.every, 'never'), COALESCE(d.weekday, 0),
			COALESCE(d.minute, 0), COALESCE(d.zone, ''), COALESCE(d.due_at, 0)
		FROM users u LEFT JOIN digests d ON d.user_id = u.id WHERE u.id = $1`, user).
		Scan(&address, &d.Every, &d.Weekday, &minute, &d.Zone, &due)
	d.Time = time.Duration(minute) * time.Minute
	return d, store.Time(due), address, err
}

// PutDigest stores when user gets digests, and when the next one comes. One that is being made is dropped. What digests
// have told is not told again by those of later settings.
func (repo *Repository) PutDigest(ctx context.Context, user string, d domain.DigestSettings, next time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO digests (user_id, every, weekday, minute, zone, claim, due_at)
			VALUES ($1, $2, $3, $4, $5, 1, $6) ON CONFLICT (user_id) DO UPDATE SET every = excluded.every,
			weekday = excluded.weekday, minute = excluded.minute, zone = excluded.zone, due_at = excluded.due_at,
			claim = digests.claim + 1`, user, d.Every, int64(d.Weekday), int64(d.Time/time.Minute), d.Zone,
			store.Millis(next))
		return err
	})
}

// ClaimDigests leases the digests that are due, at most limit: nobody else, on any node, gets them during lease.
func (repo *Repository) ClaimDigests(
	ctx context.Context, limit int, lease time.Duration, now time.Time,
) (claimed []domain.DueDigest, err error) {
	const due = `due_at > 0 AND due_at <= $1`
	var any bool
	// Usually none is due. Then this avoids a write.
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM digests WHERE `+due+`)`, store.Millis(now)).Scan(&any)
	if err != nil || !any {
		return nil, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		claimed = nil
		rows, err := t.QueryContext(ctx, `SELECT user_id FROM digests WHERE `+due+` ORDER BY due_at, user_id LIMIT $2`+
			t.SkipLocked(), store.Millis(now), limit)
		if err != nil {
			return err
		}
		users, err := store.Collect(rows, store.ScanString)
		if err != nil {
			return err
		}
		for _, user := range users {
			d, err := claimDigest(ctx, t, user, now.Add(lease))
			if err != nil {
				return err
			}
			claimed = append(claimed, d)
		}
		return nil
	})
	if err != nil {
		return nil, err // nothing is leased
	}
	return claimed, nil
}

func claimDigest(ctx context.Context, t *store.Tx, user string, until time.Time) (d domain.DueDigest, err error) {
	d.User = user
	var minute int64
	var settings string
	err = t.QueryRowContext(ctx, `UPDATE digests SET due_at = $2, claim = claim + 1 WHERE user_id = $1
		RETURNING every, weekday, minute, zone, claim`, user, store.Millis(until)).
		Scan(&d.Settings.Every, &d.Settings.Weekday, &minute, &d.Settings.Zone, &d.Claim)
	if err != nil {
		return d, err
	}
	d.Settings.Time = time.Duration(minute) * time.Minute
	err = t.QueryRowContext(ctx, `SELECT u.username, CASE WHEN u.disabled OR u.pending THEN '' ELSE u.email END,
		COALESCE(n.settings, '') FROM users u LEFT JOIN notify_settings n ON n.user_id = u.id WHERE u.id = $1`, user).
		Scan(&d.Username, &d.Email, &settings)
	if err != nil {
		return d, err
	}
	d.Notify, err = parse(settings, user)
	return d, err
}

// Missed returns the rooms in which there is something that user has not read, since a time, and that no digest has
// told them, with one in which something was said last first. Archived rooms are left out, and those of which they want
// to be told nothing. With texts it has those that their keywords may decide on.
func (repo *Repository) Missed(
	ctx context.Context, user string, since time.Time, texts bool,
) (all []domain.MissedRoom, err error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT r.id, r.name, r.kind = 'direct', COALESCE(l.level, ''), r.head, r.replied,
			m.since, m.read_seq, m.threads_read, COALESCE(g.told, 0)
		FROM members m JOIN rooms r ON r.id = m.room_id AND r.kind <> 'gone' AND NOT r.archived AND r.last_at >= $2
		LEFT JOIN notify_levels l ON l.user_id = m.user_id AND l.room_id = m.room_id AND l.thread = 0
		LEFT JOIN digest_marks g ON g.user_id = m.user_id AND g.room_id = m.room_id
		WHERE m.user_id = $1 AND COALESCE(l.level, '') <> 'nothing' AND r.head > COALESCE(g.told, 0)
			AND (r.head > m.read_seq OR r.replied > m.threads_read)
		ORDER BY r.last_at DESC, r.id LIMIT $3`, user, store.Millis(since), domain.MaxMissedRooms)
	if err != nil {
		return nil, err
	}
	type found struct {
		room    domain.MissedRoom
		missing roomlog.Missing
	}
	rooms, err := store.Collect(rows, func(rows *sql.Rows) (found, error) {
		var r domain.MissedRoom
		var read roomlog.Marks
		var told, replied int64
		err := rows.Scan(&r.Room, &r.Name, &r.Direct, &r.Level, &r.Head, &replied, &r.Since, &read.Read, &read.Threads, &told)
		read = roomlog.Marks{Read: max(read.Read, told), Threads: max(read.Threads, told)}
		return found{r, roomlog.Missing{User: user, View: r.View, Marks: read, To: r.Head, Since: since,
			Replies: replied > read.Threads, Texts: texts && r.Level == domain.NotifyMentions}}, err
	})
	if err != nil {
		return nil, err
	}
	for _, f := range rooms {
		if f.room.Lines, f.room.More, err = roomlog.Missed(ctx, repo.db, f.missing); err != nil {
			return nil, err
		}
		if len(f.room.Lines) > 0 {
			all = append(all, f.room)
		}
	}
	return all, nil
}

// Shown returns what a room is called for user, and the events of it with these numbers, in their order.
func (repo *Repository) Shown(
	ctx context.Context, user string, r domain.MissedRoom, seqs []int64,
) (name string, events []domain.Event, err error) {
	if name = r.Name; r.Direct {
		rows, err := repo.db.QueryContext(ctx, `SELECT u.display_name FROM members m JOIN users u ON u.id = m.user_id
			WHERE m.room_id = $1 AND m.user_id <> $2 ORDER BY u.username LIMIT 10`, r.Room, user)
		if err != nil {
			return "", nil, err
		}
		names, err := store.Collect(rows, store.ScanString)
		if err != nil {
			return "", nil, err
		}
		name = strings.Join(names, ", ")
	}
	if len(seqs) == 0 {
		return name, nil, nil
	}
	events, err = roomlog.Brief(ctx, repo.db, r.View, `e.room_id = $1 AND e.seq IN (`+store.Placeholders(2, len(seqs))+
		`) AND e.deleted_at = 0 ORDER BY e.seq`, append([]any{r.Room}, store.Args(seqs)...)...)
	return name, events, err
}

// FinishDigest queues the mail of a claimed digest, nil if there is none, and says when the next one comes and up to
// where it has told of rooms: all of it or, if the settings have changed or somebody else has claimed it since,
// nothing.
func (repo *Repository) FinishDigest(
	ctx context.Context, d domain.DueDigest, mail *domain.QueuedMail, told []domain.MissedRoom, next time.Time,
) (done bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		done = false
		var user string
		err := t.QueryRowContext(ctx, `UPDATE digests SET due_at = $3, claim = claim + 1 WHERE user_id = $1 AND claim = $2
			RETURNING user_id`, d.User, d.Claim, store.Millis(next)).Scan(&user)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, r := range told {
			// Who has left the room meanwhile keeps no mark of it.
			_, err := t.ExecContext(ctx, `INSERT INTO digest_marks (user_id, room_id, told)
				SELECT user_id, room_id, CAST($3 AS BIGINT) FROM members WHERE user_id = $1 AND room_id = $2
				ON CONFLICT (user_id, room_id) DO UPDATE SET told = excluded.told WHERE digest_marks.told < excluded.told`,
				d.User, r.Room, r.Head)
			if err != nil {
				return err
			}
		}
		done = true
		if mail == nil {
			return nil
		}
		return mails.Queue(ctx, t, *mail)
	})
	return done && err == nil, err
}
