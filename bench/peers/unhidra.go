package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/token"
)

const serverKey = "a key for measurements alone, of no use elsewhere"

// world is a store with people and rooms in it: user i is in room i modulo the
// number of rooms. The people were not registered one by one, as the hashes of
// ten thousand passwords take half an hour.
type world struct {
	dir   string
	url   string // of PostgreSQL; empty: SQLite in dir
	rooms []string
	keys  *token.Keyring
}

func (w *world) options() store.Options {
	return store.Options{Path: filepath.Join(w.dir, "unhidra.db"), URL: w.url}
}

func userID(i int) string { return fmt.Sprintf("usr_%026d", i) }

func makeWorld(ctx context.Context, dir, url string, users, rooms int) (*world, error) {
	keys, err := token.NewKeyring("HS256", []byte(serverKey))
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, url: url, keys: keys}
	db, err := all.Open(ctx, w.options())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := makeUsers(ctx, db, users); err != nil {
		return nil, err
	}
	for r := range rooms {
		n := domain.NewRoom{Kind: domain.PublicRoom, Name: fmt.Sprint("Room ", r)}
		for i := r + rooms; i < users; i += rooms {
			n.Members = append(n.Members, userID(i))
		}
		s, _, err := db.Rooms.CreateRoom(ctx, userID(r), n, time.Now())
		if err != nil {
			return nil, err
		}
		w.rooms = append(w.rooms, s.Room.ID)
	}
	return w, nil
}

func makeUsers(ctx context.Context, db *all.Store, n int) error {
	var wg sync.WaitGroup
	work := make(chan int)
	errs := make([]error, 64)
	for k := range errs {
		wg.Go(func() {
			for i := range work {
				u := domain.User{ID: userID(i), Kind: domain.KindUser, Role: domain.SystemUser, Username: fmt.Sprint("user", i),
					DisplayName: fmt.Sprint("User ", i)}
				errs[k] = errors.Join(errs[k], db.Accounts.CreateUser(ctx, u, "", domain.Signup{}, time.Now()))
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
	return errors.Join(errs...)
}

// start starts so many nodes over the world; several need the addresses of NATS.
func (w *world) start(binary string, nodes int, nats, tls string) (*target, error) {
	t := &target{name: "Unhidra", protocol: unhidraProtocol{w}, tls: tls != ""}
	for range nodes {
		t.addrs = append(t.addrs, freeAddr())
	}
	for i, addr := range t.addrs {
		dir := filepath.Join(w.dir, fmt.Sprint("node", i))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		p, err := run(w.environ(addr, dir, nats, tls), binary, "serve")
		if err != nil {
			return nil, err
		}
		t.servers = append(t.servers, p)
	}
	return t, t.await()
}

// environ sets nothing but where things are, and limits that one address would
// meet which stands for ten thousand.
func (w *world) environ(addr, dir, nats, tls string) []string {
	_, port, _ := net.SplitHostPort(addr)
	e := []string{
		"UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=" + port, "UNHIDRA_OPERATOR_ADDR=off", "UNHIDRA_MQTT_ADDR=off", "UNHIDRA_LOG_LEVEL=warn",
		"UNHIDRA_SERVER_KEY=" + serverKey, "UNHIDRA_DATA_DIR=" + dir,
		"RATE_LIMIT_IP_PER_MINUTE=1000000", "RATE_LIMIT_USER_PER_MINUTE=1000000", "RATE_LIMIT_MESSAGES_PER_SEC=100000",
		"UNHIDRA_CONNECTIONS_PER_ADDR=100000",
	}
	if w.url != "" {
		e = append(e, "DATABASE_URL="+w.url)
	} else {
		e = append(e, "AUTH_DB_PATH="+w.options().Path)
	}
	if nats != "" {
		e = append(e, "NATS_URL="+nats)
	}
	if tls != "" {
		e = append(e, "UNHIDRA_TLS_CERT="+filepath.Join(tls, "cert.pem"), "UNHIDRA_TLS_KEY="+filepath.Join(tls, "key.pem"))
	}
	return e
}

type unhidraProtocol struct{ w *world }

func (unhidraProtocol) path() string         { return "/ws" }
func (unhidraProtocol) opening(int) [][]byte { return nil }
func (unhidraProtocol) joined() string       { return `"type":"hello"` }
func (unhidraProtocol) answer([]byte) []byte { return nil }

func (t unhidraProtocol) header(client int) string {
	now := time.Now()
	bearer, err := t.w.keys.Sign(token.Claims{User: userID(client), Role: string(domain.SystemUser), AuthTime: now,
		Expires: now.Add(2 * time.Hour)}, now)
	if err != nil {
		fail(err)
	}
	return "Sec-WebSocket-Protocol: bearer, " + bearer + "\r\n"
}

func (t unhidraProtocol) room(client int) string { return t.w.rooms[client%len(t.w.rooms)] }

func (t unhidraProtocol) publish(n, client int, text string) []byte {
	return fmt.Appendf(nil, `{"id":"%d","type":"message.send","data":{"room":%q,"key":"k-%d-%d","text":%q}}`,
		n, t.room(client), n, time.Now().UnixNano(), text)
}

// makeCertificate writes a certificate for the loopback, and its key, to dir.
func makeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
			0o600))
}
