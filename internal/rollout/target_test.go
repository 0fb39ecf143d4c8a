package rollout

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

func one(revision uint16, code uint32) domain.DeviceFirmware {
	return domain.DeviceFirmware{Device: "dev", Owner: "usr", Type: "lamp", Tags: []string{"hall"},
		Report: domain.FirmwareReport{Chip: board, Revision: revision, Version: "1", VersionCode: code, SHA256: "old",
			SlotState: domain.SlotValid}}
}

func TestRolloutsAreForTheDevicesThatTheyFit(t *testing.T) {
	t.Parallel()
	release := domain.Release{ID: "rel", Code: 5, MinCode: 2, Images: []domain.FirmwareImage{
		{SHA256: "new", Chip: board, RevisionMax: 199, SecureVersion: 1}}}
	for name, c := range map[string]struct {
		change func(r *domain.Rollout, d *domain.DeviceFirmware)
		want   bool
	}{
		"that fits":            {func(*domain.Rollout, *domain.DeviceFirmware) {}, true},
		"of somebody else":     {func(_ *domain.Rollout, d *domain.DeviceFirmware) { d.Owner = "other" }, false},
		"of another chip":      {func(_ *domain.Rollout, d *domain.DeviceFirmware) { d.Report.Chip = "esp32" }, false},
		"of a later revision":  {func(_ *domain.Rollout, d *domain.DeviceFirmware) { d.Report.Revision = 200 }, false},
		"that has it":          {func(_ *domain.Rollout, d *domain.DeviceFirmware) { d.Report.SHA256 = "new" }, false},
		"that is newer":        {func(_ *domain.Rollout, d *domain.DeviceFirmware) { d.Report.VersionCode = 6 }, false},
		"that is too old":      {func(_ *domain.Rollout, d *domain.DeviceFirmware) { d.Report.VersionCode = 1 }, false},
		"that burnt its fuses": {func(_ *domain.Rollout, d *domain.DeviceFirmware) { d.Report.SecureVersion = 2 }, false},
		"with the tag":         {func(r *domain.Rollout, _ *domain.DeviceFirmware) { r.Plan.Target.Tag = "hall" }, true},
		"without the tag":      {func(r *domain.Rollout, _ *domain.DeviceFirmware) { r.Plan.Target.Tag = "roof" }, false},
		"of another type":      {func(r *domain.Rollout, _ *domain.DeviceFirmware) { r.Plan.Target.Type = "pump" }, false},
		"left out": {func(r *domain.Rollout, _ *domain.DeviceFirmware) {
			r.Plan.Exclude.Revisions = []domain.HardwareRevision{{Chip: board, Revision: 3}}
		}, false},
		"to be taken back, and newer": {func(r *domain.Rollout, d *domain.DeviceFirmware) {
			r.Reverts, d.Report.VersionCode = "rol_0", 6
		}, true},
		"to be taken back, and older": {func(r *domain.Rollout, _ *domain.DeviceFirmware) { r.Reverts = "rol_0" }, false},
	} {
		r, d := domain.Rollout{Owner: "usr"}, one(3, 2)
		c.change(&r, &d)
		if _, got := Meant(r, release, d); got != c.want {
			t.Errorf("a device %s: %v", name, got)
		}
	}
}

// Stages only grow, and have the share that they say; each rollout begins with other devices.
func TestStagesHaveTheirShare(t *testing.T) {
	t.Parallel()
	plan, err := domain.CheckRolloutPlan(domain.RolloutPlan{})
	if err != nil {
		t.Fatal(err)
	}
	r := domain.Rollout{Plan: plan, Salt: "a", Devices: 10_000}
	other := r
	other.Salt = "b"
	counts, both := make([]int, 4), 0
	for i := range 10_000 {
		d := domain.DeviceFirmware{Device: fmt.Sprint("dev_", i)}
		stage, ok := StageOf(r, d)
		if !ok {
			t.Fatalf("%s is in no stage", d.Device)
		}
		counts[stage]++
		if again, _ := StageOf(other, d); stage == 0 && again == 0 {
			both++
		}
	}
	for i, want := range []float64{100, 400, 2000, 7500} {
		if math.Abs(float64(counts[i])-want) > 5*math.Sqrt(want) {
			t.Errorf("%d devices come with stage %d, of %v", counts[i], i, want)
		}
	}
	if both > 10 {
		t.Errorf("%d devices are among the first of both rollouts", both)
	}
	r.Devices = 20
	if got := share(r, 0); got != 0.25 {
		t.Errorf("five of 20 devices are %v", got)
	}
	r.Plan.Stages[0].Tag = "lab"
	if stage, _ := StageOf(r, domain.DeviceFirmware{Device: "dev_9", Tags: []string{"lab"}}); stage != 0 {
		t.Errorf("a device with the tag of the canary is in stage %d", stage)
	}
}

