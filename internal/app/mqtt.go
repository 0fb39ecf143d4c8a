package app

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/certs"
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
		if err = s.openMQTTCerts(); err != nil {
			return err
		}
		if s.mqtts, err = Listen(ctx, c.MQTT.TLSAddr, "UNHIDRA_MQTT_TLS_ADDR"); err != nil {
			return err
		}
		s.addrs.MQTTS = s.mqtts.Addr().String()
	}
	return nil
}

// openMQTTCerts reads the certificate that is for MQTT alone, if there is one.
func (s *server) openMQTTCerts() (err error) {
	c := s.Config.MQTT
	if c.Cert == "" {
		return nil
	}
	s.mqttCerts, err = certs.OpenFiles(certs.FilesOptions{Cert: c.Cert, Key: c.Key, Settings: "UNHIDRA_MQTT_TLS",
		Log: s.logs.Part("certs"), Metrics: s.certMetrics("mqtt")})
	return err
}

// warnPlainMQTT tells an operator that keys of devices can be read on the way.
func (s *server) warnPlainMQTT(ctx context.Context) {
	host, _, _ := net.SplitHostPort(s.addrs.MQTT)
	if a, err := netip.ParseAddr(host); err == nil && a.IsLoopback() || !strings.HasPrefix(s.Config.URL(), "https:") {
		return
	}
	if c := s.Config.MQTT; c.ProxyProtocol && strings.HasPrefix(c.URL, "mqtts:") {
		return // a proxy ends TLS
	}
	s.logs.Part("mqtt").WarnContext(ctx, "MQTT without encryption can be reached from other machines: whoever listens "+
		"on the way reads the keys of devices; use UNHIDRA_MQTT_TLS_ADDR for those that can", "addr", s.addrs.MQTT)
}

// mqttPlace is where devices are told to connect: as the settings say, or at the listener without TLS
// if other machines reach it, because most devices know no other.
func (s *server) mqttPlace() *auth.MQTT {
	if u, err := url.Parse(s.Config.MQTT.URL); err == nil && u.Host != "" {
		port, _ := strconv.Atoi(u.Port()) // config has checked it
		a, err := netip.ParseAddr(u.Hostname())
		local := u.Hostname() == "localhost" || err == nil && a.IsLoopback()
		return &auth.MQTT{Host: u.Hostname(), Port: port, TLS: u.Scheme == "mqtts", Local: local}
	}
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
		Sessions: s.db.MQTT, Readings: m.telemetry, Describer: m.device, Settings: m.shadow, Commands: m.command, Bus: s.bus,
		Registry: m.device, Bridges: m.device, Live: m.telemetry, Orders: m.command, Updates: m.rollout, Images: m.firmware,
		Loads: m.ota,
		Log:   s.logs.Part("mqtt"), Metrics: s.reg, ClientAddr: httpx.Proxies(c.TrustedProxies).ClientAddr, Node: s.node,
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
		l := s.behindProxy(s.mqtt, s.Config.MQTT.ProxyProtocol)
		s.run("mqtt listener", func(ctx context.Context) error { return s.modules.mqtt.Serve(ctx, l, nil) })
	}
	if s.mqtts != nil {
		l := s.behindProxy(s.mqtts, s.Config.MQTT.ProxyProtocol)
		secure := s.certs
		if s.mqttCerts != nil {
			secure = s.mqttCerts
			s.run("mqtt certificate", secure.Run)
		}
		s.run("mqtts listener", func(ctx context.Context) error {
			return s.modules.mqtt.Serve(ctx, l, certs.WithClients(secure.TLS(), s.deviceCA))
		})
	}
}
