package app_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/certs"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
	"github.com/unhidra/unhidra/internal/ws"
)

// certified is a server that lets devices in by certificates, and what an operator has beside it.
type certified struct {
	*live.Server
	t       *testing.T
	trust   *tls.Config // of the server's certificate
	service *device.Service
	folder  string // of the CA
	ca      *certs.DeviceCA
	owner   *client.Client
	pem     []byte // of the CA of the server's certificate
}

func startCertified(t *testing.T, o store.Options) *certified {
	t.Helper()
	web, dir, folder := tlstest.NewAuthority(t), t.TempDir(), filepath.Join(t.TempDir(), "ca")
	cert, key := web.Files(dir, 24*time.Hour, "localhost", "127.0.0.1")
	file, err := certs.MakeDeviceCA(folder, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := certs.OpenDeviceCA(folder)
	if err != nil {
		t.Fatal(err)
	}
	s := live.Start(t, o, "UNHIDRA_TLS_CERT="+cert, "UNHIDRA_TLS_KEY="+key, "UNHIDRA_MQTT_TLS_ADDR=127.0.0.1:0",
		"UNHIDRA_DEVICE_CA="+file)
	o.Tool = true
	db, err := all.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c, err := config.Load([]string{"UNHIDRA_SERVER_KEY=the same key for every server of a test"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := app.Keyring(c)
	if err != nil {
		t.Fatal(err)
	}
	v := &certified{Server: s, t: t, trust: web.Client(), folder: folder, ca: ca, owner: client.New(s.URL), pem: web.PEM,
		service: device.New(device.Deps{Store: db.Devices, Log: slog.New(slog.DiscardHandler), Audit: unrecorded{},
			Pepper: keys.Derive(app.DevicePepper)})}
	v.owner.Trust(v.trust)
	if err := v.owner.Register(t.Context(), client.Registration{Username: "ann", Password: live.Password}); err != nil {
		t.Fatal(err)
	}
	return v
}

type unrecorded struct{}

func (unrecorded) Record(context.Context, domain.AuditEvent) {}

// issue returns a certificate of a device that is registered, and its id.
func (v *certified) issue(device1 string, life time.Duration) (tls.Certificate, string) {
	v.t.Helper()
	id := device.NewCertificateID()
	c, leaf := v.unregistered(device1, id, life)
	by := domain.AuditActor{Kind: domain.ActorOperator}
	if err := v.service.AddCertificate(v.t.Context(), by, id, leaf); err != nil {
		v.t.Fatal(err)
	}
	return c, id
}

// unregistered returns a certificate of the CA that the server does not know.
func (v *certified) unregistered(device1, id string, life time.Duration) (tls.Certificate, *x509.Certificate) {
	v.t.Helper()
	key, err := certs.NewDeviceKey()
	if err != nil {
		v.t.Fatal(err)
	}
	leaf, err := v.ca.Issue(device1, id, key.Public(), time.Now().Add(-time.Hour), time.Now().Add(life))
	if err != nil {
		v.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}, leaf
}

// config is that of a client with a certificate, or none.
func (v *certified) config(cs ...tls.Certificate) *tls.Config {
	c := v.trust.Clone()
	c.Certificates = cs
	return c
}

const noTLS packet.Code = 0xff // the handshake of TLS fails

// connect connects by MQTT, and returns the answer.
func (v *certified) connect(c *tls.Config, password string) (*mqtttest.Client, packet.Code) {
	v.t.Helper()
	nc, err := (&tls.Dialer{Config: c}).DialContext(v.t.Context(), "tcp", v.MQTTS)
	if err != nil {
		return nil, noTLS
	}
	p := connectAs(packet.V5, "node", password)
	p.HasPassword = password != ""
	node, ack := mqtttest.On(v.t, nc, p)
	return node, ack.Code
}

// socket opens a WebSocket, and returns the status: 0 if TLS fails.
func (v *certified) socket(c *tls.Config, protocols ...string) int {
	v.t.Helper()
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	nc, err := (&tls.Dialer{Config: c}).DialContext(v.t.Context(), "tcp", strings.TrimPrefix(v.URL, "https://"))
	if err != nil {
		return 0
	}
	v.t.Cleanup(func() { _ = nc.Close() })
	_, err = ws.Upgrade(v.t.Context(), nc, v.URL+"/ws", protocols)
	var refused *ws.Refused
	switch {
	case err == nil:
		return http.StatusSwitchingProtocols
	case errors.As(err, &refused):
		return refused.Status
	}
	return 0
}

// forged returns a certificate in the name of another: for servers, or of a CA of its own.
func (v *certified) forged(ca *certs.DeviceCA, device1, id string, usage x509.ExtKeyUsage) tls.Certificate {
	v.t.Helper()
	signer := v.signer(ca)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		v.t.Fatal(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: device1, SerialNumber: id},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	der, err := x509.CreateCertificate(rand.Reader, t, ca.Cert, &key.PublicKey, signer)
	if err != nil {
		v.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// signer returns the key of a CA from its file.
func (v *certified) signer(ca *certs.DeviceCA) crypto.Signer {
	v.t.Helper()
	folder := v.folder
	if !ca.Cert.Equal(v.ca.Cert) {
		folder += "-foreign"
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "ca.pem"), filepath.Join(folder, "ca-key.pem"))
	if err != nil {
		v.t.Fatal(err)
	}
	return pair.PrivateKey.(crypto.Signer)
}

// A device is let in by a certificate of the operator's CA that was registered for it, by MQTT and WebSocket, and by no
// other; one that is revoked is cut off.
func TestDevicesProveThemselvesByCertificates(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		v := startCertified(t, o)
		a, b := registerDevice(t, v.owner, "A"), registerDevice(t, v.owner, "B")
		good, id := v.issue(a.Device.ID, time.Hour)
		expired, _ := v.issue(a.Device.ID, -time.Minute)
		stranger, _ := v.unregistered(a.Device.ID, device.NewCertificateID(), time.Hour)
		if _, err := certs.MakeDeviceCA(v.folder+"-foreign", time.Now()); err != nil {
			t.Fatal(err)
		}
		foreign, err := certs.OpenDeviceCA(v.folder + "-foreign")
		if err != nil {
			t.Fatal(err)
		}
		client1, server := x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth
		token := accessOf(t, v.owner)
		for _, c := range []struct {
			name     string
			cert     []tls.Certificate
			password string
			mqtt     packet.Code
			socket   int
		}{
			{"a certificate alone", []tls.Certificate{good}, "", 0, 101},
			{"with the key of the same device", []tls.Certificate{good}, a.Key, 0, 101},
			{"with the key of another", []tls.Certificate{good}, b.Key, packet.BadCredentials, 401},
			{"with a wrong key", []tls.Certificate{good}, "dk_wrong", packet.BadCredentials, 401},
			{"with the token of a person, who it does not concern", []tls.Certificate{good}, token, 0, 101},
			{"a key without a certificate", nil, b.Key, 0, 101},
			{"nothing", nil, "", packet.BadCredentials, 401},
			{"expired", []tls.Certificate{expired}, "", noTLS, 0},
			{"of the CA, but not registered", []tls.Certificate{stranger}, "", packet.BadCredentials, 401},
			{"of the CA, with the id of one that is", []tls.Certificate{v.forged(v.ca, a.Device.ID, id, client1)}, "",
				packet.BadCredentials, 401},
			{"of the CA, for servers", []tls.Certificate{v.forged(v.ca, a.Device.ID, id, server)}, "", noTLS, 0},
			{"of a foreign CA", []tls.Certificate{v.forged(foreign, a.Device.ID, id, client1)}, "", noTLS, 0},
			{"the key of another certificate", []tls.Certificate{{Certificate: good.Certificate,
				PrivateKey: stranger.PrivateKey}}, "", noTLS, 0},
		} {
			conf := v.config(c.cert...)
			if len(c.cert) > 0 { // also one that the server has not asked for
				conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.cert[0], nil }
			}
			if _, code := v.connect(conf, c.password); code != c.mqtt {
				t.Errorf("%s: CONNECT was answered 0x%02x", c.name, byte(code))
			}
			var protocols []string
			switch {
			case strings.HasPrefix(c.password, "dk_"):
				protocols = []string{"device", c.password}
			case c.password != "":
				protocols = []string{"bearer", c.password}
			case len(c.cert) > 0:
				protocols = []string{"device"}
			}
			if status := v.socket(conf, protocols...); status != c.socket {
				t.Errorf("%s: the handshake was answered %d", c.name, status)
			}
		}
		node, code := v.connect(v.config(good), "")
		if code != 0 || node.Publish(packet.Publish{Topic: "uh/d/" + a.Device.ID + "/s/air", QoS: 1,
			Payload: []byte("21.4")}) != 0 {
			t.Errorf("a device with a certificate was answered 0x%02x", byte(code))
		}
		if err := v.owner.Do(t.Context(), "DELETE", "/devices/"+a.Device.ID+"/keys/"+id, nil, nil); err != nil {
			t.Fatal(err)
		}
		if code := node.Ended(); code != packet.Administrative {
			t.Errorf("the connection of a revoked certificate ended with 0x%02x", byte(code))
		}
		if _, code := v.connect(v.config(good), ""); code != packet.BadCredentials {
			t.Errorf("a revoked certificate was answered 0x%02x", byte(code))
		}
		if status := v.socket(v.config(good)); status != 401 {
			t.Errorf("a revoked certificate was answered %d", status)
		}
	})
}

// A device has a few certificates, which a new key does not end; one behind a bridge has none.
func TestDevicesHaveAFewCertificates(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		v := startCertified(t, o)
		a := registerDevice(t, v.owner, "A")
		var last tls.Certificate
		for range domain.MaxDeviceCerts {
			last, _ = v.issue(a.Device.ID, time.Hour)
		}
		id := device.NewCertificateID()
		_, leaf := v.unregistered(a.Device.ID, id, time.Hour)
		by := domain.AuditActor{Kind: domain.ActorOperator}
		if err := v.service.AddCertificate(t.Context(), by, id, leaf); domain.KindOf(err) != domain.Conflict {
			t.Errorf("a certificate too many: %v", err)
		}
		for range 3 {
			if err := v.owner.Do(t.Context(), "POST", "/devices/"+a.Device.ID+"/keys", map[string]any{}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, code := v.connect(v.config(last), ""); code != 0 {
			t.Errorf("after new keys, CONNECT was answered 0x%02x", byte(code))
		}
	})
}

// mosquitto's clients prove themselves by a certificate.
func TestMosquittoClientsByCertificate(t *testing.T) {
	t.Parallel()
	v := startCertified(t, testkit.SQLite(t))
	a := registerDevice(t, v.owner, "A")
	key, err := certs.NewDeviceKey()
	if err != nil {
		t.Fatal(err)
	}
	id := device.NewCertificateID()
	leaf, err := v.ca.Issue(a.Device.ID, id, key.Public(), time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err := certs.WriteDevice(v.folder, id, leaf, key)
	if err != nil {
		t.Fatal(err)
	}
	run := func() (string, error) {
		cmd := mosquitto(t, v.Server, "mosquitto_pub", "", "-q", "1", "-t", "uh/d/"+a.Device.ID+"/s/air", "-m", "21.4",
			"--insecure", "--cafile", v.folder+"/web.pem", "--cert", certFile, "--key", keyFile)
		_, port, _ := strings.Cut(v.MQTTS, ":")
		cmd.Args[slices.Index(cmd.Args, "-p")+1] = port
		i := slices.Index(cmd.Args, "-u")
		cmd.Args = slices.Delete(cmd.Args, i, i+4) // neither user name nor password
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if err := os.WriteFile(v.folder+"/web.pem", v.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err == nil {
		t.Errorf("a certificate that is not registered was let in: %s", out)
	}
	if err := v.service.AddCertificate(t.Context(), domain.AuditActor{Kind: domain.ActorOperator}, id, leaf); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err != nil {
		t.Errorf("mosquitto_pub: %v: %s", err, out)
	}
	if got := lastValues(t, v.owner, a.Device.ID); got["air"] != "21.4" {
		t.Errorf("the values are %v", got)
	}
}
