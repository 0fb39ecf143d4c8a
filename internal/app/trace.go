package app

import (
	"github.com/unhidra/unhidra/internal/trace"
	"github.com/unhidra/unhidra/internal/webtrace"
)

// buildTrace makes the tracer, if there is a receiver. It starts before all that is traced,
// and stops after.
func (s *server) buildTrace() (err error) {
	c := s.Config.Trace
	s.tracer, err = trace.New(trace.Options{
		URL: c.URL, Share: c.Share, Version: s.Version, Node: s.node, Log: s.logs.Part("trace"), Metrics: s.reg,
	})
	if s.tracer != nil {
		s.run("trace", s.tracer.Run)
	}
	s.modules.webtrace = webtrace.New(webtrace.Deps{Trace: s.tracer, Share: s.browserShare()})
	return err
}

// browserShare is the share of the requests that web clients trace.
func (s *server) browserShare() float64 {
	if s.tracer == nil {
		return 0
	}
	return s.Config.Trace.Browser
}
