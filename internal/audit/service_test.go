package audit_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

const day = 24 * time.Hour

// Old days go whole, what stands for them is signed, and the chain holds over
// the gap; personal data go earlier.
func TestRetentionKeepsTheChain(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		db := testkit.Open(t, o)
		now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		d := deps(t, db.Audit)
		d.Keep, d.KeepPersonal = 10*day, 3*day
		d.Now = func() time.Time { return now }
		s := audit.New(d)
		for range 14 {
			fill(t, s, 10)
			now = now.Add(day)
		}
		if r := verify(t, db.Audit, s, nil); !r.Intact() || r.Segments != 0 {
			t.Fatalf("before: %+v", r)
		}
		before := verify(t, db.Audit, s, nil)
		if err := s.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := verify(t, db.Audit, s, nil)
		if !r.Intact() || r.Segments != 4 || r.First <= 40 || r.Erased == 0 {
			t.Fatalf("after: %+v", r)
		}
		if r := verify(t, db.Audit, s, &audit.Expect{Seq: before.Last, Hash: before.Hash}); !r.Intact() {
			t.Errorf("with the last record known: %v", r.Problems)
		}
		for _, rec := range records(t, db.Audit) {
			if old := now.Sub(rec.Time) > 3*day; old && rec.Personal != nil || !old && rec.Personal == nil &&
				rec.Type == "auth.login" {
				t.Errorf("record %d of %v has personal data %v", rec.Seq, rec.Time, rec.Personal)
			}
		}
		// Again: nothing is left to do, and later days follow on.
		now = now.Add(2 * day)
		fill(t, s, 5)
		if err := s.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r = verify(t, db.Audit, s, nil); !r.Intact() || r.Segments != 6 {
			t.Fatalf("two days later: %+v", r)
		}
		// What stands for deleted days cannot be changed either.
		raw := testkit.Raw(t, o)
		unlock(t, raw, db.Name())
		statement(t, raw, `DELETE FROM audit_segments WHERE last_seq = (SELECT MIN(last_seq) FROM audit_segments)`)
		if r := verify(t, db.Audit, s, nil); r.Intact() {
			t.Error("a segment was deleted unnoticed")
		}
	})
}

// A day that was tampered with is evidence: it is not deleted.
func TestRetentionKeepsEvidence(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		db := testkit.Open(t, o)
		now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		d := deps(t, db.Audit)
		d.Keep = day
		d.Now = func() time.Time { return now }
		s := audit.New(d)
		fill(t, s, 10)
		now = now.Add(5 * day)
		fill(t, s, 1)
		raw := testkit.Raw(t, o)
		unlock(t, raw, db.Name())
		statement(t, raw, `UPDATE audit_records SET hash = (SELECT hash FROM audit_records WHERE seq = 4) WHERE seq = 5`)
		if err := s.Prune(t.Context()); err == nil || !strings.Contains(err.Error(), "tampered") {
			t.Errorf("Forget: %v", err)
		}
		if n := len(records(t, db.Audit)); n < 11 {
			t.Errorf("%d records are left", n)
		}
	})
}

func TestErasureOfOnePerson(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		s := audit.New(deps(t, db.Audit))
		fill(t, s, 9)
		n, err := s.Erase(t.Context(), "usr_1", "account_deleted")
		if err != nil || n != 3 {
			t.Fatalf("erased %d, %v", n, err)
		}
		for _, r := range records(t, db.Audit) {
			if r.Actor == "usr_1" && r.Personal != nil || r.Actor == "usr_2" && r.Personal == nil {
				t.Errorf("record %d of %s has %v", r.Seq, r.Actor, r.Personal)
			}
		}
		if r := verify(t, db.Audit, s, nil); !r.Intact() || r.Erased != 3 {
			t.Errorf("%+v", r)
		}
	})
}

func limited(addr string) domain.AuditEvent {
	e := login(1)
	e.Type, e.Outcome, e.Actor = domain.AuditRateLimited, domain.AuditBlocked, domain.AuditActor{}
	e.Rate = domain.AuditRate{Policy: "login", Limit: 10, Window: time.Minute, KeyKind: "addr", Key: addr}
	return e
}

func TestRateLimitsAreRecordedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &memory{}
		s := audit.New(deps(t, mem))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		for range 1000 {
			s.Record(ctx, limited("192.0.2.1"))
		}
		s.Record(ctx, limited("192.0.2.2"))
		synctest.Wait()
		if got := counts(t, mem); len(got) != 2 || got[0] != "" || got[1] != "" {
			t.Fatalf("at once: %q", got)
		}
		time.Sleep(2*time.Minute + 30*time.Second) // not when the service looks, every minute
		for range 5 {
			s.Record(ctx, limited("192.0.2.1"))
		}
		time.Sleep(2 * time.Minute)
		cancel()
		<-done
		// The first of each, 999 more, and then five: a limit that was quiet for a
		// while is told of at once again.
		if got := strings.Join(counts(t, mem), " "); got != "  999  4" {
			t.Errorf("counts: %q", got)
		}
	})
}

