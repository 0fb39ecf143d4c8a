package telemetry

import (
	"context"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	httpx.Register(api, huma.Operation{
		OperationID: "delete-readings", Method: "DELETE", Path: "/devices/{device}/readings", Tags: []string{"devices"},
		Security: httpx.Bearer, Summary: "Delete everything that a device has measured", DefaultStatus: 204,
		Description: "For its owner. The device may go on: it begins anew.",
	}, s.deleteReadings)
	op := func(id, path, summary, description string) huma.Operation {
		return huma.Operation{OperationID: id, Method: "GET", Path: path, Tags: []string{"devices"}, Security: httpx.Bearer,
			Summary: summary, Description: description}
	}
	httpx.Register(api, op("export-readings", "/devices/{device}/readings/export", "All single values, as a file",
		"A line for each, in the order of their times, as long as they are kept."), s.exportReadings)
	httpx.Register(api, op("list-series", "/devices/{device}/series", "What a device measures, with the last values",
		"For its owner, and for those who share a room with the device."), s.listSeries)
	httpx.Register(api, op("get-readings", "/devices/{device}/readings", "What a device has measured, for a chart",
		"Numbers are summarised, each stretch of `step` seconds; stretches without any are missing. "+
			"The step is the shortest that gives at most `points` of them, of what is still kept."), s.getReadings)
}

// series is a series as the API shows it.
type series struct {
	Name string     `json:"name"`
	Unit string     `json:"unit,omitempty" doc:"of the SenML registry if it has one"`
	Kind string     `json:"kind" enum:"number,bool,text"`
	Last any        `json:"last,omitempty" doc:"the latest value"`
	At   *time.Time `json:"at,omitempty" doc:"of the latest value"`
}

func viewSeries(s domain.Series) series {
	v := series{Name: s.Name, Unit: s.Unit, Kind: s.Kind.String()}
	if !s.LastAt.IsZero() {
		v.Last, v.At = s.Last.Any(), &s.LastAt
	}
	return v
}

// OnDevice is the input of operations on one device.
type OnDevice struct {
	Device string `path:"device" maxLength:"64"`
}

// seriesOutput has all series of a device.
type seriesOutput struct {
	Body struct {
		Series []series `json:"series" nullable:"false"`
	}
}

func (s *Service) listSeries(ctx context.Context, in *OnDevice) (*seriesOutput, error) {
	if _, _, err := s.Devices.MaySee(ctx, httpx.Principal(ctx), in.Device); err != nil {
		return nil, err
	}
	all, err := s.Store.Series(ctx, in.Device)
	if err != nil {
		return nil, err
	}
	out := &seriesOutput{}
	out.Body.Series = make([]series, len(all))
	for i, of := range all {
		out.Body.Series[i] = viewSeries(of)
	}
	return out, nil
}

// readingsInput is a query.
type readingsInput struct {
	OnDevice
	Series string    `query:"series" maxLength:"4096" doc:"names, separated by commas; absent: the first 32"`
	From   time.Time `query:"from" doc:"absent: a day before to"`
	To     time.Time `query:"to" doc:"values of before it; absent: all up to now"`
	Points int       `query:"points" minimum:"1" maximum:"5000" default:"500" doc:"stretches at most"`
}

// readings is the answer to a query.
type readings struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Step   float64   `json:"step" doc:"seconds that each stretch covers; they begin at multiples of it since 1970"`
	Series []charted `json:"series" nullable:"false"`
}

// charted is a series with what was measured.
type charted struct {
	series
	Buckets []bucket `json:"buckets,omitempty" doc:"of numbers; true counts as 1, and false as 0"`
	Texts   []text   `json:"texts,omitempty" doc:"of texts: each value, the first 5000"`
}

// bucket is a stretch of time in which there were numbers.
type bucket struct {
	At    time.Time `json:"at" doc:"its begin"`
	First float64   `json:"first"`
	Min   float64   `json:"min"`
	Max   float64   `json:"max"`
	Last  float64   `json:"last"`
	Mean  float64   `json:"mean"`
	Count int64     `json:"count"`
}

type text struct {
	At    time.Time `json:"at"`
	Value string    `json:"value"`
}

func (s *Service) getReadings(ctx context.Context, in *readingsInput) (*struct{ Body readings }, error) {
	if _, _, err := s.Devices.MaySee(ctx, httpx.Principal(ctx), in.Device); err != nil {
		return nil, err
	}
	c, err := s.chart(ctx, in.Device, splitNames(in.Series), in.From, in.To, in.Points)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body readings }{readings{From: c.from, To: c.to, Step: c.step.Seconds(), Series: []charted{}}}
	for _, of := range c.series {
		v := charted{series: viewSeries(of)}
		for _, b := range c.buckets[of.Name] {
			v.Buckets = append(v.Buckets, bucket{At: b.At, First: b.First, Min: b.Min, Max: b.Max, Last: b.Last,
				Mean: b.Sum / float64(b.Count), Count: b.Count})
		}
		for _, p := range c.texts[of.Name] {
			v.Texts = append(v.Texts, text{p.At, p.Value.String()})
		}
		out.Body.Series = append(out.Body.Series, v)
	}
	return out, nil
}

func splitNames(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func (s *Service) deleteReadings(ctx context.Context, in *OnDevice) (*struct{}, error) {
	p := httpx.Principal(ctx)
	d, _, err := s.Devices.MaySee(ctx, p, in.Device)
	if err == nil && d.Owner.ID != p.ID {
		err = domain.NotFound.Errorf(domain.CodeNoDevice, "there is no such device, or it is not yours")
	}
	if err != nil {
		return nil, err
	}
	e := domain.AuditEvent{
		Type: domain.AuditDeviceReadings, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: string(domain.KindDevice), ID: in.Device}, Addr: httpx.ClientAddr(ctx),
		UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
	}
	err = s.erase(ctx, in.Device)
	if err != nil {
		e.Outcome = domain.AuditFailure
	}
	s.Audit.Record(ctx, e)
	return nil, err
}
