package roomlog

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Missing says which of the lines of a room and replies in its threads somebody has missed.
type Missing struct {
	User    string
	View    domain.View
	Marks   Marks
	To      int64     // up to this number
	Since   time.Time // and no older
	Replies bool      // there may be replies that they have not read
	Texts   bool      // the texts are wanted, too
}

// missedColumns are of the event e, which user $3 has missed, with their row t of its thread and what they have chosen
// for that in l.
const missedColumns = `SELECT e.seq, COALESCE(e.thread, 0), e.thread IS NULL OR e.broadcast,
	EXISTS (SELECT 1 FROM mentions n WHERE n.user_id = $3 AND n.room_id = e.room_id AND n.seq = e.seq), e.mention_room,
	COALESCE(t.following, FALSE), COALESCE(l.level, ''), CASE WHEN $6 THEN COALESCE(e.text, '') ELSE '' END`

const missedTables = ` LEFT JOIN thread_marks t ON t.user_id = $3 AND t.room_id = e.room_id AND t.root = e.thread
	LEFT JOIN notify_levels l ON l.user_id = $3 AND l.room_id = e.room_id AND l.thread = e.thread AND e.thread <> 0`

// missed is the condition of SQL that e is of another user, whom $3 has not blocked, and is there still.
var missed = `e.room_id = $1 AND e.seq <= $4 AND e.at >= $5 AND e.deleted_at = 0 AND e.actor_id <> $3 AND ` +
	NotBlocked("$3", "e.actor_id")

// missedLines and missedReplies return the last ones first. The first has the condition of the index of lines.
var (
	missedLines = missedColumns + ` FROM (SELECT * FROM events WHERE room_id = $1 AND seq > $2 AND ` + MainLines + ` AND ` +
		unreadTypes + `) AS e` + missedTables + ` WHERE ` + missed + ` ORDER BY e.seq DESC LIMIT $7`
	missedReplies = missedColumns + ` FROM (
			SELECT e.seq FROM thread_marks t JOIN events e ON e.room_id = t.room_id AND e.thread = t.root
				AND e.thread IS NOT NULL AND e.deleted_at = 0
				WHERE t.user_id = $3 AND t.room_id = $1 AND t.following AND e.seq > $2
			UNION SELECT e.seq FROM notify_levels l JOIN events e ON e.room_id = l.room_id AND e.thread = l.thread
				AND e.thread IS NOT NULL AND e.deleted_at = 0
				WHERE l.user_id = $3 AND l.room_id = $1 AND l.level = 'all' AND l.thread > 0 AND e.seq > $2
			UNION SELECT seq FROM mentions WHERE user_id = $3 AND room_id = $1 AND seq > $2 AND thread IS NOT NULL
			UNION SELECT seq FROM events WHERE room_id = $1 AND seq > $2 AND mention_room AND thread IS NOT NULL) AS w
		JOIN events e ON e.room_id = $1 AND e.seq = w.seq` + missedTables + ` WHERE ` + missed + ` AND NOT e.broadcast
			AND (t.root IS NULL OR e.seq > t.read_seq AND e.seq >= t.since) ORDER BY e.seq DESC LIMIT $7`
)

// Missed returns what somebody has missed of a room, in the order of the log, and whether there is more than it looks
// at.
func Missed(ctx context.Context, q store.Queryer, m Missing) (lines []domain.MissedLine, more bool, err error) {
	read := func(query string, after int64) error {
		rows, err := q.QueryContext(ctx, query, m.View.Room, m.View.After(after), m.User, m.To, store.Millis(m.Since),
			m.Texts, domain.MaxMissedLines+1)
		if err != nil {
			return err
		}
		found, err := store.Collect(rows, scanMissed)
		if len(found) > domain.MaxMissedLines {
			found, more = found[:domain.MaxMissedLines], true
		}
		lines = append(lines, found...)
		return err
	}
	if err = read(missedLines, m.Marks.Read); err == nil && m.Replies {
		err = read(missedReplies, m.Marks.Threads)
	}
	slices.SortFunc(lines, func(a, b domain.MissedLine) int { return cmp.Compare(a.Seq, b.Seq) })
	return lines, more, err
}

func scanMissed(rows *sql.Rows) (l domain.MissedLine, err error) {
	err = rows.Scan(&l.Seq, &l.Thread, &l.To.Main, &l.To.Named, &l.To.NamesRoom, &l.To.Follows, &l.To.Thread, &l.Text)
	return l, err
}
