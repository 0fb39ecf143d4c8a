//go:build unix

package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// The benchmarks hold the gateway's cost against its bounds. The clients run
// in a process of their own, so that what is measured is the server alone:
//
//	go test -run '^$' -bench . -benchtime 1x ./internal/gateway

const clientsEnv = "UNHIDRA_TEST_CLIENTS" // "address number": be so many clients

func TestMain(m *testing.M) {
	if spec := os.Getenv(clientsEnv); spec != "" {
		address, count, _ := strings.Cut(spec, " ")
		n, _ := strconv.Atoi(count)
		beClients(address, n)
		return
	}
	os.Exit(m.Run())
}

// beClients connects n clients, of which each answers a ping, says so, and reads until the input ends.
func beClients(address string, n int) {
	var wg sync.WaitGroup
	var next atomic.Int64
	conns := make([]net.Conn, n)
	for range 32 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				nc, _, err := ws.Dial(bench, address, nil, []string{"bearer", fmt.Sprint("u", i)}, nil)
				if err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
				_, _ = nc.Write(ws.AppendMasked(nil, ws.Pong, nil, [4]byte{}))
				conns[i] = nc
			}
		})
	}
	wg.Wait()
	for _, nc := range conns {
		go io.Copy(io.Discard, nc)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

var bench = noCancel{}

// noCancel is a context for a process that ends by being told.
type noCancel struct{}

func (noCancel) Deadline() (time.Time, bool) { return time.Time{}, false }
func (noCancel) Done() <-chan struct{}       { return nil }
func (noCancel) Err() error                  { return nil }
func (noCancel) Value(any) any               { return nil }

// connect connects n clients, each of which is in the room that roomOf gives.
func connect(b *testing.B, n int, roomOf func(i int) string) *node {
	b.Helper()
	w := newWorld()
	for i := range n {
		if r := roomOf(i); r != "" {
			if w.in[r] == nil {
				w.in[r] = map[string]bool{}
			}
			w.in[r][fmt.Sprint("u", i)] = true
		}
	}
	node := start(b, w, nil)
	node.g.format = &encodings{Format: node.g.format}
	runClients(b, node, n)
	return node
}

// encodings counts what is encoded for members.
type encodings struct {
	hub.Format
	events atomic.Int64
}

func (e *encodings) Event(h wire.Header, payload []byte) []byte {
	e.events.Add(1)
	return e.Format.Event(h, payload)
}

func runClients(b *testing.B, node *node, n int) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", clientsEnv, node.url, n))
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		b.Fatalf("clients: %s", line)
	}
	settle(node)
}

// settle waits until nothing waits to be written.
func settle(n *node) {
	for n.g.queued() > 0 {
		time.Sleep(time.Millisecond)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func resident() int {
	b, _ := os.ReadFile("/proc/self/statm")
	var size, rss int
	_, _ = fmt.Sscan(string(b), &size, &rss)
	return rss * os.Getpagesize()
}

// BenchmarkIdle is the resident memory of connections that say nothing, with a
// room joined. The target is at most 10 kB.
func BenchmarkIdle(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		w := newWorld()
		for i := range n {
			r := fmt.Sprint("r", i%100)
			if w.in[r] == nil {
				w.in[r] = map[string]bool{}
			}
			w.in[r][fmt.Sprint("u", i)] = true
		}
		node := start(b, w, func(d *Deps) { d.Limits.MessagesPerSec = 10 })
		debug.FreeOSMemory()
		before := resident()
		runClients(b, node, n)
		time.Sleep(2 * time.Second)
		raw := resident()
		debug.FreeOSMemory()
		free := resident()
		debug.FreeOSMemory()
		var ms runtime.MemStats
		runtime.ReadMemStats(&ms)
		b.ReportMetric(float64(raw-before)/n, "B/conn-at-once")
		b.ReportMetric(float64(free-before)/n, "B/conn")
		b.ReportMetric(float64(ms.StackInuse)/n, "B-stack/conn")
		b.ReportMetric(float64(ms.HeapAlloc)/n, "B-heap/conn")
		b.ReportMetric(0, "ns/op")
	}
}

const (
	fanoutText  = 128 // bytes of text
	fanoutTotal = 200_000
)

// BenchmarkFanout is what a delivery costs, in microseconds of processor time
// (the same figure as CPU-seconds per million), beside a bare loop of writes of
// the same bytes to the same connections in the same run.
func BenchmarkFanout(b *testing.B) {
	for _, c := range []struct{ rooms, members, perSec int }{
		{1, 1000, 0}, {1, 1000, 10_000}, {1, 1000, 50_000}, {100, 50, 0}, {100, 50, 10_000},
	} {
		pace := "one at a time"
		if c.perSec > 0 {
			pace = fmt.Sprint(c.perSec, " a second")
		}
		b.Run(fmt.Sprintf("%dx%d %s", c.rooms, c.members, pace), func(b *testing.B) {
			n := connect(b, c.rooms*c.members, func(i int) string { return fmt.Sprint("r", i%c.rooms) })
			for b.Loop() {
				events := fanoutTotal / c.members
				if c.perSec > 0 {
					events = min(events, 5*c.perSec/c.members) // five seconds
				}
				bare := bareWrites(n, c.members, c.perSec, events)
				ours := fanout(n, c.rooms, c.members, c.perSec, events)
				b.ReportMetric(bare, "bare-µs/delivery")
				b.ReportMetric(ours, "µs/delivery")
				b.ReportMetric(ours/bare, "ratio")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

func fanout(n *node, rooms, members, perSec, events int) float64 {
	text := strings.Repeat("x", fanoutText)
	encoded := &n.g.format.(*encodings).events
	before := encoded.Load()
	began, used := time.Now(), cpu()
	for i := range events {
		n.say("lin", fmt.Sprint("r", i%rooms), text)
		if perSec == 0 {
			for encoded.Load() <= before+int64(i) {
				runtime.Gosched()
			}
			n.g.Hub.Follows(nil, fmt.Sprint("r", i%rooms)) // waits until all members have it
			for len(n.g.flushers.work) > 0 {
				runtime.Gosched()
			}
			continue
		}
		due := began.Add(time.Duration(i+1) * time.Second * time.Duration(members) / time.Duration(perSec))
		time.Sleep(time.Until(due))
	}
	settle(n)
	return float64((cpu() - used).Microseconds()) / float64(events*members)
}

// bareWrites writes a frame of the same size, once per member and event, at the
// same pace.
func bareWrites(n *node, members, perSec, events int) float64 {
	frame := encodeSample()
	all := n.g.allConns()
	var fds []int
	for _, c := range all {
		_ = c.raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) })
	}
	began, used := time.Now(), cpu()
	at := 0
	for i := range events {
		for range members {
			_, _ = syscall.Write(fds[at%len(fds)], frame)
			at++
		}
		if perSec > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(i+1) * time.Second * time.Duration(members) / time.Duration(perSec))))
		}
	}
	return float64((cpu() - used).Microseconds()) / float64(events*members)
}

func encodeSample() []byte {
	w := newWorld()
	e := w.add("r1", domain.Event{Type: domain.MessageCreated, Actor: ref("lin"),
		Message: &domain.Message{Sender: ref("lin"), Text: strings.Repeat("x", fanoutText), At: time.Now()}})
	b := bytes.Buffer{}
	b.Write(ws.AppendFrame(nil, ws.Text, mustEvent(e)))
	return b.Bytes()
}

func mustEvent(e domain.Event) []byte {
	b, err := wire.EncodeEvent(e)
	if err != nil {
		panic(err)
	}
	return b
}
