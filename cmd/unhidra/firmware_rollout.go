package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const rolloutText = `firmware rollout <action> [flags] [arguments]

Brings a release to devices, in stages.

  firmware rollout start <product> <version>
                                    begin; --plan has a file with a plan, as JSON
  firmware rollout list <product>   list the rollouts of a product
  firmware rollout show <rollout>   say how one goes, and why it has paused
  firmware rollout log <rollout>    say what happened to it
  firmware rollout pause <rollout>
  firmware rollout resume <rollout>
  firmware rollout approve <rollout>
                                    approve of what somebody else has made
  firmware rollout abort <rollout>  end it for good
  firmware rollout exclude <rollout>
                                    leave devices out: --revision, --version, --device, --shared
  firmware rollout revert <rollout> <version>
                                    bring an earlier release to the devices that have it

docs/rollouts.md says what each does, and what is in a plan.
`

// rolloutWords are the actions, with the names of their arguments.
var rolloutWords = map[string][]string{"start": {"<product>", "<version>"}, "list": {"<product>"},
	"show": {"<rollout>"}, "log": {"<rollout>"}, "pause": {"<rollout>"}, "resume": {"<rollout>"},
	"approve": {"<rollout>"}, "abort": {"<rollout>"}, "exclude": {"<rollout>"}, "revert": {"<rollout>", "<version>"}}

type rolloutFlags struct {
	plan, note string
	revisions  []string
	exclude    domain.RolloutExclusion
	goOn       bool
}

func (o *remote) rolloutFlags() *rolloutFlags {
	f := &rolloutFlags{}
	o.fs.StringVar(&f.plan, "plan", "", "`file` with the plan, of start and revert; without it, the usual one")
	o.fs.StringVar(&f.note, "note", "", "`text` for others, of start and of what changes a rollout")
	o.fs.BoolVar(&f.goOn, "resume", false, "of exclude: resume the rollout as well")
	o.fs.Func("revision", "of exclude: `chip:revision`, such as esp32c3:101; may be repeated", func(s string) error {
		f.revisions = append(f.revisions, s)
		return nil
	})
	o.fs.Func("version", "of exclude: `version` that devices run now; may be repeated", func(s string) error {
		f.exclude.Versions = append(f.exclude.Versions, s)
		return nil
	})
	o.fs.BoolVar(&f.exclude.Shared, "shared", false, "of exclude: the devices of other owners that have joined")
	o.fs.Func("device", "of exclude: `id` of a device; may be repeated", func(s string) error {
		f.exclude.Devices = append(f.exclude.Devices, s)
		return nil
	})
	return f
}

// check reads the revisions.
func (f *rolloutFlags) check() error {
	for _, s := range f.revisions {
		chip, number, _ := strings.Cut(s, ":")
		n, err := strconv.ParseUint(number, 10, 16)
		if chip == "" || err != nil {
			return usagef("--revision is a chip and a number, such as esp32c3:101, and not %q", s)
		}
		f.exclude.Revisions = append(f.exclude.Revisions, domain.HardwareRevision{Chip: chip, Revision: int(n)})
	}
	return nil
}

func firmwareRollout(ctx context.Context, e *env, args []string) error {
	o := e.remote("rollout", rolloutText)
	f := o.rolloutFlags()
	words, err := interspersed(o.fs, args)
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return err
	}
	if len(words) == 0 || rolloutWords[words[0]] == nil {
		return usagef("say what to do: %s; `unhidra firmware rollout --help` explains it",
			strings.Join(slices.Sorted(maps.Keys(rolloutWords)), ", "))
	}
	if want := rolloutWords[words[0]]; len(words)-1 != len(want) {
		return usagef("unhidra firmware rollout %s takes %s", words[0], strings.Join(want, " "))
	}
	plan := json.RawMessage("{}")
	if f.plan != "" {
		if plan, err = os.ReadFile(f.plan); err != nil {
			return err
		}
		if !json.Valid(plan) {
			return fmt.Errorf("%s is not JSON", f.plan)
		}
	}
	return o.run(ctx, func(ctx context.Context) error { return o.rollout(ctx, words[0], words[1:], *f, plan) })
}

type onlineRollout struct {
	ID, Product, Version, State, Note string
	Code                              uint32 `json:"version_code"`
	Stage, Devices                    int
	Plan                              domain.RolloutPlan
	SoakUntil                         *time.Time `json:"soak_until"`
	Pause                             *domain.RolloutPause
	PausedBy                          wire.User `json:"paused_by"`
	CreatedAt                         time.Time `json:"created_at"`
	Counts                            struct {
		States map[string]int
		Failed int
	}
}

