package rollout

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Make makes a rollout of an active release. It begins at once, or when its time has come, or, if the plan wants that,
// when somebody else has approved of it. Whoever manages the product may.
func (s *Service) Make(ctx context.Context, p domain.Principal, r domain.Rollout) (domain.Rollout, error) {
	r, err := s.drawn(ctx, p, r)
	if err != nil {
		return r, err
	}
	if r, err = s.Store.Create(ctx, r, r.CreatedAt); err != nil {
		return r, err
	}
	s.record(ctx, p, r, "created")
	return s.decided(ctx, r.ID)
}

// drawn returns a rollout of p that has all but been stored.
func (s *Service) drawn(ctx context.Context, p domain.Principal, r domain.Rollout) (domain.Rollout, error) {
	release, err := s.Releases.Release(ctx, r.Release)
	if err != nil {
		return r, err
	}
	product, err := s.managed(ctx, p, release.Product)
	if err != nil {
		return r, err
	}
	if err := rollable(release); err != nil {
		return r, err
	}
	if r.Plan, err = domain.CheckRolloutPlan(r.Plan); err != nil {
		return r, err
	}
	if r.Note, err = domain.CheckProse("/note", r.Note, domain.MaxRolloutNote); err != nil {
		return r, err
	}
	r.ID, r.Product, r.Name, r.Owner = domain.NewID(domain.RolloutPrefix), product.ID, product.Name, product.Owner.ID
	r.Code, r.Version, r.Posts, r.Salt = release.Code, release.Version, product.Room, rand.Text()
	r.CreatedBy, r.CreatedAt, r.State = domain.UserRef{ID: p.ID}, s.Now(), domain.RolloutScheduled
	if r.Plan.Approval {
		r.State = domain.RolloutAwaiting
	}
	return r, nil
}

// rollable refuses a release that no device may be offered.
func rollable(r domain.Release) error {
	if r.State == domain.ActiveRelease {
		return nil
	}
	if r.State == domain.WithdrawnRelease {
		return domain.Conflict.Errorf(domain.CodeReleaseNotActive, "release %s was withdrawn; make a new one", r.Version)
	}
	return domain.Conflict.Errorf(domain.CodeReleaseNotActive, "release %s is %s; activate it first", r.Version, r.State)
}

// decided decides at once what follows from what somebody did, and returns the rollout as it is then. What cannot be
// decided now is within some seconds.
func (s *Service) decided(ctx context.Context, id string) (domain.Rollout, error) {
	if err := s.decide(ctx, id); err != nil {
		s.Log.WarnContext(ctx, "decide about rollouts; will try again", "err", err)
	}
	return s.Store.Rollout(ctx, id)
}

// managed returns a product that p manages.
func (s *Service) managed(ctx context.Context, p domain.Principal, id string) (domain.Product, error) {
	product, right, err := s.Products.Product(ctx, id, p.ID)
	if err == nil && right < domain.ManageProduct {
		err = domain.Forbidden.Errorf(domain.CodeRoleTooLow, "only who manages the product can do this")
	}
	return product, err
}

// Rollout returns a rollout of a product that p may see, and what p may do.
func (s *Service) Rollout(
	ctx context.Context, p domain.Principal, id string,
) (r domain.Rollout, right domain.ProductRight, err error) {
	if !domain.ValidID(domain.RolloutPrefix, id) {
		return r, right, domain.ErrNoRollout()
	}
	if r, err = s.Store.Rollout(ctx, id); err != nil {
		return r, right, err
	}
	_, right, err = s.Products.Product(ctx, r.Product, p.ID)
	if domain.KindOf(err) == domain.NotFound {
		err = domain.ErrNoRollout()
	}
	if err != nil {
		return domain.Rollout{}, right, err
	}
	return r, right, nil
}

// An Action is something that somebody does with a rollout.
type Action string

// The actions.
const (
	Approve  Action = "approve"
	Pause    Action = "pause"
	Resume   Action = "resume"
	Abort    Action = "abort"
	Exclude  Action = "exclude"
	Continue Action = "continue" // excludes, and resumes
	Advance  Action = "advance"  // the stage need not be watched any longer
)

// An Order is an action with what it needs.
type Order struct {
	Action  Action
	Note    string
	Exclude domain.RolloutExclusion
}

// goesOn reports whether devices are to be offered the release after it.
func (o Order) goesOn() bool {
	return o.Action == Approve || o.Action == Resume || o.Action == Continue
}

