// Package search has the SQL of the search index, and the indexer that keeps it up to
// date.
package search

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/naming"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// maxPos is greater than every position in the log, and than every time.
const maxPos = int64(1) << 62

// A Repository finds messages.
type Repository struct {
	db      *store.DB
	backend backend
	indexer *indexer // nil: not started
	vectors vectorIndex
}

// New returns the search on db. Its index is not kept up to date before Start.
func New(db *store.DB) *Repository { return &Repository{db: db, backend: backendOf(db.Name())} }

// rankedHits is how many of the newest matches a search by relevance ranks. Ranking all matches of a
// common word would take seconds in a large store.
const rankedHits = 400

// roomsPerQuery is how many rooms one query of the index covers.
const roomsPerQuery = 64

// Search finds messages in the rooms that user is a member of at present. In order Newest it stops
// when the page is full. In order Relevance it ranks the newest 400 matches and ignores older ones.
// next is nil on the last page. Messages in other rooms do not affect its duration.
func (repo *Repository) Search(
	ctx context.Context, user string, q fulltext.Query, order domain.SearchOrder, c domain.SearchCursor, limit int,
) (hits []domain.Hit, next *domain.SearchCursor, err error) {
	if q.Nothing() {
		return nil, nil, nil
	}
	s, err := repo.scope(ctx, user, q)
	if err != nil {
		return nil, nil, err
	}
	if order == domain.Relevance {
		return repo.ranked(ctx, s, c, limit)
	}
	hits, err = repo.matches(ctx, s, c.Pos, limit+1)
	if len(hits) > limit {
		hits = hits[:limit]
		next = &domain.SearchCursor{Pos: hits[limit-1].Pos}
	}
	return hits, next, err
}

func (repo *Repository) ranked(
	ctx context.Context, s scope, c domain.SearchCursor, limit int,
) ([]domain.Hit, *domain.SearchCursor, error) {
	hits, err := repo.matches(ctx, s, c.Pos, rankedHits)
	if err != nil {
		return nil, nil, err
	}
	s.rank(hits)
	return page(hits, c, limit)
}

// rank sorts hits, of which the newest comes first, by how well they fit the words.
func (s scope) rank(hits []domain.Hit) {
	scores := make(map[int64]float64, len(hits))
	for _, h := range hits {
		scores[h.Pos] = s.q.Score(h.Message.Text)
	}
	slices.SortStableFunc(hits, func(a, b domain.Hit) int { return cmp.Compare(scores[b.Pos], scores[a.Pos]) })
}

// page returns the page of ranked hits that c says, and the cursor of the next.
func page(hits []domain.Hit, c domain.SearchCursor, limit int) ([]domain.Hit, *domain.SearchCursor, error) {
	top := c.Pos
	if top <= 0 { // later pages rank the same hits, whatever came meanwhile
		for _, h := range hits {
			top = max(top, h.Pos+1)
		}
	}
	hits = hits[min(max(c.Skip, 0), len(hits)):] // the cursor may be made up
	if len(hits) <= limit {
		return hits, nil, nil
	}
	return hits[:limit], &domain.SearchCursor{Pos: top, Skip: c.Skip + limit}, nil
}

// scope is a query with its names resolved to ids.
type scope struct {
	q         fulltext.Query
	user      string
	senders   []string // ids of possible senders; empty: anybody
	mentioned []string // ids of users of whom messages mention one; empty: messages may mention anybody, or nobody
	rooms     []int64  // numbers of the rooms, the most recently active first
}

// scope resolves the names in from:, mentions: and in:.
func (repo *Repository) scope(ctx context.Context, user string, q fulltext.Query) (s scope, err error) {
	s = scope{q: q, user: user}
	if q.From != "" {
		if s.senders, err = repo.findUsers(ctx, user, "from", q.From); err != nil {
			return s, err
		}
	}
	if q.Mentions != "" {
		if s.mentioned, err = repo.findUsers(ctx, user, "mentions", q.Mentions); err != nil {
			return s, err
		}
	}
	if q.In == "" {
		rows, err := repo.db.QueryContext(ctx,
			`SELECT s.number FROM members m JOIN rooms r ON r.id = m.room_id JOIN search_rooms s ON s.room_id = r.id
			WHERE m.user_id = $1 ORDER BY r.last_at DESC, s.number`, user)
		if err != nil {
			return s, err
		}
		s.rooms, err = store.Collect(rows, store.ScanInt64)
		return s, err
	}
	var room int64
	err = repo.db.QueryRowContext(ctx,
		`SELECT s.number FROM members m JOIN rooms r ON r.id = m.room_id JOIN search_rooms s ON s.room_id = r.id
		WHERE m.user_id = $1 AND (r.id = $2 OR r.name <> '' AND r.folded LIKE $3 ESCAPE '\')
		ORDER BY r.id = $2 DESC, r.name = $2 DESC, r.last_at DESC LIMIT 1`,
		user, q.In, store.EscapeLike(fulltext.Name(q.In))+"\n%").Scan(&room)
	if errors.Is(err, sql.ErrNoRows) {
		return s, badQuery("in: you are in no room called %q", q.In)
	}
	s.rooms = []int64{room}
	return s, err
}

