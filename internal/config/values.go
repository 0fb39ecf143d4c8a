package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Each function returns what sets a field to the text of an option. Its errors do not name the
// option: Load does.

func str(p *string) func(string) error { return func(s string) error { *p = s; return nil } }

func text(p *string, lo, hi int) func(string) error {
	return func(s string) error {
		*p = s
		if n := len([]rune(s)); n < lo || n > hi {
			return fmt.Errorf("has %d characters; use %d to %d", n, lo, hi)
		}
		return nil
	}
}

func num(p *int, lo, hi int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		if n < lo || n > hi {
			return fmt.Errorf("%d is not in %d..%d", n, lo, hi)
		}
		*p = n
		return nil
	}
}

func dur(p *time.Duration, lo, hi time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a time; write it like 500ms, 15s or 2m", s)
		}
		if d < lo || d > hi {
			return fmt.Errorf("%s is not in %s..%s", d, lo, hi)
		}
		*p = d
		return nil
	}
}

func oneOf(p *string, values ...string) func(string) error {
	return func(s string) error {
		*p = s
		if !slices.Contains(values, s) {
			return fmt.Errorf("%q is none of %s", s, strings.Join(values, ", "))
		}
		return nil
	}
}

func list(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func roles(p *[]string) func(string) error {
	return func(s string) error {
		*p = list(s)
		for _, r := range *p {
			if !slices.Contains([]string{"all", RoleAuth, RoleGateway, RoleWorker}, r) {
				return fmt.Errorf("%q is no role; use all, or some of %s,%s,%s", r, RoleAuth, RoleGateway, RoleWorker)
			}
		}
		if len(*p) == 0 {
			return errors.New("names no role; use all")
		}
		return nil
	}
}

func postgres(p *Secret) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		// The parser's error would repeat the value, with its password.
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
			return errors.New("is not of the form postgres://user:password@host/database")
		}
		*p = Secret(s)
		return nil
	}
}

const minSecret = 32

func signingKey(p *Secret) func(string) error {
	return func(s string) error {
		*p = Secret(s)
		if s != "" && len(s) < minSecret {
			return fmt.Errorf("has %d bytes and needs %d or more; `openssl rand -base64 48` makes a good one, and without any "+
				"the server makes its own", len(s), minSecret)
		}
		if s != "" && isSampleKey(s) {
			return errors.New("looks like an example; `openssl rand -base64 48` makes a good one, and without any the server " +
				"makes its own")
		}
		return nil
	}
}

// isSampleKey reports whether a key looks like one that somebody copied from a page or
// typed to be done with it.
func isSampleKey(key string) bool {
	distinct := make(map[rune]bool)
	for _, r := range key {
		distinct[r] = true
	}
	lower := strings.ToLower(key)
	return len(distinct) < 10 || strings.Contains(lower, "your-") || strings.Contains(lower, "changeme") ||
		strings.Contains(lower, "change-me") || strings.Contains(lower, "secret-key")
}

func signingKeys(p *[]Secret) func(string) error {
	return func(s string) error {
		for _, one := range strings.Split(s, ",") {
			var k Secret
			if err := signingKey(&k)(strings.TrimSpace(one)); err != nil {
				return err
			}
			if k != "" {
				*p = append(*p, k)
			}
		}
		return nil
	}
}

func host(p *string) func(string) error {
	return func(s string) error {
		*p = strings.Trim(s, "[]")
		if strings.Contains(*p, ":") {
			if _, err := netip.ParseAddr(*p); err != nil {
				return fmt.Errorf("%q is not an address without a port; the port is GATEWAY_PORT", s)
			}
		}
		return nil
	}
}

func addr(p *string) func(string) error {
	return func(s string) error {
		*p = s
		if s == "" || s == "off" {
			*p = ""
			return nil
		}
		_, port, err := net.SplitHostPort(s)
		if err != nil {
			return fmt.Errorf("%q is not of the form host:port", s)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			return fmt.Errorf("%q is not a port", port)
		}
		return nil
	}
}

func hostNames(p *[]string) func(string) error {
	return func(s string) error {
		*p = nil
		for _, h := range list(s) {
			if strings.ContainsAny(h, "/:@* ") {
				return fmt.Errorf("%q is not a name; write it like metrics.example.org, without http:// and port", h)
			}
			*p = append(*p, strings.ToLower(h))
		}
		return nil
	}
}

func base(p *string) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		u, err := url.Parse(s)
		if err == nil && u.Host != "" && strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("%q has a path, and the server needs a name of its own: its cookies, and what the browser "+
				"stores, are shared by all paths of a name, so another program beside it could read them; use one like "+
				"https://chat.%s", s, u.Hostname())
		}
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" ||
			u.Fragment != "" || u.User != nil {
			return fmt.Errorf("%q is not of the form https://chat.example.org", s)
		}
		*p = u.Scheme + "://" + u.Host
		return nil
	}
}

func origins(p *[]string) func(string) error {
	return func(s string) error {
		*p = list(s)
		for i, o := range *p {
			if o == "*" {
				return errors.New("\"*\" would let every site act for its visitors; name the origins")
			}
			u, err := url.Parse(o)
			if err != nil || u.Scheme == "" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" ||
				u.Fragment != "" {
				return fmt.Errorf("%q is not an origin; write it like https://chat.example.org", o)
			}
			(*p)[i] = u.Scheme + "://" + strings.ToLower(u.Host)
		}
		return nil
	}
}

func networks(p *[]netip.Prefix) func(string) error {
	return func(s string) error {
		*p = nil
		for _, item := range list(s) {
			if a, err := netip.ParseAddr(item); err == nil {
				*p = append(*p, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
				continue
			}
			n, err := netip.ParsePrefix(item)
			if err != nil {
				return fmt.Errorf("%q is neither an address nor a network like 10.0.0.0/8", item)
			}
			*p = append(*p, n.Masked())
		}
		return nil
	}
}
