package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

const (
	oldSHA = "0000000000000000000000000000000000000000000000000000000000000001"
	newSHA = "0000000000000000000000000000000000000000000000000000000000000002"
	topSHA = "0000000000000000000000000000000000000000000000000000000000000003"
)

// elf is the SHA-256 of the ELF file of an image.
func elf(sha string) string { return "e1f" + sha[len(sha)-1:] + sha[4:] }

// world is what the module of rollouts gets from others: one product of user 0, which user 1 manages and user 2 sees,
// with three releases.
type world struct {
	mu       sync.Mutex
	releases map[string]domain.Release
	room     string // of the product
	audit    []domain.AuditEvent
}

func newWorld() *world {
	release := func(id string, code uint32, sha string) domain.Release {
		return domain.Release{ID: id, Product: "prd_lamp", Version: fmt.Sprint(code), Code: code,
			State: domain.ActiveRelease, AllowDowngradeTo: min(code, 1),
			Images: []domain.FirmwareImage{{SHA256: sha, ELF: elf(sha), Chip: board, RevisionMax: 999, Size: 100}}}
	}
	return &world{releases: map[string]domain.Release{"rel_1": release("rel_1", 1, oldSHA), "rel_2": release("rel_2", 2,
		newSHA), "rel_3": release("rel_3", 3, topSHA)}}
}

func (w *world) Product(_ context.Context, id, user string) (domain.Product, domain.ProductRight, error) {
	p := domain.Product{ID: "prd_lamp", Name: "lamp", Owner: domain.UserRef{ID: testkit.UserID(0)},
		Room: w.room}
	rights := map[string]domain.ProductRight{testkit.UserID(0): domain.OwnProduct,
		testkit.UserID(1): domain.ManageProduct, testkit.UserID(2): domain.SeeProduct}
	if rights[user] == domain.NoProductRight || id != p.ID {
		return domain.Product{}, domain.NoProductRight, domain.NotFound.Errorf(domain.CodeNoRollout, "no such product")
	}
	return p, rights[user], nil
}

func (w *world) Release(_ context.Context, id string) (domain.Release, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r, ok := w.releases[id]; ok {
		return r, nil
	}
	return domain.Release{}, domain.NotFound.Errorf(domain.CodeNoRollout, "no such release")
}

func (*world) Offer(_ context.Context, to domain.OfferTo) (domain.FirmwareOffer, error) {
	return domain.FirmwareOffer{Offer: json.RawMessage(strconv.Quote(to.Device.Report.Nonce)),
		Image: domain.FirmwareFile{SHA256: to.Image}}, nil
}

func (*world) MaySee(_ context.Context, p domain.Principal, id string) (domain.Device, bool, error) {
	owner := testkit.UserID(0)
	return domain.Device{ID: id, Owner: domain.UserRef{ID: owner}}, p.ID == owner, nil
}

func (w *world) Record(_ context.Context, e domain.AuditEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.audit = append(w.audit, e)
}

// fleet is a server, a clock and some devices, each of which does what it is offered.
type fleet struct {
	*world
	t       *testing.T
	db      *all.Store
	s       *Service
	clock   time.Time
	devices []*lamp
}

// lamp is a device that installs what it is offered.
type lamp struct {
	id       string
	revision uint16
	runs     string
	offers   []domain.FirmwareOffer
	nonce    int
	breaks   func(*lamp) bool // whether the release crashes on it
	lies     func(*domain.FirmwareReport)
}

func (l *lamp) principal() domain.Principal {
	return domain.Principal{Kind: domain.KindDevice, ID: l.id, Owner: testkit.UserID(0)}
}

