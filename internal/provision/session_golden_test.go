package provision

import (
	"context"
	"crypto/ecdh"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit/provtest"
)

var update = flag.Bool("update", false, "write testdata/session.json anew")

// recorded is testdata/session.json: whole sessions with a device, which the web client is checked against too.
type recorded struct {
	Comment  string
	Sessions []recording
}

type recording struct {
	Security              int
	Secret, Proof, User   string // the secret is the one of who sets up, in hex
	Server, Claim, CA     string
	SSID, Wrong, Password string
	Networks              []string
	Exchanges             []exchanged
	session               session
	device                *Device
}

type exchanged struct{ Endpoint, Ask, Answer string }

func (r *recording) ask(ctx context.Context, endpoint string, body []byte) ([]byte, error) {
	answer, err := r.device.post(ctx, endpoint, body)
	r.Exchanges = append(r.Exchanges, exchanged{endpoint, hex.EncodeToString(body), hex.EncodeToString(answer)})
	return answer, err
}

func (r *recording) Call(ctx context.Context, endpoint string, body []byte) ([]byte, error) {
	secret, err := r.session.seal(body)
	if err != nil {
		return nil, err
	}
	answer, err := r.ask(ctx, endpoint, secret)
	if err != nil {
		return nil, err
	}
	return r.session.open(answer)
}

// begin begins the session with the secret that is not at random.
func (r *recording) begin(t *testing.T) (err error) {
	t.Helper()
	if _, err := r.ask(t.Context(), "proto-ver", []byte("---")); err != nil {
		return err
	}
	send := func(ctx context.Context, body []byte) ([]byte, error) { return r.ask(ctx, "prov-session", body) }
	secret := unhex(t, r.Secret)
	if r.Security == 2 {
		r.session, err = security2(t.Context(), send, func(b []byte) { copy(b, secret) }, r.User, r.Proof)
		return err
	}
	key, err := ecdh.X25519().NewPrivateKey(secret)
	if err == nil {
		r.session, err = security1(t.Context(), send, key, r.Proof)
	}
	return err
}

// Whole sessions of both securities, with an independent device, are byte for byte what the web client is checked
// against: the networks, a claim, a wrong password, and the right one.
func TestSessionsGolden(t *testing.T) {
	t.Parallel()
	got := recorded{Comment: "Sessions of provisioning with a device that is not at random: what is asked, and what it " +
		"answers. Package provision and the web client (web/src/view/setup/prov) are both checked against this. The " +
		"secret is X25519's of Security 1, and a of Security 2. Bytes are in hex."}
	for security := 1; security <= 2; security++ {
		r := recording{Security: security, Secret: hex.EncodeToString(counting(1, 32)), Proof: "abcd1234",
			User: "wifiprov", Server: "wss://chat.example.org:443", Claim: "dc_0123456789", CA: "a <b>\nc",
			SSID: "Café", Wrong: "wrong", Password: "secret of home",
			Networks: []string{"Home", "Guests", "Neighbour", "Café", "Cellar", "Home"}}
		next := byte(64)
		d := &provtest.Device{Security: security, Patch: 1, Pop: r.Proof, User: r.User, Salt: counting(16, 16),
			Networks: r.Networks, Password: r.Password, Random: func(b []byte) {
				for i := range b {
					next++
					b[i] = next
				}
			}}
		d.Custom = map[string]func([]byte) []byte{Endpoint: func([]byte) []byte { return []byte(`{"ok":true}`) }}
		d.Verifier = provtest.Verifier(d.User, r.Proof, d.Salt)
		c, err := Connect(t.Context(), SoftAP{Addr: d.Start(t), Proof: r.Proof})
		if err != nil {
			t.Fatal(err)
		}
		next, c.cookie = 64, ""
		r.device = c
		if err := r.begin(t); err != nil {
			t.Fatal(err)
		}
		if _, err := Scan(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		to := Target{SSID: r.SSID, Password: r.Wrong, Claim: &Claim{r.Server, r.Claim, r.CA}}
		now := func(context.Context) error { return nil }
		if _, err := Provision(t.Context(), &r, to, now); !errors.Is(err, ErrPassword) {
			t.Fatal(err)
		}
		to.Password = r.Password
		if _, err := Provision(t.Context(), &r, to, now); err != nil {
			t.Fatal(err)
		}
		r.device, r.session = nil, nil
		got.Sessions = append(got.Sessions, r)
	}
	if *update {
		b, err := json.MarshalIndent(got, "", " ")
		if err == nil {
			err = os.WriteFile("testdata/session.json", append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile("testdata/session.json")
	if err != nil {
		t.Fatal(err)
	}
	var want recorded
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sessions differ from testdata/session.json: %s", difference(got, want))
	}
}

// difference names the first exchange that is another one.
func difference(got, want recorded) string {
	for i, s := range got.Sessions {
		for k, e := range s.Exchanges {
			if i >= len(want.Sessions) || k >= len(want.Sessions[i].Exchanges) || e != want.Sessions[i].Exchanges[k] {
				return fmt.Sprintf("session %d, exchange %d: %+v", i, k, e)
			}
		}
	}
	return "what they begin with"
}

// An answer that failed is not taken for one that says "connected", which is the number 0.
func TestAFailedStatusIsNotConnected(t *testing.T) {
	t.Parallel()
	if ip, done, err := joined(message{}.with(fieldStatus, 5)); done || err == nil {
		t.Errorf("%q, %v, %v", ip, done, err)
	}
}
