package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Limits beyond which the health report warns.
const (
	unsignedLimit = 2 * checkpointAfter // records without a checkpoint: one is overdue
	receiverLate  = 5 * time.Minute     // age of the oldest record that a receiver does not have
)

// Ready returns an error if no event could be recorded for a while. A server that cannot record
// must not receive traffic.
func (s *Service) Ready(context.Context) error {
	since := s.failing.Load()
	if since == 0 || s.Now().Sub(time.UnixMilli(since)) < unhealthyAfter {
		return nil
	}
	return fmt.Errorf("nothing was recorded since %s", stamp(time.UnixMilli(since)))
}

// CheckHealth adds the state of the log, its checkpoints and its receivers to the report, and warns
// if one of them is late.
func (s *Service) CheckHealth(ctx context.Context, r *domain.HealthReport) error {
	if s.Ready(ctx) != nil {
		r.Fail("audit_stuck", "")
	}
	head, err := s.Store.AuditHead(ctx)
	if err != nil {
		return fmt.Errorf("head of the audit log: %w", err)
	}
	r.Audit.Head, r.Audit.Signed = head.Seq, head.Check
	if head.Seq-head.Check > unsignedLimit {
		r.Fail("audit_unsigned", "")
	}
	known, err := s.Store.AuditReceivers(ctx)
	if err != nil {
		return fmt.Errorf("receivers of the audit log: %w", err)
	}
	for _, sink := range s.Sinks {
		receiver := domain.AuditReceiver{Name: sink.Name()} // for a receiver that has got no record yet
		if i := slices.IndexFunc(known, func(k domain.AuditReceiver) bool { return k.Name == receiver.Name }); i >= 0 {
			receiver = known[i]
		}
		if err := s.checkReceiver(ctx, r, receiver, head.Seq); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) checkReceiver(
	ctx context.Context, r *domain.HealthReport, receiver domain.AuditReceiver, head int64,
) error {
	r.Audit.Receivers = append(r.Audit.Receivers, domain.ReceiverUse{
		Name: receiver.Name, Behind: max(0, head-receiver.Seq), Dropped: receiver.Dropped,
	})
	next, err := s.Store.AuditRecords(ctx, domain.AuditFilter{After: receiver.Seq, Oldest: true, Limit: 1})
	if err != nil {
		return fmt.Errorf("what receiver %s of the audit log does not have: %w", receiver.Name, err)
	}
	if len(next) > 0 && s.Now().Sub(next[0].Time) > receiverLate {
		r.Fail("receiver_late", receiver.Name)
	}
	if receiver.Dropped > 0 {
		r.Warn("receiver_dropped", receiver.Name)
	}
	return nil
}
