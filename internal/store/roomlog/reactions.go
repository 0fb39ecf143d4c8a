package roomlog

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// fillReactions reads the reactions to those messages that have some, with one query for each room.
func fillReactions(ctx context.Context, q store.Queryer, rows []Row) error {
	wanted := func(r Row, m *domain.Message) bool { return r.reacted > 0 && m.DeletedAt.IsZero() }
	for room, messages := range byRoom(rows, wanted) {
		if err := fillRoom(ctx, q, room, messages); err != nil {
			return err
		}
	}
	return nil
}

// fillRoom reads the reactions to messages of room. Each emoji has the place that it got when it was first
// given; each user, too. Before those of a message comes the number of the last event that they have, by the same
// statement: one that was committed since the messages were read would else be counted twice by whoever applies what
// follows.
func fillRoom(ctx context.Context, q store.Queryer, room string, messages map[int64][]*domain.Message) error {
	these := `room_id = $1 AND seq IN (` + store.Placeholders(3, len(messages)) + `)`
	rows, err := q.QueryContext(ctx, `SELECT seq, since, emoji, place, total, user_id FROM (
			SELECT seq, emoji, user_id, since,
			COUNT(*) OVER (PARTITION BY seq, emoji) AS total,
			ROW_NUMBER() OVER (PARTITION BY seq, emoji ORDER BY event, user_id) AS place
			FROM reactions WHERE `+these+`) AS given
		WHERE place <= $2
		UNION ALL SELECT seq, 0, '', 0, reacted, '' FROM events WHERE `+these+` ORDER BY 1, 2, 3, 4`,
		append([]any{room, domain.MaxReactors}, seqsOf(messages)...)...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var r domain.Reactions
	var seq int64
	assign := func() {
		for _, m := range messages[seq] {
			m.Reactions = r
		}
	}
	listed := 0
	for rows.Next() {
		var of, since, place, total int64
		var emoji, user string
		if err := rows.Scan(&of, &since, &emoji, &place, &total, &user); err != nil {
			return err
		}
		if of != seq {
			assign()
			r, seq, listed = domain.Reactions{Seq: total}, of, 0
			continue
		}
		if n := len(r.All); n == 0 || r.All[n-1].Emoji != emoji {
			r.All = append(r.All, domain.Reaction{Emoji: emoji, Count: int(total)})
		}
		if listed++; listed <= domain.MaxReactorsListed {
			last := &r.All[len(r.All)-1]
			last.Users = append(last.Users, user)
		}
	}
	assign()
	return rows.Err()
}

// MarkMine says of the reactions to messages which of them user has given, and of polls for what they voted.
func (repo *Repository) MarkMine(ctx context.Context, user string, messages []*domain.Message) error {
	unknown := make(map[string]map[int64]*domain.Message) // not all who reacted are listed
	for _, m := range messages {
		if markListed(m, user) {
			continue
		}
		if unknown[m.Room] == nil {
			unknown[m.Room] = make(map[int64]*domain.Message)
		}
		unknown[m.Room][m.Seq] = m
	}
	for room, of := range unknown {
		args := []any{room, user}
		for seq := range of {
			args = append(args, seq)
		}
		rows, err := repo.db.QueryContext(ctx, `SELECT seq, emoji FROM reactions WHERE room_id = $1 AND user_id = $2
			AND seq IN (`+store.Placeholders(3, len(of))+`)`, args...)
		if err != nil {
			return err
		}
		if err := markRows(rows, of); err != nil {
			return err
		}
	}
	return markVotes(ctx, repo.db, user, messages)
}

// markListed marks the reactions of user as far as users are listed, and reports whether all are.
func markListed(m *domain.Message, user string) (all bool) {
	all = true
	for i := range m.Reactions.All {
		r := &m.Reactions.All[i]
		for _, id := range r.Users {
			r.Mine = r.Mine || id == user
		}
		all = all && (r.Mine || len(r.Users) == r.Count)
	}
	return all
}

func markRows(rows *sql.Rows, of map[int64]*domain.Message) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq int64
		var emoji string
		if err := rows.Scan(&seq, &emoji); err != nil {
			return err
		}
		all := of[seq].Reactions.All
		for i := range all {
			all[i].Mine = all[i].Mine || all[i].Emoji == emoji
		}
	}
	return rows.Err()
}

// Reactors returns up to limit users who gave emoji to a message, in the order in which they did, after the
// number of an event.
func (repo *Repository) Reactors(
	ctx context.Context, v domain.View, seq int64, emoji string, after int64, limit int,
) ([]domain.Reactor, error) {
	if err := v.Require(seq); err != nil {
		return nil, err
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT r.event, r.at, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM reactions r JOIN users u ON u.id = r.user_id WHERE r.room_id = $1 AND r.seq = $2 AND r.emoji = $3
		AND r.event > $4 ORDER BY r.event LIMIT $5`, v.Room, seq, emoji, after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.Reactor, err error) {
		var at int64
		var user accounts.RefRow
		err = rows.Scan(append([]any{&r.Seq, &at}, user.Dest()...)...)
		r.At, r.User = store.Time(at), user.Ref()
		return r, err
	})
}

// EachReactionBy calls do for each reaction of user that is still there, and returns how many there are.
func (repo *Repository) EachReactionBy(
	ctx context.Context, user string, do func(domain.ReactionBy) error,
) (count int, err error) {
	for after, more := (domain.ReactionBy{}), true; more; {
		page, err := repo.reactionsBy(ctx, user, after)
		if err != nil {
			return count, err
		}
		for _, r := range page {
			if err := do(r); err != nil {
				return count, err
			}
			after = r
		}
		count += len(page)
		more = len(page) == exportBatch
	}
	return count, nil
}

func (repo *Repository) reactionsBy(
	ctx context.Context, user string, after domain.ReactionBy,
) ([]domain.ReactionBy, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT room_id, seq, emoji, at FROM reactions WHERE user_id = $1
		AND (room_id, seq, emoji) > ($2, $3, $4) ORDER BY room_id, seq, emoji LIMIT $5`, user, after.Room, after.Seq,
		after.Emoji, exportBatch)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.ReactionBy, err error) {
		var at int64
		err = rows.Scan(&r.Room, &r.Seq, &r.Emoji, &at)
		r.At = store.Time(at)
		return r, err
	})
}
