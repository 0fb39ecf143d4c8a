package telemetry

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/promql"
)

type promResult struct {
	Type   string `json:"resultType"`
	Result any    `json:"result"`
}

type promVector struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

type promMatrix struct {
	Metric map[string]string `json:"metric"`
	Values [][2]any          `json:"values"`
}

func (q promRequest) query() (any, error) {
	at, err := q.time("time", q.s.Now())
	if err != nil {
		return nil, err
	}
	a, err := promql.Query(q.ctx, q.r.Form.Get("query"), q, promql.Steps{Start: at, End: at, Step: 1000})
	if err != nil {
		return nil, err
	}
	if a.Scalar {
		return promResult{"scalar", promValue(at, a.Rows[0].Values[0])}, nil
	}
	result := []promVector{}
	for _, r := range a.Rows {
		if !math.IsNaN(r.Values[0]) {
			result = append(result, promVector{metric(r.Labels), promValue(at, r.Values[0])})
		}
	}
	return promResult{"vector", result}, nil
}

func (q promRequest) queryRange() (any, error) {
	start, err := q.time("start", time.Time{})
	if err != nil {
		return nil, err
	}
	end, err := q.time("end", time.Time{})
	if err != nil {
		return nil, err
	}
	step, err := promql.Duration(q.r.Form.Get("step"))
	if err != nil {
		return nil, err
	}
	steps := promql.Steps{Start: start, End: end, Step: step.Milliseconds()}
	a, err := promql.Query(q.ctx, q.r.Form.Get("query"), q, steps)
	if err != nil {
		return nil, err
	}
	result := []promMatrix{}
	for _, r := range a.Rows {
		m := promMatrix{Metric: metric(r.Labels)}
		for i, v := range r.Values {
			if !math.IsNaN(v) {
				m.Values = append(m.Values, promValue(steps.At(i), v))
			}
		}
		if len(m.Values) > 0 {
			result = append(result, m)
		}
	}
	return promResult{"matrix", result}, nil
}

func metric(labels map[string]string) map[string]string {
	if labels == nil {
		return map[string]string{}
	}
	return labels
}

// time reads a time in seconds since 1970, or of RFC 3339, in milliseconds.
func (q promRequest) time(name string, absent time.Time) (int64, error) {
	text := q.r.Form.Get(name)
	if text == "" && !absent.IsZero() {
		return absent.UnixMilli(), nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e11 {
		return int64(math.Round(seconds * 1000)), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, promql.ErrQueryf("%s is no time: %.40q", name, text)
	}
	return at.UnixMilli(), nil
}

// matched returns the series that any of the selectors match; all without one.
func (q promRequest) matched() (found []seen, err error) {
	selectors := q.r.Form["match[]"]
	if len(selectors) == 0 {
		return q.find(nil)
	}
	for _, text := range selectors {
		ms, err := promql.ParseSelector(text)
		if err != nil {
			return nil, err
		}
		some, err := q.find(ms)
		if err != nil {
			return nil, err
		}
		for _, x := range some {
			if !slices.ContainsFunc(found, func(y seen) bool { return maps.Equal(x.labels, y.labels) }) {
				found = append(found, x)
			}
		}
	}
	return found, nil
}

func (q promRequest) series() (any, error) {
	found, err := q.matched()
	out := make([]map[string]string, len(found))
	for i, x := range found {
		out[i] = x.labels
	}
	return out, err
}

func (q promRequest) labels() (any, error) {
	found, err := q.matched()
	return distinct(found, func(x seen) []string { return slices.Collect(maps.Keys(x.labels)) }), err
}

func (q promRequest) values() (any, error) {
	found, err := q.matched()
	name := q.r.PathValue("name")
	return distinct(found, func(x seen) []string {
		if v := x.labels[name]; v != "" {
			return []string{v}
		}
		return nil
	}), err
}

func distinct(found []seen, of func(seen) []string) []string {
	all := []string{}
	for _, x := range found {
		all = append(all, of(x)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (q promRequest) metadata() (any, error) {
	type about struct {
		Type string `json:"type"`
		Help string `json:"help"`
		Unit string `json:"unit"`
	}
	return map[string][]about{metricName: {{"gauge", "What sensors of devices measure.", ""}}}, nil
}

// buildInfo is asked by Grafana, which goes by the version of Prometheus whose API this is.
func (q promRequest) buildInfo() (any, error) {
	return map[string]string{"version": "2.42.0", "application": "Unhidra"}, nil
}

func (q promRequest) exemplars() (any, error) { return []struct{}{}, nil }
