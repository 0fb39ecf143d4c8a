package firmware

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// at is a server's address as devices have it.
func at(s *live.Server) string { return "ws" + strings.TrimPrefix(s.URL, "http") }

// secure starts a server with TLS, whose certificate lives as long as life and has further names.
func secure(t *testing.T, life time.Duration, names ...string) (s *live.Server, ca *tlstest.Authority, file string) {
	t.Helper()
	ca = tlstest.NewAuthority(t)
	dir := t.TempDir()
	cert, key := ca.Files(dir, life, names...)
	file = filepath.Join(dir, "ca.pem")
	must(t, os.WriteFile(file, ca.PEM, 0o600))
	return live.Start(t, testkit.SQLite(t), "UNHIDRA_TLS_CERT="+cert, "UNHIDRA_TLS_KEY="+key), ca, file
}

// The firmware connects over TLS and without, is online, says what it is, what it measures is stored, and it obeys.
func TestADeviceLives(t *testing.T) {
	t.Parallel()
	for _, secured := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secured], func(t *testing.T) {
			t.Parallel()
			var s *live.Server
			var options []string
			var ann *client.Client
			if secured {
				var ca *tlstest.Authority
				var file string
				s, ca, file = secure(t, 1000*time.Hour)
				ann = client.New(s.URL)
				ann.Trust(ca.Client())
				must(t, ann.Register(t.Context(), client.Registration{Username: "ann", Password: live.Password}))
				options = []string{"--ca", file}
			} else {
				s = live.Start(t, testkit.SQLite(t))
				ann = s.User("ann")
			}
			lives(t, s, registered(t, ann), options)
		})
	}
}

func lives(t *testing.T, s *live.Server, d device, options []string) {
	a := start(t, at(s), d.key, t.TempDir(), append(options, "--samples", "20", "--period", "10", "--batch", "50")...)
	a.hears("online")
	wait(t, "the device is online", func() bool { return d.state(t) == "online" })
	var shown struct {
		Capabilities struct {
			Model   string
			Sensors []struct{ Name, Kind string }
		}
	}
	path := "/devices/" + d.id
	wait(t, "the device has said what it is", func() bool {
		must(t, d.owner.Do(t.Context(), "GET", path, nil, &shown))
		return shown.Capabilities.Model == "unhidra-agent" && len(shown.Capabilities.Sensors) == 3
	})
	wait(t, "what it measures is stored", func() bool {
		var series struct {
			Series []struct {
				Name string
				Last any
			}
		}
		must(t, d.owner.Do(t.Context(), "GET", path+"/series", nil, &series))
		for _, one := range series.Series {
			if one.Name == "samples" && one.Last == 20.0 {
				return true
			}
		}
		return false
	})
	for key, want := range map[string]string{"true": `{"lamp":"on"}`, "false": `{"lamp":"off"}`} {
		var c struct {
			ID, State string
			Result    any
		}
		must(t, d.owner.Do(t.Context(), "POST", path+"/commands", map[string]any{"key": key, "action": "lamp",
			"args": map[string]any{"on": key == "true"}}, &c))
		wait(t, "the command is carried out", func() bool {
			must(t, d.owner.Do(t.Context(), "GET", path+"/commands/"+c.ID, nil, &c))
			return c.State == "done"
		})
		if got, ok := c.Result.(map[string]any); !ok || !strings.Contains(want, got["lamp"].(string)) {
			t.Errorf("it answers %v, want %s", c.Result, want)
		}
	}
	a.stop()
	wait(t, "the device has left", func() bool { return d.state(t) != "online" })
	if n := a.count("offline"); n != 1 {
		t.Errorf("it was offline %d times", n)
	}
}

// A server that cannot prove what it is gets no key: not by an old certificate, nor another's, nor one of an unknown
// authority.
func TestADeviceTrustsNoOtherServer(t *testing.T) {
	t.Parallel()
	good, _, _ := secure(t, 1000*time.Hour)
	ended, _, endedFile := secure(t, -time.Hour)
	other, otherFile := named(t, "other.example")
	for what, one := range map[string]struct{ server, ca, says string }{
		"expired":    {at(ended), endedFile, "TLS: The certificate validity has expired"},
		"authority":  {at(good), endedFile, "TLS: The certificate is not correctly signed by the trusted CA"},
		"other name": {"wss://localhost:" + other, otherFile, "TLS: The certificate Common Name"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			a := start(t, one.server, "dk_x", t.TempDir(), "--ca", one.ca, "--base", "1", "--cap", "10")
			a.hears(one.says)
			if a.count("online")+a.count("shut out") != 0 {
				t.Error("it has spoken to that server")
			}
		})
	}
}

// A key that never was good shuts the device out. How long it waits then is in firmware/test/test_session.c, where time
// is the test's own; so is that of a device which was revoked.
func TestAWrongKeyShutsOut(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	a := start(t, at(s), "dk_nonsense", t.TempDir(), "--base", "1", "--cap", "1")
	a.hears("shut out 401")
	a.stop()
	if a.count("shut out") != 1 || a.count("offline") != 0 {
		t.Errorf("it said %q", a.said())
	}
}

// A device that is suspended comes back afterwards; one that is revoked while it is connected does not.
func TestARevokedDeviceStaysAway(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	d := registered(t, s.User("ann"))
	a := start(t, at(s), d.key, t.TempDir(), "--base", "5", "--cap", "50")
	a.hears("online")
	suspend := func(suspended bool) {
		must(t, d.owner.Do(t.Context(), "PATCH", "/devices/"+d.id, map[string]any{"suspended": suspended}, nil))
	}
	suspend(true)
	a.hears("offline 4410")
	a.hears("offline 401")
	suspend(false)
	wait(t, "it is back", func() bool { return a.count("online") == 2 })
	must(t, d.owner.Do(t.Context(), "DELETE", "/devices/"+d.id, nil, nil))
	a.hears("shut out 4410")
	a.stop()
	if said := a.said(); a.count("shut out") != 1 || a.count("online") != 2 || said[len(said)-1] != "shut out 4410" {
		t.Errorf("it said %q", said)
	}
}

// named returns the port of a server that is another one by its certificate, and the file with that.
func named(t *testing.T, name string) (port, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(t, err)
	file = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der},
		PrivateKey: key}}})
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = c.(*tls.Conn).Handshake(); _ = c.Close() }()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, file
}