func (l *lamp) report(reset domain.ResetReason) domain.FirmwareReport {
	code := map[string]uint32{oldSHA: 1, newSHA: 2, topSHA: 3}[l.runs]
	r := domain.FirmwareReport{Product: "lamp", Chip: board, Revision: l.revision, Version: fmt.Sprint(code),
		VersionCode: code, SHA256: l.runs, ELFSHA256: elf(l.runs), SlotState: domain.SlotValid, ResetReason: reset,
		Nonce: l.nonceText()}
	if l.lies != nil {
		l.lies(&r)
	}
	return r
}

func newFleet(t *testing.T, db *all.Store, n int) *fleet {
	t.Helper()
	f := &fleet{world: newWorld(), t: t, db: db, clock: epoch}
	f.room = testkit.Room(t, db, 4)
	if _, err := db.Devices.NodeLives(t.Context(), "node", f.clock); err != nil {
		t.Fatal(err)
	}
	f.join(n)
	f.restart()
	for _, l := range f.devices {
		f.hear(l, domain.ResetPowerOn)
	}
	return f
}

// join registers devices, and connects them.
func (f *fleet) join(n int) (joined []*lamp) {
	f.t.Helper()
	var links []domain.LinkChange
	for range n {
		i := len(f.devices)
		l := &lamp{id: fmt.Sprintf("dev_%026d", i), runs: oldSHA, revision: 3, breaks: func(*lamp) bool { return false }}
		if i%5 == 0 {
			l.revision = 101
		}
		d := domain.Device{ID: l.id, Owner: domain.UserRef{ID: testkit.UserID(0)}, Name: fmt.Sprint("Lamp ", i)}
		key := domain.DeviceKey{ID: fmt.Sprint("key", i), Device: l.id}
		err := f.db.Devices.CreateDevice(f.t.Context(), d, key, domain.DeviceSecret{Hash: []byte{byte(i)}}, nil, 0, f.clock)
		if err != nil {
			f.t.Fatal(err)
		}
		links = append(links, domain.LinkChange{DeviceLink: domain.DeviceLink{ID: fmt.Sprint("link", i), Device: l.id,
			Key: key.ID, Opened: f.clock}})
		f.devices, joined = append(f.devices, l), append(joined, l)
	}
	if _, _, err := f.db.Devices.Link(f.t.Context(), "node", links); err != nil {
		f.t.Fatal(err)
	}
	return joined
}

// restart begins anew with what the store has.
func (f *fleet) restart() {
	f.s = New(Deps{Store: f.db.Rollouts, Updates: f.db.Rollouts, Joins: f.db.Rollouts, Products: f, Releases: f,
		Offers: f, Devices: f, Bus: bus.NewLocal(), Log: testkit.Logger(f.t), Audit: f,
		Now: func() time.Time { return f.clock }})
	for _, l := range f.devices {
		f.s.Attach(l.id, l.nonceText, func(o domain.FirmwareOffer) { l.offers = append(l.offers, o) })
	}
}

func (l *lamp) nonceText() string { return fmt.Sprintf("%032x", l.nonce) }

