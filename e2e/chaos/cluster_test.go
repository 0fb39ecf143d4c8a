//go:build unix

package chaos

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

const (
	nodes  = 3
	people = 64
	// herdLinks are those that devices share.
	herdLinks = 4
	natsFile  = "CHAOS_NATS" // in the environment of this program: be a NATS server with this configuration
)

// TestMain also runs a NATS server, from the module that the tests are built with, as a process that
// can be killed and paused.
func TestMain(m *testing.M) {
	if file := os.Getenv(natsFile); file != "" {
		o, err := server.ProcessConfigFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		s, err := server.NewServer(o)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		s.ConfigureLogger()
		s.Start()
		s.WaitForShutdown()
		return
	}
	os.Exit(m.Run())
}

// A cluster has all processes, and the links between them.
type cluster struct {
	t       *testing.T
	pg      *pgtest.Own
	nodes   [nodes]*node.Node
	nats    [nodes]*node.Process
	clients [people]*Link       // of each to any node
	brokers [herdLinks]*Link    // of devices, by MQTT, to any node
	mqtt    [nodes]string       // addresses for MQTT
	toPG    [nodes]*Link        // of each node
	toNATS  [nodes][nodes]*Link // of each node to each NATS server
	routes  [nodes]*Link        // between the NATS servers
	down    [nodes]sync.Mutex   // held while a node is meant to be away
	logs    string              // folder
}

func startCluster(t *testing.T, bin string) *cluster {
	t.Helper()
	c := &cluster{t: t, logs: os.Getenv("CHAOS_LOGS")}
	if c.logs == "" {
		c.logs = t.TempDir()
	}
	c.pg = pgtest.Start(t, node.Port(t), "")
	c.startNATS()
	for i := range c.nodes {
		c.toPG[i] = c.link(c.pg.Addr())
		var servers []string
		for j := range c.nats {
			servers = append(servers, "nats://"+c.toNATS[i][j].Addr())
		}
		c.mqtt[i] = fmt.Sprint("127.0.0.1:", node.Port(t))
		c.nodes[i] = node.New(t, bin, c.log(fmt.Sprint("node", i)),
			"DATABASE_URL="+pgtest.Through(c.toPG[i].Addr()), "NATS_URL="+strings.Join(servers, ","),
			"UNHIDRA_SERVER_KEY=the same key for every node of the cluster", "UNHIDRA_DRAIN=500ms", "UNHIDRA_LOG_FORMAT=text",
			"UNHIDRA_MQTT_ADDR="+c.mqtt[i])
	}
	for _, n := range c.nodes {
		n.Start()
	}
	for i, n := range c.nodes {
		c.wait(fmt.Sprintf("node %d is ready", i), func(ctx context.Context) bool { return n.Ready(ctx) })
	}
	for i := range c.clients {
		var targets []string
		for j := range c.nodes {
			targets = append(targets, c.nodes[(i+j)%nodes].Public)
		}
		c.clients[i] = c.link(targets...)
	}
	for i := range c.brokers {
		c.brokers[i] = c.link(append(c.mqtt[i%nodes:], c.mqtt[:i%nodes]...)...)
	}
	return c
}

