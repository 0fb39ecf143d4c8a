package search

import (
	"cmp"
	"context"
	"database/sql"
	"math/bits"
	"slices"
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/embed"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/language"
	"github.com/unhidra/unhidra/internal/store"
)

// A search by meaning first compares the signs of the vectors' numbers, which are in memory, 72 bytes for each message.
// The vectors of the messages whose signs differ the least are then read, with what decides on whether the reader may
// see them, and compared as they are.

const (
	minCandidates = 2000
	candidatePart = 50      // one of so many messages in the reader's rooms is a candidate, if that is more
	maxCandidates = 10000   // and never more than these
	nearHits      = 50      // the most that a search finds by meaning
	minLikeness   = 0.15    // cosine; of messages that are less alike, most are about something else
	candidateStep = 500     // of candidates that one statement reads
	loadBatch     = 100_000 // each is merged into what is there, and a backfill makes the newest first
)

// signs has the signs of the vectors of a room's messages, in the order of their positions.
type signs struct {
	pos  []int64
	bits []embed.Bits
}

// vectorIndex has the signs of all vectors. Some may be of texts that were edited or deleted; whoever reads the vectors
// does not find those.
type vectorIndex struct {
	loading sync.Mutex // only one loads

	mu    sync.RWMutex
	rooms map[int64]*signs // by number
	count int
	last  int64 // change of the newest that is here
}

// A stored vector, as it is loaded.
type storedVector struct {
	pos, room, change int64
	bits              embed.Bits
}

func scanStored(rows *sql.Rows) (v storedVector, err error) {
	var code sql.RawBytes
	if err = rows.Scan(&v.pos, &v.room, &v.change, &code); err != nil || len(code) != embed.Dim {
		return v, err
	}
	v.bits = embed.BitsOf(code)
	return v, nil
}

// LoadVectors takes the vectors into memory that were stored since the last time. Before the first call, searches find
// nothing by meaning.
func (repo *Repository) LoadVectors(ctx context.Context) error {
	x := &repo.vectors
	x.loading.Lock()
	defer x.loading.Unlock()
	for ctx.Err() == nil {
		rows, err := repo.db.QueryContext(ctx, `SELECT pos, room, change, code FROM message_vectors WHERE change > $1
			ORDER BY change LIMIT $2`, x.last, loadBatch)
		if err != nil {
			return err
		}
		found, err := store.Collect(rows, scanStored)
		if err != nil {
			return err
		}
		x.add(found)
		if len(found) < loadBatch {
			return nil
		}
	}
	return ctx.Err()
}

// add adds vectors, instead of those of the same messages.
func (x *vectorIndex) add(found []storedVector) {
	if len(found) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last = found[len(found)-1].change
	byRoom := make(map[int64][]storedVector)
	for _, v := range found {
		byRoom[v.room] = append(byRoom[v.room], v)
	}
	for room, vs := range byRoom {
		slices.SortStableFunc(vs, func(a, b storedVector) int { return cmp.Compare(a.pos, b.pos) })
		s := x.rooms[room]
		if s == nil {
			s = &signs{}
			if x.rooms == nil {
				x.rooms = make(map[int64]*signs)
			}
			x.rooms[room] = s
		}
		x.count += s.merge(vs)
	}
}

// merge adds vectors in the order of their positions, and returns how many more there are now.
func (s *signs) merge(vs []storedVector) int {
	was := len(s.pos)
	at, _ := slices.BinarySearch(s.pos, vs[0].pos)
	rest := signs{slices.Clone(s.pos[at:]), slices.Clone(s.bits[at:])}
	s.pos, s.bits = s.pos[:at], s.bits[:at]
	for _, v := range vs {
		n, same := slices.BinarySearch(rest.pos, v.pos)
		s.pos, s.bits = append(s.pos, rest.pos[:n]...), append(s.bits, rest.bits[:n]...)
		if same {
			n++
		}
		rest.pos, rest.bits = rest.pos[n:], rest.bits[n:]
		s.pos, s.bits = append(s.pos, v.pos), append(s.bits, v.bits)
	}
	s.pos, s.bits = append(s.pos, rest.pos...), append(s.bits, rest.bits...)
	return len(s.pos) - was
}

