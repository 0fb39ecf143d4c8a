package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/promql"
)

// Secrets tells whose an access token or the key of a controller is.
type Secrets interface {
	Authenticate(ctx context.Context, secret string, from netip.Addr) (domain.Principal, error)
}

// Owned lists the devices of an owner, by their ids.
type Owned interface {
	Devices(ctx context.Context, owner, after string, limit int) ([]domain.Device, error)
}

// PrometheusPath is below which the server answers as Prometheus does.
const PrometheusPath = "/api/prometheus"

const (
	promTimeout   = 30 * time.Second
	promForm      = 64 << 10 // bytes
	promSeries    = 500      // in an answer
	promPerMinute = 600      // queries of a user
	promDevices   = 500      // read at a time
	promBuckets   = 4_000_000
)

// ServePrometheus answers the part of Prometheus' HTTP API that Grafana needs, with readings of devices
// that the caller may see.
func (s *Service) ServePrometheus() http.Handler {
	mux := http.NewServeMux()
	for path, answer := range map[string]func(promRequest) (any, error){
		"query": promRequest.query, "query_range": promRequest.queryRange, "labels": promRequest.labels,
		"label/{name}/values": promRequest.values, "series": promRequest.series, "metadata": promRequest.metadata,
		"status/buildinfo": promRequest.buildInfo, "query_exemplars": promRequest.exemplars,
	} {
		h := s.promHandler(answer)
		mux.HandleFunc("GET "+PrometheusPath+"/api/v1/"+path, h)
		mux.HandleFunc("POST "+PrometheusPath+"/api/v1/"+path, h)
	}
	return mux
}

// A promRequest is one request of Prometheus' API.
type promRequest struct {
	s   *Service
	ctx context.Context
	r   *http.Request
	who string // the user whose devices they are
}

type promAnswer struct {
	Status string `json:"status"`
	Data   any    `json:"data,omitempty"`
	Type   string `json:"errorType,omitempty"`
	Error  string `json:"error,omitempty"`
}

func (s *Service) promHandler(answer func(promRequest) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), promTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, promForm)
		who, err := s.promUser(ctx, r)
		var data any
		if err == nil {
			err = r.ParseForm()
			if err != nil {
				err = domain.Invalid.Errorf(domain.CodeInvalidField, "the form cannot be read").Because(err)
			}
		}
		if err == nil {
			data, err = answer(promRequest{s, ctx, r, who})
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		out := promAnswer{Status: "success", Data: data}
		if err != nil {
			refusal, status := s.promError(ctx, err)
			out = refusal
			w.WriteHeader(status)
		}
		if err := json.NewEncoder(w).Encode(out); err != nil {
			s.Log.DebugContext(ctx, "an answer to a Prometheus query broke off", "err", err)
		}
	}
}

// promUser returns whose devices are asked for: those of the user whose access token comes as a bearer
// token, or of the owner of a controller, whose key comes so or as a password.
func (s *Service) promUser(ctx context.Context, r *http.Request) (string, error) {
	secret, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, password, basic := r.BasicAuth(); basic {
		secret, bearer = password, true
	}
	if !bearer || s.Secrets == nil {
		return "", domain.Unauthorized.Errorf(domain.CodeNoCredentials,
			"send the key of a controller or an access token, as a bearer token or as the password")
	}
	from := httpx.ClientAddr(r.Context())
	if err := s.promRate("from "+from.String(), 10*promPerMinute); err != nil { // whoever it is
		return "", err
	}
	p, err := s.Secrets.Authenticate(ctx, secret, from)
	if err != nil {
		return "", err
	}
	who := p.ID
	if p.Kind == domain.KindDevice {
		if who = p.Owner; p.Access != domain.AccessController {
			return "", domain.Forbidden.Errorf(domain.CodeNotYourDevice,
				"the key of a controller is needed, and this is that of a device")
		}
	}
	return who, s.promRate(who, promPerMinute)
}

// promRate counts a query of a user, or from an address.
func (s *Service) promRate(of string, perMinute int) error {
	if ok, wait := s.promLimit.AllowN(of, 10*promPerMinute/perMinute, s.Now()); !ok {
		return domain.RateLimited.Errorf(domain.CodeReadings, "too many queries; %d a minute are answered",
			perMinute).After(wait)
	}
	return nil
}

