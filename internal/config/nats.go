package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// NATS is the bus between nodes.
type NATS struct {
	Servers Secret // URLs, separated by commas; empty: this process is the only one
	CA      string // PEM file of the authority of the servers' certificates; empty: the system's
	Cert    string // PEM files of a certificate to show, and its key; empty: none
	Key     string
	Creds   string // file with a user's JWT and seed; empty: none
	NKey    string // file with an NKey's seed; empty: none
}

const natsForm = "is not of the form nats://user:password@host:4222, or several of them, separated by commas"

// nats reads the servers, and from the part after a question mark of any of them
// the files for TLS and credentials.
func nats(n *NATS) func(string) error {
	return func(s string) error {
		var servers []string
		for one := range strings.SplitSeq(s, ",") {
			if one = strings.TrimSpace(one); one == "" {
				continue
			}
			// The parser's error would repeat the value, with its password.
			u, err := url.Parse(one)
			if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) ||
				strings.Trim(u.Path, "/") != "" {
				return errors.New(natsForm)
			}
			if err := n.files(u.Query()); err != nil {
				return err
			}
			u.RawQuery, u.Path = "", ""
			servers = append(servers, u.String())
		}
		n.Servers = Secret(strings.Join(servers, ","))
		if (n.Cert == "") != (n.Key == "") {
			return errors.New("cert and key go together; give both, or neither")
		}
		return nil
	}
}

func (n *NATS) files(q url.Values) error {
	known := map[string]*string{"ca": &n.CA, "cert": &n.Cert, "key": &n.Key, "creds": &n.Creds, "nkey": &n.NKey}
	for name := range q {
		if known[name] == nil {
			return fmt.Errorf("%q is no option of it; there are ca, cert, key, creds, nkey", name)
		}
		*known[name] = q.Get(name)
	}
	return nil
}
