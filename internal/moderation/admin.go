package moderation

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// administrator is the desk of who asks, who must be an administrator, and where fresh is set have proven just now who
// they are.
func (s *Service) administrator(ctx context.Context, room string, fresh bool) (d domain.ReportDesk, err error) {
	p := httpx.Principal(ctx)
	if !p.IsAdmin() {
		return d, domain.Forbidden.Errorf(domain.CodeNotAdmin, "this is for administrators of the server")
	}
	if fresh {
		err = s.Proofs.Fresh(ctx, p)
	}
	return domain.ReportDesk{User: p.ID, Admin: true, Room: room, Now: s.Now()}, err
}

// adminReport is a reported message in the queue of administrators. It does not say what the message says.
type adminReport struct {
	Room    string    `json:"room"`
	Kind    string    `json:"kind" enum:"public,private,direct" doc:"of the room"`
	Name    string    `json:"name,omitempty" doc:"of the room; absent: it is direct"`
	Seq     int64     `json:"seq" doc:"of the message"`
	Author  wire.User `json:"author" doc:"of the message"`
	Since   time.Time `json:"since" doc:"the first report"`
	Count   int       `json:"count" doc:"reports"`
	Reasons []string  `json:"reasons" nullable:"false"`
}

// adminReports is a page of the queue of administrators.
type adminReports struct {
	Items   []adminReport `json:"items" nullable:"false"`
	Next    string        `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`
	Waiting int           `json:"waiting" doc:"messages in the queue, those of all pages"`
}

func (s *Service) getAdminReports(ctx context.Context, in *QueueInput) (*struct{ Body adminReports }, error) {
	d, err := s.administrator(ctx, "", false)
	if err != nil {
		return nil, err
	}
	found, next, waiting, err := s.queue(ctx, d, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	out := adminReports{Items: []adminReport{}, Next: next, Waiting: waiting}
	for _, m := range found {
		v, err := s.brief(ctx, m)
		switch {
		case err == nil:
			out.Items = append(out.Items, v)
		case domain.KindOf(err) != domain.NotFound: // the room was deleted meanwhile
			return nil, err
		}
	}
	return &struct{ Body adminReports }{out}, nil
}

// brief says of a reported message where it is and whose.
func (s *Service) brief(ctx context.Context, m domain.ReportedMessage) (adminReport, error) {
	r, err := s.Rooms.Room(ctx, m.Message.Room)
	if err != nil {
		return adminReport{}, err
	}
	v := adminReport{Room: r.ID, Kind: string(r.Kind), Name: r.Name, Seq: m.Message.Seq,
		Author: wire.FromUser(m.Message.Sender), Since: m.Since, Count: m.Count, Reasons: []string{}}
	for _, reason := range m.Reasons() {
		v.Reasons = append(v.Reasons, string(reason))
	}
	return v, nil
}

// reportContext is a reported message with those around it.
type reportContext struct {
	Reported wire.ReportedMessage `json:"reported"`
	Around   []wire.Message       `json:"around" nullable:"false" maxItems:"10" doc:"up to five before it and five after it, in their order"`
}

func (s *Service) getAdminReport(ctx context.Context, in *InMessage) (*struct{ Body reportContext }, error) {
	d, err := s.administrator(ctx, in.Room, false)
	if err != nil {
		return nil, err
	}
	m, around, err := s.Store.Context(ctx, d, in.Seq)
	if err != nil {
		return nil, err
	}
	if err := s.Audit.RecordSync(ctx, event(ctx, domain.AuditReportView, domain.ActorAdmin, *in,
		map[string]string{})); err != nil {
		return nil, err
	}
	out := reportContext{Reported: wire.FromReportedMessage(m), Around: []wire.Message{}}
	for _, a := range around {
		out.Around = append(out.Around, wire.FromMessage(a))
	}
	return &struct{ Body reportContext }{out}, nil
}

func (s *Service) postAdminDecision(ctx context.Context, in *struct {
	InMessage
	Body decision
}) (*struct{}, error) {
	d, err := s.administrator(ctx, in.Room, true)
	if err != nil {
		return nil, err
	}
	return nil, s.decide(ctx, d, in.Seq, domain.ReportState(in.Body.Decision))
}
