package rollout

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/attach"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
)

// Store stores rollouts, updates and what devices say of their firmware. What it decides it asks rules about, in the
// transaction that reads what the decision is made by.
type Store interface {
	Create(ctx context.Context, r domain.Rollout, now time.Time) (domain.Rollout, error)
	// Revert creates a rollout that takes another one back, and ends that one, which it returns.
	Revert(
		ctx context.Context, back domain.Rollout, rules domain.RolloutRules, now time.Time,
	) (domain.RolloutDecided, error)
	// RevertedBy returns the id of the newest that takes r back; empty: none does.
	RevertedBy(ctx context.Context, r domain.Rollout) (string, error)
	// PausedBy returns who paused a rollout last; the zero value: nobody did, or the account is gone.
	PausedBy(ctx context.Context, id string) (domain.UserRef, error)
	Rollout(ctx context.Context, id string) (domain.Rollout, error)
	// Rollouts returns those of a product, the newest first: before the id before.
	Rollouts(ctx context.Context, product, before string, limit int) ([]domain.Rollout, error)
	// Live returns those that make offers to devices of an owner that report a product.
	Live(ctx context.Context, owner, product string) ([]domain.Rollout, error)
	Undecided(ctx context.Context, now time.Time) (ids []string, err error)
	Decide(ctx context.Context, id string, rules domain.RolloutRules, now time.Time) (domain.RolloutDecided, error)
	Change(
		ctx context.Context, id string, rules domain.RolloutRules, e domain.RolloutEntry, now time.Time,
		change func(domain.Rollout, domain.RolloutCounts) (domain.Rollout, error),
	) (domain.RolloutDecided, error)
	Counts(ctx context.Context, r domain.Rollout, now time.Time) (domain.RolloutCounts, error)
	Entries(ctx context.Context, id string, limit int) ([]domain.RolloutEntry, error)
	Tally(ctx context.Context) (domain.RolloutTally, error)
}

// Updates stores devices in rollouts, as Store does.
type Updates interface {
	Report(
		ctx context.Context, publisher, device string, f domain.FirmwareReport, rules domain.RolloutRules, now time.Time,
	) (domain.UpdatesHeard, error)
	Progress(
		ctx context.Context, device string, p domain.FirmwareProgress, rules domain.RolloutRules, now time.Time,
	) (domain.Update, domain.FirmwareAnswer, error)
	Agree(ctx context.Context, id string, now time.Time) (domain.Update, error)
	Update(ctx context.Context, id string) (domain.Update, error)
	Updates(
		ctx context.Context, rollout string, state domain.UpdateState, after string, limit int,
	) ([]domain.Update, error)
	DeviceUpdates(ctx context.Context, device string, limit int) ([]domain.Update, error)
	// Offered returns those that were offered since a moment and not answered.
	Offered(ctx context.Context, since time.Time, limit int) ([]domain.Update, error)
	Firmware(ctx context.Context, device string) (d domain.DeviceFirmware, known bool, err error)
	AddCrash(ctx context.Context, c domain.Crash) error
	CrashGroups(
		ctx context.Context, owner, product, version string, since time.Time, limit int,
	) ([]domain.CrashGroup, error)
	PruneCrashes(ctx context.Context, before time.Time) (more bool, err error)
}

// Products says what there is to roll out, and who may.
type Products interface {
	Product(ctx context.Context, id, user string) (domain.Product, domain.ProductRight, error)
}

// Releases has the releases of products.
type Releases interface {
	Release(ctx context.Context, id string) (domain.Release, error)
}

// Offers makes offers, which devices check: signed, with a link to the image.
type Offers interface {
	Offer(ctx context.Context, to domain.OfferTo) (domain.FirmwareOffer, error)
}

// Symbols explains addresses of crashes by the ELF files of products.
type Symbols interface {
	// Explain returns what is known of addresses; elf is the hash of the file, or its first digits.
	Explain(
		ctx context.Context, product, elf string, addresses []uint32,
	) (map[uint32][]domain.CrashFrame, domain.Explanation, error)
}

// Devices says who may see a device.
type Devices interface {
	MaySee(ctx context.Context, p domain.Principal, id string) (d domain.Device, mine bool, err error)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Updates  Updates
	Joins    Joins
	Products Products
	Releases Releases
	Offers   Offers  // nil: decisions are made, and devices told of none
	Symbols  Symbols // nil: crashes are not explained
	Devices  Devices
	Bus      bus.Bus
	Log      *slog.Logger
	Audit    Recorder
	Metrics  prometheus.Registerer // nil: none
	Now      func() time.Time      // nil: time.Now
	Every    time.Duration         // how often rollouts go on; 0: 5 s
}

// Service is the module of rollouts.
type Service struct {
	Deps
	metrics *metrics
	here    *attach.Devices[attachment]
}

