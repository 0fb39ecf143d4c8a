package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

var t0 = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)

// fakes are a store that takes everything, and devices that declare one sensor.
type fakes struct {
	got    []domain.Report
	err    error
	series []domain.Series
	rows   int // to forget
	forgot []string
	erased []string
	points map[string][]domain.Point
}

func (f *fakes) Append(
	_ context.Context, _ string, reports []domain.Report, _ time.Time,
) (a domain.Appended, err error) {
	if f.err != nil {
		return a, f.err
	}
	for i := range reports {
		a.New = append(a.New, i)
	}
	f.got = reports
	a.Accepted = len(reports)
	return a, nil
}

func (f *fakes) Series(context.Context, string) ([]domain.Series, error) { return f.series, nil }

// Points returns the first points of all series as if these were one: a test that limits them has one.
func (f *fakes) Points(
	_ context.Context, _ string, _ []string, from, to time.Time, limit int,
) (map[string][]domain.Point, error) {
	some := make(map[string][]domain.Point)
	for name, of := range f.points {
		begin := slices.IndexFunc(of, func(p domain.Point) bool { return !p.At.Before(from) && p.At.Before(to) })
		if begin >= 0 {
			some[name] = of[begin:min(len(of), begin+limit)]
		}
	}
	return some, nil
}

func (f *fakes) Buckets(
	context.Context, string, []string, time.Time, time.Time, time.Duration, domain.Resolution,
) (map[string][]domain.Bucket, error) {
	return nil, nil
}

func (f *fakes) Close(context.Context, time.Time, bool) (bool, error) { return false, nil }

func (f *fakes) Capabilities(context.Context, string) (domain.Capabilities, error) {
	return domain.Capabilities{Sensors: []domain.Sensor{{Name: "declared", Kind: domain.NumberArg, Unit: "Cel"}}}, nil
}

func (f *fakes) Note(string, domain.DeviceNote) {}

func (f *fakes) MaySee(context.Context, domain.Principal, string) (d domain.Device, mine bool, err error) {
	return d, true, nil
}

func (f *fakes) SeenBy(_ context.Context, _ string, devices []string) ([]string, error) {
	return devices, nil
}

func (f *fakes) Forget(_ context.Context, r domain.Resolution, before time.Time) (more bool, err error) {
	f.forgot = append(f.forgot, fmt.Sprint(time.Duration(r), " ", before.Format(time.DateOnly)))
	f.rows -= 1000
	return f.rows > 0, nil
}

func (f *fakes) ForgetNumbers(_ context.Context, before time.Time) error {
	f.forgot = append(f.forgot, "numbers "+before.Format(time.DateOnly))
	return nil
}

func (f *fakes) Compact(context.Context) (bool, error) { return false, nil }

func (f *fakes) Erase(_ context.Context, device string) error {
	f.erased = append(f.erased, device)
	return nil
}

func (f *fakes) ErasedDevices(context.Context, time.Time) ([]string, error) {
	return []string{"dev_gone"}, nil
}

func service(f *fakes, now *time.Time) *Service {
	return New(Deps{Store: f, Cleaner: f, Erased: f, Devices: f, Watchable: f, Bus: bus.NewLocal(),
		Log:     slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry(), Now: func() time.Time { return *now },
		Keep: Keep{Raw: 30 * day, Minutes: 400 * day}})
}

func one(name string, v domain.Value) domain.Reading { return domain.Reading{Name: name, Value: v} }
