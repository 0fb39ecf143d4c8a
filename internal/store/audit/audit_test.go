package audit_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// appendAudit adds n records that name their number, on a day.
func appendAudit(t testing.TB, db *all.Store, n int, day int64) domain.AuditHead {
	t.Helper()
	head, err := db.Audit.AppendAudit(t.Context(), "aud_1",
		func(h domain.AuditHead) (rows []domain.AuditRow, _ *domain.AuditCheckpoint, _ error) {
			for i := range n {
				seq := h.Seq + int64(i) + 1
				r := domain.AuditRow{Seq: seq, Day: day, Time: time.Unix(day*86400, 0), Type: "auth.login",
					Actor: fmt.Sprint("usr_", seq%2), Body: fmt.Append(nil, seq), Hash: []byte{byte(seq)}}
				if seq%2 == 0 {
					r.Salt, r.Personal = []byte("salt"), []byte(`{"src_ip":"192.0.2.1"}`)
				}
				rows = append(rows, r)
			}
			return rows, nil, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func TestAuditHasOneOrder(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		if h, err := db.Audit.AuditHead(t.Context()); err != nil || h.Chain != "" || h.Seq != 0 {
			t.Fatalf("before the first: %+v, %v", h, err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 10 {
					appendAudit(t, db, 3, 1)
				}
			})
		}
		wg.Wait()
		h, err := db.Audit.AuditHead(t.Context())
		if err != nil || h.Seq != 240 || h.Chain != "aud_1" {
			t.Fatalf("%+v, %v", h, err)
		}
		rs, err := db.Audit.AuditRecords(t.Context(), domain.AuditFilter{Oldest: true, Limit: 1000})
		if err != nil || len(rs) != 240 {
			t.Fatalf("%d records, %v", len(rs), err)
		}
		for i, r := range rs {
			if r.Seq != int64(i+1) || string(r.Body) != fmt.Sprint(r.Seq) {
				t.Fatalf("place %d has record %d: %s", i, r.Seq, r.Body)
			}
		}
	})
}

func TestAuditIsOnlyAddedTo(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		db := testkit.Open(t, o)
		appendAudit(t, db, 3, 1)
		appendAudit(t, db, 3, 2)
		segment := domain.AuditSegment{First: 1, Last: 3, Body: []byte("{}"), Sig: []byte("sig")}
		if err := db.Audit.DropAuditSegment(t.Context(), segment); err != nil {
			t.Fatal(err)
		}
		raw := testkit.Raw(t, o)
		statements := []string{
			`UPDATE audit_records SET body = body`, `UPDATE audit_records SET actor = 'usr_x' WHERE seq = 4`,
			`DELETE FROM audit_records`, `DELETE FROM audit_records WHERE seq = 6`,
			`DELETE FROM audit_segments`, `UPDATE audit_segments SET last_seq = 6`,
		}
		if db.Name() == "postgres" {
			statements = append(statements, `TRUNCATE audit_records`, `TRUNCATE audit_checkpoints`, `TRUNCATE audit_segments`)
		}
		for _, s := range statements {
			if _, err := raw.ExecContext(t.Context(), s); err == nil || !strings.Contains(err.Error(), "audit") &&
				!strings.Contains(err.Error(), "segments are never") {
				t.Errorf("%s: %v", s, err)
			}
		}
		if rs, err := db.Audit.AuditRecords(t.Context(), domain.AuditFilter{Oldest: true, Limit: 10}); err != nil ||
			len(rs) != 3 || rs[0].Seq != 4 {
			t.Errorf("%d records are left, %v", len(rs), err)
		}
		// The end of the log stays, however old.
		if err := db.Audit.DropAuditSegment(t.Context(),
			domain.AuditSegment{First: 4, Last: 6}); domain.KindOf(err) != domain.Conflict {
			t.Errorf("deleting the end: %v", err)
		}
		if day, first, last, err := db.Audit.OldestAuditDay(t.Context()); day != 2 || first != 4 || last != 6 || err != nil {
			t.Errorf("the oldest day is %d, %d to %d, %v", day, first, last, err)
		}
	})
}

func TestAuditErasesPersonalDataAlone(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		appendAudit(t, db, 4, 1)
		appendAudit(t, db, 4, 9)
		if n, err := db.Audit.EraseAuditBefore(t.Context(), time.Unix(5*86400, 0)); n != 2 || err != nil {
			t.Errorf("erased %d by age, %v", n, err)
		}
		rs, err := db.Audit.AuditRecords(t.Context(), domain.AuditFilter{Oldest: true, Limit: 10})
		if err != nil || len(rs) != 8 || rs[1].Personal != nil || len(rs[1].Salt) > 0 ||
			rs[5].Personal["src_ip"] != "192.0.2.1" {
			t.Errorf("%d records, %v: %v", len(rs), err, rs)
		}
		if n, err := db.Audit.EraseAuditActor(t.Context(), "usr_0"); n != 2 || err != nil {
			t.Errorf("erased %d by actor, %v", n, err)
		}
	})
}

func TestAuditSinkHasOneOwner(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now()
		claim := func(owner string, now time.Time) (int64, bool) {
			t.Helper()
			seq, ok, err := db.Audit.ClaimAuditSink(t.Context(), "hook", owner, now.Add(time.Minute), now)
			if err != nil {
				t.Fatal(err)
			}
			return seq, ok
		}
		if seq, ok := claim("a", now); !ok || seq != 0 {
			t.Errorf("the first: %d, %v", seq, ok)
		}
		if _, ok := claim("b", now); ok {
			t.Error("two have it")
		}
		if ok, err := db.Audit.AdvanceAuditSink(t.Context(), "hook", "a", 7, 0, now.Add(time.Minute), now); !ok ||
			err != nil {
			t.Errorf("advance: %v, %v", ok, err)
		}
		if seq, ok := claim("b", now.Add(2*time.Minute)); !ok || seq != 7 {
			t.Errorf("after the lease: %d, %v", seq, ok)
		}
		if ok, err := db.Audit.AdvanceAuditSink(t.Context(), "hook", "a", 9, 0, now.Add(time.Minute), now); ok || err != nil {
			t.Errorf("the former owner advances: %v, %v", ok, err)
		}
		if err := db.Audit.ReleaseAuditSink(t.Context(), "hook", "b"); err != nil {
			t.Fatal(err)
		}
		if seq, ok := claim("a", now.Add(2*time.Minute)); !ok || seq != 7 {
			t.Errorf("after it was released: %d, %v", seq, ok)
		}
	})
}