// A stage of a few percent of a few devices would often have none, and the rollout would never go on.
func TestTheFirstStageHasADevice(t *testing.T) {
	t.Parallel()
	var there []domain.DeviceFirmware
	for i := range 10 {
		there = append(there, domain.DeviceFirmware{Device: fmt.Sprint("dev_", i)})
	}
	r := domain.Rollout{Plan: domain.RolloutPlan{Stages: []domain.RolloutStage{{Percent: 2}, {Percent: 100}}}, Devices: 10}
	has := func(r domain.Rollout) bool {
		return slices.ContainsFunc(there, func(d domain.DeviceFirmware) bool {
			stage, _ := StageOf(r, d)
			return stage == 0
		})
	}
	changed := 0
	for i := range 200 {
		r.Salt = fmt.Sprint("salt ", i)
		got := Salted(r, there)
		if !has(got) {
			t.Errorf("by %q nobody is in the first stage", got.Salt)
		}
		if again := Salted(r, there); again.Salt != got.Salt {
			t.Errorf("%q, then %q", got.Salt, again.Salt)
		}
		if got.Salt != r.Salt {
			changed++
		} else if !has(r) {
			t.Error("a salt that is no good remains")
		}
	}
	if changed < 100 || changed == 200 {
		t.Errorf("of 200 salts %d were changed", changed)
	}
	if got := Salted(r, nil); got.Salt != r.Salt {
		t.Error("without devices the salt is changed")
	}
	r.Plan.Stages[0] = domain.RolloutStage{Tag: "lab"}
	if got := Salted(r, there); got.Salt != r.Salt {
		t.Error("for a stage of a tag alone the salt is changed")
	}
}

// The window is that of the clock at the device, also over midnight.
func TestWindowsAreInTheTimeOfTheDevice(t *testing.T) {
	t.Parallel()
	r := domain.Rollout{Plan: domain.RolloutPlan{Windows: []domain.UpdateWindow{
		{Weekdays: []int{6}, Start: "23:00", Minutes: 180}}}} // from Saturday evening to Sunday, 02:00
	saturday := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		offset int // hours
		at     time.Duration
		want   bool
	}{
		{0, 22*time.Hour + 59*time.Minute, false}, {0, 23 * time.Hour, true}, {0, 25*time.Hour + 59*time.Minute, true},
		{0, 26 * time.Hour, false}, {0, 49 * time.Hour, false}, {9, 14 * time.Hour, true}, {9, 23 * time.Hour, false},
		{-8, 31 * time.Hour, true},
	} {
		offset := c.offset * 3600
		d := domain.DeviceFirmware{Report: domain.FirmwareReport{UTCOffset: &offset}}
		if got := inWindow(r, d, saturday.Add(c.at)); got != c.want {
			t.Errorf("%d hours from UTC, at %v: %v", c.offset, c.at, got)
		}
	}
}

