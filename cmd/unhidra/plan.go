package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/unhidra/unhidra/internal/capacity"
	"github.com/unhidra/unhidra/internal/disk"
)

const planText = `plan [flags]

Estimates the resources that a deployment needs: processor cores, memory, disk, database
connections, and the number of nodes (docs/kubernetes.md describes the topologies). It
reads no settings and no data. The estimate uses costs measured on one machine
(docs/benchmarks.md) and leaves half of each core free.

  unhidra plan --people 500 --online 40% --messages 30/day --members 25
  unhidra plan --people 2000 --messages 50/s --members 100 --survive --json
`

// loadFlags are the values of the flags of plan.
type loadFlags struct {
	load             capacity.Load
	online, messages string
	hours            float64
	json             bool
}

func plan(_ context.Context, e *env, args []string) error {
	fs := e.flags("plan", planText)
	var f loadFlags
	f.define(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	load, err := f.check()
	if err != nil {
		return err
	}
	p := capacity.For(load)
	if f.json {
		w := json.NewEncoder(e.stdout)
		w.SetIndent("", "  ")
		return w.Encode(p)
	}
	return e.printPlan(p)
}

func (f *loadFlags) define(fs *flag.FlagSet) {
	l := &f.load
	fs.IntVar(&l.People, "people", 0, "number of `people` who have an account (required)")
	fs.StringVar(&f.online, "online", "100%", "how `many` of them are connected at once: a number, or a share such as 40%")
	fs.IntVar(&l.Devices, "devices", 0, "number of connected `devices`")
	fs.StringVar(&f.messages, "messages", "20/day",
		"message `rate`: per person and day, such as 20/day, or the peak of all people, such as 50/s")
	fs.IntVar(&l.Members, "members", 20, "number of `members` of a typical room")
	fs.Float64Var(&f.hours, "hours", 8, "number of `hours` in which the messages of a day are sent")
	fs.IntVar(&l.KeepDays, "keep", 0, "number of `days` that messages are kept; 0: forever")
	fs.BoolVar(&l.TLS, "tls", false, "TLS ends at the server, without a proxy in front")
	fs.BoolVar(&l.MayDie, "survive", false, "keep working when one node fails")
	fs.IntVar(&l.NodeCores, "cores", 8, "largest number of processor `cores` of a machine")
	fs.BoolVar(&f.json, "json", false, "print JSON")
}

const (
	mostPlanned = 1_000_000_000
	mostPerSec  = 1_000_000 // messages, of all people together
	mostKept    = 36_500    // days
)

func (f *loadFlags) check() (capacity.Load, error) {
	l := f.load
	if l.People == 0 {
		return l, usagef("say for how many people: --people 500; `unhidra plan --help` shows examples")
	}
	for _, n := range []struct {
		name            string
		value, from, to int
	}{
		{"people", l.People, 1, mostPlanned}, {"devices", l.Devices, 0, mostPlanned},
		{"members", l.Members, 1, mostPlanned}, {"keep", l.KeepDays, 0, mostKept},
		{"cores", l.NodeCores, 1, mostPlanned},
	} {
		if n.value < n.from || n.value > n.to {
			return l, usagef("--%s must be %d to %d, and is %d", n.name, n.from, n.to, n.value)
		}
	}
	if !(f.hours > 0 && f.hours <= 24) {
		return l, usagef("--hours must be above 0 and at most 24, and is %g", f.hours)
	}
	var err error
	if l.Online, err = online(f.online, l.People); err != nil {
		return l, err
	}
	return f.rate(l)
}

// rate adds the messages to l.
func (f *loadFlags) rate(l capacity.Load) (capacity.Load, error) {
	rate, unit, _ := strings.Cut(f.messages, "/")
	n, err := strconv.ParseFloat(rate, 64)
	if err != nil || !(n >= 0) || unit != "day" && unit != "s" {
		return l, usagef("--messages must be a number with /day (per person) or /s (of all), such as 20/day, and is %q",
			f.messages)
	}
	seconds := f.hours * 3600
	if unit == "day" {
		l.PerDay = n * float64(l.People)
		l.Messages = l.PerDay / seconds
	} else {
		l.Messages, l.PerDay = n, n*seconds
	}
	if l.Messages > mostPerSec {
		return l, usagef("--messages %s is %.4g per second for all people together, and must be at most %d",
			f.messages, l.Messages, mostPerSec)
	}
	return l, nil
}

// online parses the number of connected people, or a percentage of people.
func online(s string, people int) (int, error) {
	share, isShare := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(share, 64)
	negative := n < 0
	if isShare {
		n = math.Ceil(n / 100 * float64(people))
	}
	if err != nil || negative || !(n <= float64(people)) || n != math.Trunc(n) {
		return 0, usagef("--online must be 0 to %d people, or a share such as 40%%, and is %q", people, s)
	}
	return int(n), nil
}

func (e *env) printPlan(p capacity.Plan) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	row := func(what, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	row("connections", "%d", p.Connections)
	row("messages", "%.4g per second at the peak, %.0f per day", p.Load.Messages, p.Load.PerDay)
	row("deliveries", "%.4g per second", p.Deliveries)
	row("topology", "%s (docs/kubernetes.md)", p.Topology)
	if p.Topology == capacity.Embedded {
		row("server", "%s, %d MiB of memory", count(p.NodeCores, "core"), p.NodeMiB)
	} else {
		row("nodes", "%d, each with %s and %d MiB of memory; one may fail",
			p.Nodes, count(p.NodeCores, "core"), p.NodeMiB)
		row("PostgreSQL", "%s, max_connections above %d", count(p.DatabaseCores, "core"), p.DatabaseConnections)
		row("NATS", "%s, each with %s", count(p.NATSServers, "server"), count(p.NATSCores, "core"))
	}
	row("restart", "all clients are connected again after about %d s", p.ReturnSeconds)
	row("disk", "%s per month", disk.Size(p.MonthBytes))
	if p.KeptBytes > 0 {
		row("", "%s in total when messages are deleted after %s", disk.Size(p.KeptBytes),
			count(p.Load.KeepDays, "day"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, note := range p.Notes {
		if _, err := fmt.Fprintf(e.stdout, "\n%s\n", note); err != nil {
			return err
		}
	}
	return nil
}
