package ml

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// A Routing says which versions of a model answer whom. The zero value has the newest version that is ready
// answer everybody.
type Routing struct {
	Default   int            `json:"default,omitempty" doc:"version; absent: the newest that is ready"`
	Previous  int            `json:"previous,omitempty" doc:"what a rollback returns to"`
	Candidate int            `json:"candidate,omitempty" doc:"version that answers a part of the requests"`
	Percent   int            `json:"percent,omitempty" doc:"the part that the candidate answers"`
	By        Unit           `json:"by,omitempty" enum:"user,room,device" doc:"whose requests always get the same version"`
	Salt      string         `json:"salt,omitempty" doc:"of this split, so that others divide differently"`
	Auto      bool           `json:"auto,omitempty" doc:"the part grows by itself while the candidate does well"`
	Since     time.Time      `json:"since,omitzero" doc:"when it was last changed"`
	Pins      map[string]int `json:"pins,omitempty" doc:"versions for users, rooms or devices, by their ids"`
	Shadow    int            `json:"shadow,omitempty" doc:"version whose answers are only compared"`
	Sampled   int            `json:"shadow_percent,omitempty" doc:"the part of the requests that the shadow is asked"`
	Reason    string         `json:"reason,omitempty" doc:"of the last change, in English"`
	Refused   []int          `json:"refused,omitempty" doc:"versions that were rolled back"`
	Unloaded  []int          `json:"unloaded,omitempty" doc:"versions that are to have no workers"`
}

// Unit is what is divided among versions.
type Unit string

// Units. Each is a parameter of a request.
const (
	ByUser   Unit = "user"
	ByRoom   Unit = "room"
	ByDevice Unit = "device"
)

// Variant says why a version answers.
type Variant string

// Variants.
const (
	variantDefault   Variant = "default"
	variantCandidate Variant = "candidate"
	variantPinned    Variant = "pinned" // by the request, or for its unit
)

const buckets = 10_000

// bucket returns the place of unit among buckets: always the same for a salt, and spread evenly.
func bucket(salt, unit string) int {
	sum := sha256.Sum256([]byte(salt + "\x00" + unit))
	return int(binary.BigEndian.Uint64(sum[:8]) % buckets) //nolint:gosec // less than buckets
}

// choose returns the version that the routing has for a unit. The candidate has the last places, so that a
// part that grows takes nobody from it.
func (r Routing) choose(unit string) (version int, v Variant) {
	if n, ok := r.Pins[unit]; ok {
		return n, variantPinned
	}
	if r.Candidate > 0 && bucket(r.Salt, unit) >= buckets-r.Percent*buckets/100 {
		return r.Candidate, variantCandidate
	}
	return r.Default, variantDefault
}

// settingPrefix begins the names of the settings that keep routings.
const settingPrefix = "model:"

// SettingStore keeps routings.
type SettingStore interface {
	Settings(ctx context.Context) ([]domain.Setting, error)
	SetSetting(ctx context.Context, s domain.Setting) error
}

// Recorder is the audit log. What cannot be recorded there is not done.
type Recorder interface {
	RecordSync(ctx context.Context, e domain.AuditEvent) error
}

// readRoutings is loadRoutings while nothing else changes.
func (s *Service) readRoutings(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.loadRoutings(ctx)
}

