package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// Stats is what a fleet has done so far.
type Stats struct {
	Devices, Connected int
	Connects           int // attempts
	Measured           int // reports
	Acknowledged       int // reports
	Readings           int // that were in them
	Waiting            int // reports that are not acknowledged yet
	Lost               int // reports that a device had no room for, or lost with its power
	Commands           int // carried out
	Faults             int
	Refused            map[string]int // by reason
	Attacks            map[string]int // by kind and what became of them
	P50, P99           time.Duration  // of an acknowledgement, since the last call
}

type stats struct {
	connected, connects, measured, acknowledged, readings, commands, faults atomic.Int64

	mu      sync.Mutex
	refused map[string]int
	attacks map[string]int
	took    []time.Duration
}

const (
	reasonsMost = 50
	tookMost    = 50_000
)

func count(m *map[string]int, reason string) {
	if *m == nil {
		*m = map[string]int{}
	}
	if _, known := (*m)[reason]; !known && len(*m) >= reasonsMost {
		reason = "others"
	}
	(*m)[reason]++
}

func (s *stats) refuse(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count(&s.refused, reason)
}

func (s *stats) attack(kind, outcome string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count(&s.attacks, kind+": "+outcome)
}

func (s *stats) acknowledge(items []wire.ReportItem, took time.Duration) {
	s.acknowledged.Add(int64(len(items)))
	for _, item := range items {
		s.readings.Add(int64(len(item.Readings)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.took) < tookMost {
		s.took = append(s.took, took)
	}
}

// Stats returns what the fleet has done so far.
func (f *Fleet) Stats() Stats {
	s := &f.stats
	out := Stats{Devices: len(f.devices), Connected: int(s.connected.Load()), Connects: int(s.connects.Load()),
		Measured: int(s.measured.Load()), Acknowledged: int(s.acknowledged.Load()), Readings: int(s.readings.Load()),
		Commands: int(s.commands.Load()), Faults: int(s.faults.Load())}
	for _, d := range f.devices {
		out.Waiting += d.memory.waiting()
		out.Lost += d.memory.forgotten()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Refused, out.Attacks = maps.Clone(s.refused), maps.Clone(s.attacks)
	slices.Sort(s.took)
	if n := len(s.took); n > 0 {
		out.P50, out.P99 = s.took[n/2], s.took[n*99/100]
	}
	s.took = s.took[:0]
	return out
}

// String is a line for people.
func (s Stats) String() string {
	line := fmt.Sprintf("%d of %d connected, %d reports with %d readings acknowledged (p50 %v, p99 %v), %d waiting, %d "+
		"lost",
		s.Connected, s.Devices, s.Acknowledged, s.Readings, s.P50.Round(100*time.Microsecond),
		s.P99.Round(100*time.Microsecond),
		s.Waiting, s.Lost)
	line += fmt.Sprintf("; %d connections, %d faults, %d commands", s.Connects, s.Faults, s.Commands)
	if len(s.Refused) > 0 {
		line += "; refused: " + list(s.Refused)
	}
	if len(s.Attacks) > 0 {
		line += "; attacks: " + list(s.Attacks)
	}
	return line
}

func list(m map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(parts, ", ")
}
