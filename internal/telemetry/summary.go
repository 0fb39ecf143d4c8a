package telemetry

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Summary sums up series of a device in [from, to), from the same stretches of time that a small chart of
// them is drawn from. Without names these are the first domain.MaxChartSeries that are no texts and have
// values then, or else that have ever had any. The caller has checked who may see the device.
func (s *Service) Summary(
	ctx context.Context, device string, names []string, from, to time.Time,
) (out []domain.ChartSeries, err error) {
	all, err := s.Store.Series(ctx, device)
	if err != nil {
		return nil, err
	}
	chosen := names
	for _, of := range all {
		switch {
		case of.Kind == domain.TextValue && slices.Contains(names, of.Name):
			return nil, domain.InvalidField("/series", "%.64q is a text, of which there is no chart", of.Name)
		case of.Kind != domain.TextValue && len(names) == 0 && len(chosen) < maxSeries:
			chosen = append(chosen, of.Name)
		}
	}
	if len(chosen) == 0 {
		return nil, domain.NotFound.Errorf(domain.CodeNoSeries, "this device has measured no numbers yet")
	}
	c, err := s.chart(ctx, device, chosen, from, to, domain.ChartPoints)
	if err != nil {
		return nil, err
	}
	for _, of := range c.series {
		sum := domain.ChartSeries{Name: of.Name, Unit: of.Unit, Kind: of.Kind.String()}
		for _, b := range c.buckets[of.Name] {
			sum.Add(b)
		}
		out = append(out, sum)
	}
	if len(names) == 0 {
		slices.SortStableFunc(out, func(a, b domain.ChartSeries) int { return rank(a) - rank(b) })
	}
	return out[:min(len(out), domain.MaxChartSeries)], nil
}

// rank puts series with values first.
func rank(s domain.ChartSeries) int {
	if s.Count > 0 {
		return 0
	}
	return 1
}
