package app

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/admin"
	"github.com/unhidra/unhidra/internal/certs"
	"github.com/unhidra/unhidra/internal/chat"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
)

var _ admin.Rooms = (*chat.Service)(nil)

// From here on something is worth a look.
const (
	diskLow      = 1 << 30
	diskFull     = 100 << 20
	mailLate     = 10 * time.Minute
	receiverLate = 5 * time.Minute
	unsigned     = 2000 // records; a checkpoint is due after half as many
	certSoon     = 7 * 24 * time.Hour
)

// healthReport says how this server is, for administrators.
func (s *server) healthReport(ctx context.Context) admin.Health {
	st := report{Health: admin.Health{
		Version: s.Version, Started: s.started, URL: s.addrs.URL, Connections: s.modules.gateway.Stats().Connections,
		Store: admin.StoreHealth{Kind: s.db.Name()}, Audit: admin.AuditHealth{Receivers: []admin.Receiver{}},
		Certs: []admin.Certificate{}, Problems: []admin.Concern{},
	}, now: time.Now()}
	use, err := s.db.Use(ctx)
	if err != nil {
		st.problem("store_away", true, "")
		return st.Health // nothing else can be asked
	}
	st.Store.Bytes, st.Store.Free = use.Bytes, use.Free
	if d, ok := obs.DiskOf(s.Config.DataDir); ok {
		st.disk(d)
	}
	st.mail(ctx, s)
	st.audit(ctx, s)
	st.certs(s.certs)
	slices.SortStableFunc(st.Problems, func(a, b admin.Concern) int {
		switch {
		case a.Bad == b.Bad:
			return 0
		case a.Bad:
			return -1
		}
		return 1
	})
	return st.Health
}

type report struct {
	admin.Health
	now time.Time
}

func (st *report) problem(code string, bad bool, name string) {
	st.Problems = append(st.Problems, admin.Concern{Code: code, Bad: bad, Name: name})
}

func (st *report) disk(d obs.Disk) {
	st.Disk = &admin.DiskHealth{Free: d.Free, Total: d.Total}
	if d.Free < diskLow {
		st.problem("disk_low", d.Free < diskFull, "")
	}
}

func (st *report) mail(ctx context.Context, s *server) {
	if s.modules.mail == nil {
		st.problem("mail_off", false, "")
		return
	}
	st.Mail.On = true
	m, err := s.db.Mails.Mails(ctx)
	if err != nil {
		st.problem("store_away", true, "")
		return
	}
	st.Mail.Waiting, st.Mail.Failed = m.Waiting, m.Failed
	if m.Oldest.IsZero() {
		return
	}
	st.Mail.Oldest = &m.Oldest
	if st.now.Sub(m.Oldest) > mailLate {
		st.problem("mail_waits", true, "")
	}
}

func (st *report) audit(ctx context.Context, s *server) {
	if s.modules.audit.Health(ctx) != nil {
		st.problem("audit_stuck", true, "")
	}
	head, err := s.db.Audit.AuditHead(ctx)
	if err != nil {
		st.problem("store_away", true, "")
		return
	}
	st.Audit.Head, st.Audit.Signed = head.Seq, head.Check
	if head.Seq-head.Check > unsigned {
		st.problem("audit_unsigned", true, "")
	}
	kept, err := s.db.Audit.AuditReceivers(ctx)
	if err != nil {
		st.problem("store_away", true, "")
		return
	}
	for _, sink := range s.modules.audit.Sinks {
		var has domain.AuditReceiver // one that has nothing yet
		if i := slices.IndexFunc(kept, func(r domain.AuditReceiver) bool { return r.Name == sink.Name() }); i >= 0 {
			has = kept[i]
		}
		r := admin.Receiver{Name: sink.Name(), Behind: max(0, head.Seq-has.Seq), Dropped: has.Dropped}
		st.Audit.Receivers = append(st.Audit.Receivers, r)
		next, err := s.db.Audit.AuditRecords(ctx, domain.AuditFilter{After: has.Seq, Oldest: true, Limit: 1})
		if err == nil && len(next) > 0 && st.now.Sub(next[0].Time) > receiverLate {
			st.problem("receiver_late", true, r.Name)
		}
		if r.Dropped > 0 {
			st.problem("receiver_dropped", false, r.Name)
		}
	}
}

func (st *report) certs(source certs.Source) {
	if source == nil {
		return
	}
	for _, leaf := range source.Current() {
		c := admin.Certificate{Names: certs.Names(leaf), Ends: leaf.NotAfter}
		st.Certs = append(st.Certs, c)
		if left := leaf.NotAfter.Sub(st.now); left < certSoon {
			name := ""
			if len(c.Names) > 0 {
				name = c.Names[0]
			}
			st.problem("certificate_ends", left < 0, name)
		}
	}
}
