package audit_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func deps(t testing.TB, s audit.Store) audit.Deps {
	return audit.Deps{
		Store: s, Seed: bytes.Repeat([]byte{7}, 32), HashKey: bytes.Repeat([]byte{8}, 32), Node: "test",
		Log: testkit.Logger(t),
		Now: midday(time.Now()),
	}
}

// midday returns a clock that goes on from noon of begin's day: where a day ends, the log
// signs itself, which is a record more, and no test but those of that shall meet it.
func midday(begin time.Time) func() time.Time {
	noon := begin.UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	return func() time.Time { return noon.Add(time.Since(begin)) }
}

// run runs s until the returned function is called, or the test ends.
func run(t testing.TB, s *audit.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func login(n int) domain.AuditEvent {
	return domain.AuditEvent{
		Type: domain.AuditLogin, Actor: domain.AuditActor{Kind: "user", ID: fmt.Sprintf("usr_%d", n%3), Name: "Ann Example"},
		Addr: netip.MustParseAddr("192.0.2.7"), AddrSource: "direct", UserAgent: "Mozilla/5.0", RequestID: "req_1",
		Method: "pwd", Factors: []string{"pwd", "totp"},
	}
}

// fill records n events, with checkpoints in between.
func fill(t testing.TB, s *audit.Service, n int) {
	t.Helper()
	for i := range n {
		if err := s.RecordSync(t.Context(), login(i)); err != nil {
			t.Fatal(err)
		}
		if i%7 == 6 {
			if err := s.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func verify(t testing.TB, db audit.Reader, s *audit.Service, e *audit.Expect) *audit.Report {
	t.Helper()
	r, err := audit.Verify(t.Context(), db, s.PublicKey(), e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func records(t testing.TB, db audit.Reader) []domain.AuditRecord {
	t.Helper()
	rs, err := db.AuditRecords(t.Context(), domain.AuditFilter{Oldest: true, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func body(t testing.TB, r domain.AuditRecord) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.Body, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCHK_AU_01_RecordsSayWhoWhatAndWhence(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		s := audit.New(deps(t, db.Audit))
		stop := run(t, s)
		e := login(1)
		e.Outcome, e.Reason, e.Session = domain.AuditFailure, "wrong_password", "ses_secret"
		e.Target = domain.AuditTarget{Kind: "user", ID: "usr_9"}
		e.Typed = "hunter2"
		e.Details = map[string]string{"Odd Key": "line\r\nbreak\x1b[31m"}
		e.Personal = map[string]string{"email": "ann@example.org"}
		e.Rate = domain.AuditRate{Policy: "login", Limit: 10, Window: time.Minute, KeyKind: "addr", Key: "192.0.2.7"}
		s.Record(t.Context(), e)
		stop()
		rs, err := db.Audit.AuditRecords(t.Context(), domain.AuditFilter{Types: []string{"auth.*"}, Limit: 2})
		if err != nil || len(rs) != 1 {
			t.Fatalf("%d records, %v", len(rs), err)
		}
		got := body(t, rs[0])
		for k, want := range map[string]any{
			"type": "auth.login", "outcome": "failure", "reason": "wrong_password", "actor_kind": "user", "actor_id": "usr_1",
			"target_id":  "usr_9",
			"request_id": "req_1", "method": "pwd", "factors": "pwd totp", "src_ip_source": "direct", "node": "test",
			"severity": 2.0, "rate_policy": "login",
			"rate_limit": 10.0, "rate_window_ms": 60000.0,
		} {
			if got[k] != want {
				t.Errorf("%s is %v, want %v", k, got[k], want)
			}
		}
		if rs[0].Personal["src_ip"] != "192.0.2.7" || rs[0].Personal["user_agent"] != "Mozilla/5.0" ||
			rs[0].Personal["personal_email"] != "ann@example.org" || rs[0].Personal["typed"] != "h***" {
			t.Errorf("personal data: %v", rs[0].Personal)
		}
		text := string(rs[0].Body)
		for _, secret := range []string{"hunter2", "ses_secret", "192.0.2.7", "Mozilla", "ann@example.org", "Ann Example"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in the record: %s", secret, text)
			}
		}
		if strings.ContainsAny(text, "\r\n\x1b") {
			t.Errorf("raw control characters in %q", text)
		}
		if r := verify(t, db.Audit, s, nil); !r.Intact() {
			t.Errorf("problems: %v", r.Problems)
		}
	})
}

// tampering changes a log behind the store's back.
type tampering struct {
	name string
	sql  []string
	want string // in what is found
}

// unlock takes away what guards the tables, as an intruder with all rights can.
func unlock(t *testing.T, raw *sql.DB, name string) {
	t.Helper()
	for _, x := range []struct{ trigger, table string }{
		{"audit_records_keep", "audit_records"}, {"audit_records_stay", "audit_records"},
		{"audit_checkpoints_keep", "audit_checkpoints"}, {"audit_checkpoints_stay", "audit_checkpoints"},
		{"audit_segments_keep", "audit_segments"}, {"audit_segments_stay", "audit_segments"},
	} {
		q := "DROP TRIGGER IF EXISTS " + x.trigger
		if name == "postgres" {
			q += " ON " + x.table
		}
		statement(t, raw, q)
	}
}

func statement(t *testing.T, raw *sql.DB, q string) {
	t.Helper()
	if _, err := raw.ExecContext(t.Context(), q); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

func TestCHK_AU_03_VerifyFindsTampering(t *testing.T) {
	t.Parallel()
	const swap = `UPDATE audit_records SET body = (SELECT body FROM audit_records WHERE seq = %d), hash = (SELECT hash
		FROM audit_records WHERE seq = %d) WHERE seq = %d`
	cut := []string{`DELETE FROM audit_records WHERE seq > 20`, `DELETE FROM audit_personal WHERE seq > 20`}
	mend := `UPDATE audit_chain SET seq = 20, hash = (SELECT hash FROM audit_records WHERE seq = 20)`
	uncheck := `DELETE FROM audit_checkpoints WHERE seq > 20`
	recheck := `UPDATE audit_chain SET check_seq = (SELECT MAX(seq) FROM audit_checkpoints)`
	for _, c := range []tampering{
		{"nothing", nil, ""},
		{"deleted row", []string{`DELETE FROM audit_records WHERE seq = 5`}, "record 5: is missing"},
		{"swapped pair", []string{
			`CREATE TABLE aside AS SELECT body, hash FROM audit_records WHERE seq = 5`,
			fmt.Sprintf(swap, 6, 6, 5),
			`UPDATE audit_records SET body = (SELECT body FROM aside), hash = (SELECT hash FROM aside) WHERE seq = 6`,
		}, "record 5"},
		{"cut tail", cut, "cut off"},
		{"cut tail, head mended", append(cut[:2:2], mend), "cut off"},
		{"column for searching", []string{`UPDATE audit_records SET actor = 'usr_x' WHERE seq = 4`}, "record 4"},
		{"time for searching", []string{`UPDATE audit_records SET at = at - 1 WHERE seq = 4`}, "record 4"},
		{"personal data", []string{`UPDATE audit_personal SET data = '{"src_ip":"192.0.2.8"}' WHERE seq = 4`}, "record 4"},
		{"checkpoint deleted", []string{`DELETE FROM audit_checkpoints WHERE seq = (SELECT MIN(seq) FROM audit_checkpoints)`},
			"checkpoint"},
		{"last checkpoint deleted",
			[]string{`DELETE FROM audit_checkpoints WHERE seq = (SELECT MAX(seq) FROM audit_checkpoints)`}, "checkpoint"},
		{"beginning deleted", []string{`DELETE FROM audit_records WHERE seq < 5`}, "record 1: is missing"},
		{"beginning deleted, segment forged", []string{
			`INSERT INTO audit_segments (last_seq, first_seq, body, sig) VALUES (4, 1, '{}', 'x')`,
			`DELETE FROM audit_records WHERE seq < 5`,
		}, "record 4"},
		{"cut tail, all mended", append(cut[:2:2], mend, uncheck, recheck), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			testkit.Each(t, func(t *testing.T, o store.Options) {
				db := testkit.Open(t, o)
				s := audit.New(deps(t, db.Audit))
				fill(t, s, 24)
				before := verify(t, db.Audit, s, nil)
				if !before.Intact() || before.Records < 24 || before.Checkpoints == 0 {
					t.Fatalf("before: %+v", before)
				}
				raw := testkit.Raw(t, o)
				unlock(t, raw, db.Name())
				for _, q := range c.sql {
					if db.Name() == "postgres" {
						q = strings.NewReplacer("'{\"", "'{\"", "'{}', 'x'", "'{}'::bytea, 'x'::bytea").Replace(q)
					}
					statement(t, raw, q)
				}
				r := verify(t, db.Audit, s, nil)
				if c.want == "" != r.Intact() || !strings.Contains(fmt.Sprint(r.Problems), c.want) {
					t.Errorf("found %v, want %q", r.Problems, c.want)
				}
				// Whatever was done, it is not what a receiver has seen.
				r = verify(t, db.Audit, s, &audit.Expect{Seq: before.Last, Hash: before.Hash})
				if c.name != "nothing" && r.Intact() {
					t.Error("nothing was found, though the last record was known")
				}
			})
		})
	}
}

func TestCHK_AU_03_VerifyFindsEveryFlippedByte(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		db := testkit.Open(t, o)
		s := audit.New(deps(t, db.Audit))
		fill(t, s, 3)
		if err := s.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		raw := testkit.Raw(t, o)
		unlock(t, raw, db.Name())
		for _, column := range []struct{ table, name string }{{"audit_records", "body"}, {"audit_records", "hash"},
			{"audit_personal", "data"}, {"audit_personal", "salt"}, {"audit_checkpoints", "body"},
			{"audit_checkpoints", "sig"}} {
			var seq int64
			var value []byte
			if err := raw.QueryRowContext(t.Context(),
				`SELECT seq, `+column.name+` FROM `+column.table+` ORDER BY seq LIMIT 1`).Scan(&seq, &value); err != nil {
				t.Fatal(err)
			}
			set := func(v []byte) {
				if _, err := raw.ExecContext(t.Context(), `UPDATE `+column.table+` SET `+column.name+` = $1 WHERE seq = $2`, v,
					seq); err != nil {
					t.Fatal(err)
				}
			}
			for i := range value {
				bad := bytes.Clone(value)
				bad[i] ^= 1 << (i % 8)
				set(bad)
				if r := verify(t, db.Audit, s, nil); r.Intact() {
					t.Errorf("byte %d of %s.%s was flipped unnoticed", i, column.table, column.name)
				}
			}
			set(value)
		}
		if r := verify(t, db.Audit, s, nil); !r.Intact() {
			t.Errorf("put back: %v", r.Problems)
		}
	})
}
