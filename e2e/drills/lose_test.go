//go:build linux

package drills

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// One of two nodes is killed; its people go on at the other.
func TestLoseANode(t *testing.T) {
	t.Parallel()
	ctx := drill(t)
	nodes, _ := cluster(ctx, t, node.Build(t), pgtest.Database(t, nil))
	people, room := traffic.Settle(ctx, t, 4, live.Balance(t, nodes[0].Public, nodes[1].Public))
	f := traffic.Start(ctx, t, people, room, usual)
	f.AwaitAll()
	f.Longest()

	begin := time.Now()
	nodes[0].Kill()
	f.AwaitAll()
	took(t, "lose a node: everybody writes again after", time.Since(begin))
	took(t, "lose a node: longest that a message waited", f.Longest())
	took(t, "lose a node: a new one is ready after", start(ctx, t, nodes[0]))
	f.AwaitAll()
	f.Stop()
	f.Check(people[0])
}

// The primary of the database dies, its standby is promoted, and a new standby is made of the old
// primary.
func TestLoseTheDatabasesPrimary(t *testing.T) {
	t.Parallel()
	ctx := drill(t)
	port := [2]int{node.Port(t), node.Port(t)}
	primary := pgtest.Start(t, port[0], "")
	standby := standbyOf(t, primary, port[1])
	primary.Exec("ALTER SYSTEM SET synchronous_standby_names = '*'")
	primary.Ask("SELECT pg_reload_conf()")
	url := fmt.Sprintf("postgres://unhidra@127.0.0.1:%d,127.0.0.1:%d/postgres"+
		"?sslmode=disable&target_session_attrs=read-write", port[0], port[1])
	nodes, _ := cluster(ctx, t, node.Build(t), url)
	people, room := traffic.Settle(ctx, t, 4, nodes[0].URL(), nodes[1].URL())
	awaitSynchronous(ctx, t, primary)
	f := traffic.Start(ctx, t, people, room, usual)
	f.AwaitAll()
	f.Longest()

	begin := time.Now()
	primary.Crash()
	took(t, "lose the primary: its last process is gone after", time.Since(begin))
	promote := time.Now()
	standby.Exec("ALTER SYSTEM RESET synchronous_standby_names") // there is nobody left to wait for
	standby.Ask("SELECT pg_reload_conf()")
	standby.Ask("SELECT pg_promote()")
	took(t, "lose the primary: then the standby is promoted after", time.Since(promote))
	f.AwaitAll()
	took(t, "lose the primary: then everybody writes again after", time.Since(promote))
	took(t, "lose the primary: longest that a message waited", f.Longest())

	begin = time.Now()
	again := standbyOf(t, standby, port[0])
	standby.Exec("ALTER SYSTEM SET synchronous_standby_names = '*'")
	standby.Ask("SELECT pg_reload_conf()")
	awaitSynchronous(ctx, t, standby)
	took(t, "lose the primary: there is a standby again after", time.Since(begin))
	f.AwaitAll()
	f.Stop()
	f.Check(people[0])
	if again.Ask("SELECT pg_is_in_recovery()") != "true" {
		t.Error("there are two primaries")
	}
}

// standbyOf starts a standby of a primary. With PostgreSQL's default, a promotion may wait for the
// five seconds after which a standby looks for its primary again.
func standbyOf(t *testing.T, primary *pgtest.Own, port int) *pgtest.Own {
	t.Helper()
	dir := pgtest.Folder(t)
	primary.BaseBackup(dir, "-R")
	standby := pgtest.Start(t, port, dir)
	standby.Exec("ALTER SYSTEM SET wal_retrieve_retry_interval = '200ms'")
	standby.Ask("SELECT pg_reload_conf()")
	return standby
}

// awaitSynchronous waits until the primary commits nothing that its standby does not have.
func awaitSynchronous(ctx context.Context, t *testing.T, primary *pgtest.Own) {
	t.Helper()
	traffic.Wait(ctx, t, "the standby is synchronous", func() bool {
		return primary.Ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1"
	})
}

// The only NATS server is away: messages go from node to node by way of the log, and later.
func TestLoseNATS(t *testing.T) {
	t.Parallel()
	ctx := drill(t)
	nodes, bus := cluster(ctx, t, node.Build(t), pgtest.Database(t, nil))
	people, room := traffic.Settle(ctx, t, 2, nodes[0].URL(), nodes[1].URL())
	quiet := traffic.Gather(ctx, t, people)
	heard := make(chan string, 1000)
	listener := people[1].Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) {
		if e.Message != nil {
			heard <- e.Message.Key
		}
	}})
	t.Cleanup(listener.Close)
	must(t, listener.Ready(ctx))
	say := func(room, key string) (arrives time.Duration) { // at one node, to be heard at the other
		t.Helper()
		begin := time.Now()
		_, err := people[0].Send(ctx, client.Draft{Room: room, Key: key, Text: key})
		must(t, err)
		awaitKey(ctx, t, heard, key)
		return time.Since(begin)
	}
	took(t, "lose NATS: before, a message is at the other node after", say(quiet, "before"))
	f := traffic.Start(ctx, t, people, room, usual)
	f.AwaitAll()
	f.Longest()

	bus.Stop()
	traffic.Wait(ctx, t, "both nodes see it", func() bool { return connected(ctx, nodes) == 0 })
	for i := range nodes {
		if !nodes[i].Ready(ctx) {
			t.Errorf("node %d is not ready without NATS", i)
		}
	}
	took(t, "lose NATS: meanwhile, a message in a busy room is at the other node after", say(room, "busy"))
	took(t, "lose NATS: meanwhile, a message in a quiet room is at the other node after", say(quiet, "quiet"))
	f.AwaitAll()
	took(t, "lose NATS: longest that a sender waited meanwhile", f.Longest())
	begin := time.Now()
	bus.Start()
	traffic.Wait(ctx, t, "both nodes are connected", func() bool { return connected(ctx, nodes) == len(nodes) })
	took(t, "lose NATS: both nodes are connected again after", time.Since(begin))
	took(t, "lose NATS: afterwards, a message is at the other node after", say(quiet, "afterwards"))
	f.Stop()
	f.Check(people[0])
}

func awaitKey(ctx context.Context, t *testing.T, heard <-chan string, key string) {
	t.Helper()
	for {
		select {
		case got := <-heard:
			if got == key {
				return
			}
		case <-ctx.Done():
			t.Fatalf("%q does not arrive", key)
		}
	}
}

// connected counts the nodes that are connected to NATS.
func connected(ctx context.Context, nodes [2]*node.Node) (n int) {
	for _, s := range nodes {
		if m, err := s.Metrics(ctx); err == nil {
			n += int(m["bus_connected"])
		}
	}
	return n
}
