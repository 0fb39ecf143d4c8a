package mail

import (
	"context"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// lateAfter is how long a mail may wait before an administrator should look: some retries
// are ordinary, since mail servers turn strangers away for a few minutes at first.
const lateAfter = 10 * time.Minute

// CheckHealth adds what waits, and whether that is late. A nil Queue stands for a server
// without a mail server.
func (q *Queue) CheckHealth(ctx context.Context, r *domain.HealthReport) error {
	if q == nil {
		r.Warn("mail_off", "")
		return nil
	}
	r.Mail.On = true
	state, err := q.Store.MailState(ctx)
	if err != nil {
		return fmt.Errorf("queue of mails: %w", err)
	}
	r.Mail.MailState = state
	if !state.Oldest.IsZero() && q.Now().Sub(state.Oldest) > lateAfter {
		r.Fail("mail_waits", "")
	}
	return nil
}
