package admin

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Health is how the process that answers stands, and what it shares with others.
// What could not be found out is absent, and named in Problems.
type Health struct {
	Version     string        `json:"version"`
	Started     time.Time     `json:"started_at"`
	URL         string        `json:"url" doc:"where people reach the server"`
	Connections int64         `json:"connections" doc:"open WebSockets of this process"`
	Store       StoreHealth   `json:"store"`
	Disk        *DiskHealth   `json:"disk,omitempty" doc:"absent: this system does not tell"`
	Mail        MailHealth    `json:"mail"`
	Audit       AuditHealth   `json:"audit"`
	Certs       []Certificate `json:"certificates" nullable:"false" doc:"in use; empty: this process speaks plain http"`
	// Problems are codes of what is worth a look, the worst first.
	Problems []Concern `json:"problems" nullable:"false"`
}

// StoreHealth is the database.
type StoreHealth struct {
	Kind  string `json:"kind" enum:"sqlite,postgres"`
	Bytes int64  `json:"bytes" doc:"what is free in it included"`
	Free  int64  `json:"free_bytes" doc:"of these, what the next messages are written to; -1: unknown"`
}

// DiskHealth is the disk of the data folder.
type DiskHealth struct {
	Free  uint64 `json:"free_bytes"`
	Total uint64 `json:"total_bytes"`
}

// MailHealth is the queue of mails.
type MailHealth struct {
	On      bool       `json:"on" doc:"false: no mail server is configured"`
	Waiting int        `json:"waiting"`
	Oldest  *time.Time `json:"oldest,omitempty" doc:"since when the oldest of them waits"`
	Failed  int        `json:"failed" doc:"given up lately"`
}

// AuditHealth is the audit log.
type AuditHealth struct {
	Head      int64      `json:"head" doc:"seq of the last record"`
	Signed    int64      `json:"signed" doc:"seq that the last checkpoint is about"`
	Receivers []Receiver `json:"receivers" nullable:"false"`
}

// Receiver is one that the audit log is sent to.
type Receiver struct {
	Name    string `json:"name"`
	Behind  int64  `json:"behind" doc:"records that it has not got yet"`
	Dropped int64  `json:"dropped" doc:"records that were deleted before it got them"`
}

// Certificate is one that browsers are shown.
type Certificate struct {
	Names []string  `json:"names" nullable:"false"`
	Ends  time.Time `json:"ends_at"`
}

// Concern is something that is worth a look.
type Concern struct {
	Code string `json:"code" example:"mail_off"`
	Bad  bool   `json:"bad" doc:"true: something does not work; false: it may, soon"`
	Name string `json:"name,omitempty" doc:"of what it is about, if there is more than one"`
}

// A HealthChecker is a module that reports on itself. It knows what is too much or too
// late of what it does. CheckHealth fills in its part of r; an error means that the store
// did not answer.
type HealthChecker interface {
	CheckHealth(ctx context.Context, r *domain.HealthReport) error
}

// healthTime is how long all modules together may ask the store.
const healthTime = 5 * time.Second

func (s *Service) getHealth(ctx context.Context, _ *struct{}) (*struct{ Body Health }, error) {
	if err := s.allowed(ctx, by(ctx), false); err != nil {
		return nil, err
	}
	return &struct{ Body Health }{s.health(ctx)}, nil
}

// health asks every module, also after one has failed: some need no store.
func (s *Service) health(ctx context.Context) Health {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	var r domain.HealthReport
	away := false
	for _, module := range s.Health {
		if err := module.CheckHealth(ctx, &r); err != nil {
			s.Log.WarnContext(ctx, "cannot tell how the server is", "err", err)
			away = true
		}
	}
	if away {
		r.Problems = slices.Insert(r.Problems, 0, domain.HealthProblem{Code: "store_away", Failure: true})
	}
	h := healthView(r)
	h.Version, h.Started, h.URL = s.Version, s.Started, s.URL
	return h
}

// healthView is r as clients get it.
func healthView(r domain.HealthReport) Health {
	h := Health{
		Connections: r.Connections,
		Store:       StoreHealth{Kind: r.Store.Kind, Bytes: r.Store.Bytes, Free: r.Store.Free},
		Mail:        MailHealth{On: r.Mail.On, Waiting: r.Mail.Waiting, Failed: r.Mail.Failed},
		Audit:       AuditHealth{Head: r.Audit.Head, Signed: r.Audit.Signed, Receivers: []Receiver{}},
		Certs:       []Certificate{}, Problems: []Concern{},
	}
	if r.Disk != nil {
		h.Disk = &DiskHealth{Free: r.Disk.Free, Total: r.Disk.Total}
	}
	if !r.Mail.Oldest.IsZero() {
		h.Mail.Oldest = &r.Mail.Oldest
	}
	for _, v := range r.Audit.Receivers {
		h.Audit.Receivers = append(h.Audit.Receivers, Receiver{Name: v.Name, Behind: v.Behind, Dropped: v.Dropped})
	}
	for _, c := range r.Certificates {
		h.Certs = append(h.Certs, Certificate{Names: c.Names, Ends: c.Expires})
	}
	for _, failures := range []bool{true, false} { // the worst first
		for _, p := range r.Problems {
			if p.Failure == failures {
				h.Problems = append(h.Problems, Concern{Code: p.Code, Bad: p.Failure, Name: p.Subject})
			}
		}
	}
	return h
}
