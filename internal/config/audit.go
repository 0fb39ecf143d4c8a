package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Audit says how long the audit log is kept, and where else it goes.
type Audit struct {
	Keep         time.Duration // records; 0: for good
	KeepPersonal time.Duration // the personal data in them; 0: as long as they
	CA           string        // PEM file of authorities that receivers are trusted by; empty: the system's

	Log       string // file of JSON lines; empty: none
	LogFormat string
	LogSize   int // MiB of one file
	LogCount  int // files kept beside it

	Webhook       string
	WebhookSecret Secret
	WebhookFormat string

	Syslog       string // host:port
	SyslogFormat string
	SyslogCert   string
	SyslogKey    string

	HEC       string
	HECToken  Secret
	HECFormat string
}

// complete checks what the settings say together.
func (a Audit) complete() error {
	switch {
	case a.Webhook != "" && len(a.WebhookSecret) < minSecret:
		return fmt.Errorf("UNHIDRA_AUDIT_WEBHOOK needs UNHIDRA_AUDIT_WEBHOOK_SECRET, of %d bytes or more, by which its "+
			"receiver knows that a request is from here", minSecret)
	case a.HEC != "" && a.HECToken == "":
		return errors.New("UNHIDRA_AUDIT_HEC needs UNHIDRA_AUDIT_HEC_TOKEN, which Splunk gives")
	case (a.SyslogCert == "") != (a.SyslogKey == ""):
		return errors.New("UNHIDRA_AUDIT_SYSLOG_CERT and UNHIDRA_AUDIT_SYSLOG_KEY go together; set both, or neither")
	case a.KeepPersonal > a.Keep && a.Keep > 0:
		return errors.New("UNHIDRA_AUDIT_KEEP_PERSONAL is longer than UNHIDRA_AUDIT_KEEP; personal data go with " +
			"their records")
	}
	return nil
}

// receiver takes a URL that may be trusted with the log: https, or a receiver on
// the same machine.
func receiver(p *string) func(string) error {
	return func(s string) error {
		*p = s
		if s == "" {
			return nil
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			return errors.New("is not of the form https://receiver.example.org/path")
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return errors.New("would send it for all to read; use https")
		}
		return nil
	}
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func syslogAddr(p *string) func(string) error {
	return func(s string) error {
		*p = s
		if s == "" {
			return nil
		}
		if !strings.Contains(strings.TrimRight(s, "]"), ":") || strings.HasSuffix(s, "]") {
			*p = net.JoinHostPort(strings.Trim(s, "[]"), "6514")
			return nil
		}
		return addr(p)(s)
	}
}
