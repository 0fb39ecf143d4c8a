package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const retainEvery = time.Hour

func sameTime(s string, t time.Time) bool {
	in, err := time.Parse(time.RFC3339Nano, s)
	return err == nil && in.UnixMilli() == t.UnixMilli()
}

// retain calls Prune now and every hour.
func (s *Service) retain(ctx context.Context) {
	t := time.NewTicker(retainEvery)
	defer t.Stop()
	for {
		if err := s.Prune(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "forget what is old in the audit log", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Prune erases personal data older than KeepPersonal, and deletes records older than Keep.
func (s *Service) Prune(ctx context.Context) error {
	now := s.Now()
	if s.KeepPersonal > 0 {
		n, err := s.Store.EraseAuditBefore(ctx, now.Add(-s.KeepPersonal))
		if err != nil {
			return err
		}
		if n > 0 {
			e := s.systemEvent(domain.AuditErase, now)
			e.Reason = "age"
			e.Details = map[string]string{"records": strconv.FormatInt(n, 10)}
			s.Record(ctx, e)
		}
	}
	if s.Keep <= 0 {
		return nil
	}
	for {
		more, err := s.pruneDay(ctx, dayOf(now.Add(-s.Keep)), now)
		if err != nil || !more {
			return err
		}
	}
}

// Erase erases the personal data in the records of an actor, as the actor may request. The records
// stay, and the chain stays valid.
func (s *Service) Erase(ctx context.Context, actor, reason string) (records int64, err error) {
	n, err := s.Store.EraseAuditActor(ctx, actor)
	if err != nil || n == 0 {
		return 0, err
	}
	e := s.systemEvent(domain.AuditErase, s.Now())
	e.Reason = reason
	e.Target = domain.AuditTarget{Kind: "user", ID: actor}
	e.Details = map[string]string{"records": strconv.FormatInt(n, 10)}
	return n, s.RecordSync(ctx, e)
}

// pruneDay deletes the oldest day of the log if it is before a day. A signed segment with the hash
// of its last record replaces it. If the day was tampered with, it is evidence and is not deleted.
func (s *Service) pruneDay(ctx context.Context, before int64, now time.Time) (more bool, err error) {
	day, first, last, err := s.Store.OldestAuditDay(ctx)
	if err != nil || first == 0 || day >= before {
		return false, err
	}
	head, err := s.Store.AuditHead(ctx)
	if err != nil || last >= head.Seq {
		return false, err
	}
	start, err := s.hashBefore(ctx, first)
	if err != nil && s.startsAfter(ctx, first) {
		return false, nil // another node has deleted it
	}
	if err != nil {
		return false, err
	}
	end, err := s.verifyChain(ctx, first, last, start)
	if err != nil && s.startsAfter(ctx, first) {
		return false, nil // another node has deleted it
	}
	if err != nil {
		return false, fmt.Errorf("a day of the audit log is kept, since it was tampered with; see `unhidra audit verify`: %w",
			err)
	}
	body := canonical(object{
		"chain": head.Chain, "day": day, "first": first, "last": last, "before": hex.EncodeToString(start),
		"hash": hex.EncodeToString(end),
		"time": stamp(now), "key": s.keyID,
	})
	err = s.Store.DropAuditSegment(ctx, domain.AuditSegment{First: first, Last: last, Body: body,
		Sig: sign(s.sign, segmentLabel, body)})
	if domain.KindOf(err) == domain.Conflict {
		return false, nil // another node is deleting it
	}
	if err != nil {
		return false, err
	}
	e := s.systemEvent(domain.AuditRetention, now)
	e.Reason = "age"
	e.Details = map[string]string{
		"day": time.Unix(day*86400, 0).UTC().Format(time.DateOnly), "first": strconv.FormatInt(first, 10),
		"last": strconv.FormatInt(last, 10), "hash": hex.EncodeToString(end),
	}
	s.Record(ctx, e)
	return true, nil
}

// startsAfter reports whether the log now starts after record first.
func (s *Service) startsAfter(ctx context.Context, first int64) bool {
	_, now, _, err := s.Store.OldestAuditDay(ctx)
	return err == nil && now > first
}

// hashBefore returns the hash before record first, which must be the oldest.
func (s *Service) hashBefore(ctx context.Context, first int64) ([]byte, error) {
	segments, err := s.Store.AuditSegments(ctx)
	if err != nil {
		return nil, err
	}
	if len(segments) == 0 {
		if first != 1 {
			return nil, fmt.Errorf("records before %d are missing", first)
		}
		return nil, nil
	}
	last := segments[len(segments)-1]
	o, err := parse(last.Body)
	if err == nil {
		err = signed(ed25519.PublicKey(s.public), segmentLabel, last.Body, last.Sig)
	}
	if err != nil || last.Last != first-1 {
		return nil, fmt.Errorf("what stands for the records before %d was tampered with", first)
	}
	return hex.DecodeString(o.str("hash"))
}

// verifyChain computes the chain from record first to last and returns the hash of last.
func (s *Service) verifyChain(ctx context.Context, first, last int64, hash []byte) ([]byte, error) {
	for at := first; at <= last; {
		page, err := s.Store.AuditRecords(ctx, domain.AuditFilter{After: at - 1, Before: last + 1, Oldest: true,
			Limit: pageLength})
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return nil, fmt.Errorf("record %d is missing", at)
		}
		for _, r := range page {
			if r.Seq != at || !bytes.Equal(link(hash, r.Body), r.Hash) {
				return nil, fmt.Errorf("record %d does not follow on the one before", at)
			}
			hash = r.Hash
			at++
		}
	}
	return hash, nil
}