const updatesMost = 50 // of a device that are looked at, the newest

// New returns the service. Run must run for offers to reach devices that are connected already, and Decide, on one
// node at least, for rollouts to go on.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Every == 0 {
		d.Every = 5 * time.Second
	}
	return &Service{Deps: d, metrics: newMetrics(d.Metrics, d.Store.Tally), here: attach.New[attachment]()}
}

// Queues returns the queue of notices, for the metrics.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{s.here.Queue("updates")}
}

// rulesFor are the rules with the releases of some rollouts.
func (s *Service) rulesFor(ctx context.Context, of ...domain.Rollout) (rules, error) {
	y := rules{make(map[string]domain.Release, len(of))}
	for _, r := range of {
		release, err := s.Releases.Release(ctx, r.Release)
		if domain.KindOf(err) == domain.NotFound {
			continue // it is offered to nobody
		}
		if err != nil {
			return y, err
		}
		y.releases[r.Release] = release
	}
	return y, nil
}

// Report takes what the device p runs. An offer follows, now or later.
func (s *Service) Report(ctx context.Context, p domain.Principal, f domain.FirmwareReport) error {
	publisher, err := s.Joins.Publisher(ctx, p.ID, f.Product)
	if err != nil {
		return err
	}
	live, err := s.Store.Live(ctx, publisher, f.Product)
	if err != nil {
		return err
	}
	y, err := s.rulesFor(ctx, live...)
	if err != nil {
		return err
	}
	h, err := s.Updates.Report(ctx, publisher, p.ID, f, y, s.Now())
	if err != nil {
		return err
	}
	s.metrics.ended(h.Changed...)
	if h.Offer != nil {
		s.deliver(ctx, *h.Offer, live, y)
	}
	return nil
}

// Progress takes what the device p says of an update of its own, and answers whether it is to go on.
func (s *Service) Progress(
	ctx context.Context, p domain.Principal, r domain.FirmwareProgress,
) (domain.FirmwareAnswer, error) {
	u, a, err := s.Updates.Progress(ctx, p.ID, r, rules{}, s.Now())
	if domain.KindOf(err) == domain.NotFound {
		return domain.FirmwareAnswer{Action: domain.FirmwareStop, Reason: "unknown"}, nil
	}
	if err != nil {
		return a, err
	}
	if r.Refused() {
		s.metrics.refused.Inc()
		s.Audit.Record(ctx, domain.AuditEvent{Type: domain.AuditUpdateRejected,
			Actor:  domain.AuditActor{Kind: string(domain.KindDevice), ID: p.ID},
			Target: domain.AuditTarget{Kind: "rollout", ID: u.Rollout}, Addr: httpx.ClientAddr(ctx),
			Details: map[string]string{"update": u.ID, "reason": r.Reason}})
	}
	s.metrics.ended(u)
	return a, nil
}

// Crash takes what the device p says of its last crash.
func (s *Service) Crash(ctx context.Context, p domain.Principal, r domain.CrashReport) error {
	d, _, err := s.Updates.Firmware(ctx, p.ID)
	if err != nil {
		return err
	}
	version, err := s.crashed(ctx, d, r.ELFSHA256)
	if err != nil {
		return err
	}
	s.metrics.crashes.Inc()
	return s.Updates.AddCrash(ctx, domain.Crash{ID: domain.NewID(domain.CrashPrefix), Device: p.ID,
		Product: d.Report.Product, Version: version, At: s.Now(), Signature: signature(r), CrashReport: r})
}

// crashed returns the version that an ELF file is of: what the device runs, or what it was brought. Empty: it is not
// known. A device that went back to its old firmware tells of a crash of the new one.
func (s *Service) crashed(ctx context.Context, d domain.DeviceFirmware, elf string) (string, error) {
	if d.Report.ELFSHA256 == "" || strings.HasPrefix(d.Report.ELFSHA256, elf) {
		return d.Report.Version, nil
	}
	had, err := s.Updates.DeviceUpdates(ctx, d.Device, updatesMost)
	if err != nil {
		return "", err
	}
	for _, u := range had {
		if strings.HasPrefix(u.ELF, elf) {
			r, err := s.Store.Rollout(ctx, u.Rollout)
			return r.Version, err
		}
	}
	return "", nil
}

// signature is the same for crashes of one firmware at the same place: the reason and the three innermost calls.
func signature(r domain.CrashReport) string {
	at := r.Backtrace
	if len(at) == 0 {
		at = []uint32{r.PC}
	}
	s := r.ELFSHA256[:min(8, len(r.ELFSHA256))] + " " + string(r.ResetReason)
	for _, pc := range at[:min(3, len(at))] {
		s += fmt.Sprintf(" %08x", pc)
	}
	return s
}