// loadRoutings reads what administrators of any node have set, and the baselines of versions. Its caller holds
// changing.
func (s *Service) loadRoutings(ctx context.Context) error {
	if s.Settings == nil {
		return nil
	}
	settings, err := s.Settings.Settings(ctx)
	if err != nil {
		return err
	}
	read, baselines := map[string]Routing{}, map[string]string{}
	for _, v := range settings {
		if strings.HasPrefix(v.Name, driftPrefix) {
			baselines[v.Name] = v.Value
		}
		name, ok := strings.CutPrefix(v.Name, settingPrefix)
		if !ok {
			continue
		}
		var r Routing
		if err := json.Unmarshal([]byte(v.Value), &r); err != nil {
			return fmt.Errorf("setting %s: %w", v.Name, err)
		}
		read[name] = r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, r := range read {
		s.trials[name] = s.trials[name].follow(r)
	}
	s.routings, s.baselines = read, baselines
	return nil
}

// maxUnit bounds the name of a user, room or device.
const maxUnit = 200

// A Change is what is to become of the versions of a model.
type Change struct {
	Action  string `json:"action" enum:"promote,rollback,pin,shadow,reload,load,unload,baseline" doc:"baseline: what the version was asked and answered lately on this node is what drift is compared with"`
	Version int    `json:"version,omitempty" minimum:"0" doc:"that it is about; pin, shadow: 0 ends it"`
	Percent int    `json:"percent,omitempty" minimum:"0" maximum:"100" doc:"promote, shadow: the part of the requests; 0: 100"`
	By      Unit   `json:"by,omitempty" enum:"user,room,device" doc:"promote: whose requests stay with one version; absent: a user's"`
	Auto    bool   `json:"auto,omitempty" doc:"promote: the part grows by itself, over 1, 5, 25 and 50 to 100 percent"`
	Unit    string `json:"unit,omitempty" maxLength:"200" doc:"pin: the user, room or device"`
}

// apply returns r after c. now is the version that answers most.
func (c Change) apply(r Routing, now int, versions []int) (Routing, error) {
	refuse := func(format string, args ...any) (Routing, error) {
		return r, domain.Invalid.Errorf(domain.CodeInvalidRequest, format, args...)
	}
	needed := c.Version > 0 || slices.Contains([]string{"promote", "reload", "load", "unload", "baseline"}, c.Action)
	if needed && !slices.Contains(versions, c.Version) {
		return refuse("there is no version %d; there are %s", c.Version, numberList(versions))
	}
	unloaded := slices.Contains(r.Unloaded, c.Version)
	if unloaded && !slices.Contains([]string{"load", "unload", "baseline"}, c.Action) {
		return refuse("version %d is unloaded; load it first", c.Version)
	}
	r.Pins = maps.Clone(r.Pins)
	switch c.Action {
	case "promote":
		percent := cmp.Or(c.Percent, 100)
		if c.Auto && c.Percent == 0 {
			percent = ladder[0]
		}
		r.Refused = slices.DeleteFunc(slices.Clone(r.Refused), func(n int) bool { return n == c.Version })
		if percent == 100 || c.Version == now {
			return r.promoted(c.Version, now), nil
		}
		if c.Version != r.Candidate || cmp.Or(c.By, ByUser) != r.By {
			r.Salt, r.By = rand.Text(), cmp.Or(c.By, ByUser)
		}
		r.Default, r.Candidate, r.Percent, r.Auto = now, c.Version, percent, c.Auto
		r.Reason = fmt.Sprintf("version %d gets %d %%", c.Version, percent)
	case "rollback":
		return r.rolledBack("asked for")
	case "pin":
		if c.Unit == "" {
			return refuse("name the user, room or device whose version is to be fixed")
		}
		if c.Version == 0 {
			delete(r.Pins, c.Unit)
			break
		}
		if r.Pins == nil {
			r.Pins = map[string]int{}
		}
		if len(r.Pins) >= 1000 {
			return refuse("1000 users, rooms and devices have versions of their own already")
		}
		r.Pins[c.Unit] = c.Version
	case "shadow":
		r.Shadow, r.Sampled = c.Version, 0
		if c.Version > 0 {
			r.Sampled = cmp.Or(c.Percent, 100)
		}
	case "unload":
		if c.Version == r.Candidate || c.Version == r.Shadow {
			return refuse("version %d is a candidate or a shadow; end that first", c.Version)
		}
		r.Unloaded = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(r.Unloaded), c.Version))))
		r.Reason = fmt.Sprintf("version %d is unloaded", c.Version)
	case "load":
		r.Unloaded = slices.DeleteFunc(slices.Clone(r.Unloaded), func(n int) bool { return n == c.Version })
		r.Reason = fmt.Sprintf("version %d is loaded", c.Version)
	case "reload", "baseline":
	default:
		return refuse("there is no action %q", c.Action)
	}
	return r, nil
}

func numberList(versions []int) string {
	if len(versions) == 0 {
		return "none"
	}
	texts := make([]string, 0, len(versions))
	for _, n := range versions {
		texts = append(texts, strconv.Itoa(n))
	}
	return strings.Join(texts, ", ")
}

// promoted has version answer everybody.
func (r Routing) promoted(version, now int) Routing {
	if version != now {
		r.Previous = now
	}
	r.Default, r.Candidate, r.Percent, r.Auto = version, 0, 0, false
	r.Reason = fmt.Sprintf("version %d answers all", version)
	return r
}

