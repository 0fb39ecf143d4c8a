package notifications

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// untold are open reports of which those who decide were not told. Those that came before $1 are too old for it.
const untold = `state = 'open' AND told < 2 AND at > $1`

// byModerators are those of them that moderators of the room hear of first, and byAdmins those that administrators may
// decide on since before $2. Only moderators may not have heard of these, too.
const (
	byModerators = untold + ` AND told = 0 AND admins_at > at`
	byAdmins     = untold + ` AND (told = 1 OR admins_at = at)`
)

// TellReports has pushes sent about reports that came at least wait ago, and about all that came since, to those who
// decide on them: to moderators, and again to administrators once these may decide. It returns how many people are
// told.
func (repo *Repository) TellReports(ctx context.Context, wait time.Duration, now time.Time) (told int, err error) {
	since, waited := store.Millis(now.Add(-domain.NotificationsKept)), store.Millis(now.Add(-wait))
	var due bool
	// Usually none is. Then this avoids a write.
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM message_reports WHERE `+byModerators+` AND at <= $2)
		OR EXISTS (SELECT 1 FROM message_reports WHERE `+byAdmins+` AND admins_at <= $2)`, since, waited).Scan(&due)
	if err != nil || !due {
		return 0, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		told = 0
		desks, err := marked(ctx, t, `UPDATE message_reports SET told = 1 WHERE `+byModerators+` AND room_id IN (
			SELECT room_id FROM message_reports WHERE `+byModerators+` AND at <= $2) RETURNING room_id`, since, waited)
		if err != nil {
			return err
		}
		admins, err := marked(ctx, t, `UPDATE message_reports SET told = 2 WHERE `+byAdmins+` AND admins_at <= $3
			AND EXISTS (SELECT 1 FROM message_reports WHERE `+byAdmins+` AND admins_at <= $2) RETURNING ''`, since, waited,
			store.Millis(now))
		if err != nil {
			return err
		}
		for _, desk := range append(desks, admins...) {
			n, err := tellDesk(ctx, t, desk, now)
			if err != nil {
				return err
			}
			told += n
		}
		return nil
	})
	return told, err
}

// marked carries out an update that returns desks, and returns each once.
func marked(ctx context.Context, t *store.Tx, update string, args ...any) (desks []string, err error) {
	rows, err := t.QueryContext(ctx, update, args...)
	if err != nil {
		return nil, err
	}
	all, err := store.Collect(rows, store.ScanString)
	seen := map[string]bool{}
	for _, desk := range all {
		if !seen[desk] {
			seen[desk] = true
			desks = append(desks, desk)
		}
	}
	return desks, err
}

// tellDesk has pushes sent to the subscriptions of those who decide at a desk. Whom there is nothing to tell is seen
// when a push is sent.
func tellDesk(ctx context.Context, t *store.Tx, desk string, now time.Time) (people int, err error) {
	who := `SELECT m.user_id FROM members m WHERE m.room_id = $1 AND m.role <> 'member'`
	if desk == "" {
		who = `SELECT u.id FROM users u WHERE u.role = 'admin'`
	}
	rows, err := t.QueryContext(ctx, `INSERT INTO report_pushes (subscription_id, desk, seq, since, due_at)
		SELECT p.id, CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($2 AS BIGINT), CAST($2 AS BIGINT)
			FROM push_subscriptions p JOIN sessions s ON s.id = p.session_id WHERE p.user_id IN (`+who+`) AND `+live("$2")+`
		ON CONFLICT (subscription_id, desk) DO UPDATE SET seq = excluded.seq
		RETURNING (SELECT p.user_id FROM push_subscriptions p WHERE p.id = subscription_id)`, desk, store.Millis(now))
	if err != nil {
		return 0, err
	}
	users, err := store.Collect(rows, store.ScanString)
	seen := map[string]bool{}
	for _, user := range users {
		seen[user] = true
	}
	return len(seen), err
}

// everyRoom stands for the rooms of all moderators in waitingReports.
const everyRoom = "*"

// waitingReports are messages on whose reports user $1 decides at time $3, in room $2 or everyRoom as a moderator, or
// with admins as an administrator: not their own, nor those that they alone have reported.
func waitingReports(admins bool) string {
	const own = ` AND SUM(CASE WHEN p.user_id <> $1 THEN 1 ELSE 0 END) > 0`
	const from = `SELECT p.room_id, p.seq, MAX(p.at) AS at FROM message_reports p
		JOIN rooms r ON r.id = p.room_id AND r.kind <> 'gone'
		JOIN events e ON e.room_id = p.room_id AND e.seq = p.seq AND e.actor_id <> $1 `
	if admins {
		return from + `WHERE p.state = 'open' AND $2 IN ('', '*')
			GROUP BY p.room_id, p.seq HAVING MIN(p.admins_at) <= $3` + own
	}
	return from + `JOIN members m ON m.room_id = p.room_id AND m.user_id = $1 AND m.role <> 'member' AND p.seq > m.since
		WHERE p.state = 'open' AND ($2 = '*' OR p.room_id = $2) AND p.at <= $3
		GROUP BY p.room_id, p.seq HAVING MIN(p.admins_at - p.at) > 0` + own
}

// reportsState tells what a push about reports is about. It is empty if none waits for its user any more, or they want
// to be told of none, or nothing of the room, or decide no longer, or their session has ended.
func (repo *Repository) reportsState(
	ctx context.Context, p domain.Push, now time.Time,
) (st domain.PushState, err error) {
	var settings, role string
	var level domain.NotifyLevel
	user := p.Subscription.User
	err = repo.db.QueryRowContext(ctx, `SELECT COALESCE(n.settings, ''), COALESCE(n.version, 0), u.status_mode, u.role,
			COALESCE(r.name, ''), COALESCE(r.avatar, ''), COALESCE(l.level, '')
		FROM users u JOIN sessions s ON s.id = $3 AND `+live("$4")+`
		LEFT JOIN rooms r ON r.id = $2
		LEFT JOIN notify_settings n ON n.user_id = u.id
		LEFT JOIN notify_levels l ON l.user_id = u.id AND l.room_id = $2 AND l.thread = 0
		WHERE u.id = $1 AND NOT u.disabled`, user, p.Room, p.Subscription.Session, store.Millis(now)).
		Scan(&settings, &st.Version, &st.Mode, &role, &st.Name, &st.Picture, &level)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.PushState{}, nil
	}
	if err != nil {
		return st, err
	}
	if st.Settings, err = parse(settings, user); err != nil {
		return st, err
	}
	st.Reason = domain.NotifiedReport
	if !st.Settings.TellsReports(level) || p.Room == "" && role != string(domain.SystemAdmin) {
		return st, nil
	}
	err = repo.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM (`+waitingReports(p.Room == "")+`) AS waiting`, user, p.Room,
		store.Millis(now)).Scan(&st.Count)
	return st, err
}

// ReportsWaiting returns how many messages wait for the decision of user, whether as a moderator or an administrator,
// and when the last one was reported. Rooms of which they want to be told nothing are left out.
func (repo *Repository) ReportsWaiting(
	ctx context.Context, user string, now time.Time,
) (count int, last time.Time, err error) {
	var admin bool
	err = repo.db.QueryRowContext(ctx, `SELECT role = 'admin' FROM users WHERE id = $1`, user).Scan(&admin)
	if err != nil {
		return 0, last, err
	}
	from := waitingReports(false)
	if admin {
		from += " UNION " + waitingReports(true)
	}
	var at int64
	err = repo.db.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MAX(w.at), 0) FROM (`+from+`) AS w
		WHERE NOT EXISTS (SELECT 1 FROM notify_levels l WHERE l.user_id = $1 AND l.room_id = w.room_id AND l.thread = 0
			AND l.level = 'nothing')`, user, everyRoom, store.Millis(now)).Scan(&count, &at)
	return count, store.Time(at), err
}
