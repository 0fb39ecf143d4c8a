package mail_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mail"
)

// queued is a store with a state of its own.
type queued struct {
	mail.Store
	state domain.MailState
	err   error
}

func (q queued) MailState(context.Context) (domain.MailState, error) { return q.state, q.err }

func TestMailThatWaitsIsReportedAfterTenMinutes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	check := func(s queued) (r domain.HealthReport, err error) {
		q := &mail.Queue{Deps: mail.Deps{Store: s, Now: func() time.Time { return now }}}
		return r, q.CheckHealth(t.Context(), &r)
	}
	for _, c := range []struct {
		oldest time.Time
		late   bool
	}{{time.Time{}, false}, {now, false}, {now.Add(-10 * time.Minute), false}, {now.Add(-10*time.Minute - 1), true}} {
		r, err := check(queued{state: domain.MailState{Waiting: 2, Failed: 1, Oldest: c.oldest}})
		if err != nil || !r.Mail.On || r.Mail.Waiting != 2 || r.Mail.Failed != 1 {
			t.Errorf("%+v, %v", r.Mail, err)
		}
		waits := domain.HealthProblem{Code: "mail_waits", Failure: true}
		if late := len(r.Problems) == 1 && r.Problems[0] == waits; late != c.late {
			t.Errorf("the oldest is of %v: %+v", c.oldest, r.Problems)
		}
	}
	away := errors.New("away")
	if r, err := check(queued{err: away}); !errors.Is(err, away) || !r.Mail.On || len(r.Problems) > 0 {
		t.Errorf("without the store: %+v, %v", r, err)
	}
}

func TestAServerWithoutMailSaysSo(t *testing.T) {
	t.Parallel()
	var r domain.HealthReport
	var none *mail.Queue
	err := none.CheckHealth(t.Context(), &r)
	if err != nil || r.Mail.On || len(r.Problems) != 1 || r.Problems[0] != (domain.HealthProblem{Code: "mail_off"}) {
		t.Errorf("%+v, %v", r, err)
	}
}
