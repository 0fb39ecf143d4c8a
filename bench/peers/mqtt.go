package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/token"
)

const perOwner = 50 // MQTT clients of one user

// mqtt is the resident memory of MQTT connections that say nothing, each with one subscription of its own,
// beside mosquitto's in the same run.
func (s *settings) mqtt(ctx context.Context) error {
	n := s.clients
	fmt.Println("| server | MQTT connections | kB each at once | kB each after 45 s | CPU µs to connect and subscribe |")
	fmt.Println("|---|---|---|---|---|")
	certificate := s.fresh()
	if err := makeCertificate(certificate); err != nil {
		return err
	}
	w, err := makeWorld(ctx, s.fresh(), "", n/perOwner+1, 1)
	if err != nil {
		return err
	}
	for _, start := range []func() (*target, error){
		func() (*target, error) { return startMosquitto(s.fresh(), "") },
		func() (*target, error) { return startMosquitto(s.fresh(), certificate) },
		func() (*target, error) { return w.startMQTT(s.unhidra, "") },
		func() (*target, error) { return w.startMQTT(s.unhidra, certificate) },
	} {
		t, err := start()
		if err != nil {
			return err
		}
		err = w.restMQTT(ctx, t, n)
		t.stop()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", t.name, err, tail(t.servers))
		}
	}
	return nil
}

// startMosquitto starts Debian's mosquitto (package mosquitto), which lets in everybody; with TLS if there
// is the folder of a certificate.
func startMosquitto(dir, certificate string) (*target, error) {
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		return nil, errors.New("mosquitto is not installed (Debian: apt-get install mosquitto)")
	}
	addr := freeAddr()
	_, port, _ := net.SplitHostPort(addr)
	config := filepath.Join(dir, "mosquitto.conf")
	text := "listener " + port + " 127.0.0.1\nallow_anonymous true\n"
	name := "mosquitto"
	if certificate != "" {
		name += ", TLS"
		// It gives up root before it reads the key.
		text += "user root\ncertfile " + filepath.Join(certificate, "cert.pem") + "\nkeyfile " + filepath.Join(certificate,
			"key.pem") + "\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	p, err := run(nil, path, "-c", config)
	t := &target{name: name, addrs: []string{addr}, tls: certificate != "", servers: []*process{p}}
	if err != nil {
		return nil, err
	}
	return t, t.await()
}

// startMQTT starts a server whose address is that of MQTT.
func (w *world) startMQTT(binary, certificate string) (*target, error) {
	public, addr := freeAddr(), freeAddr()
	t := &target{name: "Unhidra", addrs: []string{addr}, tls: certificate != ""}
	setting := "UNHIDRA_MQTT_ADDR="
	environ := w.environ(public, w.dir, "", certificate)
	if t.tls {
		t.name += ", TLS"
		environ, setting = append(environ, "UNHIDRA_MQTT_ADDR=off"), "UNHIDRA_MQTT_TLS_ADDR="
	}
	p, err := run(append(environ, setting+addr, "UNHIDRA_CONNECTIONS_PER_USER=1000"), binary, "serve")
	if err != nil {
		return nil, err
	}
	t.servers = append(t.servers, p)
	return t, t.await()
}

func (w *world) restMQTT(ctx context.Context, t *target, n int) error {
	time.Sleep(2 * time.Second)
	before, used := t.resident(), t.cpu()
	conns := make([]net.Conn, n)
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for k := range errs {
		wg.Go(func() {
			for i := k; i < n && errs[k] == nil; i += len(errs) {
				conns[i], errs[k] = w.openMQTT(ctx, t, i, i/perOwner,
					packet.Filter{Topic: fmt.Sprint("cmnd/client-", i, "/POWER"), QoS: 1})
			}
		})
	}
	wg.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	connect := float64((t.cpu() - used).Microseconds()) / float64(n)
	atOnce := t.resident()
	time.Sleep(settling)
	each := func(rss int) float64 { return float64(rss-before) / float64(n) / 1000 }
	fmt.Printf("| %s | %d | %.1f | **%.1f** | %.0f |\n", t.name, n, each(atOnce), each(t.resident()), connect)
	return nil
}

// openMQTT connects a client of a user and has it subscribe.
func (w *world) openMQTT(ctx context.Context, t *target, client, user int, to packet.Filter) (net.Conn, error) {
	nc, err := dialer(client).DialContext(ctx, "tcp", t.addrs[0])
	if err != nil {
		return nil, err
	}
	if t.tls {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true}) // its certificate is ours
	}
	now := time.Now()
	bearer, err := w.keys.Sign(token.Claims{User: userID(user), Role: string(domain.SystemUser), AuthTime: now,
		Expires: now.Add(2 * time.Hour)}, now)
	if err != nil {
		return nil, err
	}
	b := packet.AppendConnect(nil, packet.Connect{Version: packet.V311, ClientID: fmt.Sprint("client-", client),
		CleanStart: true, HasUser: true, User: "any", HasPassword: true, Password: bearer})
	b = packet.AppendSubscribe(b, packet.V311, packet.Subscribe{ID: 1,
		Filters: []packet.Filter{to}})
	if _, err := nc.Write(b); err != nil {
		return nil, err
	}
	return nc, awaitSuback(nc)
}

func awaitSuback(nc net.Conn) error {
	_ = nc.SetReadDeadline(time.Now().Add(30 * time.Second))
	var b []byte
	chunk := make([]byte, 256)
	for {
		h, body, n, _, err := packet.Split(b, packet.MaxLength)
		switch {
		case err != nil:
			return err
		case n == 0:
			n, err := nc.Read(chunk)
			if b = append(b, chunk[:n]...); err != nil {
				return err
			}
			continue
		case h.Type == packet.CONNACK && body[1] != 0:
			return fmt.Errorf("CONNECT was refused with %d", body[1])
		case h.Type == packet.SUBACK:
			return nil
		}
		b = b[n:]
	}
}