// before returns how many of the messages are before top.
func (s *signs) before(top int64) int {
	n, _ := slices.BinarySearch(s.pos, top)
	return n
}

// forget removes what is not stored any more. If vectors came since last it does nothing: one of them may be a new one
// of what is gone. The next search finds it out again.
func (x *vectorIndex) forget(gone map[int64]bool, rooms []int64, last int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last != last {
		return
	}
	for _, room := range rooms {
		s := x.rooms[room]
		if s == nil {
			continue
		}
		n := 0
		for i, pos := range s.pos {
			if !gone[pos] {
				s.pos[n], s.bits[n] = pos, s.bits[i]
				n++
			}
		}
		x.count -= len(s.pos) - n
		s.pos, s.bits = s.pos[:n], s.bits[:n]
	}
}

// candidates returns the positions of those messages before top in rooms whose signs differ the least from those of v,
// and the change of the newest vector that was here.
func (x *vectorIndex) candidates(v embed.Bits, rooms []int64, top int64) (found []int64, last int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var counts [embed.Dim + 1]int // of messages by their distance
	total := 0
	distance := func(b *embed.Bits) int {
		n := 0
		for i, w := range b {
			n += bits.OnesCount64(w ^ v[i])
		}
		return n
	}
	for _, room := range rooms {
		if s := x.rooms[room]; s != nil {
			n := s.before(top)
			total += n
			for i := range n {
				counts[distance(&s.bits[i])]++
			}
		}
	}
	want := min(max(minCandidates, total/candidatePart), maxCandidates)
	furthest, sum := 0, counts[0]
	for furthest < embed.Dim && sum < want {
		furthest++
		sum += counts[furthest]
	}
	edge := want - (sum - counts[furthest]) // of the messages at that distance, so many: the newest of each room
	found = make([]int64, 0, min(sum, want))
	for _, room := range rooms {
		s := x.rooms[room]
		if s == nil {
			continue
		}
		for i, pos := range slices.Backward(s.pos[:s.before(top)]) {
			switch d := distance(&s.bits[i]); {
			case d > furthest, d == furthest && edge == 0:
				continue
			case d == furthest:
				edge--
			}
			found = append(found, pos)
		}
	}
	return found, x.last
}

// A likeness is how much a message is like what is searched for; 0 if the search may not find it.
type likeness struct {
	pos    int64
	cosine float32
}

// nearest returns the messages before top in s that are the most like v, the most alike first.
func (repo *Repository) nearest(ctx context.Context, s scope, v *embed.Vector, top int64) ([]likeness, error) {
	candidates, newest := repo.vectors.candidates(v.Bits(), s.rooms, top)
	first, last := store.Millis(s.q.After), store.Millis(s.q.Before)
	if last == 0 {
		last = maxPos
	}
	column := `''` // the text is read only if it decides
	if s.q.HasLink || s.q.Lang != "" {
		column = "e.text"
	}
	fits := s.has()
	if len(s.mentioned) > 0 {
		fits += ` AND ` + s.mentionsOne(2+candidateStep)
	}
	var near []likeness
	gone := make(map[int64]bool, len(candidates))
	for _, pos := range candidates {
		gone[pos] = true
	}
	for part := range slices.Chunk(candidates, candidateStep) {
		args := []any{s.user}
		for i := range candidateStep { // always as many, so that the statement is always the same
			args = append(args, part[min(i, len(part)-1)])
		}
		args = append(args, store.Args(s.mentioned)...)
		rows, err := repo.db.QueryContext(ctx, `SELECT v.pos, v.code, e.actor_id, e.at, mb.user_id IS NOT NULL,
				`+fits+`, `+column+`
			FROM message_vectors v JOIN events e ON e.pos = v.pos
			LEFT JOIN members mb ON mb.room_id = e.room_id AND mb.user_id = $1 AND mb.since < e.seq
			WHERE v.pos IN (`+store.Placeholders(2, candidateStep)+`) AND e.deleted_at = 0`, args...)
		if err != nil {
			return nil, err
		}
		found, err := store.Collect(rows, func(rows *sql.Rows) (n likeness, err error) {
			var at int64
			var code sql.RawBytes
			var sender, text string
			var member, fitting bool
			if err = rows.Scan(&n.pos, &code, &sender, &at, &member, &fitting, &text); err != nil {
				return n, err
			}
			if member && fitting && len(code) == embed.Dim && at >= first && at < last &&
				(len(s.senders) == 0 || slices.Contains(s.senders, sender)) &&
				(!s.q.HasLink || domain.HasLink(text)) && (s.q.Lang == "" || language.Of(text) == s.q.Lang) {
				n.cosine = v.Similarity(code)
			}
			return n, nil
		})
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			delete(gone, n.pos)
			if n.cosine >= minLikeness {
				near = append(near, n)
			}
		}
	}
	if len(gone) > 0 {
		repo.vectors.forget(gone, s.rooms, newest)
	}
	slices.SortFunc(near, func(a, b likeness) int {
		return cmp.Or(cmp.Compare(b.cosine, a.cosine), cmp.Compare(b.pos, a.pos))
	})
	return near[:min(len(near), nearHits)], nil
}

