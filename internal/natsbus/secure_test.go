package natsbus_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/natsbus"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// TestAuthentication: a node proves itself to a server, and the server to the node, in each
// way that NATS_URL can name; who cannot prove it is told why, and not let in.
func TestAuthentication(t *testing.T) {
	pki := tlstest.NewAuthority(t)
	ca := keep(t, "ca.pem", pki.PEM)
	cert, key := pki.Issue(time.Hour)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pki.PEM)
	node, seed := newKey(t, nkeys.CreateUser)
	_, other := newKey(t, nkeys.CreateUser)
	operator, creds := account(t)

	ways := map[string]struct {
		server    server.Options
		good, bad natsbus.Options
	}{
		"TLS": {
			server.Options{TLS: true, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}},
			natsbus.Options{CA: ca}, natsbus.Options{},
		},
		"a certificate of the node's": {
			server.Options{TLS: true, TLSVerify: true, TLSConfig: &tls.Config{
				Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
			}},
			natsbus.Options{CA: ca, Cert: keep(t, "node.pem", cert), Key: keep(t, "node.key", key)}, natsbus.Options{CA: ca},
		},
		"an nkey": {
			server.Options{Nkeys: []*server.NkeyUser{{Nkey: node}}},
			natsbus.Options{NKey: keep(t, "node.nk", seed)}, natsbus.Options{NKey: keep(t, "other.nk", other)},
		},
		"credentials": {
			operator, natsbus.Options{Creds: keep(t, "node.creds", creds)}, natsbus.Options{},
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := natstest.StartWith(t, way.server)
			for _, o := range []*natsbus.Options{&way.good, &way.bad} {
				o.Servers, o.Name, o.Prefix, o.Log = s.URL(), t.Name(), "test.", testkit.Logger(t)
			}
			if _, err := natsbus.Probe(way.bad); err == nil {
				t.Error("who cannot prove it is let in")
			} else {
				t.Log(err)
			}
			if version, err := natsbus.Probe(way.good); err != nil || version != server.VERSION {
				t.Fatalf("version %q: %v", version, err)
			}
			a, b := open(t, way.good), open(t, way.good)
			got := make(chan string, 1)
			subscribe(t, a, "news", func(m bus.Message) {
				select {
				case got <- string(m.Data):
				default: // it is said until it is heard
				}
			})
			await(t, "the news", func() bool {
				b.Publish("news", []byte("good"))
				select {
				case s := <-got:
					return s == "good"
				default:
					return false
				}
			})
		})
	}
}

func open(t *testing.T, o natsbus.Options) *natsbus.Bus {
	t.Helper()
	b, err := natsbus.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func keep(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) (public string, seed []byte) {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	if seed, err = pair.Seed(); err != nil {
		t.Fatal(err)
	}
	return public, seed
}

// account makes an operator with one account and one user, and returns what a server
// that trusts the operator runs with, and the user's credentials file.
func account(t *testing.T) (server.Options, []byte) {
	t.Helper()
	operator, _ := nkeys.CreateOperator()
	trusted, _ := operator.PublicKey()
	accounts, _ := nkeys.CreateAccount()
	public, _ := accounts.PublicKey()
	user, seed := newKey(t, nkeys.CreateUser)
	mine, err := jwt.NewAccountClaims(public).Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.NewUserClaims(user).Encode(accounts)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(public, mine); err != nil {
		t.Fatal(err)
	}
	return server.Options{TrustedKeys: []string{trusted}, AccountResolver: resolver}, creds
}
