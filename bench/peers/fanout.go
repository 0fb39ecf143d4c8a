package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/unhidra/unhidra/internal/ws"
)

// load is so many deliveries a second: rooms of so many members, of whom some
// publish in turn, evenly spread over time.
type load struct {
	rooms, members, publishers int // publishers of each room
	perSecond                  int // deliveries
	length                     time.Duration
}

func (l load) String() string {
	return fmt.Sprintf("%d × %d, %d/s", l.rooms, l.members, l.perSecond)
}

func (l load) clients() int { return l.rooms * l.members }

// pace is the time between two messages.
func (l load) pace() time.Duration {
	return time.Second * time.Duration(l.members) / time.Duration(l.perSecond)
}

func (l load) messages() int { return int(l.length / l.pace()) }

const textLength = 128

// outcome is what a load led to.
type outcome struct {
	cpu, driver   float64 // processor time of a delivery, microseconds
	beside        map[string]float64
	achieved      float64 // deliveries a second
	p50, p99      time.Duration
	lost, strange int64 // not received; twice or out of order
}

// whole is the processor time of a delivery with that of what the server needs.
func (o outcome) whole() float64 {
	all := o.cpu
	for _, each := range o.beside {
		all += each
	}
	return all
}

// listeners count what clients hear. Each message has a mark: who published it,
// its number, and when it was due.
type listeners struct {
	heard   atomic.Int64
	strange atomic.Int64
	last    [][]int32 // by client, by publisher of its room
	rooms   int
	waits   [400]atomic.Int64 // by time since due, each class 5 % longer than the one before
}

func newListeners(l load) *listeners {
	h := &listeners{last: make([][]int32, l.clients()), rooms: l.rooms}
	for i := range h.last {
		h.last[i] = make([]int32, l.publishers)
	}
	return h
}

var (
	markStart = []byte("~b")
	newline   = []byte("\n")
	noEvents  = [][]byte{[]byte(`{"id":`), []byte(`{"type":"room.joined"`)} // what begins so may repeat a message
)

// hear takes a text, which may hold several lines. The answer to a request is no
// delivery, nor is the view of a room with its last message in it.
func (h *listeners) hear(client int, text []byte) {
	now := time.Now().UnixNano()
	for line := range bytes.SplitSeq(text, newline) {
		if slices.ContainsFunc(noEvents, func(start []byte) bool { return bytes.HasPrefix(line, start) }) {
			continue
		}
		_, mark, found := bytes.Cut(line, markStart)
		if !found {
			continue
		}
		mark, _, _ = bytes.Cut(mark, []byte("~"))
		f := strings.Split(string(mark), ".")
		if len(f) != 3 {
			h.strange.Add(1)
			continue
		}
		publisher, _ := strconv.Atoi(f[0])
		n, _ := strconv.Atoi(f[1])
		due, _ := strconv.ParseInt(f[2], 10, 64)
		h.count(client, publisher, int32(n), time.Duration(now-due))
	}
}

func (h *listeners) count(client, publisher int, n int32, waited time.Duration) {
	last := &h.last[client][publisher]
	if n != *last+1 {
		h.strange.Add(1)
	}
	*last = n
	h.heard.Add(1)
	class := 0
	if us := float64(waited) / 1e3; us > 1 {
		class = min(int(math.Log(us)/math.Log(1.05)), len(h.waits)-1)
	}
	h.waits[class].Add(1)
}

func (h *listeners) percentile(p float64) time.Duration {
	rest := int64(p / 100 * float64(h.heard.Load()))
	for class := range h.waits {
		if rest -= h.waits[class].Load(); rest <= 0 {
			return time.Duration(math.Pow(1.05, float64(class+1)) * 1e3).Round(10 * time.Microsecond)
		}
	}
	return 0
}

const afterwards = 15 * time.Second // for what is still on its way

// fanout puts l on t.
func fanout(ctx context.Context, t *target, l load) (outcome, error) {
	h := newListeners(l)
	c, err := gather(ctx, t, l.clients(), h.hear)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	time.Sleep(time.Second) // what a crowd's coming sets off
	messages := l.messages()
	before, driver, beside := t.cpu(), ownCPU(), t.besides()
	began := time.Now()
	for i := range messages {
		due := began.Add(time.Duration(i) * l.pace())
		time.Sleep(time.Until(due))
		if err := publish(c, l, i, due); err != nil {
			return outcome{}, err
		}
	}
	want := int64(messages) * int64(l.members)
	for end := time.Now().Add(afterwards); h.heard.Load() < want && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(want) }
	o := outcome{
		cpu: each(t.cpu() - before), driver: each(ownCPU() - driver), beside: make(map[string]float64),
		achieved: float64(h.heard.Load()) / took.Seconds(), p50: h.percentile(50), p99: h.percentile(99),
		lost: want - h.heard.Load(), strange: h.strange.Load() + c.lost.Load(),
	}
	for name, then := range beside {
		o.beside[name] = each(t.beside[name]() - then)
	}
	return o, nil
}

func (t *target) besides() map[string]time.Duration {
	all := make(map[string]time.Duration)
	for name, used := range t.beside {
		all[name] = used()
	}
	return all
}

// publish sends message i of the load: rooms take turns, and in each room its
// publishers.
func publish(c *clients, l load, i int, due time.Time) error {
	room, round := i%l.rooms, i/l.rooms
	publisher, n := round%l.publishers, round/l.publishers+1
	mark := fmt.Sprintf("~b%d.%d.%d~", publisher, n, due.UnixNano())
	text := mark + strings.Repeat("x", textLength-len(mark))
	client := room + publisher*l.rooms
	return c.sockets[client].send(ws.Text, c.t.protocol.publish(i, client, text))
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
