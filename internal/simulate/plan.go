package simulate

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// Transport is how a device connects.
type Transport string

// The transports.
const (
	WebSocket Transport = "ws"
	MQTT      Transport = "mqtt"
)

// Conduct is how a device behaves.
type Conduct string

// The ways to behave.
const (
	Steady   Conduct = "steady"   // has power and network all the time
	Troubled Conduct = "troubled" // loses both now and then, and naps
	Wrong    Conduct = "wrong"    // measures what cannot be
	Hostile  Conduct = "hostile"  // attacks the server, and reports as others do
)

// Mix is how many of 100 devices behave in a way; the others are steady.
type Mix struct{ Troubled, Wrong, Hostile int }

// Plan is what a device is. It follows from the seed and the number of the device alone, as does
// all that happens to it: the same seed has the same values and faults at the same steps.
type Plan struct {
	Number    int
	Kind      Kind
	Conduct   Conduct
	Transport Transport
	Version   packet.Version // of MQTT
	Phase     float64        // when within its interval it measures, 0 to 1
	Drift     float64        // of its clock, in millionths
	Ahead     time.Duration  // of its clock at the start
	Clock     bool           // its clock goes on without power
	Flash     bool           // what it has not sent outlives a power cut

	faults, values, backoff *rand.Rand
}

// plan returns the plan of a device. With one transport only, all use that.
func (o *Options) plan(number int) Plan {
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(o.Seed, uint64(number)<<8|n)) }
	r := stream(0)
	p := Plan{Number: number, Kind: kinds[r.IntN(len(kinds))], Conduct: o.Mix.conduct(r.IntN(100)), Transport: WebSocket,
		Version: packet.V311, Phase: r.Float64(), Drift: r.NormFloat64() * 40, Clock: r.IntN(3) == 0, Flash: r.IntN(4) > 0,
		faults: stream(1), values: stream(2), backoff: stream(3)}
	if number == 0 {
		p.Kind = Greenhouse // a fleet of one has something to obey
	}
	if r.IntN(5) == 0 {
		p.Ahead = time.Duration(r.NormFloat64() * float64(20*time.Second))
	}
	if r.IntN(2) == 0 {
		p.Version = packet.V5
	}
	if mqtt := r.IntN(2) == 0; o.MQTT != "" && (mqtt || o.Server == "") {
		p.Transport = MQTT
	}
	if o.Kind != "" {
		p.Kind = o.Kind
	}
	return p
}

func (m Mix) conduct(n int) Conduct {
	switch {
	case n < m.Hostile:
		return Hostile
	case n < m.Hostile+m.Wrong:
		return Wrong
	case n < m.Hostile+m.Wrong+m.Troubled:
		return Troubled
	}
	return Steady
}

// String describes the device on one line.
func (p Plan) String() string {
	transport := string(p.Transport)
	if p.Transport == MQTT {
		transport = map[packet.Version]string{packet.V311: "mqtt 3.1.1", packet.V5: "mqtt 5"}[p.Version]
	}
	return fmt.Sprintf("%s, %s, %s, clock %+.1f s and %+.0f ppm%s%s", p.Kind, p.Conduct, transport, p.Ahead.Seconds(),
		p.Drift,
		word(!p.Clock, ", unset after a power cut"), word(!p.Flash, ", forgets without power"))
}

func word(on bool, text string) string {
	if on {
		return text
	}
	return ""
}

// Fault is what happens to a device for some steps.
type Fault string

// The faults.
const (
	Outage   Fault = "outage"    // the network is gone: connections end at once
	Hole     Fault = "hole"      // nothing arrives any more, and nobody is told
	Slow     Fault = "slow"      // each packet takes up to two seconds
	PowerCut Fault = "power cut" // the device is off
	Nap      Fault = "nap"       // the device says that it sleeps, and does
)

var faults = []Fault{Outage, Outage, Hole, Slow, PowerCut, Nap}

// Mishap is a fault, in steps from the start.
type Mishap struct {
	Fault    Fault
	From, To int // the last step is To-1
}

// next returns the mishap that follows one.
func (p Plan) next(m Mishap) Mishap {
	r := p.faults
	from := m.To + 10 + r.IntN(60)
	return Mishap{faults[r.IntN(len(faults))], from, from + 2 + r.IntN(12)}
}

// clock is that of a device: it may be ahead, run fast or slow, or never have been set.
type clock struct {
	start time.Time
	ahead time.Duration
	drift float64
	unset time.Time // when it began to count from 1970; zero: it is set
}

// read returns what the clock shows at a time.
func (c *clock) read(t time.Time) time.Time {
	if !c.unset.IsZero() {
		return time.Unix(0, 0).Add(t.Sub(c.unset))
	}
	return t.Add(c.ahead + time.Duration(float64(t.Sub(c.start))*c.drift/1e6))
}