const maxUsers = 32 // whom a display name may name

// findUsers returns who is meant in a filter: whoever searches by Me, the user with a username or an id, or else the
// users whose display name has words with these prefixes.
func (repo *Repository) findUsers(ctx context.Context, user, filter, name string) ([]string, error) {
	if strings.EqualFold(name, fulltext.Me) {
		return []string{user}, nil
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT id FROM users WHERE username = $1 OR id = $1`, strings.ToLower(name))
	if err != nil {
		return nil, err
	}
	ids, err := store.Collect(rows, store.ScanString)
	if err != nil || len(ids) > 0 {
		return ids, err
	}
	like, some := naming.PrefixPattern(name)
	if some {
		rows, err := repo.db.QueryContext(ctx,
			`SELECT id FROM users WHERE folded LIKE $1 ESCAPE '\' AND NOT pending ORDER BY last_seen_at DESC, id LIMIT $2`, like,
			maxUsers)
		if err != nil {
			return nil, err
		}
		if ids, err = store.Collect(rows, store.ScanString); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		return nil, badQuery("%s: there is no user %q", filter, name)
	}
	return ids, nil
}

func badQuery(format string, args ...any) error {
	e := domain.Invalid.Errorf(domain.CodeBadQuery, format, args...)
	e.Fields = []domain.Field{{Pointer: "/q", Detail: e.Msg}}
	return e
}

// matches returns the newest matching messages before a position in the log.
func (repo *Repository) matches(ctx context.Context, s scope, before int64, limit int) ([]domain.Hit, error) {
	if before <= 0 {
		before = maxPos
	}
	var found []int64
	after := int64(0)
	for part := range slices.Chunk(s.rooms, roomsPerQuery) {
		more, err := repo.matchPositions(ctx, s, part, after, before, limit)
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		found = append(found, more...)
		slices.SortFunc(found, func(a, b int64) int { return cmp.Compare(b, a) })
		if len(found) >= limit { // older ones are of no use
			found = found[:limit]
			after = found[limit-1]
		}
	}
	return repo.hitsAt(ctx, s.user, found)
}

