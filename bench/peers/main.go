// Command peers drives whole servers over WebSockets on the loopback, ours and
// others with the same driver in the same run, and says what each costs: the
// processor time of a delivery, the memory of a connection, and how long ten
// thousand clients need to come back after a kill. It prints Markdown tables.
//
//	go build -o bin/unhidra ./cmd/unhidra
//	go run ./bench/peers -centrifugo ./bin/centrifugo -postgres postgres://... fanout idle storm members cluster
//
// Servers take turns within a round, so that what else the machine does falls on
// all of them. The figures to compare are processor time and memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type settings struct {
	unhidra, centrifugo, postgres string
	rounds                        int
	length                        time.Duration
	clients                       int
	loads                         string
	plots                         string
	dir                           string
}

func main() {
	var s settings
	part := flag.String("part", "", "for this program's own use: what to be")
	flag.StringVar(&s.unhidra, "unhidra", "bin/unhidra",
		"the server's binary; for fanout also several, with commas between, which are compared with each other alone; for "+
			"pairs two, the one before and the one after")
	flag.StringVar(&s.centrifugo, "centrifugo", "",
		"Centrifugo's binary (go install github.com/centrifugal/centrifugo/v6@v6.9.1); empty: left out")
	flag.StringVar(&s.postgres, "postgres", "",
		"URL of an empty PostgreSQL database, for cluster, and for a Centrifugo that keeps messages in fanout; empty: left "+
			"out")
	flag.IntVar(&s.rounds, "rounds", 3, "how often each load is put on each server; the median counts")
	flag.DurationVar(&s.length, "length", 8*time.Second, "of each load")
	flag.IntVar(&s.clients, "clients", 10_000, "for idle, mqtt, return, storm and members")
	flag.StringVar(&s.loads, "loads", "1x1000@10000,1x1000@50000,100x50@10000",
		"for fanout: rooms, members of each, deliveries a second")
	flag.StringVar(&s.plots, "plots", "", "folder for plots; empty: none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *part != "" {
		if err := runRole(ctx, *part, flag.Args()); err != nil {
			fail(err)
		}
		return
	}
	dir, err := os.MkdirTemp("", "unhidra-peers-")
	if err != nil {
		fail(err)
	}
	s.dir = dir
	err = s.measure(ctx, flag.Args())
	_ = os.RemoveAll(dir)
	if err != nil {
		fail(err)
	}
}

