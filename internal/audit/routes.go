package audit

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Entry is a record in the API.
type Entry struct {
	Seq        int64             `json:"seq" doc:"place in the log; later records have greater ones"`
	Time       string            `json:"time" format:"date-time"`
	ID         string            `json:"id"`
	Type       string            `json:"type" example:"auth.login"`
	Outcome    string            `json:"outcome" enum:"success,failure,blocked"`
	Severity   int64             `json:"severity" doc:"1 information, 2 low, 3 medium, 4 high, 5 critical"`
	Reason     string            `json:"reason,omitempty"`
	ActorKind  string            `json:"actor_kind" example:"user"`
	ActorID    string            `json:"actor_id,omitempty"`
	ActorName  string            `json:"actor_name,omitempty"`
	TargetKind string            `json:"target_kind,omitempty"`
	TargetID   string            `json:"target_id,omitempty"`
	Target     string            `json:"target_name,omitempty" doc:"what it is called now, if it is an account"`
	Addr       string            `json:"src_ip,omitempty"`
	UserAgent  string            `json:"user_agent,omitempty"`
	Method     string            `json:"method,omitempty"`
	Factors    string            `json:"factors,omitempty"`
	RequestID  string            `json:"request_id,omitempty"`
	Node       string            `json:"node,omitempty"`
	Session    string            `json:"session_hash,omitempty"`
	Rate       string            `json:"rate_policy,omitempty"`
	Details    map[string]string `json:"details,omitempty"`
	Personal   map[string]string `json:"personal,omitempty" doc:"details that are erased before the record is"`
	Erased     bool              `json:"erased,omitempty" doc:"personal data were here"`
	Hash       string            `json:"hash" doc:"of the chain, up to this record"`
}

