package roomlog

import (
	"context"
	"database/sql"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const (
	minFoldRun  = 4     // a shorter run of joins and departures is shown as it is
	maxFoldScan = 2_000 // events that one page looks at; a longer run goes on in the next page
)

// lineStub is the part of a line that folding needs.
type lineStub struct {
	seq   int64
	quiet bool // somebody joined or left: may be folded
}

func scanStub(rows *sql.Rows) (s lineStub, err error) {
	err = rows.Scan(&s.seq, &s.quiet)
	return s, err
}

// foldable reports whether a page has a run that folding would shorten.
func foldable(events []domain.Event) bool {
	run := 0
	for _, e := range events {
		if !e.Type.Quiet() {
			run = 0
		} else if run++; run >= minFoldRun {
			return true
		}
	}
	return false
}

// foldedPage returns a page of up to limit lines on one side of a number, in which a
// run of joins and departures is one line: its last. It looks at maxFoldScan events at
// most, so a page may be shorter, and a run may go on in the next.
func (repo *Repository) foldedPage(
	ctx context.Context, v domain.View, from int64, back bool, q domain.PageQuery,
) (domain.Page, error) {
	side, args := `seq > $3 ORDER BY seq`, []any{v.Room, maxFoldScan + 1, v.After(from)}
	if back {
		side, args = `seq > $3 AND seq < $4 ORDER BY seq DESC`, []any{v.Room, maxFoldScan + 1, v.Since, from}
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT seq, `+quietTypes+` FROM events
		WHERE room_id = $1 AND `+lines(q.Main)+` AND `+side+` LIMIT $2`, args...)
	if err != nil {
		return domain.Page{}, err
	}
	seen, err := store.Collect(rows, scanStub)
	if err != nil {
		return domain.Page{}, err
	}
	shown, folds, n := fold(seen[:min(maxFoldScan, len(seen))], q.Limit, back)
	more := n < len(seen)
	page := domain.Page{Folds: folds, Older: !back && from > v.Since || back && more,
		Newer: back && from < maxSeq || !back && more}
	if len(shown) == 0 {
		return page, nil
	}
	page.Events, err = linesWhere(ctx, repo.db, v, q.Main, `e.seq IN (`+store.Placeholders(2, len(shown))+`) ORDER BY e.seq`,
		store.Args(shown)...)
	return page, err
}

// fold takes lines from stubs, which go up or with back down, until it has limit. It
// returns the numbers of those to show, what each of them stands for, and how many
// stubs it used.
func fold(stubs []lineStub, limit int, back bool) (shown []int64, folds map[int64]domain.Fold, used int) {
	folds = make(map[int64]domain.Fold)
	for used < len(stubs) && len(shown) < limit {
		end := used
		for end < len(stubs) && stubs[end].quiet {
			end++
		}
		end = max(end, used+1)
		if end-used < minFoldRun {
			end = min(end, used+limit-len(shown))
		}
		run := slices.Clone(stubs[used:end])
		used = end
		if back {
			slices.Reverse(run)
		}
		last := run[len(run)-1].seq
		if len(run) >= minFoldRun {
			folds[last] = domain.Fold{From: run[0].seq, Count: len(run) - 1}
			run = run[len(run)-1:]
		}
		for _, s := range run {
			shown = append(shown, s.seq)
		}
	}
	return shown, folds, used
}