func (f *fleet) hear(l *lamp, reset domain.ResetReason) {
	f.t.Helper()
	l.nonce++
	if err := f.s.Report(f.t.Context(), l.principal(), l.report(reset)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) says(l *lamp, update string, step domain.FirmwareStep) domain.FirmwareAnswer {
	f.t.Helper()
	a, err := f.s.Progress(f.t.Context(), l.principal(),
		domain.FirmwareProgress{Update: update, State: step})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// round lets some time pass, has the server decide, and the devices do what they are offered.
func (f *fleet) round(pass time.Duration) {
	f.t.Helper()
	for left := pass; left > 0; left -= 20 * time.Second {
		f.clock = f.clock.Add(20 * time.Second)
		f.s.DecideAll(f.t.Context())
	}
	f.s.look(f.t.Context())
	for _, l := range f.devices {
		f.install(l)
	}
}

func (f *fleet) install(l *lamp) {
	f.t.Helper()
	if len(l.offers) == 0 {
		return
	}
	o := l.offers[len(l.offers)-1]
	l.offers = nil
	for _, step := range []domain.FirmwareStep{domain.FirmwareAccepted, domain.FirmwareDownloading,
		domain.FirmwareVerified, domain.FirmwareInstalling, domain.FirmwareRebooting} {
		if f.says(l, o.Update, step).Action == domain.FirmwareStop {
			return
		}
	}
	if l.breaks(l) {
		f.hear(l, domain.ResetPanic)
		return
	}
	l.runs = o.Image.SHA256
	f.hear(l, domain.ResetSoftware)
	f.says(l, o.Update, domain.FirmwareSucceeded)
}

func (f *fleet) who(i int) domain.Principal {
	return domain.Principal{Kind: domain.KindUser, ID: testkit.UserID(i)}
}

// quick is a plan that takes hours, and not days.
func quick() domain.RolloutPlan {
	return domain.RolloutPlan{Stages: []domain.RolloutStage{{Percent: 10, AtLeast: 5, Soak: 600}, {Percent: 100}}}
}

func (f *fleet) begin(p domain.RolloutPlan) domain.Rollout {
	f.t.Helper()
	r, err := f.s.Make(f.t.Context(), f.who(1), domain.Rollout{Release: "rel_2", Plan: p})
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *fleet) now(r domain.Rollout) domain.Rollout {
	f.t.Helper()
	r, err := f.db.Rollouts.Rollout(f.t.Context(), r.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// until goes on until a rollout is in a state. Each time the server is a new one, which knows what is stored alone.
func (f *fleet) until(r domain.Rollout, s domain.RolloutState) domain.Rollout {
	f.t.Helper()
	for range 100 {
		if r = f.now(r); r.State == s {
			return r
		}
		f.restart()
		f.round(2 * time.Minute)
	}
	c, _ := f.db.Rollouts.Counts(f.t.Context(), r, f.clock)
	f.t.Fatalf("it is %s in stage %d: %v", r.State, r.Stage, c.States)
	return r
}

func TestAGoodReleaseReachesAllThroughRestarts(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 25)
		r := f.until(f.begin(quick()), domain.RolloutCompleted)
		for _, l := range f.devices {
			if l.runs != newSHA {
				t.Errorf("%s runs what it did", l.id)
			}
		}
		found, err := db.Rollouts.Updates(t.Context(), r.ID, domain.UpdateSucceeded, "", 100)
		if err != nil || len(found) != len(f.devices) {
			t.Errorf("%d succeeded: %v", len(found), err)
		}
	})
}

// Of three devices, one percent is none: the first stage has one all the same.
func TestAStageOfFewDevicesIsPassed(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 3)
		f.until(f.begin(domain.RolloutPlan{Stages: []domain.RolloutStage{{Percent: 1, Soak: 600}, {Percent: 100}}}),
			domain.RolloutCompleted)
		for _, l := range f.devices {
			if l.runs != newSHA {
				t.Errorf("%s runs what it did", l.id)
			}
		}
	})
}

func TestABadRevisionIsFoundAndLeftOut(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 40)
		for _, l := range f.devices {
			l.breaks = func(l *lamp) bool { return l.revision == 101 }
		}
		r := f.until(f.begin(quick()), domain.RolloutPaused)
		f.restart()
		f.round(15 * time.Minute)
		r = f.now(r)
		want := domain.HardwareRevision{Chip: board, Revision: 101}
		if p := r.Pause; p.Revision == nil || *p.Revision != want || p.Reason != "panic" || p.Failed < 2 {
			t.Fatalf("it paused for %+v", p)
		}
		_, err := f.s.Do(t.Context(), f.who(1), r.ID, Order{Action: Continue,
			Exclude: domain.RolloutExclusion{Revisions: []domain.HardwareRevision{want}}})
		if err != nil {
			t.Fatal(err)
		}
		f.until(r, domain.RolloutCompleted)
		f.told()
		for _, l := range f.devices {
			if (l.runs == newSHA) != (l.revision != 101) {
				t.Errorf("%s of revision %d runs %s", l.id, l.revision, l.runs)
			}
		}
	})
}

