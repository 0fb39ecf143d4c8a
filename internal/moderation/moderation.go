// Package moderation takes reports of messages, screens messages where rooms ask for it, and has moderators of the room
// or administrators of the server decide.
package moderation

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Store stores reports.
type Store interface {
	Report(ctx context.Context, r domain.MessageReport, now time.Time) (
		kept domain.MessageReport, fresh, admins bool, err error)
	ReportsBy(ctx context.Context, user string, c domain.OwnReportCursor, limit int) ([]domain.MessageReport, error)
	Queue(ctx context.Context, d domain.ReportDesk, c domain.ReportCursor, limit int) ([]domain.ReportedMessage, error)
	Waiting(ctx context.Context, d domain.ReportDesk) (int, error)
	Reported(ctx context.Context, d domain.ReportDesk, seq int64) (domain.ReportedMessage, error)
	Context(ctx context.Context, d domain.ReportDesk, seq int64) (domain.ReportedMessage, []domain.Message, error)
	Decide(
		ctx context.Context, d domain.ReportDesk, seq int64, state domain.ReportState,
	) (domain.ReportDecision, error)
	Screens(ctx context.Context) (bool, error)
	Screening(ctx context.Context, room, author string) (s domain.Screening, since time.Time, err error)
	Flag(ctx context.Context, m *domain.Message, f domain.Flag, note string, now time.Time) (flagged bool, err error)
	Appeal(ctx context.Context, user, room string, seq int64, now time.Time) (first bool, err error)
	// Moderators returns the people who hear of reports of a message: moderators of its room, or administrators.
	Moderators(ctx context.Context, room string, seq int64, admins bool) ([]string, error)
}

// Rooms are read for administrators, who see no other room than that of a reported message.
type Rooms interface {
	Room(ctx context.Context, room string) (domain.Room, error)
}

// Proofs knows who has just proven who they are; others get step_up_required.
type Proofs interface {
	Fresh(ctx context.Context, p domain.Principal) error
}

// Recorder is the audit log. What RecordSync cannot record is not done.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
	RecordSync(ctx context.Context, e domain.AuditEvent) error
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Rooms    Rooms
	Proofs   Proofs
	Audit    Recorder
	Bus      bus.Bus
	Log      *slog.Logger
	DiskFull func() error     // nil: the disk is never full
	Now      func() time.Time // nil: time.Now
	Metrics  prometheus.Registerer
}

// Service is the module.
type Service struct {
	Deps
	lately  lately
	flagged *prometheus.CounterVec
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.DiskFull == nil {
		d.DiskFull = func() error { return nil }
	}
	s := &Service{Deps: d, flagged: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "moderation_flagged_total", Help: "Messages that the server flagged for moderators, by reason."},
		[]string{"reason"})}
	for _, reason := range []domain.ReportReason{domain.ReportRough, domain.ReportScored} {
		s.flagged.WithLabelValues(string(reason))
	}
	d.Metrics.MustRegister(s.flagged)
	return s
}

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"moderation"},
			Security: httpx.Bearer, Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("report-message", "PUT", "/rooms/{room}/messages/{seq}/report",
		"Report a message to those who moderate; repeating it changes nothing", 200), s.putReport)
	httpx.Register(api, op("appeal-flag", "POST", "/rooms/{room}/messages/{seq}/appeal",
		"Ask moderators to decide on your message, which the server flagged; repeating it changes nothing", 204),
		s.postAppeal)
	httpx.Register(api, op("list-own-reports", "GET", "/me/reports",
		"The messages that you reported, and what became of that, the last first", 200), s.getOwnReports)
	httpx.Register(api, op("list-room-reports", "GET", "/rooms/{room}/reports",
		"For moderators: messages of the room with open reports, those that wait longest first", 200), s.getRoomReports)
	httpx.Register(api, op("decide-room-report", "POST", "/rooms/{room}/reports/{seq}",
		"For moderators: keep a reported message, or delete it", 204), s.postDecision)
	httpx.Register(api, op("admin-list-reports", "GET", "/admin/reports",
		"Reports that moderators cannot decide on, or have not within a day", 200), s.getAdminReports)
	httpx.Register(api, op("admin-get-report", "GET", "/admin/reports/{room}/{seq}",
		"A reported message with the five before and after it; the audit log records that you looked", 200), s.getAdminReport)
	httpx.Register(api, op("admin-decide-report", "POST", "/admin/reports/{room}/{seq}",
		"Keep a reported message, or delete it", 204), s.postAdminDecision)
}

