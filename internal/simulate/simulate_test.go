package simulate

import (
	"context"
	"errors"
	"net"
	"reflect"
	"testing"
	"time"
)

var noon = time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC)

// dry runs a fleet that has no network, and returns what each device has measured.
func dry(t *testing.T, seed uint64, devices int) (plans []Plan, records [][]record) {
	t.Helper()
	f, err := New(Options{Server: "http://127.0.0.1:1", MQTT: "mqtt://127.0.0.1:1", Devices: make([]Identity, devices),
		Seed: seed, Mix: Mix{Troubled: 30, Wrong: 30, Hostile: 10}, Every: 10 * time.Second, Steps: 300, Start: noon,
		History: time.Hour, Dial: func(context.Context, int, string) (net.Conn, error) {
			return nil,
				errors.New("no network")
		}})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.devices {
		d.measureAll(t.Context())
		for i := range d.memory.reports {
			d.memory.reports[i].boot -= uint64(f.began.UnixMilli()) << 9
		}
		records = append(records, d.memory.reports)
		p := d.plan
		p.faults, p.values, p.backoff = nil, nil, nil
		plans = append(plans, p)
	}
	return plans, records
}

func TestTheSameSeedMeasuresTheSame(t *testing.T) {
	t.Parallel()
	plans, records := dry(t, 7, 40)
	again, same := dry(t, 7, 40)
	if !reflect.DeepEqual(plans, again) || !reflect.DeepEqual(records, same) {
		t.Error("the same seed gave other devices or values")
	}
	if other, _ := dry(t, 8, 40); reflect.DeepEqual(plans, other) {
		t.Error("another seed gave the same devices")
	}
	conducts, kinds := map[Conduct]int{}, map[Kind]int{}
	for i, p := range plans {
		conducts[p.Conduct]++
		kinds[p.Kind]++
		if want := 360; p.Conduct == Steady && len(records[i]) != want {
			t.Errorf("device %d has %d reports, want %d", i, len(records[i]), want)
		}
	}
	if len(conducts) != 4 || len(kinds) != 4 {
		t.Errorf("a mixed fleet has %v, %v", conducts, kinds)
	}
}

func TestClocksDriftAndForget(t *testing.T) {
	t.Parallel()
	c := clock{start: noon, ahead: time.Second, drift: 100}
	if got := c.read(noon.Add(10_000 * time.Second)).Sub(noon); got != 10_002*time.Second {
		t.Errorf("a clock that is 1 s ahead and 100 ppm fast shows %v after 10000 s", got)
	}
	c.unset = noon
	if got := c.read(noon.Add(time.Minute)); !got.Equal(time.Unix(60, 0)) {
		t.Errorf("a clock that was never set shows %v", got)
	}
}

func TestMemoryLosesTheOldestAlone(t *testing.T) {
	t.Parallel()
	f, err := New(Options{Server: "http://127.0.0.1:1", Devices: make([]Identity, 1), Buffer: 10, Start: noon})
	if err != nil {
		t.Fatal(err)
	}
	d := f.devices[0]
	for n := range 25 {
		d.measure(noon.Add(time.Duration(n) * time.Second))
	}
	boot, items := d.memory.head()
	if len(items) != 10 || *items[0].Seq != 15 || d.memory.forgotten() != 15 {
		t.Fatalf("after 25 reports %d are left, from %d on, and %d lost", len(items), *items[0].Seq, d.memory.forgotten())
	}
	d.memory.restart(boot+1, true)
	d.measure(noon.Add(time.Minute))
	if b, again := d.memory.head(); b != boot || len(again) != 9 || *again[0].Seq != 16 {
		t.Errorf("the reports of two boots are mixed: %d of boot %d", len(again), b)
	}
	d.memory.drop(boot, items)
	if b, left := d.memory.head(); b != boot+1 || len(left) != 1 || *left[0].Seq != 0 {
		t.Errorf("after a restart the first report is %v of boot %d", left, b)
	}
	d.memory.restart(boot+2, false)
	if d.memory.waiting() != 0 || d.memory.forgotten() != 17 {
		t.Error("without flash, a restart forgets what was not sent")
	}
}
