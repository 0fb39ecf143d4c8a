// Package crash kills the server at random moments under load and checks that
// nothing that was acknowledged is lost, doubled or out of order, for anybody: messages, readings of
// devices, commands, alarms, files with their parts, threads and reactions; and that what is unread follows from these.
package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/herd"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
	"github.com/unhidra/unhidra/internal/testkit/talk"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

const (
	senders = 32
	users   = 4
	least   = 100 // messages acknowledged between two kills
	devices = 12
)

func TestKillsLoseNothing(t *testing.T) {
	bin := node.Build(t)
	t.Run("sqlite", func(t *testing.T) { crash(t, bin) })
	t.Run("postgres", func(t *testing.T) { crash(t, bin, "DATABASE_URL="+pgtest.Database(t, nil)) })
}

// newServer starts a server that ends with the test.
func newServer(t *testing.T, bin string, env ...string) *node.Node {
	t.Helper()
	s := node.New(t, bin, os.Stderr, env...)
	s.Start()
	return s
}

func crash(t *testing.T, bin string, env ...string) {
	kills := int(testkit.Setting(t, "CRASH_KILLS", 5))
	seed := testkit.Setting(t, "CRASH_SEED", uint64(time.Now().UnixNano()))
	t.Logf("%d kills, repeat with CRASH_SEED=%d", kills, seed)
	rng := rand.New(rand.NewPCG(seed, seed))
	mqtt := fmt.Sprint("127.0.0.1:", node.Port(t))
	s := newServer(t, bin, append(env, "UNHIDRA_MQTT_ADDR="+mqtt)...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(kills)*30*time.Second)
	defer cancel()
	people, room := traffic.Settle(ctx, t, users, s.URL())
	f := traffic.Start(ctx, t, people, room, traffic.Options{Senders: senders})
	d := herd.Start(ctx, t, herd.Options{Owner: people[0], Login: "user0", Password: traffic.Password, Room: room,
		Devices: devices,
		Every:   100 * time.Millisecond, Seed: seed, Server: s.URL(), MQTT: "mqtt://" + mqtt})
	chat := talk.Start(ctx, t, talk.Options{Servers: []string{s.URL()}, People: 4, Pause: 30 * time.Millisecond,
		Files: time.Second / 2, Seed: seed})
	for range kills {
		f.Await(least)
		d.Await(ctx, devices)
		moment := time.Duration(rng.Int64N(int64(300 * time.Millisecond)))
		<-time.After(moment) // the random moment is the point
		s.Kill()
		s.Start()
	}
	f.Await(least)
	d.Await(ctx, devices)
	chat.Await(least)
	f.Stop()
	d.Stop(ctx)
	chat.Stop()
	f.Check(people[0])
	chat.Check()
	d.Check(ctx, s.URL())
}