// has is the condition of SQL that the message e has what s asks for with has:, but for links, which its text says.
func (s scope) has() string {
	is := `TRUE`
	if s.q.HasFile {
		is += ` AND e.attached > 0`
	}
	if s.q.HasPoll {
		is += ` AND EXISTS (SELECT 1 FROM polls o WHERE o.room_id = e.room_id AND o.seq = e.seq)`
	}
	if s.q.HasPin {
		is += ` AND EXISTS (SELECT 1 FROM pins o WHERE o.room_id = e.room_id AND o.seq = e.seq)`
	}
	return is
}

// fusion is the constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): a hit counts 1/(fusion+rank) in
// each list that has it.
const fusion = 60

// SearchByMeaning finds messages in the rooms that user is a member of at present: those that Search finds by
// relevance, and those whose vectors are the most like v, in one order. c and next are as for Search.
func (repo *Repository) SearchByMeaning(
	ctx context.Context, user string, q fulltext.Query, v *embed.Vector, c domain.SearchCursor, limit int,
) (hits []domain.Hit, next *domain.SearchCursor, err error) {
	s, err := repo.scope(ctx, user, q)
	if err != nil {
		return nil, nil, err
	}
	words, err := repo.matches(ctx, s, c.Pos, rankedHits)
	if err != nil {
		return nil, nil, err
	}
	s.rank(words)
	top := c.Pos
	if top <= 0 {
		top = maxPos
	}
	near, err := repo.nearest(ctx, s, v, top)
	if err != nil {
		return nil, nil, err
	}
	if hits, err = repo.fuse(ctx, s, words, near); err != nil {
		return nil, nil, err
	}
	return page(hits, c, limit)
}

// fuse makes one list of two.
func (repo *Repository) fuse(ctx context.Context, s scope, words []domain.Hit, near []likeness) ([]domain.Hit, error) {
	scores := make(map[int64]float64, len(words)+len(near))
	for i, h := range words {
		scores[h.Pos] = 1 / float64(fusion+i+1)
	}
	var more []int64
	for i, n := range near {
		if scores[n.pos] == 0 {
			more = append(more, n.pos)
		}
		scores[n.pos] += 1 / float64(fusion+i+1)
	}
	found, err := repo.hitsAt(ctx, s.user, more)
	if err != nil {
		return nil, err
	}
	hits := words
	for _, h := range found {
		h.ByMeaning = true
		hits = append(hits, h)
	}
	slices.SortStableFunc(hits, func(a, b domain.Hit) int {
		return cmp.Or(cmp.Compare(scores[b.Pos], scores[a.Pos]), cmp.Compare(b.Pos, a.Pos))
	})
	return hits, nil
}
