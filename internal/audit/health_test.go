package audit_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/domain"
)

// far is a log that has come so far.
type far struct {
	audit.Store
	head      domain.AuditHead
	receivers []domain.AuditReceiver
	made      time.Time // of every record
	err       error
}

func (f far) AuditHead(context.Context) (domain.AuditHead, error) { return f.head, nil }

func (f far) AuditReceivers(context.Context) ([]domain.AuditReceiver, error) {
	return f.receivers, f.err
}

func (f far) AuditRecords(_ context.Context, filter domain.AuditFilter) ([]domain.AuditRecord, error) {
	if filter.After >= f.head.Seq {
		return nil, nil
	}
	return []domain.AuditRecord{{Seq: filter.After + 1, Time: f.made}}, nil
}

// named is a receiver with a name alone.
type named struct{ audit.Sink }

func (named) Name() string { return "hook" }

func TestAnAuditLogThatIsLateIsReported(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	fail := func(code, subject string) []domain.HealthProblem {
		return []domain.HealthProblem{{Code: code, Failure: true, Subject: subject}}
	}
	for name, c := range map[string]struct {
		log      far
		problems []domain.HealthProblem
	}{
		"a checkpoint is not due twice": {far{head: domain.AuditHead{Seq: 2010, Check: 10}, made: now}, nil},
		"a checkpoint is due twice": {far{head: domain.AuditHead{Seq: 2011, Check: 10}, made: now},
			fail("audit_unsigned", "")},
		"a receiver has all": {far{head: domain.AuditHead{Seq: 9},
			receivers: []domain.AuditReceiver{{Name: "hook", Seq: 9}}}, nil},
		"a receiver is behind": {far{head: domain.AuditHead{Seq: 9}, made: now.Add(-5 * time.Minute)}, nil},
		"a receiver is late": {far{head: domain.AuditHead{Seq: 9}, made: now.Add(-5*time.Minute - 1)},
			fail("receiver_late", "hook")},
		"a receiver missed records": {far{receivers: []domain.AuditReceiver{{Name: "hook", Dropped: 3}}},
			[]domain.HealthProblem{{Code: "receiver_dropped", Subject: "hook"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deps(t, c.log)
			d.Now, d.Sinks = func() time.Time { return now }, []audit.Sink{named{}}
			var r domain.HealthReport
			if err := audit.New(d).CheckHealth(t.Context(), &r); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Problems, c.problems) {
				t.Errorf("%+v", r.Problems)
			}
			if r.Audit.Head != c.log.head.Seq || r.Audit.Signed != c.log.head.Check || len(r.Audit.Receivers) != 1 {
				t.Errorf("%+v", r.Audit)
			}
		})
	}
	away := errors.New("away")
	if err := audit.New(deps(t, far{err: away})).CheckHealth(t.Context(), &domain.HealthReport{}); !errors.Is(err, away) {
		t.Errorf("without the store: %v", err)
	}
}
