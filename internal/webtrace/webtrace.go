// Package webtrace takes the spans of web clients: how long a request took as seen by a browser,
// with the way there and back.
package webtrace

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/trace"
)

// Deps are what a Service needs.
type Deps struct {
	Trace *trace.Tracer    // nil: what is reported is dropped
	Share float64          // of the requests that web clients trace; 0: what is reported is dropped
	Now   func() time.Time // nil: time.Now
}

// Service takes spans.
type Service struct{ Deps }

// New returns a service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{d}
}

// Routes registers the REST operation.
func (s *Service) Routes(api huma.API) {
	httpx.Register(api, huma.Operation{
		OperationID: "report-spans", Method: http.MethodPost, Path: "/traces", Tags: []string{"tracing"},
		Security: httpx.Bearer, DefaultStatus: http.StatusNoContent,
		Summary: "Report how long requests took",
		Description: "For a client that began traces, as `hello` asks for with `trace_share`. " +
			"A server that does not trace, or has had enough, drops them.",
	}, s.report)
}

type reportInput struct {
	Body struct {
		Spans []Span `json:"spans" minItems:"1" maxItems:"64"`
	}
}

// A Span is a request as its client saw it.
type Span struct {
	Parent string `json:"traceparent" pattern:"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$" doc:"what the request was sent with"`
	Name   string `json:"name" maxLength:"40" pattern:"^[A-Za-z]+[ .][a-z_]+$" doc:"type, or method and start of path"`
	Ago    int64  `json:"ago" minimum:"0" maximum:"600000" doc:"milliseconds since it began, when this is sent"`
	Took   int64  `json:"took" minimum:"0" maximum:"600000" doc:"milliseconds until its answer"`
	Failed bool   `json:"failed,omitempty"`
}

func (s *Service) report(_ context.Context, in *reportInput) (*struct{}, error) {
	if s.Share == 0 {
		return nil, nil
	}
	now := s.Now()
	for _, span := range in.Body.Spans {
		start := now.Add(-time.Duration(span.Ago) * time.Millisecond)
		s.Trace.Report(span.Parent, span.Name, start, start.Add(time.Duration(span.Took)*time.Millisecond), span.Failed)
	}
	return nil, nil
}
