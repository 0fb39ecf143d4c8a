package config

import (
	"strings"
	"testing"
)

func TestTLS(t *testing.T) {
	for _, c := range []struct {
		env       []string
		url, http string
	}{
		{nil, "http://localhost:9000", ""},
		{[]string{"UNHIDRA_ACME_DOMAINS=Chat.Example.org., www.example.org", "GATEWAY_PORT=443"}, "https://chat.example.org",
			":80"},
		{[]string{"UNHIDRA_ACME_DOMAINS=chat.example.org", "UNHIDRA_BIND_ADDR=192.0.2.1", "GATEWAY_PORT=8443"},
			"https://chat.example.org:8443", "192.0.2.1:80"},
		{[]string{"UNHIDRA_ACME_DOMAINS=chat.example.org", "UNHIDRA_HTTP_ADDR=off", "UNHIDRA_PUBLIC_URL=https://a.example"},
			"https://a.example", ""},
		{[]string{"UNHIDRA_TLS_CERT=c", "UNHIDRA_TLS_KEY=k"}, "https://localhost:9000", ""},
		{[]string{"UNHIDRA_TLS_CERT=c", "UNHIDRA_TLS_KEY=k", "UNHIDRA_HTTP_ADDR=:80"}, "https://localhost:9000", ":80"},
	} {
		got, err := Load(c.env, nil)
		if err != nil || got.URL() != c.url || got.TLS.HTTPAddr != c.http ||
			got.TLS.Enabled() != strings.HasPrefix(c.url, "https") {
			t.Errorf("%v: %s, %q, %v", c.env, got.URL(), got.TLS.HTTPAddr, err)
		}
	}
}

// What does not go together is told by what to do.
func TestTLSComplaints(t *testing.T) {
	for want, env := range map[string][]string{
		"go together":                 {"UNHIDRA_TLS_CERT=c"},
		"two ways":                    {"UNHIDRA_TLS_CERT=c", "UNHIDRA_TLS_KEY=k", "UNHIDRA_ACME_DOMAINS=a.example"},
		"which is not on":             {"UNHIDRA_HTTP_ADDR=:80"},
		"names none":                  {"UNHIDRA_PROXY_PROTOCOL=on"},
		"write it with https":         {"UNHIDRA_ACME_DOMAINS=a.example", "UNHIDRA_PUBLIC_URL=http://a.example"},
		"challenge by DNS":            {"UNHIDRA_ACME_DOMAINS=*.example.org"},
		"is not a domain name":        {"UNHIDRA_ACME_DOMAINS=https://a.example"},
		"\"192.0.2.1\" is not":        {"UNHIDRA_ACME_DOMAINS=192.0.2.1"},
		"/directory":                  {"UNHIDRA_ACME_DIRECTORY=http://acme.example"},
		"is neither on, mqtt nor off": {"UNHIDRA_PROXY_PROTOCOL=yes"},
		"UNHIDRA_MQTT_TLS_CERT and UNHIDRA_MQTT_TLS_KEY go": {"UNHIDRA_MQTT_TLS_CERT=c", "UNHIDRA_MQTT_TLS_ADDR=:8883"},
		"set that to :8883":       {"UNHIDRA_MQTT_TLS_CERT=c", "UNHIDRA_MQTT_TLS_KEY=k"},
		"needs a certificate":     {"UNHIDRA_MQTT_TLS_ADDR=:8883"},
		"form mqtts://":           {"UNHIDRA_MQTT_URL=https://a.example"},
		"\"99999\" is no port":    {"UNHIDRA_MQTT_URL=mqtts://a.example:99999"},
		"is not of the form host": {"UNHIDRA_HTTP_ADDR=80"},
	} {
		if _, err := Load(env, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", env, err)
		}
	}
}

// Behind a proxy that ends TLS for browsers, MQTT has a certificate of its own.
func TestMQTTWithACertificateOfItsOwn(t *testing.T) {
	c, err := Load([]string{"UNHIDRA_MQTT_TLS_ADDR=:8883", "UNHIDRA_MQTT_TLS_CERT=c", "UNHIDRA_MQTT_TLS_KEY=k",
		"UNHIDRA_PUBLIC_URL=https://a.example", "UNHIDRA_MQTT_URL=mqtts://mqtt.a.example"}, nil)
	if err != nil || c.TLS.Enabled() || c.MQTT.Cert != "c" || c.MQTT.URL != "mqtts://mqtt.a.example:8883" {
		t.Errorf("%+v, public TLS %v, %v", c.MQTT, c.TLS.Enabled(), err)
	}
	c, err = Load([]string{"UNHIDRA_PROXY_PROTOCOL=mqtt", "UNHIDRA_TRUSTED_PROXIES=192.0.2.1"}, nil)
	if err != nil || c.TLS.ProxyProtocol || !c.MQTT.ProxyProtocol {
		t.Errorf("a header of the PROXY protocol before HTTP: %v, before MQTT: %v, %v", c.TLS.ProxyProtocol,
			c.MQTT.ProxyProtocol, err)
	}
	if c, err = Load([]string{"UNHIDRA_MQTT_URL=mqtt://[::1]/"}, nil); err != nil || c.MQTT.URL != "mqtt://[::1]:1883" {
		t.Errorf("%+v, %v", c.MQTT, err)
	}
}
