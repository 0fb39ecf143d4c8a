package app_test

import (
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

// What a device reports raises an alarm in a room, once, until it is over; a member acknowledges it.
func TestAReadingRaisesAnAlarmInTheRoom(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		f := newFan(t, s, ann)
		f.connect(t, s)
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": f.id}, nil))
		at := "/devices/" + f.id
		var rule struct{ ID string }
		must(t, ann.Do(ctx, "POST", at+"/alarm-rules", map[string]any{"name": "Too warm", "kind": "threshold",
			"sensor": "temperature", "above": 30, "hysteresis": 1, "room": room.ID}, &rule))
		if err := bob.Do(ctx, "DELETE", at+"/alarm-rules/"+rule.ID, nil, nil); codeOf(err) != client.CodeNotYourDevice {
			t.Errorf("a rule of another's device is deleted: %v", err)
		}
		heard := make(chan client.Event, 100)
		bobs := bob.Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) {
			if e.Detail != nil && e.Detail.Alarm != nil {
				heard <- e
			}
		}})
		t.Cleanup(bobs.Close)
		must(t, bobs.Ready(ctx))

		seq := 0
		reads := func(v float64) {
			t.Helper()
			report := map[string]any{"boot": 1, "seq": seq, "readings": map[string]any{"temperature": v}}
			seq++
			must(t, f.Request(ctx, "report", report, nil))
		}
		var open struct{ Items []wire.Alarm }
		wait(t, func() bool { // until the nodes know of the rule
			reads(31)
			must(t, bob.Do(ctx, "GET", at+"/alarms?open=true", nil, &open))
			return len(open.Items) == 1
		})
		for range 5 {
			reads(32)
		}
		alarm := open.Items[0]
		if e := next(t, heard); domain.EventType(e.Type) != domain.AlarmRaised || e.Seq != alarm.Seq || e.Actor.ID != f.id ||
			e.Detail.Alarm.Name != "Too warm" || *e.Detail.Alarm.Value != 31 {
			t.Errorf("heard %+v, and open is %+v", e, alarm)
		}
		must(t, bob.Do(ctx, "PATCH", at+"/alarms/"+alarm.ID, map[string]any{"acknowledge": true}, nil))
		if e := next(t, heard); domain.EventType(e.Type) != domain.AlarmAcknowledged || e.Detail.Of != alarm.Seq {
			t.Errorf("heard %+v", e)
		}
		wait(t, func() bool {
			reads(20)
			must(t, ann.Do(ctx, "GET", "/alarms?open=true", nil, &open))
			return len(open.Items) == 0
		})
		if e := next(t, heard); domain.EventType(e.Type) != domain.AlarmCleared || e.Detail.Of != alarm.Seq {
			t.Errorf("heard %+v", e)
		}
		if len(heard) != 0 {
			t.Errorf("%d events more", len(heard))
		}
	})
}
