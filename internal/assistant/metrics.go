package assistant

import "github.com/prometheus/client_golang/prometheus"

// What became of requests to the endpoint, and of answers.
const (
	resultOK      = "ok"
	resultBusy    = "busy"    // it wants to be left alone for a while
	resultFailed  = "failed"  // no answer, or not all of it
	resultRefused = "refused" // it does not take the request
	resultStopped = "stopped" // nobody wanted the rest, or it was too long

	answerWhole   = "whole"
	answerCut     = "cut"
	answerStopped = "stopped"
	answerFailed  = "failed"
	answerRefused = "refused" // there were too many questions
)

type metrics struct {
	requests *prometheus.CounterVec
	answers  *prometheus.CounterVec
	tokens   *prometheus.CounterVec
	took     prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help, label string, values ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		for _, v := range values {
			c.WithLabelValues(v)
		}
		return c
	}
	m := &metrics{
		requests: counter("assistant_requests_total", "Requests to the model of assistants, by what became of them.",
			"result", resultOK, resultBusy, resultFailed, resultRefused, resultStopped),
		answers: counter("assistant_answers_total", "Questions to assistants, by what became of the answer.", "result",
			answerWhole, answerCut, answerStopped, answerFailed, answerRefused),
		tokens: counter("assistant_tokens_total", "Tokens that the model of assistants counted, where it tells.", "kind",
			"prompt", "completion"),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "assistant_request_seconds",
			Help:    "Time from a request to the model of assistants to the end of its answer.",
			Buckets: []float64{.25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}}),
	}
	reg.MustRegister(m.requests, m.answers, m.tokens, m.took)
	return m
}
