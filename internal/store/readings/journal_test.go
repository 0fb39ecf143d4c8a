package readings

import (
	"context"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestAnAcknowledgedReportIsThereOnceAfterAKill(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		const n = 1500
		repo := p.open(t)
		for from := uint32(0); from < n; from += 100 {
			must(t, repo, "dev_a", reports(1, from, from+100, t0))
			if from == 700 {
				closeAll(t, repo)
			}
			// the answer was lost: the device sends again, before and after a restart
			if a := must(t, repo, "dev_a", reports(1, from, from+100, t0)); a.Duplicate != 100 || a.Accepted != 0 {
				t.Fatalf("sent again: %+v", a)
			}
			if from%300 == 0 {
				repo.kill()
				repo = p.open(t)
				a := must(t, repo, "dev_a", reports(1, 0, from+100, t0))
				if a.Duplicate != int(from)+100 || a.Accepted != 0 || *a.AckedThrough != from+99 || len(a.Missing) > 0 {
					t.Fatalf("sent again after a restart: %+v", a)
				}
			}
			checkAll(t, repo, "dev_a", from+100, t0)
		}
		closeAll(t, repo)
		checkAll(t, repo, "dev_a", n, t0)
		repo.kill()
		repo = p.open(t)
		checkAll(t, repo, "dev_a", n, t0)
		repo.kill()
	})
}

// TestAKillBetweenClosingAndTrimmingDoublesNothing keeps the rows of the journal that a closing would delete.
func TestAKillBetweenClosingAndTrimmingDoublesNothing(t *testing.T) {
	t.Parallel()
	p := sqlite(t)
	repo := p.open(t)
	must(t, repo, "dev_a", reports(1, 0, 100, t0))
	must(t, repo, "dev_b", reports(1, 0, 1, t0)) // keeps its row
	must(t, repo, "dev_a", reports(1, 100, 200, t0))
	raw := testkit.Raw(t, p.Options)
	if _, err := raw.ExecContext(t.Context(), `CREATE TABLE kept AS SELECT * FROM reading_journal`); err != nil {
		t.Fatal(err)
	}
	closeAll(t, repo)
	repo.kill()
	if _, err := raw.ExecContext(t.Context(), `INSERT OR IGNORE INTO reading_journal SELECT * FROM kept`); err != nil {
		t.Fatal(err)
	}
	repo = p.open(t)
	checkAll(t, repo, "dev_a", 200, t0)
	must(t, repo, "dev_a", reports(1, 200, 300, t0))
	closeAll(t, repo)
	checkAll(t, repo, "dev_a", 300, t0)
	var rows int
	if err := raw.QueryRowContext(t.Context(), `SELECT count(*) FROM reading_journal`).Scan(&rows); err != nil ||
		rows != 1 {
		t.Errorf("%d rows are left of the journal, %v; want the last one", rows, err)
	}
	repo.kill()
}

func TestABuilderIsClosedWhenItIsFullOldOrSilent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n     uint32
		after time.Duration
		due   bool
	}{
		{10, 9 * time.Minute, false}, {10, 10 * time.Minute, true}, {511, time.Minute, false}, {512, time.Minute, true},
	} {
		repo := sqlite(t).open(t)
		begin := t0
		for i := range c.n { // all within an hour
			must(t, repo, "dev_a", []domain.Report{report(1, i, begin.Add(time.Duration(i)*time.Second))})
		}
		if _, err := repo.Close(t.Context(), t0.Add(c.after), false); err != nil {
			t.Fatal(err)
		}
		var chunks int
		if err := repo.db.QueryRowContext(t.Context(), `SELECT count(*) FROM reading_chunks`).Scan(&chunks); err != nil {
			t.Fatal(err)
		}
		if closed := chunks > 0; closed != c.due {
			t.Errorf("%d reports after %v: closed %v", c.n, c.after, closed)
		}
		repo.kill()
	}
}

func TestABuilderThatNeverRestsIsClosedAfterAnHour(t *testing.T) {
	t.Parallel()
	repo := sqlite(t).open(t)
	defer repo.kill()
	for i := range uint32(13) {
		now := t0.Add(time.Duration(i) * 5 * time.Minute)
		if _, err := repo.Append(t.Context(), "dev_a", []domain.Report{report(1, i, t0.Add(time.Duration(i)*time.Second))},
			now); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Close(t.Context(), now, false); err != nil {
			t.Fatal(err)
		}
	}
	var chunks int
	if err := repo.db.QueryRowContext(t.Context(), `SELECT count(*) FROM reading_chunks`).Scan(&chunks); err != nil ||
		chunks != 1 {
		t.Errorf("%d chunks, %v", chunks, err)
	}
}

func TestNothingIsAcknowledgedThatIsNotStored(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		must(t, repo, "dev_a", reports(1, 0, 1, t0))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := repo.Append(ended, "dev_a", reports(1, 1, 2, t0), t0); err == nil {
			t.Fatal("accepted for nobody")
		}
		if a := must(t, repo, "dev_a", reports(1, 1, 2, t0)); a.Accepted != 1 || *a.AckedThrough != 1 {
			t.Errorf("%+v", a)
		}
		checkAll(t, repo, "dev_a", 2, t0)
	})
}
