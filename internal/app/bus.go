package app

import (
	"encoding/hex"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/natsbus"
)

// buildBus makes the bus: within this process, or with the others that have the
// same store. Its subjects start with what only those know to be theirs, who have
// the server's key: other systems may use the same NATS servers.
func (s *server) buildBus() error {
	s.node = domain.NewID("node")
	var drops func() int64
	if n := s.Config.NATS; n.Servers == "" {
		local := bus.NewLocal()
		s.bus, drops = local, local.Dropped
	} else {
		o := busOptions(n)
		o.Name, o.Log, o.Metrics = s.node, s.logs.Part("bus"), s.reg
		o.Prefix = "unhidra." + hex.EncodeToString(s.keys.Derive("bus")[:8]) + "."
		b, err := natsbus.Connect(o)
		if err != nil {
			return err
		}
		s.bus, drops = b, b.Dropped
		s.health.Hint("bus", b.Check)
	}
	s.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "bus_dropped_total", Help: "Messages that a listener of this node was too slow for. The log fills the gaps.",
	}, func() float64 { return float64(drops()) }))
	return nil
}

func busOptions(n config.NATS) natsbus.Options {
	return natsbus.Options{Servers: n.Servers.Reveal(), CA: n.CA, Cert: n.Cert, Key: n.Key, Creds: n.Creds, NKey: n.NKey}
}

// CheckBus returns the version of a NATS server by which a node would reach the others, or
// why it would not reach them.
func CheckBus(c config.Config) (version string, err error) { return natsbus.Probe(busOptions(c.NATS)) }

// closeBus ends the bus, if it is one that must end.
func (s *server) closeBus() {
	if b, ok := s.bus.(interface{ Close() }); ok {
		b.Close()
	}
}
