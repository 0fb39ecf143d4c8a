//go:build linux

package drills

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/wire"
)

// A counter is a device that measures 0, 1, 2 and so on, one a second, and numbers its reports.
type counter struct {
	id, key string
	begin   time.Time // of its first measurement
}

const countersFrame = 100 // reports in a frame

func newCounter(ctx context.Context, t *testing.T, owner *client.Client) *counter {
	t.Helper()
	var made struct {
		Device struct{ ID string }
		Key    string
	}
	must(t, owner.Do(ctx, http.MethodPost, "/devices", map[string]string{"name": "counter"}, &made))
	return &counter{made.Device.ID, made.Key, time.Now().Add(-3 * time.Hour).Truncate(time.Second)}
}

// report sends what was measured from number from up to to, and returns how much of it was new, once
// all of it is acknowledged.
func (d *counter) report(ctx context.Context, t *testing.T, s *node.Node, from, to int) (accepted int) {
	t.Helper()
	c := client.New(s.URL())
	c.Device(d.key)
	l := c.Live(ctx, client.LiveOptions{})
	defer l.Close()
	must(t, l.Ready(ctx))
	for from < to {
		r := wire.Report{Boot: new(uint64(1))}
		for ; from < to && len(r.Reports) < countersFrame; from++ {
			r.Reports = append(r.Reports, wire.ReportItem{
				Seq: new(uint32(from)), At: d.begin.Add(time.Duration(from) * time.Second), Old: true,
				Readings: map[string]json.RawMessage{"count": json.RawMessage(strconv.Itoa(from))},
			})
		}
		var ack wire.Reported
		must(t, l.Request(ctx, wire.TypeReport, r, &ack))
		if len(ack.Refused) > 0 {
			t.Fatalf("refused: %+v", ack.Refused)
		}
		accepted += ack.Accepted
	}
	return accepted
}

// holds fails unless the server has the first n measurements, each once, and nothing else.
func (d *counter) holds(ctx context.Context, t *testing.T, c *client.Client, n int) {
	t.Helper()
	var chart struct {
		Series []struct {
			Buckets []struct {
				Count     int
				Mean, Max float64
			}
		}
	}
	q := url.Values{"series": {"count"}, "points": {"1000"}, "from": {d.begin.UTC().Format(time.RFC3339)},
		"to": {d.begin.Add(24 * time.Hour).UTC().Format(time.RFC3339)}}
	must(t, c.Do(ctx, http.MethodGet, "/devices/"+d.id+"/readings?"+q.Encode(), nil, &chart))
	if len(chart.Series) != 1 {
		t.Fatalf("there are %d series", len(chart.Series))
	}
	count, sum, last := 0, 0.0, 0.0
	for _, b := range chart.Series[0].Buckets {
		count += b.Count
		sum += b.Mean * float64(b.Count)
		last = max(last, b.Max)
	}
	if want := float64(n) * float64(n-1) / 2; count != n || last != float64(n-1) || math.Abs(sum-want) > 0.5 {
		t.Errorf("there are %d readings up to %.0f with the sum %.1f; want %d up to %d with %.0f", count, last, sum, n, n-1,
			want)
	}
	t.Logf("%d readings acknowledged, and there", count)
}
