package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/certs"
	"github.com/unhidra/unhidra/internal/config"
)

// certificate checks the certificate as browsers do.
func (d *diagnosis) certificate(ctx context.Context, c config.Config) {
	host := ""
	if u, err := url.Parse(c.PublicURL); err == nil {
		host = u.Hostname()
	}
	if m := c.MQTT; m.Cert != "" {
		at := ""
		if u, err := url.Parse(m.URL); err == nil {
			at = u.Hostname()
		}
		d.certificateFiles(certs.FilesOptions{Cert: m.Cert, Key: m.Key, Settings: "UNHIDRA_MQTT_TLS"}, at)
	}
	switch {
	case c.TLS.Cert != "":
		d.certificateFiles(certs.FilesOptions{Cert: c.TLS.Cert, Key: c.TLS.Key, Settings: "UNHIDRA_TLS"}, host)
	case c.TLS.ACME():
		for _, domain := range c.TLS.Domains {
			d.certificateOf(ctx, c, domain)
		}
	}
}

// certificateFiles checks two files; host is what clients ask for, and empty if that is not known.
func (d *diagnosis) certificateFiles(o certs.FilesOptions, host string) {
	o.Log = slog.New(slog.DiscardHandler)
	if _, err := certs.OpenFiles(o); err != nil {
		d.fail("certificate", "%v", err)
		return
	}
	if info, err := os.Stat(o.Key); err == nil && info.Mode().Perm()&0o007 != 0 {
		d.fail("certificate", "everyone on this machine can read the key in %s and pass for this server; run: chmod o= %s",
			o.Key, o.Key)
	}
	d.chain(o.Cert, host)
}

// chain checks the certificate in a file.
func (d *diagnosis) chain(path, host string) {
	b, err := os.ReadFile(path)
	if err != nil {
		d.fail("certificate", "%v", err)
		return
	}
	d.judge(path, b, host)
}

// judge reports what browsers will find in a chain from path.
func (d *diagnosis) judge(path string, b []byte, host string) {
	now := time.Now()
	switch f := certs.Check(b, host, nil, now); {
	case f.Broken:
		d.fail("certificate", "%s %s", path, f.Text)
	case f.ExpiresSoon(now):
		d.warn("certificate", "%s %s", path, f.Text)
	default:
		d.ok("certificate", "%s %s", path, f.Text)
	}
}

// served returns the chain that the server on this machine presents for a domain, valid or not.
func served(ctx context.Context, c config.Config, domain string) (chain []byte) {
	host := c.BindAddr
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	dialer := &tls.Dialer{Config: &tls.Config{ServerName: domain, InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(c.GatewayPort)))
	if err != nil {
		return nil
	}
	defer conn.Close()
	t, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	for _, c := range t.ConnectionState().PeerCertificates {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return chain
}

// certificateOf checks the certificate obtained by ACME. If there is none yet, it checks the
// requirements of ACME.
func (d *diagnosis) certificateOf(ctx context.Context, c config.Config, domain string) {
	found := ""
	_ = filepath.WalkDir(c.CertificateFolder(), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == domain+".crt" {
			found = path
		}
		return nil
	})
	if found != "" {
		d.chain(found, domain)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if b := served(ctx, c, domain); b != nil { // from the database that the nodes share
		d.judge("what the server on this machine shows for "+domain, b, domain)
		return
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, domain)
	if err != nil {
		d.warn("certificate", "%s has no address as seen from here; make an A or AAAA record that leads to this machine: %v",
			domain, err)
		return
	}
	d.ok("certificate", "for %s it is fetched at the start; the name leads to %s, where ports 80 and 443 must be open "+
		"to the internet", domain, strings.Join(addrs, ", "))
}

// caSoon is how long before the end of a device CA a warning comes: all devices need certificates of the next one by
// then, and some are switched on seldom.
const caSoon = 90 * 24 * time.Hour

// deviceCA checks when the CAs of devices' certificates end.
func (d *diagnosis) deviceCA(file string, now time.Time) {
	if file == "" {
		return
	}
	authorities, err := certs.Authorities(file)
	if err != nil {
		d.fail("device CA", "%v", err)
		return
	}
	ended := d.fail
	if slices.ContainsFunc(authorities, func(c *x509.Certificate) bool { return c.NotAfter.After(now) }) {
		ended = d.warn // there is another one
	}
	for _, ca := range authorities {
		end := ca.NotAfter.UTC().Format(time.DateOnly)
		switch left := ca.NotAfter.Sub(now); {
		case left <= 0:
			ended("device CA", "%s has a CA that ended on %s: devices with certificates of it are refused; give them others "+
				"by `unhidra device certify`, and take it out", file, end)
		case left < caSoon:
			d.warn("device CA", "%s has a CA that ends on %s; put a new one beside it (`unhidra device ca`), and give all "+
				"devices certificates of that before", file, end)
		default:
			d.ok("device CA", "%s ends on %s", file, end)
		}
	}
}