func (o *remote) rollout(ctx context.Context, what string, words []string, f rolloutFlags, plan json.RawMessage) error {
	var r onlineRollout
	at := "/firmware/rollouts"
	switch what {
	case "start":
		p, err := o.product(ctx, words[0])
		if err != nil {
			return err
		}
		release, err := o.release(ctx, p.ID, words[1])
		if err == nil {
			err = o.c.Do(ctx, "POST", at, map[string]any{"release": release.ID, "plan": plan, "note": f.note}, &r)
		}
		return o.showRollout(r, err)
	case "list":
		return o.listRollouts(ctx, words[0])
	}
	at += "/" + url.PathEscape(words[0])
	switch what {
	case "show":
		return o.showRollout(r, o.c.Do(ctx, "GET", at, nil, &r))
	case "log":
		return o.rolloutLog(ctx, at)
	case "revert":
		err := o.c.Do(ctx, "GET", at, nil, &r)
		if err != nil {
			return err
		}
		release, err := o.release(ctx, r.Product, words[1])
		if err == nil {
			r = onlineRollout{}
			err = o.c.Do(ctx, "POST", at+"/revert", map[string]any{"release": release.ID, "plan": plan}, &r)
		}
		return o.showRollout(r, err)
	}
	act := map[string]any{"action": what, "note": f.note}
	if what == "exclude" {
		act["exclude"] = f.exclude
		if f.goOn {
			act["action"] = "continue"
		}
	}
	return o.showRollout(r, o.c.Do(ctx, "POST", at+"/actions", act, &r))
}

func (o *remote) listRollouts(ctx context.Context, product string) error {
	p, err := o.product(ctx, product)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(o.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ROLLOUT\tVERSION\tSTATE\tSTAGE\tDEVICES\tCREATED")
	for cursor := ""; ; {
		var page client.Page[onlineRollout]
		at := "/firmware/products/" + p.ID + "/rollouts?limit=100&cursor=" + url.QueryEscape(cursor)
		if err := o.c.Do(ctx, "GET", at, nil, &page); err != nil {
			return err
		}
		for _, r := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d of %d\t%d\t%s\n", r.ID, plain(r.Version), r.State, r.Stage+1, len(r.Plan.Stages),
				r.Devices, r.CreatedAt.Format(time.DateTime))
		}
		if cursor = page.Next; cursor == "" {
			return w.Flush()
		}
	}
}

// showRollout says how a rollout goes, unless err.
func (o *remote) showRollout(r onlineRollout, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintf(o.stdout, "%s (%d) is %s, in stage %d of %d, for %d devices. Rollout %s\n", plain(r.Version), r.Code,
		r.State, r.Stage+1, len(r.Plan.Stages), r.Devices, r.ID)
	if r.SoakUntil != nil {
		fmt.Fprintf(o.stdout, "  watched until %s\n", r.SoakUntil.Format(time.DateTime))
	}
	if r.Pause != nil {
		fmt.Fprintf(o.stdout, "  paused %s\n", pauseReason(*r.Pause, r.PausedBy))
	}
	for _, state := range slices.Sorted(maps.Keys(r.Counts.States)) {
		fmt.Fprintf(o.stdout, "  %s: %d\n", plain(state), r.Counts.States[state])
	}
	return nil
}

// pauseReason says why a rollout is paused, or that by did so; without a name: whose account is gone.
func pauseReason(p domain.RolloutPause, by wire.User) string {
	if p.Kind == domain.PausedByUser {
		return "by " + cmp.Or(plain(by.DisplayName), "somebody whose account is gone")
	}
	s := fmt.Sprintf("by itself (%s): %d of %d", plain(string(p.Kind)), p.Failed, p.Of)
	if p.Reason != "" {
		s += ", most of them for " + plain(p.Reason)
	}
	if p.Revision != nil {
		s += fmt.Sprintf(", most on %s:%d (%.1f %% by chance)", plain(p.Revision.Chip), p.Revision.Revision, 100*p.Chance)
	}
	return s
}

func (o *remote) rolloutLog(ctx context.Context, at string) error {
	var all client.Page[struct {
		At                time.Time
		By                wire.User
		What, State, Note string
		Stage             int
		Pause             *domain.RolloutPause
	}]
	if err := o.c.Do(ctx, "GET", at+"/log", nil, &all); err != nil {
		return err
	}
	w := tabwriter.NewWriter(o.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "AT\tWHAT\tSTATE\tSTAGE\tBY\tNOTE")
	for _, e := range slices.Backward(all.Items) {
		note := e.Note
		if e.Pause != nil && e.Pause.Kind != domain.PausedByUser {
			note = strings.TrimSpace(pauseReason(*e.Pause, wire.User{}) + " " + note)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", e.At.Format(time.DateTime), plain(e.What), e.State, e.Stage+1,
			plain(e.By.DisplayName), strings.Join(strings.Fields(plain(note)), " "))
	}
	return w.Flush()
}
