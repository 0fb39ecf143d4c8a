package rollout

import (
	"cmp"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// RolloutView is a rollout as the API shows it.
type RolloutView struct {
	ID         string               `json:"id"`
	Product    string               `json:"product"`
	Release    string               `json:"release"`
	Version    string               `json:"version"`
	Code       uint32               `json:"version_code" format:"int64"`
	State      string               `json:"state" enum:"awaiting_approval,scheduled,running,soaking,paused,completed,aborted,reverting,reverted"`
	Stage      int                  `json:"stage" doc:"that is open, from 0"`
	Devices    int                  `json:"devices" doc:"that are meant, when it began; 0 then: none fits yet"`
	StageAt    *time.Time           `json:"stage_at,omitempty" doc:"when the stage was opened"`
	SoakUntil  *time.Time           `json:"soak_until,omitempty" doc:"until when the stage is watched"`
	Pause      *domain.RolloutPause `json:"pause,omitempty" doc:"why it is paused"`
	PausedBy   *wire.User           `json:"paused_by,omitempty" doc:"absent: by itself, or the account is gone"`
	Plan       domain.RolloutPlan   `json:"plan"`
	Note       string               `json:"note,omitempty"`
	Reverts    string               `json:"reverts,omitempty" doc:"id of the rollout that it takes back"`
	RevertedBy string               `json:"reverted_by,omitempty" doc:"id of what takes it back; of one rollout alone"`
	CreatedBy  wire.User            `json:"created_by"`
	CreatedAt  time.Time            `json:"created_at"`
	Approved   *wire.User           `json:"approved_by,omitempty"`
	StartedAt  *time.Time           `json:"started_at,omitempty"`
	Right      string               `json:"right,omitempty" enum:"see,manage,own" doc:"what you may do with it"`
	Counts     *RolloutFunnel       `json:"counts,omitempty" doc:"of one rollout alone"`
}

// RolloutFunnel says where the devices of a rollout are.
type RolloutFunnel struct {
	States    map[string]int    `json:"states" doc:"how many devices are in each state"`
	Failed    int               `json:"failed" doc:"of all of these"`
	Hardware  []HardwareOutcome `json:"hardware" nullable:"false" doc:"how devices ended it, by their revision"`
	Reasons   []FailureReason   `json:"reasons" nullable:"false" doc:"of those that failed, the most frequent first"`
	Crashes   int               `json:"crashes" doc:"of devices that run the release"`
	PerHour   float64           `json:"crashes_per_hour" doc:"of one device"`
	Before    float64           `json:"crashes_per_hour_before" doc:"the same devices, with what they ran before"`
	MayFail   float64           `json:"fails_at_least" doc:"share of devices at least, with 99 % certainty"`
	Contacted int               `json:"contacted" doc:"devices of the open stage that were offered it"`
	Reported  int               `json:"reported" doc:"and that have ended it"`
}

// HardwareOutcome says how devices of a revision ended a rollout.
type HardwareOutcome struct {
	Chip      string `json:"chip"`
	Revision  int    `json:"revision"`
	Succeeded int    `json:"succeeded"`
	Failed    int    `json:"failed"`
	Rejected  int    `json:"rejected"`
}

// FailureReason is why devices failed.
type FailureReason struct {
	Reason string `json:"reason" doc:"why the device restarted, or the name of an error"`
	Count  int    `json:"count"`
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

var rightNames = map[domain.ProductRight]string{domain.SeeProduct: "see", domain.ManageProduct: "manage",
	domain.OwnProduct: "own"}

func view(r domain.Rollout) RolloutView {
	v := RolloutView{ID: r.ID, Product: r.Product, Release: r.Release, Version: r.Version, Code: r.Code,
		State: string(r.State), Stage: r.Stage, Devices: r.Devices, StageAt: at(r.StageAt), Plan: r.Plan, Note: r.Note,
		Reverts: r.Reverts, CreatedBy: wire.FromUser(r.CreatedBy), CreatedAt: r.CreatedAt, StartedAt: at(r.StartedAt)}
	if r.State == domain.RolloutPaused {
		v.Pause = &r.Pause
	}
	if r.State == domain.RolloutSoaking {
		v.SoakUntil = at(r.SoakAt.Add(soak(r)))
	}
	v.Approved = named(r.Approved)
	return v
}

// named returns who did something, or nil if nobody did.
func named(u domain.UserRef) *wire.User {
	if u.ID == "" {
		return nil
	}
	by := wire.FromUser(u)
	return &by
}

func funnel(c domain.RolloutCounts) *RolloutFunnel {
	all := sum(c.Ended)
	v := &RolloutFunnel{States: make(map[string]int), Failed: failures(c), Crashes: c.Health.Crashes,
		PerHour: perHour(c.Health.Crashes, c.Health.Ran), Before: perHour(c.Health.CrashesBefore, c.Health.RanBefore),
		MayFail: atLeast(all.failed, all.n), Contacted: c.Contacted, Reported: c.Reported,
		Hardware: []HardwareOutcome{}, Reasons: []FailureReason{}}
	for s, n := range c.States {
		v.States[string(s)] = n
	}
	by, reasons := make(map[domain.HardwareRevision]*HardwareOutcome), make(map[string]int)
	for _, g := range c.Ended {
		h := by[g.Hardware]
		if h == nil {
			h = &HardwareOutcome{Chip: g.Hardware.Chip, Revision: g.Hardware.Revision}
			by[g.Hardware] = h
		}
		switch {
		case g.State == domain.UpdateSucceeded:
			h.Succeeded += g.Count
		case g.State == domain.UpdateRejected:
			h.Rejected += g.Count
			reasons[g.Why] += g.Count
		case g.State.Failure():
			h.Failed += g.Count
			reasons[cmp.Or(g.Why, string(g.State))] += g.Count
		}
	}
	for _, h := range by {
		v.Hardware = append(v.Hardware, *h)
	}
	slices.SortFunc(v.Hardware, func(a, b HardwareOutcome) int {
		return cmp.Or(cmp.Compare(a.Chip, b.Chip), cmp.Compare(a.Revision, b.Revision))
	})
	for why, n := range reasons {
		v.Reasons = append(v.Reasons, FailureReason{why, n})
	}
	slices.SortFunc(v.Reasons, func(a, b FailureReason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return v
}

// UpdateView is a device in a rollout as the API shows it.
type UpdateView struct {
	ID        string     `json:"id"`
	Rollout   string     `json:"rollout"`
	Device    string     `json:"device" doc:"empty, to all but its owner: it is of somebody else"`
	Shared    bool       `json:"shared,omitempty" doc:"it is of another owner, who has joined the product"`
	State     string     `json:"state" enum:"consent,deferred,offered,accepted,downloading,verified,installing,rebooting,testing,succeeded,unconfirmed,failed,rolled_back,timed_out,lost,rejected,canceled,superseded"`
	Stage     int        `json:"stage"`
	Offset    int64      `json:"offset,omitempty" doc:"bytes of size that the device has"`
	Size      int64      `json:"size,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Code      uint32     `json:"code,omitempty" format:"int64" doc:"number of an error of the device's system"`
	Reset     string     `json:"reset,omitempty" doc:"why the device restarted, of one that was rolled back or crashed"`
	Chip      string     `json:"chip"`
	Revision  int        `json:"revision"`
	Version   string     `json:"version" doc:"that it brings"`
	From      string     `json:"from" doc:"version that it ran before"`
	Tries     int        `json:"tries,omitempty" doc:"that failed before it was installed"`
	Excluded  bool       `json:"excluded,omitempty" doc:"what becomes of it is not held against the release"`
	OfferedAt *time.Time `json:"offered_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	ChangedAt time.Time  `json:"changed_at"`
	Due       *time.Time `json:"due,omitempty" doc:"when something is decided without the device"`
}

func updateView(u domain.Update) UpdateView {
	return UpdateView{ID: u.ID, Rollout: u.Rollout, Device: u.Device, Shared: u.Shared, State: string(u.State),
		Stage: u.Stage, Offset: u.Offset, Size: u.Size, Reason: u.Reason, Code: u.Code, Reset: string(u.Reset),
		Chip: u.Hardware.Chip, Revision: u.Hardware.Revision, Version: u.Version, From: u.From, Tries: u.Tries,
		Excluded: u.Excluded, OfferedAt: at(u.OfferedAt), EndedAt: at(u.EndedAt), ChangedAt: u.ChangedAt, Due: at(u.Due)}
}

// publishedView is an update as those see it who manage the product: of a device of somebody else they are not told
// which it is.
func publishedView(u domain.Update) UpdateView {
	if u.Shared {
		u.Device = ""
	}
	return updateView(u)
}

// RolloutLogEntry is an entry of the log of a rollout.
type RolloutLogEntry struct {
	Seq   int64                `json:"seq"`
	At    time.Time            `json:"at"`
	By    *wire.User           `json:"by,omitempty" doc:"who did it; absent: it went on by itself"`
	What  string               `json:"what" example:"paused"`
	Stage int                  `json:"stage"`
	State string               `json:"state" doc:"that the rollout was in then"`
	Pause *domain.RolloutPause `json:"pause,omitempty"`
	Note  string               `json:"note,omitempty"`
}

func entryView(e domain.RolloutEntry) RolloutLogEntry {
	v := RolloutLogEntry{Seq: e.Seq, At: e.At, By: named(e.By), What: e.What, Stage: e.Stage, State: string(e.State),
		Note: e.Note}
	if e.State == domain.RolloutPaused {
		v.Pause = &e.Details
	}
	return v
}

// CrashGroupView are the crashes at one place.
type CrashGroupView struct {
	Signature string      `json:"signature"`
	Count     int         `json:"count"`
	Devices   int         `json:"devices"`
	First     time.Time   `json:"first"`
	Last      time.Time   `json:"last"`
	Version   string      `json:"version"`
	ELF       string      `json:"elf_sha256" doc:"of the firmware that crashed, or its first digits"`
	Reset     string      `json:"reset_reason"`
	Task      string      `json:"task,omitempty"`
	PC        uint32      `json:"pc" format:"int64"`
	Backtrace []int64     `json:"backtrace" nullable:"false" doc:"of the last one, the innermost first"`
	Calls     []CrashCall `json:"calls" nullable:"false" doc:"of the last one: the functions that are known"`
	Explained string      `json:"explained" enum:"no_elf,pending,done,failed" doc:"by the ELF file"`
	Message   string      `json:"message,omitempty"`
	Device    string      `json:"device" doc:"that the last one is of; empty: it is of somebody else"`
}

// CrashCall is a function that was called when a device crashed.
type CrashCall struct {
	Address  int64  `json:"address" doc:"in the backtrace"`
	Function string `json:"function,omitempty" doc:"as the compiler names it: of C++, mangled; absent: it is not known"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Inlined  bool   `json:"inlined,omitempty" doc:"into the next one, at the same address"`
}

// callViews are the calls of a crash with what is known of them.
func callViews(c domain.Crash, known map[uint32][]domain.CrashFrame) []CrashCall {
	at := c.Backtrace
	if len(at) == 0 {
		at = []uint32{c.PC}
	}
	out := []CrashCall{}
	for i, a := range c.Calls() {
		frames := known[a]
		if len(frames) == 0 {
			frames = []domain.CrashFrame{{}}
		}
		for n, f := range frames {
			out = append(out, CrashCall{Address: int64(at[i]), Function: f.Function, File: f.File, Line: f.Line,
				Inlined: n < len(frames)-1})
		}
	}
	return out
}

func crashView(g domain.CrashGroup) CrashGroupView {
	c := g.Example
	calls := make([]int64, len(c.Backtrace)) // the schema of 32 bits is a signed one
	for i, pc := range c.Backtrace {
		calls[i] = int64(pc)
	}
	return CrashGroupView{Signature: g.Signature, Count: g.Count, Devices: g.Devices, First: g.First, Last: g.Last,
		Version: c.Version, ELF: c.ELFSHA256, Reset: string(c.ResetReason), Task: c.Task, PC: c.PC,
		Backtrace: calls, Calls: callViews(c, nil), Explained: string(domain.NotExplained), Message: c.Message,
		Device: c.Device}
}