// hitsAt returns the messages at these positions as user sees them, the newest first.
func (repo *Repository) hitsAt(ctx context.Context, user string, found []int64) ([]domain.Hit, error) {
	if len(found) == 0 {
		return nil, nil
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT `+roomlog.Columns+roomlog.Tables+` WHERE e.pos IN (`+
		store.Placeholders(1, len(found))+`) ORDER BY e.pos DESC`, store.Args(found)...)
	if err != nil {
		return nil, err
	}
	events, err := store.Collect(rows, roomlog.Scan)
	if err == nil {
		err = roomlog.FillFiles(ctx, repo.db, events)
	}
	if err != nil {
		return nil, err
	}
	messages := make([]*domain.Message, len(events))
	for i, e := range events {
		messages[i] = e.Message
	}
	if err := roomlog.HideFor(ctx, repo.db, user, messages); err != nil {
		return nil, err
	}
	hits := make([]domain.Hit, 0, len(events))
	for _, e := range events {
		hits = append(hits, domain.Hit{Message: *e.Message, Pos: e.Pos})
	}
	return hits, nil
}

// matchPositions returns the newest positions of matching messages in some rooms.
func (repo *Repository) matchPositions(
	ctx context.Context, s scope, rooms []int64, after, before int64, limit int,
) ([]int64, error) {
	first, last := store.Millis(s.q.After), store.Millis(s.q.Before)
	if last == 0 {
		last = maxPos
	}
	if len(s.mentioned) > 0 && s.onlyMentions() {
		return repo.mentionPositions(ctx, s, rooms, after, before, first, last, limit)
	}
	query, match := repo.backend.match(s, rooms)
	args := append([]any{match, s.user, after, before, first, last, limit}, store.Args(s.mentioned)...)
	if s.q.HasPin {
		args = append(args, store.Args(rooms)...)
	}
	rows, err := repo.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanInt64)
}

// mentionsOne is the condition of SQL that the message e mentions one of s.mentioned, whose arguments begin with
// $first: by a name of theirs, or together with all others in the room.
func (s scope) mentionsOne(first int) string {
	users := store.Placeholders(first, len(s.mentioned))
	return `(EXISTS (SELECT 1 FROM mentions n WHERE n.room_id = e.room_id AND n.seq = e.seq
			AND n.user_id IN (` + users + `))
		OR e.mention_room AND EXISTS (SELECT 1 FROM members o WHERE o.room_id = e.room_id AND o.user_id IN (` + users + `)
			AND o.user_id <> e.actor_id))`
}

// andMentions is mentionsOne as a further condition; nothing if s asks for no mentions.
func (s scope) andMentions(first int) string {
	if len(s.mentioned) == 0 {
		return ""
	}
	return ` AND ` + s.mentionsOne(first)
}

// onlyMentions reports whether nothing is asked of the words of messages.
func (s scope) onlyMentions() bool {
	return len(s.q.Clauses) == 0 && len(s.senders) == 0 && !s.q.Has() && s.q.Lang == ""
}

// mentionPositions is matchPositions where nothing is asked of words: it reads the mentions, which are few, and not
// the index.
func (repo *Repository) mentionPositions(
	ctx context.Context, s scope, rooms []int64, after, before, first, last int64, limit int,
) ([]int64, error) {
	const fixed = 6
	args := append([]any{s.user, after, before, first, last, limit}, store.Args(s.mentioned)...)
	args = append(args, store.Args(rooms)...)
	users := store.Placeholders(fixed+1, len(s.mentioned))
	here := store.Placeholders(fixed+1+len(s.mentioned), len(rooms))
	rows, err := repo.db.QueryContext(ctx, `SELECT e.pos FROM (
			SELECT room_id, seq FROM mentions WHERE user_id IN (`+users+`)
			UNION SELECT v.room_id, v.seq FROM search_rooms a JOIN events v ON v.room_id = a.room_id AND v.mention_room
				WHERE a.number IN (`+here+`)) c
		JOIN events e ON e.room_id = c.room_id AND e.seq = c.seq
		JOIN search_rooms r ON r.room_id = e.room_id AND r.number IN (`+here+`)
		JOIN members mb ON mb.room_id = e.room_id AND mb.user_id = $1 AND mb.since < e.seq
		WHERE e.pos > $2 AND e.pos < $3 AND e.at >= $4 AND e.at < $5 AND e.deleted_at = 0 AND `+s.mentionsOne(fixed+1)+`
		ORDER BY e.pos DESC LIMIT $6`, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanInt64)
}

// pinned are the tables of SQL with the pinned messages p of rooms, whose arguments come last.
func (s scope) pinned(rooms []int64) string {
	return `(SELECT n.room_id, n.seq FROM search_rooms r JOIN pins n ON n.room_id = r.room_id
		WHERE r.number IN (` + store.Placeholders(8+len(s.mentioned), len(rooms)) + `)) p`
}

// requiredTerms returns the terms that a message must have in addition to the words: one of each
// list.
func (s scope) requiredTerms(room string) (ts [][]string) {
	if len(s.senders) > 0 {
		var any []string
		for _, id := range s.senders {
			any = append(any, room+termSender+id)
		}
		ts = append(ts, any)
	}
	if s.q.HasLink {
		ts = append(ts, []string{room + termLink})
	}
	if s.q.HasFile {
		ts = append(ts, []string{room + termFile})
	}
	if s.q.HasPoll {
		ts = append(ts, []string{room + termPoll})
	}
	if s.q.Lang != "" {
		ts = append(ts, []string{room + termLang + s.q.Lang})
	}
	if len(ts) == 0 && !slices.ContainsFunc(s.q.Clauses, func(c fulltext.Clause) bool { return !c.Not }) {
		ts = append(ts, []string{room + termAny})
	}
	return ts
}