func TestADeviceGetsTheNewestReleaseThatIsForIt(t *testing.T) {
	t.Parallel()
	candidate := func(id string, code uint32, change func(*domain.Rollout)) Candidate {
		r := domain.Rollout{ID: id, Owner: "usr", State: domain.RolloutRunning, Code: code,
			Plan: domain.RolloutPlan{Stages: []domain.RolloutStage{{Percent: 100}}}}
		if change != nil {
			change(&r)
		}
		return Candidate{Rollout: r, Release: domain.Release{ID: id, Code: code, Images: []domain.FirmwareImage{
			{SHA256: fmt.Sprint("new", code), Chip: board, RevisionMax: 999}}}}
	}
	all := []Candidate{candidate("b", 3, nil), candidate("a", 2, nil),
		candidate("c", 4, func(r *domain.Rollout) { r.State = domain.RolloutPaused }),
		candidate("d", 5, func(r *domain.Rollout) { r.Plan.Target.Tag = "roof" })}
	if best, ok := Best(all, one(3, 1), epoch); !ok || best.Rollout.ID != "b" || best.Image.SHA256 != "new3" {
		t.Errorf("%v: %+v", ok, best.Rollout)
	}
	pending := one(3, 1)
	pending.Report.SlotState = domain.SlotPending
	if _, ok := Best(all, pending, epoch); ok {
		t.Error("a device that has not confirmed what it runs is offered an update")
	}
}

// A device that was taken out of a product and has joined again is offered its rollout again, but not one that was of
// the product's owner before: they know its update.
func TestADeviceThatChangedHandsIsNotKnownAgain(t *testing.T) {
	t.Parallel()
	d := one(3, 1)
	d.Report.Product, d.Joined = "lamp", domain.JoinedTo{Product: "prd", Name: "lamp", Publisher: "firm", Ask: true}
	plan := domain.RolloutPlan{Stages: []domain.RolloutStage{{Percent: 100}}}
	r := domain.Rollout{ID: "rol", Product: "prd", Name: "lamp", Owner: "firm", Release: "rel",
		State: domain.RolloutRunning, Plan: plan}
	y := rules{map[string]domain.Release{"rel": {ID: "rel", Code: 2, State: domain.ActiveRelease,
		Images: []domain.FirmwareImage{{SHA256: "new", Chip: board, RevisionMax: 199}}}}}
	canceled := func(why string, shared bool) domain.Update {
		return domain.Update{State: domain.UpdateCanceled, Reason: why, Shared: shared}
	}
	for name, c := range map[string]struct {
		had  domain.Update
		want bool
	}{
		"that has joined again":                    {canceled(domain.WhyWithdrawn, true), true},
		"that was the owner's":                     {canceled(domain.WhyWithdrawn, false), false},
		"that was the owner's, and is tried again": {domain.Update{State: domain.UpdateRolledBack, Due: epoch}, false},
		"that was left out":                        {canceled(whyLeftOut, true), false},
	} {
		u, ok := y.Pick([]domain.Rollout{r}, d, map[string]domain.Update{"rol": c.had}, epoch)
		if ok != c.want || ok && (u.State != domain.UpdateConsent || !u.Shared) {
			t.Errorf("a device %s: %v, %+v", name, ok, u)
		}
	}
}

// A plan reaches devices of other owners by what their publisher knows of them, and by nothing else.
func TestPlansDoNotPickOutDevicesOfOthers(t *testing.T) {
	t.Parallel()
	d := one(3, 1)
	d.Report.Product = "lamp"
	r := domain.Rollout{Product: "prd", Name: d.Report.Product, Owner: "firm"}
	d.Joined = domain.JoinedTo{Product: r.Product, Name: r.Name, Publisher: r.Owner}
	for name, c := range map[string]struct {
		target  domain.RolloutTarget
		exclude domain.RolloutExclusion
		want    bool
	}{
		"all":          {want: true},
		"its version":  {target: domain.RolloutTarget{Versions: []string{d.Report.Version}}, want: true},
		"its id":       {target: domain.RolloutTarget{Devices: []string{d.Device}}},
		"not its id":   {exclude: domain.RolloutExclusion{Devices: []string{d.Device}}, want: true},
		"none of them": {exclude: domain.RolloutExclusion{Shared: true}},
	} {
		got := d.Publisher() == r.Owner && targeted(c.target, d) && !Excluded(c.exclude, d)
		if got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		u := domain.Update{Device: d.Device, Shared: true, From: d.Report.Version}
		r.Plan.Exclude = c.exclude
		if out := (rules{}).Excluded(r, u); out != c.exclude.Shared {
			t.Errorf("%s: its update is left out: %v", name, out)
		}
	}
}
