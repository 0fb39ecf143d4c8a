package app_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

type seriesList struct {
	Series []struct {
		Name, Unit, Kind string
		Last             any
		At               time.Time
	}
}

type readingsOf struct {
	Step   float64
	Series []struct {
		Name    string
		Buckets []struct {
			At                          time.Time
			First, Min, Max, Last, Mean float64
			Count                       int64
		}
		Texts []struct {
			At    time.Time
			Value string
		}
	}
}

// What a device reports is stored once, charted for those who may see the device, and shown live to
// those of them who watch, until they may not see it any more.
func TestADeviceReportsWhatItMeasures(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		d := registerDevice(t, ann, "Greenhouse")
		id := d.Device.ID
		device, _ := connectDevice(t, s, d.Key, client.LiveOptions{})
		at := time.Now().UTC().Truncate(time.Millisecond).Add(-time.Minute)
		report := map[string]any{"boot": 7, "seq": 0, "at": at, "units": map[string]string{"temperature": "Cel"},
			"readings": map[string]any{"temperature": 21.5, "relay": true, "mode": "heat"}}
		var ack wire.Reported
		for i, want := range []wire.Reported{{Accepted: 1}, {Duplicate: 1}} {
			ack = wire.Reported{}
			must(t, device.Request(ctx, "report", report, &ack))
			if ack.Accepted != want.Accepted || ack.Duplicate != want.Duplicate || *ack.AckedThrough != 0 {
				t.Errorf("report %d: %+v", i, ack)
			}
		}
		var list seriesList
		must(t, ann.Do(ctx, "GET", "/devices/"+id+"/series", nil, &list))
		if len(list.Series) != 3 || list.Series[2].Name != "temperature" || list.Series[2].Unit != "Cel" ||
			list.Series[2].Last != 21.5 || !list.Series[2].At.Equal(at) || list.Series[1].Last != true {
			t.Errorf("%+v", list)
		}
		var chart readingsOf
		must(t, ann.Do(ctx, "GET", "/devices/"+id+"/readings?series=temperature,mode", nil, &chart))
		if b := chart.Series[0].Buckets; len(b) != 1 || b[0].Mean != 21.5 || b[0].Count != 1 || chart.Step != 300 {
			t.Errorf("%+v", chart)
		}
		if x := chart.Series[1].Texts; len(x) != 1 || x[0].Value != "heat" || !x[0].At.Equal(at) {
			t.Errorf("%+v", chart)
		}
		for _, path := range []string{"/series", "/readings"} {
			if err := bob.Do(ctx, "GET", "/devices/"+id+path, nil, nil); status(err) != 404 {
				t.Errorf("%s to a stranger: %v", path, err)
			}
		}
		ack = wire.Reported{}
		must(t, device.Request(ctx, "report", map[string]any{"readings": map[string]any{"temperature": "unavailable"}}, &ack))
		list = seriesList{}
		must(t, ann.Do(ctx, "GET", "/devices/"+id+"/series", nil, &list))
		if len(ack.Refused) != 1 || ack.Refused[0] != (wire.Refusal{Name: "temperature", Reason: "wrong_kind"}) ||
			list.Series[2].Kind != "number" || list.Series[2].Last != 21.5 {
			t.Errorf("after a text among numbers: %+v, %+v", ack, list)
		}
		if err := ann.Do(ctx, "GET", "/devices/"+id+"/readings?series=none", nil, nil); codeOf(err) != client.CodeNoSeries {
			t.Errorf("%v", err)
		}
		watchesReadings(t, s, ann, bob, device, id)
	})
}