// Do carries out an order of p, who manages the product. It is refused in states in which it makes no sense, so that
// two people who press the same button do not undo what the other did.
func (s *Service) Do(ctx context.Context, p domain.Principal, id string, o Order) (domain.Rollout, error) {
	r, right, err := s.Rollout(ctx, p, id)
	if err != nil {
		return r, err
	}
	if right < domain.ManageProduct {
		return r, domain.Forbidden.Errorf(domain.CodeRoleTooLow, "only who manages the product can do this")
	}
	if o.Note, err = domain.CheckProse("/note", o.Note, domain.MaxRolloutNote); err != nil {
		return r, err
	}
	y, err := s.rulesFor(ctx, r)
	if err != nil {
		return r, err
	}
	if o.goesOn() {
		if err := rollable(y.releases[r.Release]); err != nil {
			return r, err
		}
	}
	now := s.Now()
	e := domain.RolloutEntry{By: domain.UserRef{ID: p.ID}, What: string(o.Action), Note: o.Note}
	change := func(r domain.Rollout, c domain.RolloutCounts) (domain.Rollout, error) {
		return ordered(r, c, p.ID, o, now)
	}
	done, err := s.Store.Change(ctx, id, y, e, now, change)
	if err != nil {
		return r, err
	}
	s.metrics.ended(done.Ended...)
	if done.Changed() {
		s.metrics.turned.WithLabelValues(string(done.After.State)).Inc()
	}
	s.record(ctx, p, done.After, string(o.Action))
	return s.decided(ctx, id)
}

// ordered is a rollout after an order.
func ordered(
	r domain.Rollout, c domain.RolloutCounts, by string, o Order, now time.Time,
) (domain.Rollout, error) {
	wrong := domain.Conflict.Errorf(domain.CodeRolloutState, "the rollout is %s; this cannot be done now", r.State)
	switch o.Action {
	case Approve:
		switch {
		case r.State != domain.RolloutAwaiting:
			return r, wrong
		case r.CreatedBy.ID == by:
			return r, domain.Forbidden.Errorf(domain.CodeOwnApproval, "somebody else has to approve of your rollout")
		}
		r.State, r.Approved = domain.RolloutScheduled, domain.UserRef{ID: by}
	case Pause:
		if !r.State.Offers() && r.State != domain.RolloutScheduled {
			return r, wrong
		}
		r.State, r.Pause = domain.RolloutPaused, domain.RolloutPause{Kind: domain.PausedByUser, At: now}
	case Exclude, Continue:
		if r.State.Final() || o.Action == Continue && r.State != domain.RolloutPaused {
			return r, wrong
		}
		var err error
		if r.Plan, err = without(r.Plan, o.Exclude); err != nil || o.Action == Exclude {
			return r, err
		}
		return resumed(r, leftIn(c, r.Plan.Exclude), now), nil
	case Resume:
		if r.State != domain.RolloutPaused {
			return r, wrong
		}
		return resumed(r, c, now), nil
	case Advance:
		if r.State != domain.RolloutSoaking {
			return r, wrong
		}
		r.SoakAt = now.Add(-soak(r))
	case Abort:
		if r.State.Final() {
			return r, wrong
		}
		r.State = domain.RolloutAborted
	default:
		return r, domain.InvalidField("/action", "there is no such action")
	}
	return r, nil
}

// without adds to what a plan leaves out.
func without(p domain.RolloutPlan, x domain.RolloutExclusion) (domain.RolloutPlan, error) {
	if len(x.Revisions)+len(x.Versions)+len(x.Devices) == 0 && !x.Shared {
		return p, domain.InvalidField("/exclude", "name revisions, versions, devices or shared")
	}
	e := p.Exclude
	e.Revisions = add(e.Revisions, x.Revisions)
	e.Versions = add(e.Versions, x.Versions)
	e.Devices = add(e.Devices, x.Devices)
	e.Shared = e.Shared || x.Shared
	p.Exclude = e
	return domain.CheckRolloutPlan(p)
}

