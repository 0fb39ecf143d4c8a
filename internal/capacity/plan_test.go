package capacity

import (
	"strings"
	"testing"
)

// Between measured rooms a delivery costs something between, and beyond them what the
// nearest did.
func TestDeliveriesCostWhatWasMeasured(t *testing.T) {
	t.Parallel()
	m := Measured()
	for _, p := range m.Delivery {
		if got := m.delivery(p.At.Value); got != p.Cost.Value {
			t.Errorf("in a room of %g: %g, and not %g", p.At.Value, got, p.Cost.Value)
		}
	}
	if got := m.delivery(50); got >= 40.3 || got <= 31.8 {
		t.Errorf("in a room of 50: %g", got)
	}
	if got := m.delivery(1e6); got != 21.2 {
		t.Errorf("in a room of a million: %g", got)
	}
}

// More messages never take less of the database, and at the measured rates what they took.
func TestCommitsCostWhatWasMeasured(t *testing.T) {
	t.Parallel()
	m := Measured()
	for _, p := range m.Commit {
		got, want := m.commits(p.At.Value), p.At.Value*p.Cost.Value/1e6
		if got < want*0.999 || got > want*1.001 {
			t.Errorf("%g a second: %g, and not %g", p.At.Value, got, want)
		}
	}
	for rate, before := 0.0, -1.0; rate < 30000; rate += 100 {
		used := m.commits(rate)
		if used <= before {
			t.Fatalf("%g a second take %g, and fewer took %g", rate, used, before)
		}
		before = used
	}
}

// One node is enough until something is asked for that it does not have.
func TestTheTopologyFollowsTheLoad(t *testing.T) {
	t.Parallel()
	team := Load{People: 50, Online: 50, Messages: 1, PerDay: 2000, Members: 20, NodeCores: 8}
	mayDie := team
	mayDie.MayDie = true
	loud := team
	loud.Messages = 5000
	many := Load{People: 100_000, Online: 50_000, Messages: 500, PerDay: 1e7, Members: 1000, NodeCores: 2}
	for name, c := range map[string]struct {
		load     Load
		topology string
		least    int
	}{
		"a team": {team, Embedded, 1}, "a team whose node may die": {mayDie, Cluster, 2},
		"more writes than SQLite takes": {loud, Cluster, 2}, "more work than one machine does": {many, Cluster, 4},
	} {
		p := For(c.load)
		if p.Topology != c.topology || p.Nodes < c.least {
			t.Errorf("%s: %d nodes, %s", name, p.Nodes, p.Topology)
		}
		if p.NodeCores > c.load.NodeCores {
			t.Errorf("%s: %d cores on machines of %d", name, p.NodeCores, c.load.NodeCores)
		}
		want := 0
		if c.topology == Cluster {
			want = 20 * (p.Nodes + 1)
		}
		if p.DatabaseConnections != want {
			t.Errorf("%s: %d connections to the database", name, p.DatabaseConnections)
		}
	}
}

// What nobody has run is told of.
func TestWhatWasNotRunIsTold(t *testing.T) {
	t.Parallel()
	says := func(l Load, words string) bool { return strings.Contains(strings.Join(For(l).Notes, "\n"), words) }
	few := Load{People: 10, Online: 10, Messages: 1, Members: 10, NodeCores: 8}
	many := Load{People: 30_000, Online: 30_000, Messages: 10_000, Members: 2, NodeCores: 64, TLS: true}
	for _, words := range []string{"open files", "9178 messages", "on SQLite only", "encrypting"} {
		if says(few, words) || !says(many, words) {
			t.Errorf("%q: of few %v, of many %v", words, says(few, words), says(many, words))
		}
	}
	if !says(few, "telemetry, which this version does not have") {
		t.Error("nothing is said of telemetry")
	}
}

// With nobody there, nothing is needed but the server.
func TestNobody(t *testing.T) {
	t.Parallel()
	if p := For(Load{NodeCores: 8}); p.Nodes != 1 || p.NodeCores != 1 || p.NodeMiB != 256 || p.MonthBytes != 0 {
		t.Errorf("%+v", p)
	}
}