func (c *cluster) link(targets ...string) *Link {
	c.t.Helper()
	k, err := NewLink(targets...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(k.Close)
	return k
}

func (c *cluster) log(name string) *os.File {
	c.t.Helper()
	f, err := os.Create(filepath.Join(c.logs, name+".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = f.Close() })
	return f
}

// startNATS starts the cluster of NATS servers. They connect to each other through links only, and
// advertise no other routes: route i is between the servers i and i+1.
func (c *cluster) startNATS() {
	var clientPorts, routePorts [nodes]int
	for i := range nodes {
		clientPorts[i], routePorts[i] = node.Port(c.t), node.Port(c.t)
	}
	for i := range nodes {
		c.routes[i] = c.link(fmt.Sprint("127.0.0.1:", routePorts[(i+1)%nodes]))
	}
	for i := range nodes {
		config := fmt.Sprintf(`
			server_name: nats%d
			host: 127.0.0.1, port: %d
			cluster {
				name: chaos, host: 127.0.0.1, port: %d
				no_advertise: true, cluster_advertise: "127.0.0.1:1"
				pool_size: -1
				routes: ["nats://%s"]
			}`, i, clientPorts[i], routePorts[i], c.routes[i].Addr())
		file := filepath.Join(c.t.TempDir(), "nats.conf")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			c.t.Fatal(err)
		}
		c.nats[i] = node.Command(c.t, c.log(fmt.Sprint("nats", i)), []string{natsFile + "=" + file}, os.Args[0])
		c.nats[i].Start()
		for j := range nodes {
			c.toNATS[j][i] = c.link(fmt.Sprint("127.0.0.1:", clientPorts[i]))
		}
	}
}

// wait waits until ok returns true.
func (c *cluster) wait(what string, ok func(context.Context) bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-ctx.Done():
			c.t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// Break injects a fault, waits, and repairs it.
func (c *cluster) Break(f Fault) {
	pause := func() { <-time.After(f.For) } // how long a fault lasts is the point
	set := func(s state, links ...*Link) {
		for _, k := range links {
			k.Set(s)
		}
		pause()
		for _, k := range links {
			k.Set(open)
		}
	}
	i := f.Target
	switch f.What {
	case "kill node":
		c.down[i].Lock()
		defer c.down[i].Unlock()
		c.nodes[i].Kill()
		pause()
		c.nodes[i].Start()
	case "pause node":
		c.down[i].Lock()
		defer c.down[i].Unlock()
		c.nodes[i].Signal(syscall.SIGSTOP)
		pause()
		c.nodes[i].Signal(syscall.SIGCONT)
	case "roll nodes":
		for i := range c.nodes {
			c.roll(i)
		}
	case "kill nats":
		c.nats[i].Kill()
		pause()
		c.nats[i].Start()
	case "pause nats":
		c.nats[i].Signal(syscall.SIGSTOP)
		pause()
		c.nats[i].Signal(syscall.SIGCONT)
	case "kill all nats":
		for _, s := range c.nats {
			s.Kill()
		}
		pause()
		for _, s := range c.nats {
			s.Start()
		}
	case "cut nats route":
		set(cut, c.routes[i])
	case "stall nats route":
		set(stalled, c.routes[i])
	case "cut node from nats":
		set(cut, c.toNATS[i][:]...)
	case "stall node from nats":
		set(stalled, c.toNATS[i][:]...)
	case "crash postgres":
		c.pg.Crash()
		pause()
		c.pg.Restart()
	case "cut node from postgres":
		set(cut, c.toPG[i])
	case "stall node from postgres":
		set(stalled, c.toPG[i])
	case "move clients":
		for _, k := range c.everyFourth(i) {
			k.Move()
		}
	case "stall clients":
		set(stalled, c.everyFourth(i)...)
		for _, k := range c.everyFourth(i) { // they never come back to that connection
			k.Move()
		}
	case "slow clients":
		set(slow, c.everyFourth(i)...)
	default:
		c.t.Errorf("no such fault: %q", f.What)
	}
}

// everyFourth returns the links of every fourth client, beginning with first, and of every fourth device.
func (c *cluster) everyFourth(first int) (links []*Link) {
	links = append(links, c.brokers[first%herdLinks])
	for i := first; i < people; i += 4 {
		links = append(links, c.clients[i])
	}
	return links
}

// roll replaces one node by a new process, as an upgrade does.
func (c *cluster) roll(i int) {
	c.down[i].Lock()
	defer c.down[i].Unlock()
	if !c.nodes[i].Stop(time.Minute) {
		c.t.Errorf("node %d did not stop within a minute", i)
	}
	c.nodes[i].Start()
	c.wait(fmt.Sprintf("node %d is ready after a restart", i), func(ctx context.Context) bool {
		c.supervise(i)
		return c.nodes[i].Ready(ctx)
	})
}

// dial connects a device over a link: that of a person, or by MQTT one of devices.
func (c *cluster) dial(ctx context.Context, number int, address string) (net.Conn, error) {
	k := c.clients[number%people]
	if address == mqttAddress {
		k = c.brokers[number%herdLinks]
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", k.Addr())
}

// mqttAddress stands for any link of devices.
const mqttAddress = "mqtt.invalid:1883"

// supervise restarts a node that has exited, and fails: no node may exit by itself.
func (c *cluster) supervise(i int) {
	select {
	case <-c.nodes[i].Exited():
	default:
		return
	}
	c.t.Errorf("node %d ended by itself; its log:\n%s", i, c.tail(i))
	c.nodes[i].Start()
}

// watch supervises the nodes that have no fault.
func (c *cluster) watch(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		for i := range c.nodes {
			if !c.down[i].TryLock() {
				continue
			}
			c.supervise(i)
			c.down[i].Unlock()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func (c *cluster) tail(i int) []byte {
	b, _ := os.ReadFile(filepath.Join(c.logs, fmt.Sprintf("node%d.log", i)))
	return b[max(0, len(b)-4000):]
}

// logErrors returns panics and data races in the logs of the nodes.
func (c *cluster) logErrors() (found []string) {
	for i := range c.nodes {
		b, err := os.ReadFile(filepath.Join(c.logs, fmt.Sprintf("node%d.log", i)))
		if err != nil {
			c.t.Error(err)
		}
		for _, sign := range []string{"panic", "DATA RACE", "fatal error"} {
			if at := bytes.Index(b, []byte(sign)); at >= 0 {
				found = append(found, fmt.Sprintf("node %d: %s", i, b[at:min(len(b), at+2000)]))
			}
		}
	}
	return found
}