// InMessage names a message. It is exported because the decoder sets only exported fields.
type InMessage struct {
	Room string `path:"room" maxLength:"64"`
	Seq  int64  `path:"seq" minimum:"1"`
}

// person returns who asks, who must be a person.
func person(ctx context.Context) (domain.Principal, error) {
	p := httpx.Principal(ctx)
	if p.Kind != domain.KindUser {
		return p, domain.Forbidden.Errorf(domain.CodePeopleOnly, "only people report messages and decide on reports")
	}
	return p, nil
}

func (s *Service) putReport(ctx context.Context, in *struct {
	InMessage
	Body struct {
		Reason string `json:"reason" enum:"spam,harassment,dangerous,other" doc:"dangerous: or illegal"`
		Note   string `json:"note,omitempty" doc:"at most 500 characters, for those who decide"`
	}
}) (*struct{ Body wire.OwnReport }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	r, err := domain.CheckReport(domain.MessageReport{Room: in.Room, Seq: in.Seq, By: domain.UserRef{ID: p.ID},
		Reason: domain.ReportReason(in.Body.Reason), Note: in.Body.Note})
	if err != nil {
		return nil, err
	}
	if err := s.DiskFull(); err != nil {
		return nil, err
	}
	kept, fresh, admins, err := s.Store.Report(ctx, r, s.Now())
	if err != nil {
		return nil, err
	}
	if fresh {
		s.Audit.Record(ctx, unnamed(kept))
		s.tellDesk(ctx, in.InMessage, admins, domain.ReportOpen, p.ID)
	}
	return &struct{ Body wire.OwnReport }{wire.FromOwnReport(kept)}, nil
}

func (s *Service) getOwnReports(ctx context.Context, in *struct {
	Cursor string `query:"cursor" doc:"next of an earlier page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"30"`
}) (*struct{ Body httpx.Page[wire.OwnReport] }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	var c domain.OwnReportCursor
	if in.Cursor != "" {
		if err := httpx.DecodeCursor(in.Cursor, &c); err != nil {
			return nil, err
		}
	}
	found, err := s.Store.ReportsBy(ctx, p.ID, c, in.Limit+1)
	if err != nil {
		return nil, err
	}
	var page httpx.Page[wire.OwnReport]
	for _, r := range found[:min(in.Limit, len(found))] {
		page.Items = append(page.Items, wire.FromOwnReport(r))
	}
	if len(found) > in.Limit {
		last := found[in.Limit-1]
		page.Next = httpx.EncodeCursor(domain.OwnReportCursor{At: last.At.UnixMilli(), ID: last.ID})
	}
	return &struct{ Body httpx.Page[wire.OwnReport] }{page}, nil
}

// queue reads a page of the queue of d: one row more than limit, if there is a next page, which the cursor leads to.
func (s *Service) queue(
	ctx context.Context, d domain.ReportDesk, cursor string, limit int,
) (found []domain.ReportedMessage, next string, waiting int, err error) {
	var c domain.ReportCursor
	if cursor != "" {
		if err := httpx.DecodeCursor(cursor, &c); err != nil {
			return nil, "", 0, err
		}
	}
	if found, err = s.Store.Queue(ctx, d, c, limit+1); err != nil {
		return nil, "", 0, err
	}
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1]
		next = httpx.EncodeCursor(domain.ReportCursor{At: last.Since.UnixMilli(), Room: last.Message.Room,
			Seq: last.Message.Seq})
	}
	waiting, err = s.Store.Waiting(ctx, d)
	return found, next, waiting, err
}

// QueueInput says which page of a queue is wanted.
type QueueInput struct {
	Cursor string `query:"cursor" doc:"next of an earlier page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"50" default:"20"`
}

// roomReports is a page of a moderators' queue.
type roomReports struct {
	Items   []wire.ReportedMessage `json:"items" nullable:"false"`
	Next    string                 `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`
	Waiting int                    `json:"waiting" doc:"messages in the queue, those of all pages"`
}