// rolledBack ends the candidate, or else returns to the version before.
func (r Routing) rolledBack(why string) (Routing, error) {
	from := r.Candidate
	switch {
	case r.Candidate > 0:
		r.Candidate, r.Percent, r.Auto = 0, 0, false
	case slices.Contains(r.Unloaded, r.Previous):
		return r, domain.Invalid.Errorf(domain.CodeInvalidRequest, "version %d, which was before, is unloaded; load it first",
			r.Previous)
	case r.Previous > 0:
		from = r.Default
		r.Default, r.Previous = r.Previous, 0
	default:
		return r, domain.Invalid.Errorf(domain.CodeInvalidRequest,
			"there is no version to return to; promote the one that is to answer")
	}
	if !slices.Contains(r.Refused, from) {
		r.Refused = append(slices.Clone(r.Refused), from)
	}
	r.Reason = fmt.Sprintf("version %d was rolled back: %s", from, why)
	return r, nil
}

// Change changes what becomes of the versions of a model; event says who does it. It counts on this node when Change
// returns, and on others within seconds. A reload is of this node alone. What is loaded takes a moment to be ready.
func (s *Service) Change(ctx context.Context, event domain.AuditEvent, model string, c Change) error {
	if err := s.changeRouting(ctx, event, model, c); err != nil {
		return err
	}
	switch c.Action {
	case "reload":
		return s.reload(ctx, model, c.Version)
	case "baseline":
		return s.takeBaseline(ctx, event, model, c.Version)
	case "load", "unload":
		return s.rescan(ctx, model, c.Version)
	}
	return nil
}

func (s *Service) changeRouting(ctx context.Context, event domain.AuditEvent, model string, c Change) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.loadRoutings(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	versions := slices.Sorted(maps.Keys(s.models[model]))
	before := s.routings[model]
	now := 0
	if e := s.control(model); e != nil {
		now = e.pool.manifest.Version
	}
	s.mu.Unlock()
	if len(versions) == 0 {
		return domain.NotFound.Errorf(domain.CodeNoRoute, "there is no model %q", model)
	}
	after, err := c.apply(before, now, versions)
	if err != nil {
		return err
	}
	details := map[string]string{"action": c.Action, "version": strconv.Itoa(c.Version), "reason": after.Reason}
	if c.Unit != "" {
		details["unit"] = c.Unit
	}
	if err := s.record(ctx, event, model, details); err != nil || c.Action == "reload" || c.Action == "baseline" {
		return err
	}
	return s.keep(ctx, event.Actor.ID, model, after)
}

// record writes into the audit log what is about to change.
func (s *Service) record(ctx context.Context, event domain.AuditEvent, model string, details map[string]string) error {
	s.Log.InfoContext(ctx, "the versions of a model change", "model", model, "details", details, "by", event.Actor.Kind)
	if s.Audit == nil {
		return nil
	}
	event.Type, event.Details = domain.AuditConfigChange, details
	event.Target = domain.AuditTarget{Kind: "setting", ID: settingPrefix + model}
	return s.Audit.RecordSync(ctx, event)
}

// keep stores a routing, and follows it.
func (s *Service) keep(ctx context.Context, by, model string, r Routing) error {
	r.Since = time.Now().UTC()
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if s.Settings != nil {
		kept := domain.Setting{Name: settingPrefix + model, Value: string(value), By: by, At: r.Since}
		if err := s.Settings.SetSetting(ctx, kept); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routings[model] = r
	s.trials[model] = s.trials[model].follow(r)
	return nil
}

// ReadChange reads a Change from JSON.
func ReadChange(body []byte) (Change, error) {
	var c Change
	if err := wire.Decode(body, &c); err != nil {
		return c, domain.Invalid.Errorf(domain.CodeInvalidRequest, "%v", err)
	}
	if c.Percent < 0 || c.Percent > 100 || !slices.Contains([]Unit{"", ByUser, ByRoom, ByDevice}, c.By) {
		return c, domain.Invalid.Errorf(domain.CodeInvalidRequest,
			"percent is from 0 to 100, and by is user, room or device")
	}
	if len(c.Unit) > maxUnit {
		return c, domain.Invalid.Errorf(domain.CodeInvalidRequest, "unit has at most %d bytes", maxUnit)
	}
	return c, nil
}
