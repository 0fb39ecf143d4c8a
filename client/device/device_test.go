package device_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/client/device"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

const patience = 2 * time.Minute

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	late := time.After(patience)
	for !done() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-late:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// running is a device that is connected; stop ends it as a shutdown does.
func running(t *testing.T, o device.Options) (d *device.Device, stop func()) {
	t.Helper()
	d, err := device.Open(o)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		must(t, d.Close())
	}
	t.Cleanup(stop)
	return d, stop
}

// Reports are kept over restarts of the program and while there is no connection, and are stored
// once; commands are carried out once, however often the device is told.
func TestADeviceForgetsNothing(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ctx := t.Context()
	ann := s.User("ann")
	var made struct {
		Device struct{ ID string }
		Key    string
	}
	must(t, ann.Do(ctx, "POST", "/devices", map[string]any{"name": "Greenhouse"}, &made))
	at := "/devices/" + made.Device.ID
	calls := make(chan map[string]any, 10)
	hang := make(chan struct{})
	o := device.Options{
		Server: s.URL, Key: made.Key, Dir: filepath.Join(t.TempDir(), "greenhouse"), Log: testkit.Logger(t),
		Capabilities: device.Capabilities{
			Sensors: []device.Sensor{{Name: "temperature", Unit: "Cel", Kind: device.Number}},
			Actuators: []device.Actuator{{Name: "fan", Args: []device.Arg{{Name: "on", Kind: device.Bool}}},
				{Name: "hang"}, {Name: "jam"}},
		},
		Actions: map[string]device.Action{
			"fan": func(_ context.Context, args map[string]any) (any, error) {
				calls <- args
				return map[string]int{"rpm": 900}, nil
			},
			"hang": func(ctx context.Context, _ map[string]any) (any, error) {
				close(hang)
				<-ctx.Done()
				return nil, ctx.Err()
			},
			"jam": func(context.Context, map[string]any) (any, error) { return nil, errors.New("the belt is off") },
		},
	}

	// Measured before it was ever connected, and before the program was started again.
	d, err := device.Open(o)
	must(t, err)
	from := time.Now().Add(-time.Hour)
	for i := range 300 {
		must(t, d.ReportAt(from.Add(time.Duration(i)*10*time.Second), map[string]any{"temperature": 20 + float64(i)/10}))
	}
	must(t, d.Close())
	f, err := os.OpenFile(filepath.Join(o.Dir, "reports.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"seq":300,"at":"20`) // the power went
	must(t, errors.Join(err, f.Close()))

	d, stop := running(t, o)
	must(t, d.Report(map[string]any{"temperature": 50.5}))
	wait(t, "reports are sent", func() bool { return d.Waiting() == 0 })
	var series struct {
		Series []struct {
			Name, Unit string
			Last       any
		}
	}
	must(t, ann.Do(ctx, "GET", at+"/series", nil, &series))
	if len(series.Series) != 1 || series.Series[0].Last != 50.5 {
		t.Errorf("%+v", series)
	}
	var chart struct {
		Series []struct{ Buckets []struct{ Count int64 } }
	}
	must(t, ann.Do(ctx, "GET", at+"/readings?series=temperature&from="+
		from.Add(-time.Hour).UTC().Format(time.RFC3339), nil, &chart))
	total := int64(0)
	for _, b := range chart.Series[0].Buckets {
		total += b.Count
	}
	if total != 301 {
		t.Errorf("%d readings are stored, want 301", total)
	}

	give := func(key, action string, args map[string]any) (c wire.Command) {
		t.Helper()
		must(t, ann.Do(ctx, "POST", at+"/commands", map[string]any{"key": key, "action": action, "args": args}, &c))
		return c
	}
	ended := func(c wire.Command) (got wire.Command) {
		t.Helper()
		wait(t, c.Action+" ends", func() bool {
			must(t, ann.Do(ctx, "GET", at+"/commands/"+c.ID, nil, &got))
			return got.State == "done" || got.State == "failed"
		})
		return got
	}
	if got := ended(give("1", "fan", map[string]any{"on": true})); string(got.Result) != `{"rpm":900}` {
		t.Errorf("%+v", got)
	}
	if got := ended(give("2", "jam", nil)); got.Error != "the belt is off" {
		t.Errorf("%+v", got)
	}
	if args := <-calls; args["on"] != true {
		t.Errorf("called with %v", args)
	}
	hung := give("3", "hang", nil)
	<-hang
	stop() // in the midst of a command
	_, stop = running(t, o)
	if got := ended(hung); got.State != "failed" {
		t.Errorf("%+v", got)
	}
	stop()
	if len(calls) != 0 {
		t.Errorf("the fan was switched %d times more", len(calls))
	}
}

// A device whose key is refused is told so.
func TestARefusedKeyEndsRun(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	d, err := device.Open(device.Options{Server: s.URL, Key: "dk_nonsense", Dir: t.TempDir()})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Run(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("%v, %v", err, ctx.Err())
	}
	must(t, d.Close())
}

// What does not fit is refused where it is made, and of too much the oldest goes.
func TestABufferHasABound(t *testing.T) {
	t.Parallel()
	o := device.Options{Dir: t.TempDir(), MaxBuffer: 4096, Client: client.New("http://localhost:1")}
	d, err := device.Open(o)
	must(t, err)
	if err := d.Report(map[string]any{"temperature": func() {}}); err == nil {
		t.Error("a function is a value")
	}
	for i := range 500 {
		must(t, d.Report(map[string]any{"n": i}))
	}
	if n := d.Waiting(); n < 20 || n > 60 {
		t.Errorf("%d wait in 4 KiB", n)
	}
	must(t, d.Close())
	info, err := os.Stat(filepath.Join(o.Dir, "reports.jsonl"))
	if err != nil || info.Size() > 8192 {
		t.Errorf("%v, %v", info, err)
	}
	o.Capabilities.Sensors = []device.Sensor{{Name: "two words", Kind: device.Number}}
	if _, err := device.Open(o); err == nil {
		t.Error("a name with a space is taken")
	}
}

// A device that says when it wants to be back sleeps until then.
func TestADeviceLeavesOnPurpose(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ann := s.User("ann")
	var made struct {
		Device struct{ ID string }
		Key    string
	}
	must(t, ann.Do(t.Context(), "POST", "/devices", map[string]any{"name": "Greenhouse"}, &made))
	d, stop := running(t, device.Options{Server: s.URL, Key: made.Key, Dir: t.TempDir(), Log: testkit.Logger(t)})
	wait(t, "the device leaves", func() bool { return d.Leave(t.Context(), device.Sleep, time.Hour) == nil })
	if err := d.Leave(t.Context(), "holiday", time.Hour); err == nil {
		t.Error("it leaves for a reason that there is not")
	}
	stop()
	wait(t, "the device sleeps", func() bool {
		var shown struct{ Status struct{ State string } }
		must(t, ann.Do(t.Context(), "GET", "/devices/"+made.Device.ID, nil, &shown))
		return shown.Status.State == "asleep"
	})
	if err := d.Leave(t.Context(), device.Sleep, time.Hour); err == nil {
		t.Error("it leaves although it does not run")
	}
}

// A device sets what it is told, says what it did not take, and is told again only of what is new.
func TestADeviceSetsWhatItIsTold(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ctx := t.Context()
	ann := s.User("ann")
	var made struct {
		Device struct{ ID string }
		Key    string
	}
	must(t, ann.Do(ctx, "POST", "/devices", map[string]any{"name": "Greenhouse"}, &made))
	at := "/devices/" + made.Device.ID + "/settings"
	calls := make(chan map[string]any, 10)
	d, _ := running(t, device.Options{Server: s.URL, Key: made.Key, Dir: t.TempDir(), Log: testkit.Logger(t),
		Capabilities: device.Capabilities{Settings: []device.Arg{{Name: "interval", Kind: device.Number},
			{Name: "mode", Kind: device.Text}}},
		Set: func(_ context.Context, settings map[string]any) map[string]error {
			calls <- settings
			if settings["mode"] == "panic" {
				panic("on purpose")
			}
			return map[string]error{"mode": errors.New("no such mode")}
		}})
	set := func(settings map[string]any) (err error) {
		return ann.Do(ctx, "PATCH", at, map[string]any{"settings": settings}, nil)
	}
	type shown struct {
		Applied  int64
		Reported map[string]any
		Errors   map[string]string
	}
	becomes := func(what string, ok func(shown) bool) {
		t.Helper()
		wait(t, what, func() bool {
			var got shown
			must(t, ann.Do(ctx, "GET", at, nil, &got))
			return ok(got)
		})
	}
	wait(t, "the device has described itself", func() bool {
		return set(map[string]any{"interval": 30, "mode": "x"}) == nil
	})
	becomes("its answer is there", func(s shown) bool {
		return s.Applied == 1 && s.Reported["interval"] == 30.0 && s.Errors["mode"] == "no such mode"
	})
	must(t, d.Changed(ctx, map[string]any{"interval": 20}))
	becomes("what was set on the device is there", func(s shown) bool { return s.Reported["interval"] == 20.0 })
	must(t, set(map[string]any{"mode": "panic"}))
	becomes("a panic is an answer", func(s shown) bool { return s.Applied == 2 && len(s.Errors) == 2 })
	if n := len(calls); n != 2 {
		t.Errorf("it was told %d times of 2 versions", n)
	}
}