func TestAbortingReachesDevicesInTheMiddle(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 10)
		r := f.begin(quick())
		f.s.DecideAll(t.Context())
		f.s.DecideAll(t.Context())
		f.s.look(t.Context())
		var on *lamp
		for _, l := range f.devices {
			if len(l.offers) > 0 {
				on = l
			}
		}
		update := on.offers[0].Update
		if a := f.says(on, update, domain.FirmwareDownloading); a.Action != domain.FirmwareContinue {
			t.Fatalf("%+v", a)
		}
		if _, err := f.s.Do(t.Context(), f.who(1), r.ID, Order{Action: Abort}); err != nil {
			t.Fatal(err)
		}
		if a := f.says(on, update, domain.FirmwareInstalling); a.Action != domain.FirmwareStop || a.Reason != whyAborted {
			t.Errorf("%+v", a)
		}
		u, err := db.Rollouts.Update(t.Context(), update)
		if err != nil || u.State != domain.UpdateCanceled {
			t.Errorf("%s: %v", u.State, err)
		}
		if _, err := f.s.Do(t.Context(), f.who(1), r.ID, Order{Action: Resume}); domain.CodeOf(err) !=
			domain.CodeRolloutState {
			t.Errorf("to resume it: %v", err)
		}
		f.restart()
		on.offers = nil
		f.hear(on, domain.ResetPowerOn)
		if len(on.offers) != 0 {
			t.Error("an aborted rollout made an offer")
		}
	})
}

// The time in which no server ran counts for nothing: devices that are in the middle of it then are not lost.
func TestAnOutageOfTheServerFailsNoDevice(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{3 * time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		testkit.EachStore(t, func(t *testing.T, db *all.Store) {
			f := newFleet(t, db, 10)
			r := f.begin(quick())
			f.s.DecideAll(t.Context())
			f.s.DecideAll(t.Context())
			f.s.look(t.Context())
			var on []*lamp
			for _, l := range f.devices {
				if len(l.offers) > 0 {
					f.says(l, l.offers[0].Update, domain.FirmwareRebooting)
					on = append(on, l)
				}
			}
			f.clock = f.clock.Add(away)
			f.restart()
			f.s.DecideAll(t.Context())
			for _, l := range on {
				l.runs, l.offers = newSHA, nil
				f.hear(l, domain.ResetSoftware)
			}
			f.round(15 * time.Minute)
			found, err := db.Rollouts.Updates(t.Context(), r.ID, domain.UpdateSucceeded, "", 100)
			if err != nil || len(found) < len(on) || len(on) == 0 {
				c, _ := db.Rollouts.Counts(t.Context(), f.now(r), f.clock)
				t.Errorf("after %v %d of %d succeeded, of %v: %v", away, len(found), len(on), c.States, err)
			}
		})
	}
}

// told holds that the room of the product was told that a rollout began, paused once by itself, and is complete.
func (f *fleet) told() {
	f.t.Helper()
	events, err := f.db.Log.Replay(f.t.Context(), domain.WholeLog(f.room), 0, 100)
	if err != nil {
		f.t.Fatal(err)
	}
	var got []domain.RolloutState
	paused := 0
	for _, e := range events {
		p, ok := e.Payload.(domain.RolloutToldPayload)
		if !ok {
			continue
		}
		got = append(got, p.Rollout.State)
		if p.Rollout.State == domain.RolloutPaused && p.Rollout.Itself && e.Actor.ID == testkit.UserID(1) {
			paused++
		}
	}
	if paused != 1 || got[0] != domain.RolloutRunning || got[len(got)-1] != domain.RolloutCompleted {
		f.t.Errorf("the room was told of %v; %d times it paused by itself", got, paused)
	}
}
