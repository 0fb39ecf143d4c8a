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
	URL     string // without /chat/completions and a slash at its end; empty: the model runs beside this server
	Key     Secret // empty: none is sent
	Model   string // empty: there are no answers
	PerHour int    // questions of one person
}

// Host returns the host of the URL.
func (a Assistant) Host() string {
	u, err := url.Parse(a.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// completeAssistant checks what the settings of assistants say together.
func (c Config) completeAssistant() error {
	switch a := c.Assistant; {
	case a.URL != "" && a.Model == "":
		return errors.New("UNHIDRA_ASSISTANT_URL needs UNHIDRA_ASSISTANT_MODEL: the name of a model that is there")
	case a.URL == "" && a.Key != "":
		return errors.New("UNHIDRA_ASSISTANT_KEY is of no endpoint: set UNHIDRA_ASSISTANT_URL")
	case a.URL == "" && a.Model != "" && !c.ML.On:
		return errors.New("UNHIDRA_ASSISTANT_MODEL names a model beside this server: set UNHIDRA_ML=on; one that is " +
			"elsewhere needs UNHIDRA_ASSISTANT_URL")
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
