package mail

import (
	"context"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// lateAfter is how long a mail may wait before the health report warns. Some retries are normal,
// because mail servers defer unknown senders for a few minutes (greylisting).
const lateAfter = 10 * time.Minute

// CheckHealth adds the number of waiting mails to the report, and warns if they are late. A nil
// Queue means that no mail server is configured.
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
