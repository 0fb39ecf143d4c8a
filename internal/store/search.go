package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
)

// rankedHits is how many of the newest matches a search by relevance looks at:
// ranking all that match a common word would take seconds in a large store.
const rankedHits = 400

const hasLink = "has_link"

// Search finds messages in the rooms that user is in now, and nowhere else. In
// order Newest it stops as soon as the page is full. In order Relevance it ranks
// the newest 400 matches, and says nothing of those before. next is nil at the
// end.
func (db *DB) Search(ctx context.Context, user string, q fulltext.Query, order domain.SearchOrder, c domain.SearchCursor, limit int) (hits []domain.Hit, next *domain.SearchCursor, err error) {
	scope, err := db.scope(ctx, user, q)
	if err != nil {
		return nil, nil, err
	}
	if order == domain.Relevance {
		return db.ranked(ctx, user, q, scope, c, limit)
	}
	hits, err = db.matches(ctx, user, q, scope, c.Pos, limit+1)
	if len(hits) > limit {
		hits = hits[:limit]
		next = &domain.SearchCursor{Pos: hits[limit-1].Pos}
	}
	return hits, next, err
}

func (db *DB) ranked(ctx context.Context, user string, q fulltext.Query, scope []string, c domain.SearchCursor, limit int) ([]domain.Hit, *domain.SearchCursor, error) {
	hits, err := db.matches(ctx, user, q, scope, 0, rankedHits)
	if err != nil {
		return nil, nil, err
	}
	scores := make(map[int64]float64, len(hits))
	for _, h := range hits {
		scores[h.Pos] = q.Score(h.Message.Text)
	}
	slices.SortStableFunc(hits, func(a, b domain.Hit) int {
		switch {
		case scores[a.Pos] > scores[b.Pos]:
			return -1
		case scores[a.Pos] < scores[b.Pos]:
			return 1
		}
		return 0
	})
	hits = hits[min(c.Skip, len(hits)):]
	if len(hits) <= limit {
		return hits, nil, nil
	}
	return hits[:limit], &domain.SearchCursor{Skip: c.Skip + limit}, nil
}

// scope resolves the names in from: and in: to ids, which the index knows.
func (db *DB) scope(ctx context.Context, user string, q fulltext.Query) (ids []string, err error) {
	if q.From != "" {
		var id string
		err := db.read.QueryRowContext(ctx, `SELECT id FROM users WHERE username = $1 OR id = $1`, q.From).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, badQuery("from: there is no user %q", q.From)
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if q.In != "" {
		var id string
		err := db.read.QueryRowContext(ctx, `SELECT r.id FROM members m JOIN rooms r ON r.id = m.room_id
			WHERE m.user_id = $1 AND (r.id = $2 OR lower(r.name) = lower($2)) ORDER BY r.id = $2 DESC, r.last_at DESC LIMIT 1`, user, q.In).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, badQuery("in: you are in no room called %q", q.In)
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if q.HasLink {
		ids = append(ids, hasLink)
	}
	return ids, nil
}

func badQuery(format string, args ...any) error {
	e := domain.Invalid.Errorf("bad_query", format, args...)
	e.Fields = []domain.Field{{Pointer: "/q", Detail: e.Msg}}
	return e
}

// matches returns the newest messages that match, before a place in the log.
func (db *DB) matches(ctx context.Context, user string, q fulltext.Query, scope []string, before int64, limit int) ([]domain.Hit, error) {
	if before <= 0 {
		before = latest
	}
	first, last := ms(q.After), ms(q.Before)
	if last == 0 {
		last = latest
	}
	positions := `SELECT f.rowid FROM search f JOIN events e ON e.pos = f.rowid
		JOIN members mb ON mb.room_id = e.room_id AND mb.user_id = $2
		WHERE f.search MATCH $1 AND f.rowid < $3 AND e.at >= $4 AND e.at < $5 AND e.deleted_at = 0
		ORDER BY f.rowid DESC LIMIT $6`
	match := ftsQuery(q, scope)
	if db.dialect == postgres {
		positions = `SELECT f.pos FROM search f JOIN events e ON e.pos = f.pos
			JOIN members mb ON mb.room_id = e.room_id AND mb.user_id = $2
			WHERE f.words @@ $1::tsquery AND f.pos < $3 AND e.at >= $4 AND e.at < $5 AND e.deleted_at = 0
			ORDER BY f.pos DESC LIMIT $6`
		match = tsQuery(q, scope)
	}
	rows, err := db.read.QueryContext(ctx, positions, match, user, before, first, last, limit)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	found, err := collect(rows, func(rows *sql.Rows) (pos int64, err error) {
		err = rows.Scan(&pos)
		return pos, err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	rows, err = db.read.QueryContext(ctx, `SELECT `+eventColumns+eventTables+` WHERE e.pos IN (`+holders(1, len(found))+`) ORDER BY e.pos DESC`, anys(found)...)
	if err != nil {
		return nil, err
	}
	events, err := collect(rows, scanEvent)
	if err != nil {
		return nil, err
	}
	hits := make([]domain.Hit, 0, len(events))
	for _, e := range events {
		hits = append(hits, domain.Hit{Message: *e.Message, Pos: e.pos})
	}
	return hits, nil
}

// ftsQuery is q in FTS5's language. Words hold letters and digits only, so that
// quoting them is enough.
func ftsQuery(q fulltext.Query, scope []string) string {
	var want, without []string
	for _, c := range q.Clauses {
		phrase := `words : "` + strings.Join(c.Words, " ") + `"`
		if c.Prefix {
			phrase += "*"
		}
		if c.Not {
			without = append(without, "("+phrase+")")
		} else {
			want = append(want, "("+phrase+")")
		}
	}
	for _, id := range scope {
		want = append(want, `(scope : "`+strings.ReplaceAll(id, `"`, "")+`")`)
	}
	s := strings.Join(want, " AND ")
	if len(without) > 0 {
		s = "(" + s + ") NOT (" + strings.Join(without, " OR ") + ")"
	}
	return s
}

// tsQuery is q in the language of PostgreSQL's tsquery.
func tsQuery(q fulltext.Query, scope []string) string {
	var all []string
	for _, c := range q.Clauses {
		words := make([]string, len(c.Words))
		for i, w := range c.Words {
			words[i] = "'" + w + "'"
		}
		if c.Prefix {
			words[len(words)-1] += ":*"
		}
		s := "(" + strings.Join(words, " <-> ") + ")"
		if c.Not {
			s = "!" + s
		}
		all = append(all, s)
	}
	for _, id := range scope {
		all = append(all, "'"+strings.ReplaceAll(id, "'", "")+"'")
	}
	return strings.Join(all, " & ")
}
