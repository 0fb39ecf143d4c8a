package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// TLS says how the public listener is encrypted: by two files, by an ACME
// server, or not at all.
type TLS struct {
	Cert, Key     string   // files
	Domains       []string // to ask the ACME server for
	Email         string   // of whoever the ACME server warns; may be empty
	Directory     string   // URL of the ACME server
	CAFile        string   // PEM of the authority that it is trusted by; empty: the system's
	HTTPAddr      string   // plain listener that redirects and answers challenges; empty: none
	Subdomains    bool     // HSTS is for all names below the own too
	ProxyProtocol bool     // trusted proxies put the client's address before the bytes of HTTP
}

// Enabled reports whether the public listener speaks TLS.
func (t TLS) Enabled() bool { return t.Cert != "" || t.ACME() }

// ACME reports whether certificates come from an ACME server.
func (t TLS) ACME() bool { return len(t.Domains) > 0 }

// CertificateFolder returns where certificates from an ACME server are kept.
func (c Config) CertificateFolder() string { return filepath.Join(c.DataDir, "certificates") }

// host returns the name that people use where none is set.
func (t TLS) host() string {
	if t.ACME() {
		return t.Domains[0]
	}
	return "localhost"
}

// url returns where people reach a server without a public URL, on port.
func (t TLS) url(port int) string {
	switch {
	case !t.Enabled():
		return "http://localhost:" + strconv.Itoa(port)
	case port == 443:
		return "https://" + t.host()
	}
	return "https://" + net.JoinHostPort(t.host(), strconv.Itoa(port))
}

// autoHTTP is the value of UNHIDRA_HTTP_ADDR that leaves it to the rest.
const autoHTTP = "auto"

// complete fills in what follows from other settings, and looks at what does
// not go together.
func (c *Config) complete() error {
	if err := c.MQTT.check(c.TLS.Enabled()); err != nil {
		return err
	}
	t := &c.TLS
	if t.HTTPAddr == autoHTTP {
		t.HTTPAddr = ""
		if t.ACME() {
			t.HTTPAddr = net.JoinHostPort(c.BindAddr, "80")
		}
	}
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("UNHIDRA_TLS_CERT and UNHIDRA_TLS_KEY go together; set both, or neither")
	case t.Cert != "" && t.ACME():
		return errors.New("UNHIDRA_TLS_CERT and UNHIDRA_ACME_DOMAINS are two ways to have a certificate; use one")
	case t.HTTPAddr != "" && !t.Enabled():
		return errors.New("UNHIDRA_HTTP_ADDR redirects to https, which is not on; set UNHIDRA_ACME_DOMAINS, or " +
			"UNHIDRA_TLS_CERT and UNHIDRA_TLS_KEY")
	case c.MQTT.ProxyProtocol && len(c.TrustedProxies) == 0:
		return errors.New("UNHIDRA_PROXY_PROTOCOL believes the proxies in UNHIDRA_TRUSTED_PROXIES, and that names none")
	case t.Enabled() && strings.HasPrefix(c.PublicURL, "http:"):
		return fmt.Errorf("UNHIDRA_PUBLIC_URL is %s, though the server speaks TLS; write it with https", c.PublicURL)
	}
	return nil
}

// check looks at what does not go together; secure says that the public listener has a certificate.
func (m MQTT) check(secure bool) error {
	switch {
	case (m.Cert == "") != (m.Key == ""):
		return errors.New("UNHIDRA_MQTT_TLS_CERT and UNHIDRA_MQTT_TLS_KEY go together; set both, or neither")
	case m.Cert != "" && m.TLSAddr == "":
		return errors.New("UNHIDRA_MQTT_TLS_CERT is for the listener UNHIDRA_MQTT_TLS_ADDR; set that to :8883")
	case m.TLSAddr != "" && m.Cert == "" && !secure:
		return errors.New("UNHIDRA_MQTT_TLS_ADDR needs a certificate; set UNHIDRA_MQTT_TLS_CERT and UNHIDRA_MQTT_TLS_KEY, " +
			"UNHIDRA_TLS_CERT and UNHIDRA_TLS_KEY, or UNHIDRA_ACME_DOMAINS")
	}
	return nil
}

// mqttURL takes the address of a broker, and writes its port out.
func mqttURL(p *string) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "mqtt" && u.Scheme != "mqtts") || u.Hostname() == "" ||
			strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return fmt.Errorf("%q is not of the form mqtts://mqtt.example.org:8883", s)
		}
		port := u.Port()
		switch n, err := strconv.Atoi(port); {
		case port == "" && u.Scheme == "mqtts":
			port = "8883"
		case port == "":
			port = "1883"
		case err != nil || n < 1 || n > 65535:
			return fmt.Errorf("%q is no port; write it like mqtts://mqtt.example.org:8883", port)
		}
		*p = u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port)
		return nil
	}
}

func domains(p *[]string) func(string) error {
	return func(s string) error {
		*p = nil
		for _, d := range list(s) {
			d = strings.ToLower(strings.TrimSuffix(d, "."))
			if strings.Contains(d, "*") {
				return fmt.Errorf("%q needs a challenge by DNS, which this server does not do; name each domain", d)
			}
			if _, err := netip.ParseAddr(d); err == nil || strings.ContainsAny(d, "/:@ ") {
				return fmt.Errorf("%q is not a domain name; write it like chat.example.org, without https:// and port", d)
			}
			*p = append(*p, d)
		}
		return nil
	}
}

func directory(p *string) func(string) error {
	return func(s string) error {
		*p = s
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("%q is not of the form https://acme.example.org/directory", s)
		}
		return nil
	}
}

func httpAddr(p *string) func(string) error {
	return func(s string) error {
		if s == autoHTTP {
			*p = s
			return nil
		}
		return addr(p)(s)
	}
}

// proxyProtocol takes whether connections begin with the client's address: those for HTTP, and those for MQTT.
func proxyProtocol(http, mqtt *bool) func(string) error {
	return func(s string) error {
		*http, *mqtt = s == "on", s == "on" || s == "mqtt"
		if s != "on" && s != "mqtt" && s != "off" {
			return fmt.Errorf("%q is neither on, mqtt nor off", s)
		}
		return nil
	}
}

func onOff(p *bool) func(string) error {
	return func(s string) error {
		*p = s == "on"
		if s != "on" && s != "off" {
			return fmt.Errorf("%q is neither on nor off", s)
		}
		return nil
	}
}