// watchesReadings has bob watch a device of ann: not as a stranger, but while they share a room.
func watchesReadings(t *testing.T, s *live.Server, ann, bob *client.Client, device *client.Live, id string) {
	ctx := t.Context()
	frames := make(chan wire.DeviceReadings, 100)
	person := bob.Live(ctx, client.LiveOptions{OnOther: func(typ string, data json.RawMessage) {
		var r wire.DeviceReadings
		if typ == wire.TypeReadings && json.Unmarshal(data, &r) == nil {
			frames <- r
		}
	}})
	t.Cleanup(person.Close)
	watch := func() (w wire.WatchedReadings) {
		must(t, person.Request(ctx, "watch_readings", wire.WatchReadings{Devices: []string{id, "dev_none"}}, &w))
		return w
	}
	if w := watch(); len(w.Devices) != 0 {
		t.Errorf("a stranger sees %+v", w)
	}
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
	must(t, err)
	joins(t, ann, bob, room.ID)
	must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": id}, nil))
	if w := watch(); len(w.Devices) != 1 || w.Devices[0].Values["mode"] != "heat" {
		t.Errorf("%+v", w)
	}
	says := func(v float64) {
		must(t, device.Request(ctx, "report", map[string]any{"readings": map[string]any{"temperature": v}}, nil))
	}
	next := func() wire.DeviceReadings {
		select {
		case f := <-frames:
			return f
		case <-time.After(patience):
			t.Fatal("nothing was shown live")
			return wire.DeviceReadings{}
		}
	}
	says(22.5)
	if f := next(); f.Device != id || f.Values["temperature"] != 22.5 || f.At.IsZero() {
		t.Errorf("%+v", f)
	}
	says(23)
	says(23.5) // within the second: only the last is shown
	if f := next(); f.Values["temperature"] != 23.5 && f.Values["temperature"] != 23.0 {
		t.Errorf("%+v", f)
	}
	must(t, ann.Do(ctx, "DELETE", "/rooms/"+room.ID+"/members/"+id, nil, nil))
	var list seriesList
	deadline := time.Now().Add(patience)
	for ; ; time.Sleep(50 * time.Millisecond) {
		if err := bob.Do(ctx, "GET", "/devices/"+id+"/series", nil, &list); status(err) == 404 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("bob still sees the device")
		}
	}
	if w := watch(); len(w.Devices) != 0 {
		t.Errorf("no longer in a room with it: %+v", w)
	}
}

// A device may describe a sensor as one of texts after it has sent numbers: these are shown as texts.
func TestNumbersOfASensorOfTextsAreShown(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann := s.User("ann")
		d := registerDevice(t, ann, "Tank")
		device, _ := connectDevice(t, s, d.Key, client.LiveOptions{})
		report := func(v any) {
			must(t, device.Request(ctx, "report", map[string]any{"readings": map[string]any{"level": v}}, nil))
		}
		report(20.5)
		must(t, device.Request(ctx, wire.TypeDescribe, wire.Describe{Capabilities: domain.Capabilities{
			Sensors: []domain.Sensor{{Name: "level", Kind: domain.TextArg}}}}, nil))
		report("full")
		var chart readingsOf
		must(t, ann.Do(ctx, "GET", "/devices/"+d.Device.ID+"/readings", nil, &chart))
		if x := chart.Series[0].Texts; len(x) != 2 || x[0].Value != "20.5" || x[1].Value != "full" {
			t.Errorf("%+v", chart)
		}
	})
}

// What was measured outlives a restart. The owner may delete it, and so does whoever deletes the
// owner's account.
func TestReadingsLastUntilTheyAreDeleted(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		ctx := t.Context()
		s := start()
		ann := s.User("ann")
		d := registerDevice(t, ann, "Greenhouse")
		device, _ := connectDevice(t, s, d.Key, client.LiveOptions{})
		report := map[string]any{"boot": 7, "seq": 0, "readings": map[string]any{"temperature": 21.5}}
		must(t, device.Request(ctx, "report", report, nil))
		device.Close()
		s.Stop()

		s = start()
		ann = client.New(s.URL)
		must(t, ann.SignIn(ctx, "ann", live.Password))
		count := func() int {
			var list seriesList
			must(t, ann.Do(ctx, "GET", "/devices/"+d.Device.ID+"/series", nil, &list))
			return len(list.Series)
		}
		device, _ = connectDevice(t, s, d.Key, client.LiveOptions{})
		var ack wire.Reported
		must(t, device.Request(ctx, "report", report, &ack))
		if ack.Duplicate != 1 || count() != 1 {
			t.Errorf("after a restart: %+v, %d series", ack, count())
		}
		must(t, ann.Do(ctx, "DELETE", "/devices/"+d.Device.ID+"/readings", nil, nil))
		if count() != 0 {
			t.Error("deleted readings are there")
		}
		ack = wire.Reported{}
		must(t, device.Request(ctx, "report", report, &ack))
		if ack.Accepted != 1 || count() != 1 {
			t.Errorf("after the deletion: %+v", ack)
		}
	})
}
