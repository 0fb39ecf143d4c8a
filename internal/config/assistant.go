package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Assistant is where the answers of assistants come from.
type Assistant struct {
	URL     string // without /chat/completions and a slash at its end; empty: there are no answers
	Key     Secret // empty: none is sent
	Model   string
	PerHour int // questions of one person
}

// Host returns the host of the URL.
func (a Assistant) Host() string {
	u, err := url.Parse(a.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// complete checks what the settings of assistants say together.
func (a Assistant) complete() error {
	switch {
	case a.URL != "" && a.Model == "":
		return errors.New("UNHIDRA_ASSISTANT_URL needs UNHIDRA_ASSISTANT_MODEL: the name of a model that is there")
	case a.URL == "" && (a.Model != "" || a.Key != ""):
		return errors.New("UNHIDRA_ASSISTANT_MODEL and UNHIDRA_ASSISTANT_KEY are of no endpoint: set UNHIDRA_ASSISTANT_URL")
	}
	return nil
}

// endpoint reads the URL of an endpoint, which gets a key and what people write: by http only within this machine or a
// private network.
func endpoint(p *string) func(string) error {
	return func(s string) error {
		*p = strings.TrimRight(s, "/")
		if s == "" {
			return nil
		}
		u, err := url.Parse(*p)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
			u.RawQuery != "" || u.Fragment != "" {
			return errors.New("is not of the form https://api.example.org/v1; a key goes to UNHIDRA_ASSISTANT_KEY")
		}
		if strings.HasSuffix(u.Path, "/chat/completions") {
			return errors.New("leave out /chat/completions, which the server adds")
		}
		a, err := netip.ParseAddr(u.Hostname())
		near := err == nil && (a.IsPrivate() || a.IsLoopback()) || err != nil && !strings.Contains(u.Hostname(), ".")
		if u.Scheme == "http" && !near {
			return fmt.Errorf("%s is not in a private network; use https, since what people write and the key go there", u.Host)
		}
		return nil
	}
}
