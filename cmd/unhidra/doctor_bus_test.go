package main

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
)

func TestDoctorLooksForTheBus(t *testing.T) {
	s := natstest.StartWith(t, server.Options{Username: "unhidra", Password: "right"})
	url := func(password string) string {
		return strings.Replace(s.URL(), "nats://", "nats://unhidra:"+password+"@", 1)
	}
	for servers, want := range map[string]string{
		url("right"):         "ok    bus           connected to a NATS server",
		url("canary"):        "FAIL  bus           cannot connect to a NATS server",
		"nats://127.0.0.1:1": "FAIL  bus           cannot connect to a NATS server",
		"":                   "",
	} {
		var out strings.Builder
		d := &diagnosis{w: &out}
		d.bus(config.Config{NATS: config.NATS{Servers: config.Secret(servers)}})
		if !strings.HasPrefix(out.String(), want) || strings.Contains(out.String(), "canary") ||
			(want == "") != (out.Len() == 0) {
			t.Errorf("%q: %s", want, out.String())
		}
	}
}