// counts are those of the records about limits; empty for a first hit.
func counts(t *testing.T, mem *memory) (cs []string) {
	t.Helper()
	for _, r := range records(t, mem) {
		if r.Type == string(domain.AuditRateLimited) {
			details, _ := body(t, r)["details"].(map[string]any)
			count, _ := details["count"].(string)
			cs = append(cs, count)
		}
	}
	return cs
}

// While the store is away nothing that must be recorded is done, and what was
// recorded before is kept.
func TestStoreUnavailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &memory{}
		s := audit.New(deps(t, mem))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		mem.setFail(errors.New("disk full"))
		s.Record(ctx, login(1))
		synctest.Wait()
		for range 3 {
			if err := s.RecordSync(ctx, login(2)); domain.KindOf(err) != domain.Unavailable {
				t.Errorf("RecordSync: %v", err)
			}
		}
		time.Sleep(15 * time.Second)
		var report domain.HealthReport
		if err := s.CheckHealth(ctx, &report); s.Ready(ctx) == nil || err != nil || len(report.Problems) != 1 ||
			report.Problems[0].Code != "audit_stuck" {
			t.Errorf("nothing is recorded, and the report says %+v, %v", report.Problems, err)
		}
		const more = 70_000 // than are held in memory
		for range more {
			s.Record(ctx, login(3))
		}
		mem.setFail(nil)
		time.Sleep(time.Minute)
		if err := s.Ready(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		<-done
		var ones, twos, threes, lost int
		for _, r := range records2(t, mem) {
			switch r.Actor {
			case "usr_1":
				ones++
			case "usr_2":
				twos++
			case "usr_0":
				threes++
			}
			if r.Type == string(domain.AuditGap) {
				n, _ := strconv.Atoi(body(t, r)["details"].(map[string]any)["lost"].(string))
				lost += n
			}
		}
		if ones != 1 || twos != 0 || threes+lost != more || lost == 0 {
			t.Errorf("%d and %d and %d were kept, %d told of as lost", ones, twos, threes, lost)
		}
	})
}

func records2(t *testing.T, mem *memory) []domain.AuditRecord {
	t.Helper()
	rs, err := mem.AuditRecords(t.Context(), domain.AuditFilter{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// Whatever an attacker puts into a name, a header or a reason, no line of any
// format has a control character in it, nor more lines than one.
func TestCHK_AU_02_NothingBreaksOutOfALine(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		s := audit.New(deps(t, db.Audit))
		nasty := "x\r\n<109>1 forged\x1b[2J|a=b\\c\" ]\u2028\x00\xff"
		e := login(1)
		e.UserAgent, e.Reason, e.Typed, e.Actor.Name, e.RequestID, e.Actor.Kind = nasty, nasty, "pa$$word\r\nx", nasty, nasty,
			nasty
		e.Actor.ID, e.Target.ID, e.Target.Kind, e.Method, e.Node, e.Session, e.AddrSource = nasty, nasty, nasty, nasty, nasty,
			nasty, nasty
		e.Details, e.Personal = map[string]string{nasty: nasty}, map[string]string{nasty: nasty}
		if err := s.RecordSync(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		for _, name := range audit.Formats() {
			for _, r := range records(t, db.Audit) {
				line := string(audit.NewFormat(name, "1|2\n", "host").Line(r))
				if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("%s: %q", name, line)
				}
				if strings.Contains(line, "pa$$word") {
					t.Errorf("%s has what was typed: %s", name, line)
				}
			}
		}
		if r := verify(t, db.Audit, s, nil); !r.Intact() {
			t.Errorf("%v", r.Problems)
		}
	})
}

// BenchmarkRecord is what the log takes in a second with all of its work: the
// chain, the hashes of personal data, and commits that wait for the disk.
func BenchmarkRecord(b *testing.B) {
	db := testkit.Open(b, testkit.SQLite(b))
	s := audit.New(deps(b, db.Audit))
	run(b, s)
	b.Run("waiting for each, 64 at a time", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := s.RecordSync(b.Context(), login(1)); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("not waiting", func(b *testing.B) {
		for i := range b.N {
			if i%10_000 == 9_999 { // so that none is dropped
				if err := s.RecordSync(b.Context(), login(1)); err != nil {
					b.Fatal(err)
				}
			}
			s.Record(b.Context(), login(1))
		}
		if err := s.RecordSync(b.Context(), login(1)); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
}