func (s *settings) measure(ctx context.Context, what []string) error {
	all := map[string]func(context.Context) error{
		"fanout": s.fanouts, "idle": s.idle, "mqtt": s.mqtt, "storm": s.storm, "return": s.devicesBack, "deliver": s.deliver,
		"beside": s.beside, "members": s.members, "cluster": s.cluster, "pairs": s.pairs,
	}
	if len(what) == 0 {
		what = []string{"fanout", "idle", "mqtt", "deliver", "storm", "return", "beside", "members", "cluster"}
	}
	for _, name := range what {
		do := all[name]
		if do == nil {
			return fmt.Errorf("%s: not something to measure; there are fanout, idle, mqtt, deliver, storm, return, beside, "+
				"members, cluster and pairs", name)
		}
		if err := do(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Println()
	}
	return nil
}

// fresh returns a new folder.
func (s *settings) fresh() string {
	dir, err := os.MkdirTemp(s.dir, "")
	if err != nil {
		fail(err)
	}
	return dir
}

// Servers that have each message on disk before they deliver it, as Unhidra has.
const (
	bareKeeping       = "bare commits and writes"
	centrifugoKeeping = "Centrifugo, PostgreSQL"
)

// starters are the servers that are compared, for rooms and clients of l, and with
// keeping those that keep messages too.
func (s *settings) starters(
	ctx context.Context, l load, keeping bool,
) (names []string, start map[string]func() (*target, error), err error) {
	w, err := makeWorld(ctx, s.fresh(), "", l.clients(), l.rooms)
	if err != nil {
		return nil, nil, err
	}
	start = make(map[string]func() (*target, error))
	add := func(name string, fn func() (*target, error)) {
		names = append(names, name)
		start[name] = fn
	}
	if binaries := strings.Split(s.unhidra, ","); len(binaries) > 1 {
		for _, b := range binaries {
			add(filepath.Base(b), func() (*target, error) { return w.start(b, 1, "", "") })
		}
		return names, start, nil
	}
	add("Unhidra", func() (*target, error) { return w.start(s.unhidra, 1, "", "") })
	if s.centrifugo != "" {
		add("Centrifugo", func() (*target, error) { return startCentrifugo(s.centrifugo, s.fresh(), l.rooms, "") })
	}
	add("bare writes", func() (*target, error) { return startBare(l.rooms, "") })
	if !keeping {
		return names, start, nil
	}
	add(bareKeeping, func() (*target, error) { return startBare(l.rooms, filepath.Join(s.fresh(), "bare.db")) })
	if s.centrifugo != "" && s.postgres != "" {
		backend, err := backendOf(ctx, s.postgres)
		if err != nil {
			return nil, nil, err
		}
		add(centrifugoKeeping, func() (*target, error) {
			t, err := startCentrifugo(s.centrifugo, s.fresh(), l.rooms, s.postgres)
			if err == nil {
				t.beside = map[string]func() time.Duration{"PostgreSQL": func() time.Duration { return family(backend) }}
			}
			return t, err
		})
	}
	return names, start, nil
}

// compare puts l on each server in turn, again and again.
func (s *settings) compare(
	ctx context.Context, l load, keeping bool,
) (names []string, all map[string][]outcome, err error) {
	names, start, err := s.starters(ctx, l, keeping)
	if err != nil {
		return nil, nil, err
	}
	all = make(map[string][]outcome)
	for range s.rounds {
		for _, name := range names {
			t, err := start[name]()
			if err != nil {
				return nil, nil, err
			}
			o, err := fanout(ctx, t, l)
			t.stop()
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w\n%s", name, err, tail(t.servers))
			}
			complain("%s: %s: %.1f µs, driver %.1f µs, %.0f/s, p50 %v, p99 %v", l, name, o.whole(), o.driver, o.achieved, o.p50,
				o.p99)
			all[name] = append(all[name], o)
		}
	}
	return names, all, nil
}

func (s *settings) fanouts(ctx context.Context) error {
	fmt.Println("| rooms × members, deliveries/s | server | CPU-s per million, median (all) | of Centrifugo | of bare | " +
		"achieved/s | p50 | p99 | driver CPU-s per million | lost, strange |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for each := range strings.SplitSeq(s.loads, ",") {
		l := load{length: s.length}
		if _, err := fmt.Sscanf(each, "%dx%d@%d", &l.rooms, &l.members, &l.perSecond); err != nil {
			return fmt.Errorf("-loads %s: %w", each, err)
		}
		l.publishers = max(1, 10/l.rooms)
		names, all, err := s.compare(ctx, l, true)
		if err != nil {
			return err
		}
		for _, name := range names {
			o := all[name]
			cpu := median(o, outcome.whole)
			fmt.Printf("| %s | %s | **%.1f** (%s) | %s | %s | %.0f | %v | %v | %.1f | %.0f, %.0f |\n", l, name, cpu, list(o),
				ratio(cpu, all["Centrifugo"]), ratio(cpu, all["bare writes"]),
				median(o, func(o outcome) float64 { return o.achieved }),
				time.Duration(median(o, func(o outcome) float64 { return float64(o.p50) })),
				time.Duration(median(o, func(o outcome) float64 { return float64(o.p99) })),
				median(o, func(o outcome) float64 { return o.driver }),
				total(o, func(o outcome) int64 { return o.lost }), total(o, func(o outcome) int64 { return o.strange }))
		}
	}
	return nil
}

func median[T any](os []T, of func(T) float64) float64 {
	var vs []float64
	for _, o := range os {
		vs = append(vs, of(o))
	}
	slices.Sort(vs)
	return vs[len(vs)/2]
}

func total(os []outcome, of func(outcome) int64) (sum float64) {
	for _, o := range os {
		sum += float64(of(o))
	}
	return sum
}

func list(os []outcome) string {
	var vs []string
	for _, o := range os {
		vs = append(vs, fmt.Sprintf("%.1f", o.whole()))
	}
	return strings.Join(vs, ", ")
}

func ratio(cpu float64, to []outcome) string {
	if len(to) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", cpu/median(to, outcome.whole))
}