// promError is an error as Prometheus' API has it. A cause is logged, not told.
func (s *Service) promError(ctx context.Context, err error) (promAnswer, int) {
	a := promAnswer{Status: "error", Type: "bad_data", Error: err.Error()}
	if errors.Is(err, promql.ErrQuery) {
		return a, http.StatusBadRequest
	}
	var known *domain.Error
	if errors.As(err, &known) {
		a.Error = known.Msg
		switch known.Kind {
		case domain.Unauthorized:
			return a, http.StatusUnauthorized
		case domain.Forbidden:
			return a, http.StatusForbidden
		case domain.RateLimited:
			return a, http.StatusTooManyRequests
		case domain.Invalid:
			return a, http.StatusBadRequest
		case domain.Unavailable:
			a.Type = "unavailable"
			return a, http.StatusServiceUnavailable
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		a.Type, a.Error = "timeout", "the query takes too long; ask for less"
		return a, http.StatusServiceUnavailable
	}
	s.Log.ErrorContext(ctx, "a Prometheus query failed", "err", err)
	a.Type, a.Error = "internal", "the server failed"
	return a, http.StatusInternalServerError
}

// A seen series is one of a device that the caller may see.
type seen struct {
	device string
	name   string // of the sensor
	labels map[string]string
}

// find returns the series of numbers that match, of the caller's devices, and of others that a matcher
// names if the caller may see these.
func (q promRequest) find(ms []promql.Matcher) (found []seen, err error) {
	devices, err := q.devices(ms)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		base := map[string]string{"__name__": metricName, "device": d.ID, "name": d.Name}
		if !slices.ContainsFunc(ms, func(m promql.Matcher) bool {
			v, known := base[m.Name]
			return known && !m.Matches(v)
		}) {
			all, err := q.s.Store.Series(q.ctx, d.ID)
			if err != nil {
				return nil, err
			}
			for _, of := range all {
				labels := maps.Clone(base)
				for _, l := range labelsOf(d.ID, of) {
					labels[l.Name] = l.Value
				}
				if of.Kind == domain.TextValue || !promql.MatchAll(ms, labels) {
					continue
				}
				if found = append(found, seen{d.ID, of.Name, labels}); len(found) > promSeries {
					return nil, domain.Invalid.Errorf(domain.CodeInvalidField,
						"the query matches more than %d series; name devices or series", promSeries)
				}
			}
		}
	}
	return found, nil
}

func (q promRequest) devices(ms []promql.Matcher) (all []domain.Device, err error) {
	for after, n := "", promDevices; n == promDevices; {
		some, err := q.s.Owned.Devices(q.ctx, q.who, after, promDevices)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if n = len(some); n > 0 {
			after = some[n-1].ID
		}
	}
	for _, m := range ms {
		named := m.Name == "device" && m.Op == "="
		if !named || slices.ContainsFunc(all, func(d domain.Device) bool { return d.ID == m.Value }) {
			continue
		}
		d, _, err := q.s.Devices.MaySee(q.ctx, domain.Principal{ID: q.who, Kind: domain.KindUser}, m.Value)
		if domain.KindOf(err) == domain.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Select implements promql.Source.
func (q promRequest) Select(
	ctx context.Context, ms []promql.Matcher, from, to int64, width time.Duration,
) (out []promql.Data, err error) {
	found, err := q.find(ms)
	if err != nil {
		return nil, err
	}
	begin, end := time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC()
	if end.Sub(begin) > longestChart {
		return nil, domain.Invalid.Errorf(domain.CodeInvalidField, "a query covers at most 20 years")
	}
	read := 0
	for len(found) > 0 {
		n := slices.IndexFunc(found, func(x seen) bool { return x.device != found[0].device })
		if n < 0 {
			n = len(found)
		}
		names := make([]string, n)
		for i, x := range found[:n] {
			names[i] = x.name
		}
		bs, err := q.s.Store.Buckets(ctx, found[0].device, names, begin, end, width,
			q.s.Keep.resolutionAt(begin, q.s.Now()))
		if err != nil {
			return nil, err
		}
		for _, x := range found[:n] {
			d := promql.Data{Labels: x.labels}
			for _, b := range bs[x.name] {
				d.Buckets = append(d.Buckets, promql.Bucket{At: b.At.UnixMilli(), Count: b.Count, First: b.First, Last: b.Last,
					Min: b.Min, Max: b.Max, Sum: b.Sum})
			}
			if read += len(d.Buckets); read > promBuckets {
				return nil, promql.ErrQueryf("it reads too many values; ask for a shorter range, or for fewer steps or series")
			}
			out = append(out, d)
		}
		found = found[n:]
	}
	return out, nil
}

// promValue is a sample as Prometheus' API has it: seconds, and the value as a text.
func promValue(at int64, v float64) [2]any {
	return [2]any{float64(at) / 1000, strconv.FormatFloat(v, 'f', -1, 64)}
}