func add[T comparable](list, more []T) []T {
	list = slices.Clone(list)
	for _, v := range more {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

// leftIn are the counts without the revisions that are left out by now.
func leftIn(c domain.RolloutCounts, x domain.RolloutExclusion) domain.RolloutCounts {
	c.Ended = slices.DeleteFunc(slices.Clone(c.Ended), func(g domain.EndedGroup) bool {
		return slices.Contains(x.Revisions, g.Hardware)
	})
	return c
}

// resumed goes on. If what is known would pause the rollout again at once, it is forgiven: whoever resumes it has seen
// it. A rollout that had not begun is begun.
func resumed(r domain.Rollout, c domain.RolloutCounts, now time.Time) domain.Rollout {
	if evidence(r, c).Kind != "" || tooFew(r, c).Kind != "" {
		r.Forgiven = now
	}
	r.State, r.Pause, r.SoakAt = domain.RolloutRunning, domain.RolloutPause{}, time.Time{}
	if r.StartedAt.IsZero() {
		r.State = domain.RolloutScheduled
	}
	return r
}

// Revert takes a rollout back: it ends, and another brings an earlier release to the devices that have this one. It is
// refused if the manifest of the release that they run does not let them go back to it.
func (s *Service) Revert(
	ctx context.Context, p domain.Principal, id, release string, plan domain.RolloutPlan,
) (domain.Rollout, error) {
	r, right, err := s.Rollout(ctx, p, id)
	if err != nil {
		return r, err
	}
	to, err := s.Releases.Release(ctx, release)
	if err == nil && (to.Product != r.Product || to.Code >= r.Code) {
		err = domain.InvalidField("/release", "name an earlier release of the same product")
	}
	if err == nil && right < domain.ManageProduct {
		err = domain.Forbidden.Errorf(domain.CodeRoleTooLow, "only who manages the product can do this")
	}
	if err == nil {
		err = s.mayGoBack(ctx, r, to)
	}
	if err != nil {
		return r, err
	}
	if len(plan.Stages) == 0 {
		plan.Stages = []domain.RolloutStage{{Percent: 100}}
	}
	plan.Target.Versions = []string{r.Version}
	back, err := s.drawn(ctx, p, domain.Rollout{Release: release, Plan: plan, Reverts: r.ID})
	if err != nil {
		return back, err
	}
	y, err := s.rulesFor(ctx, r)
	if err != nil {
		return back, err
	}
	done, err := s.Store.Revert(ctx, back, y, back.CreatedAt)
	if err != nil {
		return back, err
	}
	s.metrics.ended(done.Ended...)
	s.metrics.turned.WithLabelValues(string(done.After.State)).Inc()
	s.record(ctx, p, done.After, "revert")
	s.record(ctx, p, back, "created")
	return s.decided(ctx, back.ID)
}

// mayGoBack refuses a release that devices which run that of r do not go back to.
func (s *Service) mayGoBack(ctx context.Context, r domain.Rollout, to domain.Release) error {
	from, err := s.Releases.Release(ctx, r.Release)
	if err != nil || from.AllowDowngradeTo != 0 && from.AllowDowngradeTo <= to.Code {
		return err
	}
	return domain.InvalidField("/release", "devices that run %s do not go back to version_code %d: its "+
		"allow_downgrade_to is %d. Make a new release of the old firmware with a version_code above %d, and roll that out",
		from.Version, to.Code, from.AllowDowngradeTo, from.Code)
}

// Agree has the owner of a device agree to an update of it.
func (s *Service) Agree(ctx context.Context, p domain.Principal, device, id string) (domain.Update, error) {
	if err := s.owned(ctx, p, device); err != nil {
		return domain.Update{}, err
	}
	u, err := s.Updates.Update(ctx, id)
	if err == nil && u.Device != device {
		err = domain.ErrNoUpdate()
	}
	if err != nil {
		return domain.Update{}, err
	}
	u, err = s.Updates.Agree(ctx, id, s.Now())
	if err == nil {
		s.Audit.Record(ctx, event(ctx, p, domain.AuditUpdateAgreed,
			domain.AuditTarget{Kind: string(domain.KindDevice), ID: device}, map[string]string{"update": id}))
	}
	return u, err
}

func (s *Service) record(ctx context.Context, p domain.Principal, r domain.Rollout, what string) {
	s.Audit.Record(ctx, event(ctx, p, domain.AuditRollout, domain.AuditTarget{Kind: "rollout", ID: r.ID},
		map[string]string{"action": what, "version": r.Version, "state": string(r.State)}))
}

func event(
	ctx context.Context, p domain.Principal, what domain.AuditType, target domain.AuditTarget, details map[string]string,
) domain.AuditEvent {
	return domain.AuditEvent{Type: what, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID}, Target: target,
		Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx), Details: details}
}
