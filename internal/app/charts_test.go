package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Somebody posts a chart of a device in their room: all members get it, with its figures of that moment.
func TestAChartIsPostedToARoom(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		f := newFan(t, s, ann)
		f.connect(t, s)
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		at := "/rooms/" + room.ID + "/charts"
		for i, v := range []float64{20, 24, 22} {
			report := map[string]any{"boot": 1, "seq": i, "at": time.Now().Add(time.Duration(i-9) * time.Second),
				"readings": map[string]any{"temperature": v, "mode": "eco", "humidity": 50}}
			must(t, f.Request(ctx, "report", report, nil))
		}
		want := map[string]any{"key": "k1", "device": f.id, "span": 3600, "series": []string{"temperature"}}
		if err := ann.Do(ctx, "POST", at, want, nil); codeOf(err) != client.CodeNotReachable {
			t.Errorf("a chart of a device that is not in the room: %v", err)
		}
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": f.id}, nil))

		heard := make(chan client.Event, 10)
		anns := ann.Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) {
			if e.Type == string(domain.ChartPosted) {
				heard <- e
			}
		}})
		t.Cleanup(anns.Close)
		must(t, anns.Ready(ctx))
		var posted, again client.Event
		must(t, bob.Do(ctx, "POST", at, want, &posted))
		must(t, bob.Do(ctx, "POST", at, want, &again))
		for what, other := range map[string]map[string]any{
			"span":   {"key": "k1", "device": f.id, "span": 7200},
			"series": {"key": "k1", "device": f.id, "span": 3600, "series": []string{"humidity"}},
		} {
			if err := bob.Do(ctx, "POST", at, other, nil); codeOf(err) != client.CodeKeyReused {
				t.Errorf("the same key with another %s: %v", what, err)
			}
		}
		e := next(t, heard)
		if e.Seq != posted.Seq || again.Seq != posted.Seq || e.Subject == nil || e.Subject.ID != f.id || e.Detail == nil ||
			e.Detail.Chart == nil || len(e.Detail.Chart.Series) != 1 {
			t.Fatalf("posted %+v, again %+v, heard %+v", posted, again, e)
		}
		c := e.Detail.Chart
		if got := c.Series[0]; got.Name != "temperature" || got.Count != 3 || *got.Min != 20 || *got.Max != 24 ||
			*got.Mean != 22 || *got.Last != 22 || c.To.Sub(c.From) != time.Hour {
			t.Errorf("the chart is %+v", c)
		}
		if _, err := bob.Send(ctx, client.Draft{Room: room.ID, Key: "k1",
			Text: "a message has keys of its own"}); err != nil {
			t.Error(err)
		}

		for name, bad := range map[string]struct {
			who            *client.Client
			device, series string
			code           domain.Code
		}{
			"a stranger":     {eve, f.id, "temperature", client.CodeNoDevice},
			"a text":         {bob, f.id, "mode", client.CodeInvalidField},
			"the same twice": {bob, f.id, "temperature temperature", client.CodeInvalidField},
			"no such series": {bob, f.id, "x", client.CodeNoSeries},
			"no such device": {bob, "dev_x", "temperature", client.CodeNoDevice},
		} {
			body := map[string]any{"key": "k2", "device": bad.device, "series": strings.Fields(bad.series)}
			if err := bad.who.Do(ctx, "POST", at, body, nil); codeOf(err) != bad.code {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
