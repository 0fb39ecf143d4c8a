package app

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/mqtt"
)

// openMQTT opens the listeners of MQTT. The default port may be in use by another broker, which is
// no reason not to start.
func (s *server) openMQTT(ctx context.Context) (err error) {
	c := s.Config
	if !c.Has(config.RoleGateway) {
		return nil
	}
	if c.MQTT.Addr != "" {
		s.mqtt, err = Listen(ctx, c.MQTT.Addr, "UNHIDRA_MQTT_ADDR")
		switch {
		case err == nil:
			s.addrs.MQTT = s.mqtt.Addr().String()
			s.warnPlainMQTT(ctx)
		case c.IsDefault("UNHIDRA_MQTT_ADDR"):
			s.logs.Part("mqtt").WarnContext(ctx, "there is no MQTT; set UNHIDRA_MQTT_ADDR to another port, or to off",
				"err", err)
		default:
			return err
		}
	}
	if c.MQTT.TLSAddr != "" {
		if s.mqtts, err = Listen(ctx, c.MQTT.TLSAddr, "UNHIDRA_MQTT_TLS_ADDR"); err != nil {
			return err
		}
		s.addrs.MQTTS = s.mqtts.Addr().String()
	}
	return nil
}

// warnPlainMQTT tells an operator that keys of devices can be read on the way.
func (s *server) warnPlainMQTT(ctx context.Context) {
	host, _, _ := net.SplitHostPort(s.addrs.MQTT)
	if a, err := netip.ParseAddr(host); err == nil && a.IsLoopback() || !strings.HasPrefix(s.Config.URL(), "https:") {
		return
	}
	s.logs.Part("mqtt").WarnContext(ctx, "MQTT without encryption can be reached from other machines: whoever listens "+
		"on the way reads the keys of devices; use UNHIDRA_MQTT_TLS_ADDR for those that can", "addr", s.addrs.MQTT)
}

// mqttPlace is the port that devices are told: without TLS if other machines reach it, because most
// of them know no other.
func (s *server) mqttPlace() *auth.MQTT {
	plain, plainErr := netip.ParseAddrPort(s.addrs.MQTT)
	secure, secureErr := netip.ParseAddrPort(s.addrs.MQTTS)
	local := plain.Addr().IsLoopback()
	switch {
	case plainErr == nil && (!local || secureErr != nil):
		return &auth.MQTT{Port: int(plain.Port()), Local: local}
	case secureErr == nil:
		return &auth.MQTT{Port: int(secure.Port()), TLS: true, Local: secure.Addr().IsLoopback()}
	}
	return nil
}

func (s *server) buildMQTT() {
	c, m := s.Config, &s.modules
	m.mqtt = mqtt.New(mqtt.Deps{
		Auth: m.auth, Devices: m.device, Users: s.db.Accounts, Presence: m.presence, Topics: s.db.MQTT,
		Sessions: s.db.MQTT, Readings: m.telemetry, Describer: m.device, Commands: m.command, Bus: s.bus,
		Log: s.logs.Part("mqtt"), Metrics: s.reg, ClientAddr: httpx.Proxies(c.TrustedProxies).ClientAddr, Node: s.node,
		Limits: mqtt.Limits{
			RefusedPerAddr: c.IPPerMinute, ConnectsPerUser: c.UserPerMinute, ConnsPerAddr: c.ConnsPerAddr,
			ConnsPerUser: c.ConnsPerUser, Queue: c.SendQueue,
		},
		Drain: c.Drain, Others: c.NATS.Servers != "",
	})
	s.run("mqtt", m.mqtt.Run)
}

// serveMQTT adds the listeners, which close before the connections end.
func (s *server) serveMQTT() {
	if s.mqtt != nil {
		l := s.behindProxy(s.mqtt)
		s.run("mqtt listener", func(ctx context.Context) error { return s.modules.mqtt.Serve(ctx, l, nil) })
	}
	if s.mqtts != nil {
		l := s.behindProxy(s.mqtts)
		s.run("mqtts listener", func(ctx context.Context) error { return s.modules.mqtt.Serve(ctx, l, s.tls()) })
	}
}
