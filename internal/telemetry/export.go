package telemetry

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// exportInput says what to export.
type exportInput struct {
	OnDevice
	Series string    `query:"series" maxLength:"4096" doc:"names, separated by commas; absent: the first 32"`
	From   time.Time `query:"from" doc:"absent: a day before to"`
	To     time.Time `query:"to" doc:"values of before it; absent: all up to now"`
	Format string    `query:"format" enum:"csv,jsonl,parquet" default:"csv" doc:"csv, with a line of names; a JSON object in each line; or Apache Parquet"`
}

// An exported value is a line of an export.
type exported struct {
	Time    time.Time `json:"time"`
	Series  string    `json:"series"`
	Unit    string    `json:"unit,omitempty"`
	Value   any       `json:"value"`
	Quality string    `json:"quality"`
}

// exportKinds are the media types of formats.
var exportKinds = map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson",
	"parquet": "application/vnd.apache.parquet"}

// exportAtOnce is how many values are read at once.
const exportAtOnce = 100_000

func (s *Service) exportReadings(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	if _, _, err := s.Devices.MaySee(ctx, httpx.Principal(ctx), in.Device); err != nil {
		return nil, err
	}
	from, to, err := s.span(in.From, in.To)
	if err != nil {
		return nil, err
	}
	chosen, err := s.chosen(ctx, in.Device, splitNames(in.Series))
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", exportKinds[in.Format])
		hc.SetHeader("Content-Disposition", `attachment; filename="readings.`+in.Format+`"`)
		if err := s.writeExport(ctx, hc.BodyWriter(), in, chosen, from, to); err != nil {
			s.Log.WarnContext(ctx, "an export of readings broke off", "device", in.Device, "err", err)
		}
	}}, nil
}

// writeExport writes all single values of [from, to) that are kept, in the order of their times.
func (s *Service) writeExport(
	ctx context.Context, out io.Writer, in *exportInput, chosen []domain.Series, from, to time.Time,
) error {
	w := bufio.NewWriter(out)
	write, end := jsonLines(w), func() error { return nil }
	switch in.Format {
	case "csv":
		write = csvLines(w)
	case "parquet":
		write, end = parquetRows(w)
	}
	if s.Keep.Raw > 0 { // nothing is older, but for what is about to be deleted
		if first := s.Now().Add(-s.Keep.Raw - forgetLate); from.Before(first) {
			from = first
		}
	}
	names := make([]string, len(chosen))
	for i, of := range chosen {
		names[i] = of.Name
	}
	for limit := exportAtOnce; from.Before(to); {
		points, err := s.Store.Points(ctx, in.Device, names, from, to, limit)
		if err != nil {
			return err
		}
		lines, next := linesOf(chosen, points), to
		if len(lines) == limit { // the last ones may not be all of their time: they come again
			next = lines[limit-1].Time
			lines = slices.DeleteFunc(lines, func(l exported) bool { return l.Time.Equal(next) })
		}
		if len(lines) == 0 && next.Before(to) {
			limit *= 2
			continue
		}
		for _, line := range lines {
			if err := write(line); err != nil {
				return err
			}
		}
		from = next
	}
	return errors.Join(end(), w.Flush())
}

func linesOf(chosen []domain.Series, points map[string][]domain.Point) (lines []exported) {
	for _, of := range chosen {
		for _, p := range points[of.Name] {
			lines = append(lines, exported{p.At, of.Name, of.Unit, p.Value.Any(), p.Quality.String()})
		}
	}
	slices.SortStableFunc(lines, func(a, b exported) int { return a.Time.Compare(b.Time) })
	return lines
}

func jsonLines(w io.Writer) func(exported) error {
	e := json.NewEncoder(w)
	return func(line exported) error { return e.Encode(line) }
}

// csvLines writes CSV (RFC 4180). Texts that a spreadsheet would take for a formula get a quote before
// them.
func csvLines(w io.Writer) func(exported) error {
	c := csv.NewWriter(w)
	first := true
	return func(line exported) error {
		if first {
			first = false
			if err := c.Write([]string{"time", "series", "unit", "value", "quality"}); err != nil {
				return err
			}
		}
		var value string
		switch v := line.Value.(type) {
		case float64:
			value = strconv.FormatFloat(v, 'g', -1, 64)
		case bool:
			value = strconv.FormatBool(v)
		case string:
			value = httpx.Cell(v)
		}
		if err := c.Write([]string{line.Time.Format(time.RFC3339Nano), line.Series, line.Unit, value,
			line.Quality}); err != nil {
			return err
		}
		c.Flush()
		return c.Error()
	}
}
