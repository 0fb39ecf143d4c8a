package domain

import (
	"math"
	"slices"
	"time"
)

// Limits of charts in rooms.
const (
	MaxChartSeries   = 4
	MinChartSpan     = time.Minute
	MaxChartSpan     = 366 * 24 * time.Hour
	DefaultChartSpan = 24 * time.Hour
	ChartPoints      = 96 // stretches that a small chart is drawn from, at most
)

// ChartLine is a chart as a line of a room shows it: which series of a device, of which time, and what
// they were when it was posted. Clients draw it from the readings, as long as these are kept.
type ChartLine struct {
	From   time.Time     `json:"from"`
	To     time.Time     `json:"to"`
	Series []ChartSeries `json:"series"`
}

// ChartSeries is one series of a chart, summarised. Of a sensor that is on or off, true counts as 1 and
// false as 0. Without readings Count is 0, and all other figures mean nothing.
type ChartSeries struct {
	Name  string  `json:"name"`
	Title string  `json:"title,omitempty"` // as the device declares it
	Unit  string  `json:"unit,omitempty"`
	Kind  string  `json:"kind"` // number or bool
	Count int64   `json:"count"`
	Min   float64 `json:"min"`
	Mean  float64 `json:"mean"`
	Max   float64 `json:"max"`
	Last  float64 `json:"last"`
}

// Add takes a bucket of the series into its figures. Buckets come in the order of their times.
func (s *ChartSeries) Add(b Bucket) {
	if b.Count == 0 {
		return
	}
	if s.Count == 0 {
		s.Min, s.Max = b.Min, b.Max
	}
	whole := s.Count + b.Count
	share := float64(b.Count) / float64(whole)
	s.Min, s.Max, s.Last, s.Count = min(s.Min, b.Min), max(s.Max, b.Max), b.Last, whole
	s.Mean += (b.Sum/float64(b.Count) - s.Mean) * share
	if math.IsInf(s.Mean, 0) || math.IsNaN(s.Mean) { // the sum was too great for a number
		s.Mean = s.Min/2 + s.Max/2
	}
}

// NewChart is what somebody asks to be posted to a room.
type NewChart struct {
	Room   string
	Device string
	Key    string   // idempotency key
	Series []string // empty: the first ones that are numbers, by name
	Span   time.Duration
}

// CheckNewChart refuses what cannot be posted, and fills in what is left out.
func CheckNewChart(n NewChart) (NewChart, error) {
	if err := CheckKey(n.Key); err != nil {
		return n, err
	}
	if !ValidID(RoomPrefix, n.Room) {
		return n, ErrNoRoom()
	}
	if n.Span == 0 {
		n.Span = DefaultChartSpan
	}
	if n.Span < MinChartSpan || n.Span > MaxChartSpan {
		return n, InvalidField("/span", "a chart covers %d to %d seconds", int(MinChartSpan/time.Second),
			int(MaxChartSpan/time.Second))
	}
	if len(n.Series) > MaxChartSeries {
		return n, InvalidField("/series", "a chart has at most %d series", MaxChartSeries)
	}
	for i, name := range n.Series {
		if slices.Contains(n.Series[:i], name) {
			return n, InvalidField("/series", "%.64q is there twice", name)
		}
	}
	return n, nil
}