func (s *Service) getRoomReports(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64"`
	QueueInput
}) (*struct{ Body roomReports }, error) {
	d, err := s.moderator(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	found, next, waiting, err := s.queue(ctx, d, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	out := roomReports{Items: []wire.ReportedMessage{}, Next: next, Waiting: waiting}
	for _, m := range found {
		out.Items = append(out.Items, wire.FromReportedMessage(m))
	}
	return &struct{ Body roomReports }{out}, nil
}

// decision is what becomes of a reported message.
type decision struct {
	Decision string `json:"decision" enum:"kept,removed" doc:"removed: the message is deleted"`
}

func (s *Service) postDecision(ctx context.Context, in *struct {
	InMessage
	Body decision
}) (*struct{}, error) {
	d, err := s.moderator(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	return nil, s.decide(ctx, d, in.Seq, domain.ReportState(in.Body.Decision))
}

// moderator is the desk of who asks, in a room. The store refuses those who do not moderate it.
func (s *Service) moderator(ctx context.Context, room string) (domain.ReportDesk, error) {
	p, err := person(ctx)
	if err != nil {
		return domain.ReportDesk{}, err
	}
	return domain.ReportDesk{User: p.ID, Room: room, Now: s.Now()}, domain.CheckRoomID(room)
}

// decide records who decides, has it done, and tells those who wait for it.
func (s *Service) decide(ctx context.Context, d domain.ReportDesk, seq int64, state domain.ReportState) error {
	m, err := s.Store.Reported(ctx, d, seq)
	if err != nil {
		return err
	}
	at, kind := InMessage{d.Room, seq}, string(domain.KindUser)
	if d.Admin {
		kind = domain.ActorAdmin
	}
	if err := s.Audit.RecordSync(ctx, event(ctx, domain.AuditReportDecide, kind, at, map[string]string{
		"decision": string(state), "reports": strconv.Itoa(m.Count)})); err != nil {
		return err
	}
	done, err := s.Store.Decide(ctx, d, seq, state)
	if err != nil {
		return err
	}
	for _, user := range done.Reporters {
		s.tell(ctx, user, wire.ReportChanged{Room: d.Room, Seq: seq, State: string(state), As: "reporter"})
	}
	s.tellDesk(ctx, at, d.Admin, state, "")
	return nil
}

// tellDesk tells those who decide that their queue has changed. by is who has reported; empty: somebody has decided.
func (s *Service) tellDesk(ctx context.Context, at InMessage, admins bool, state domain.ReportState, by string) {
	as := "moderator"
	if admins {
		as = "admin"
	}
	users, err := s.Store.Moderators(ctx, at.Room, at.Seq, admins)
	if err != nil {
		s.Log.WarnContext(ctx, "tell moderators of a report", "room", at.Room, "err", err)
	}
	for _, user := range users {
		s.tell(ctx, user, wire.ReportChanged{Room: at.Room, Seq: at.Seq, State: string(state), As: as, Own: user == by})
	}
}

// tell sends a frame to all connections of a user.
func (s *Service) tell(ctx context.Context, user string, data wire.ReportChanged) {
	frame, err := wire.PackReply(wire.TypeReportChanged, data)
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(user), frame)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell a user", "user", user, "type", wire.TypeReportChanged, "err", err)
	}
}

// unnamed is the record of the audit log that somebody has reported a message. It does not say who: an administrator
// may be who is reported.
func unnamed(r domain.MessageReport) domain.AuditEvent {
	return domain.AuditEvent{
		Type: domain.AuditReport, Actor: domain.AuditActor{Kind: string(domain.KindUser)},
		Target:  domain.AuditTarget{Kind: "room", ID: r.Room},
		Details: map[string]string{"seq": strconv.FormatInt(r.Seq, 10), "reason": string(r.Reason)},
	}
}

// event is a record of the audit log that somebody has decided on a message, or looked at it.
func event(
	ctx context.Context, kind domain.AuditType, actor string, at InMessage, details map[string]string,
) domain.AuditEvent {
	p := httpx.Principal(ctx)
	details["seq"] = strconv.FormatInt(at.Seq, 10)
	return domain.AuditEvent{
		Type: kind, Actor: domain.AuditActor{Kind: actor, ID: p.ID}, Target: domain.AuditTarget{Kind: "room", ID: at.Room},
		Session: p.SessionID, Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
		Details: details,
	}
}