type listInput struct {
	Type   []string `query:"type" doc:"types, separated by commas; auth.* means all that begin so"`
	Actor  string   `query:"actor" maxLength:"100" doc:"id of who did it"`
	Target string   `query:"target" maxLength:"100" doc:"id of what it was done to"`
	Result string   `query:"outcome" enum:"success,failure,blocked" doc:"how it ended"`
	From   string   `query:"from" doc:"not before this time (RFC 3339)"`
	To     string   `query:"to" doc:"before this time (RFC 3339)"`
	After  int64    `query:"after" minimum:"0" doc:"records with a greater seq, oldest first: ask again with the last one seen to follow the log"`
	Before int64    `query:"before" minimum:"0" doc:"records with a smaller seq, newest first"`
	Limit  int      `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type listOutput struct {
	Body struct {
		Records []Entry `json:"records"`
		Head    int64   `json:"head" doc:"seq of the last record of the log"`
		Next    int64   `json:"next,omitempty" doc:"before (or after, if that was given) for the next page; absent: there is none"`
	}
}

type verifyOutput struct {
	Body struct {
		Intact      bool     `json:"intact"`
		Records     int64    `json:"records"`
		Last        int64    `json:"last"`
		Hash        string   `json:"hash" doc:"of the last record: keep it elsewhere, and compare"`
		Checkpoints int64    `json:"checkpoints"`
		Checked     int64    `json:"checked" doc:"last record that a checkpoint signed"`
		Deleted     int      `json:"deleted_days" doc:"days deleted for their age"`
		Erased      int64    `json:"erased" doc:"records whose personal data were erased"`
		Problems    []string `json:"problems"`
		PublicKey   string   `json:"public_key"`
	}
}

// Routes adds the module's operations to api. They are for administrators only.
func (s *Service) Routes(api huma.API) {
	tag := []string{"administration"}
	httpx.Register(api, huma.Operation{OperationID: "list-audit", Method: "GET", Path: "/admin/audit", Tags: tag,
		Security: httpx.Bearer, Summary: "Who did what, from where"}, s.list)
	httpx.Register(api, huma.Operation{OperationID: "verify-audit", Method: "POST", Path: "/admin/audit/verify", Tags: tag,
		Security: httpx.Bearer, Summary: "Check that nobody edited the audit log"}, s.verifyNow)
}

func (s *Service) list(ctx context.Context, in *listInput) (*listOutput, error) {
	if err := s.admin(ctx); err != nil {
		return nil, err
	}
	f, err := filter(in)
	if err != nil {
		return nil, err
	}
	head, err := s.Store.AuditHead(ctx)
	if err != nil {
		return nil, err
	}
	records, err := s.Store.AuditRecords(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	out.Body.Head = head.Seq
	out.Body.Records = make([]Entry, 0, len(records))
	for _, r := range records {
		out.Body.Records = append(out.Body.Records, entryOf(r))
	}
	if err := s.name(ctx, out.Body.Records); err != nil {
		return nil, err
	}
	if len(records) == in.Limit {
		out.Body.Next = records[len(records)-1].Seq
	}
	s.recordRead(ctx, in)
	return out, nil
}

// name sets the current names of the accounts in records. Names are not part of records, because
// they change. Records whose personal data are erased get no name.
func (s *Service) name(ctx context.Context, records []Entry) error {
	if s.People == nil {
		return nil
	}
	var ids []string
	for _, e := range records {
		ids = append(ids, e.ActorID, e.TargetID)
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids),
		func(id string) bool { return !strings.HasPrefix(id, domain.UserPrefix+"_") })
	if len(ids) == 0 {
		return nil
	}
	users, err := s.People.UsersByID(ctx, ids)
	if err != nil {
		return err
	}
	names := make(map[string]string, len(users))
	for _, u := range users {
		names[u.ID] = u.Username
	}
	for i := range records {
		e := &records[i]
		if e.ActorName == "" && !e.Erased {
			e.ActorName = names[e.ActorID]
		}
		e.Target = names[e.TargetID]
	}
	return nil
}

func (s *Service) admin(ctx context.Context) error {
	if !httpx.Principal(ctx).IsAdmin() {
		return domain.Forbidden.Errorf(domain.CodeNotAdmin, "only administrators may see the audit log")
	}
	return nil
}

func filter(in *listInput) (domain.AuditFilter, error) {
	f := domain.AuditFilter{Actor: in.Actor, Target: in.Target, Outcome: domain.AuditOutcome(in.Result), After: in.After,
		Before: in.Before, Oldest: in.After > 0, Limit: in.Limit}
	for _, t := range in.Type {
		if t != "" {
			f.Types = append(f.Types, t)
		}
	}
	if len(f.Types) > 20 {
		return f, domain.InvalidField("?type", "names more than 20 types")
	}
	var err error
	if f.From, err = moment(in.From); err != nil {
		return f, domain.InvalidField("?from", "is not a time like 2026-01-31T12:00:00Z")
	}
	if f.To, err = moment(in.To); err != nil {
		return f, domain.InvalidField("?to", "is not a time like 2026-01-31T12:00:00Z")
	}
	return f, nil
}

func moment(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, s)
}

func entryOf(r domain.AuditRecord) Entry {
	v := open(r)
	e := Entry{
		Seq: r.Seq, Time: stamp(r.Time), ID: v.o.str("id"), Type: r.Type, Outcome: v.o.str("outcome"),
		Severity: v.o.int("severity"), Reason: v.o.str("reason"),
		ActorKind: v.o.str("actor_kind"), ActorID: v.o.str("actor_id"), ActorName: v.personal(personalName),
		TargetKind: v.o.str("target_kind"), TargetID: v.o.str("target_id"),
		Addr: v.personal(personalAddr), UserAgent: v.personal(personalAgent), Method: v.o.str("method"),
		Factors: v.o.str("factors"), RequestID: v.o.str("request_id"),
		Node: v.o.str("node"), Session: v.o.str("session_hash"), Rate: v.o.str("rate_policy"),
		Hash:   hex.EncodeToString(r.Hash),
		Erased: len(v.o.obj("personal")) > len(r.Personal),
	}
	for k := range v.o.obj("details") {
		if e.Details == nil {
			e.Details = make(map[string]string)
		}
		e.Details[k] = v.o.obj("details").str(k)
	}
	for k, x := range r.Personal {
		if k == personalTyped || strings.HasPrefix(k, "personal_") {
			if e.Personal == nil {
				e.Personal = make(map[string]string)
			}
			e.Personal[strings.TrimPrefix(k, "personal_")] = x
		}
	}
	return e
}

// readRecordInterval is how often reading is recorded while an administrator follows the log.
// Recording each request would fill the log with records about itself.
const readRecordInterval = 10 * time.Minute

// recordRead records that an administrator reads the log.
func (s *Service) recordRead(ctx context.Context, in *listInput) {
	p := httpx.Principal(ctx)
	now := s.Now()
	s.mu.Lock()
	recent := in.After > 0 && now.Sub(s.readers[p.ID]) < readRecordInterval
	if !recent {
		for id, at := range s.readers {
			if now.Sub(at) > readRecordInterval {
				delete(s.readers, id)
			}
		}
		s.readers[p.ID] = now
	}
	s.mu.Unlock()
	if recent {
		return
	}
	e := s.adminEvent(ctx, p, domain.AuditRead)
	e.Details = make(map[string]string)
	for k, v := range map[string]string{"types": strings.Join(in.Type, " "), "actor": in.Actor, "target": in.Target,
		"outcome": in.Result, "from": in.From, "to": in.To} {
		if v != "" {
			e.Details[k] = v
		}
	}
	s.Record(ctx, e)
}

// adminEvent returns an event of the signed-in administrator.
func (s *Service) adminEvent(ctx context.Context, p domain.Principal, t domain.AuditType) domain.AuditEvent {
	return domain.AuditEvent{
		Type: t, Actor: domain.AuditActor{Kind: domain.ActorAdmin, ID: p.ID}, Session: p.SessionID, Factors: p.AMR,
		Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
	}
}

func (s *Service) verifyNow(ctx context.Context, _ *struct{}) (*verifyOutput, error) {
	if err := s.admin(ctx); err != nil {
		return nil, err
	}
	r, err := Verify(ctx, s.Store, s.public, nil)
	if err != nil {
		return nil, err
	}
	out := &verifyOutput{}
	b := &out.Body
	b.Intact, b.Records, b.Last, b.Hash = r.Intact(), r.Records, r.Last, hex.EncodeToString(r.Hash)
	b.Checkpoints, b.Checked, b.Deleted, b.Erased, b.PublicKey = r.Checkpoints, r.Checked, r.Segments, r.Erased,
		s.PublicKeyHex()
	b.Problems = make([]string, 0, len(r.Problems))
	for _, p := range r.Problems {
		b.Problems = append(b.Problems, p.String())
	}
	e := s.adminEvent(ctx, httpx.Principal(ctx), domain.AuditVerify)
	if !r.Intact() {
		e.Outcome, e.Severity = domain.AuditFailure, domain.AuditCritical
	}
	e.Details = map[string]string{"last": strconv.FormatInt(r.Last, 10), "problems": strconv.Itoa(len(r.Problems))}
	s.Record(ctx, e)
	return out, nil
}
