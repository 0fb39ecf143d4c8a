package audit_test

import (
	"context"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// memory is a store for tests with a clock of their own, which real databases
// do not keep to.
type memory struct {
	mu      sync.Mutex
	head    domain.AuditHead
	records []domain.AuditRecord
	sinks   map[string]int64
	fail    error // of AppendAudit and AuditRecords
}

func (m *memory) AppendAudit(
	_ context.Context, chain string, seal func(domain.AuditHead) ([]domain.AuditRow, *domain.AuditCheckpoint, error),
) (domain.AuditHead, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.head, m.fail
	}
	if m.head.Chain == "" {
		m.head.Chain = chain
	}
	rows, check, err := seal(m.head)
	if err != nil {
		return m.head, err
	}
	for _, r := range rows {
		m.records = append(m.records, domain.AuditRecord{Seq: r.Seq, Day: r.Day, Time: r.Time, Type: r.Type, Actor: r.Actor,
			Hash: r.Hash, Body: r.Body})
		m.head.Seq, m.head.Hash, m.head.Day = r.Seq, r.Hash, r.Day
	}
	if check != nil {
		m.head.Check, m.head.CheckSum = check.Seq, check.Sum
	}
	return m.head, nil
}

func (m *memory) setFail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) AuditHead(context.Context) (domain.AuditHead, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head, nil
}

func (m *memory) AuditRecords(_ context.Context, f domain.AuditFilter) ([]domain.AuditRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	from := min(f.After, int64(len(m.records)))
	return m.records[from:min(from+int64(f.Limit), int64(len(m.records)))], nil
}

func (m *memory) ClaimAuditSink(_ context.Context, name, _ string, _, _ time.Time) (int64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sinks[name], true, nil
}

func (m *memory) AdvanceAuditSink(_ context.Context, name, _ string, seq, _ int64, _, _ time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sinks == nil {
		m.sinks = make(map[string]int64)
	}
	m.sinks[name] = seq
	return true, nil
}

func (m *memory) ReleaseAuditSink(context.Context, string, string) error { return nil }

func (m *memory) AuditCheckpoints(context.Context, int64, int) ([]domain.AuditCheckpoint, error) {
	return nil, nil
}
func (m *memory) AuditReceivers(context.Context) ([]domain.AuditReceiver, error)     { return nil, nil }
func (m *memory) AuditSegments(context.Context) ([]domain.AuditSegment, error)       { return nil, nil }
func (m *memory) EraseAuditBefore(context.Context, time.Time) (int64, error)         { return 0, nil }
func (m *memory) EraseAuditActor(context.Context, string) (int64, error)             { return 0, nil }
func (m *memory) OldestAuditDay(context.Context) (day, first, last int64, err error) { return }
func (m *memory) DropAuditSegment(context.Context, domain.AuditSegment) error        { return nil }
