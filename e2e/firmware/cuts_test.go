package firmware

import (
	"bytes"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A cutter passes connections on, and cuts each after some bytes in one of its directions or some milliseconds, as
// often as left says.
type cutter struct {
	target string
	left   atomic.Int64
	pause  time.Duration // after each 512 bytes to the device
	spoil  bool          // what passes to the device after its first 20,000 bytes
}

func (c *cutter) listen(t *testing.T, s *live.Server) (address string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	c.target = strings.TrimPrefix(s.URL, "http://")
	go func() {
		for chance := rand.New(rand.NewPCG(1, 2)); ; {
			front, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", c.target)
			if err != nil {
				_ = front.Close()
				continue
			}
			up, down := 1<<40, 1<<40 // bytes until the cut
			if c.left.Add(-1) >= 0 {
				if up = chance.IntN(2000); chance.IntN(2) == 0 {
					up, down = down, up
				}
				time.AfterFunc(time.Duration(chance.IntN(80))*time.Millisecond, func() { cut(front); cut(back) })
			}
			go c.pass(back, front, up, false)
			go c.pass(front, back, down, true)
		}
	}()
	return l.Addr().String()
}

// pass copies most bytes, or less if from ends before, and then ends both.
func (c *cutter) pass(to, from net.Conn, most int, down bool) {
	b, passed := make([]byte, 512), 0
	for most > 0 {
		n, err := from.Read(b[:min(len(b), most)])
		if n > 0 {
			if passed += n; down && c.spoil && passed > 20_000 && n == len(b) && !bytes.ContainsAny(b, "{\": ") {
				b[100] = 'A' + (b[100]+1)%26 // all of it is Base64
			}
			_, _ = to.Write(b[:n])
			if down {
				time.Sleep(c.pause)
			}
		}
		if most -= n; err != nil {
			break
		}
	}
	if most == 0 {
		cut(to)
	}
	_ = to.Close()
	_ = from.Close()
}

// cut closes a connection as if the cable was pulled: what was sent may never arrive.
func cut(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// The network is cut 200 times, at any byte in either direction: no reading is lost, and none is there twice.
func TestCutsOfTheNetworkLoseNothing(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	d := registered(t, s.User("ann"))
	const samples, cuts = 1500, 200
	c := &cutter{}
	c.left.Store(cuts)
	address := c.listen(t, s)
	a := start(t, "ws://"+address, d.key, t.TempDir(), "--samples", strconv.Itoa(samples), "--period", "5",
		"--batch", "10", "--base", "1", "--cap", "20")
	a.hears("online")
	wait(t, "the network is well again", func() bool { return c.left.Load() < 0 })
	want := numbers(1, samples)
	var got []string
	wait(t, "all readings are stored", func() bool {
		got = d.values(t, s, "samples")
		return len(got) >= samples
	})
	if !slices.Equal(sorted(got), want) {
		t.Errorf("%d values are stored, and must be 1 to %d: %v", len(got), samples, got)
	}
	if n := a.count("offline"); n < cuts {
		t.Errorf("it was cut off %d times", n)
	}
	if a.count("shut out")+a.count("refused")+a.count("flash") > 0 {
		t.Errorf("it said %q", a.said())
	}
}

func numbers(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

// sorted sorts by number.
func sorted(values []string) []string {
	values = slices.Clone(values)
	slices.SortFunc(values, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
	return values
}

// The power goes in the midst of writing, again and again: of each run the readings up to some moment are stored, each
// once, and the last run finds the flash in order.
func TestPowerCutsLoseNothing(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	d := registered(t, s.User("ann"))
	dir := t.TempDir()
	chance := rand.New(rand.NewPCG(3, 4))
	const runs, each = 15, 1000
	first := start(t, at(s), d.key, dir, "--log", "65536") // makes the flash
	first.hears("online")
	first.stop()
	for run := range runs {
		a := start(t, at(s), d.key, dir, "--samples", strconv.Itoa(each), "--from", strconv.Itoa(run*each), "--log", "65536",
			"--period", "2", "--batch", "20", "--base", "1", "--cap", "20", "--power", strconv.Itoa(100+chance.IntN(12000)))
		a.cut()
	}
	last := start(t, at(s), d.key, dir, "--samples", "50", "--from", strconv.Itoa(runs*each), "--log", "65536",
		"--period", "2", "--batch", "20")
	final := strconv.Itoa(runs*each + 50)
	var got []string
	wait(t, "all readings are stored", func() bool {
		got = d.values(t, s, "samples")
		return slices.Contains(got, final)
	})
	last.stop()
	next := make(map[int]int) // of each run
	for _, v := range sorted(got) {
		n, _ := strconv.Atoi(v)
		run := (n - 1) / each
		if next[run]++; n != run*each+next[run] {
			t.Fatalf("after %d readings of run %d comes %d", next[run]-1, run, n)
		}
	}
	if len(next) < runs/2 {
		t.Errorf("only %d of %d runs have stored anything", len(next), runs)
	}
}

// cut waits until the power of an agent is gone.
func (a *agent) cut() {
	a.t.Helper()
	select {
	case <-a.done:
		a.done = nil
	case <-time.After(patience):
		a.t.Fatal("the power did not go")
	}
	if code := a.cmd.ProcessState.ExitCode(); code != 99 {
		a.t.Fatalf("the agent ended with %d, not for want of power: %q", code, a.said())
	}
}
