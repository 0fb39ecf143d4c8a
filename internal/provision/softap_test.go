package provision_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/provision"
	"github.com/unhidra/unhidra/internal/testkit/provtest"
)

func fresh(security int) *provtest.Device {
	d := &provtest.Device{Security: security, Patch: 1, Pop: "abcd1234", User: "wifiprov",
		Salt: []byte("a salt of 16 byt"), Password: "secret of home",
		Networks: []string{"Home", "Guests", "Neighbour", "Café", "Cellar"}}
	d.Verifier = provtest.Verifier(d.User, d.Pop, d.Salt)
	return d
}

func now(context.Context) error { return nil }

// A device is provisioned by each security: it lists networks, takes its claim, joins; and says so if the password is
// wrong, or the network is not there.
func TestADeviceIsProvisioned(t *testing.T) {
	t.Parallel()
	for security := range 3 {
		t.Run(fmt.Sprint("Security ", security), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			d := fresh(security)
			var got provision.Claim
			var joined string
			d.Joined = func(ssid string) { joined = ssid }
			d.Custom = map[string]func([]byte) []byte{provision.Endpoint: func(body []byte) []byte {
				if err := json.Unmarshal(body, &got); err != nil {
					return []byte(`{"ok":false,"error":"no JSON"}`)
				}
				return []byte(`{"ok":true}`)
			}}
			c, err := provision.Connect(ctx, provision.SoftAP{Addr: d.Start(t), Proof: "abcd1234", Plain: true})
			if err != nil {
				t.Fatal(err)
			}
			found, err := provision.Scan(ctx, c)
			if err != nil || len(found) != 5 || found[3].SSID != "Café" || found[4].RSSI != -50 {
				t.Fatalf("%+v, %v", found, err)
			}
			claim := provision.Claim{Server: "wss://chat.example.org:443", Token: "dc_x", CA: strings.Repeat("A", 2000)}
			to := provision.Target{SSID: "Home", Password: "wrong", Claim: &claim}
			if _, err := provision.Provision(ctx, c, to, now); !errors.Is(err, provision.ErrPassword) {
				t.Errorf("a wrong password: %v", err)
			}
			to.SSID = "Elsewhere"
			if _, err := provision.Provision(ctx, c, to, now); !errors.Is(err, provision.ErrNoNetwork) {
				t.Errorf("another network: %v", err)
			}
			to.SSID, to.Password = "Home", "secret of home"
			ip, err := provision.Provision(ctx, c, to, now)
			d.Locked(func() {
				if err != nil || ip != "192.0.2.9" || joined != "Home" || got != claim {
					t.Errorf("%s, %v; it has joined %q with %+v", ip, err, joined, got)
				}
			})
			claim.CA = strings.Repeat("A", 5000)
			if _, err := provision.Provision(ctx, c, to, now); err == nil {
				t.Error("a claim that is too long is sent")
			}
		})
	}
}

// Who does not know the proof of possession gets no session, and is told what is wrong.
func TestAWrongProofIsRefused(t *testing.T) {
	t.Parallel()
	for security := 1; security <= 2; security++ {
		d := fresh(security)
		addr := d.Start(t)
		for _, proof := range []string{"abcd1235", ""} {
			_, err := provision.Connect(t.Context(), provision.SoftAP{Addr: addr, Proof: proof})
			if !errors.Is(err, provision.ErrProof) {
				t.Errorf("Security %d, %q: %v", security, proof, err)
			}
		}
		d.Locked(func() {
			if d.Failures != 2 {
				t.Errorf("Security %d: %d failures", security, d.Failures)
			}
		})
		if _, err := provision.Connect(t.Context(), provision.SoftAP{Addr: addr, Proof: "abcd1234"}); err != nil {
			t.Errorf("Security %d: %v", security, err)
		}
	}
}

// Firmware that protects nothing is not told a password.
func TestUnsafeFirmwareIsRefused(t *testing.T) {
	t.Parallel()
	old, open := fresh(2), fresh(0)
	old.Patch = 0
	for _, d := range []*provtest.Device{old, open} {
		if _, err := provision.Connect(t.Context(), provision.SoftAP{Addr: d.Start(t), Proof: "abcd1234"}); err == nil {
			t.Errorf("Security %d is taken", d.Security)
		}
	}
}

// An answer that was changed on its way ends a session of Security 2, and a second one takes the device over: what the
// first sends afterwards is refused.
func TestASessionIsOnesOwn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := fresh(2)
	addr := d.Start(t)
	connect := func() *provision.Device {
		t.Helper()
		c, err := provision.Connect(ctx, provision.SoftAP{Addr: addr, Proof: "abcd1234"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := connect()
	connect()
	if _, err := provision.Scan(ctx, first); err == nil {
		t.Error("the first session outlives the second")
	}
	second := connect()
	if _, err := provision.Scan(ctx, second); err != nil {
		t.Fatal(err)
	}
	d.Locked(func() {
		d.Spoil = func(path string, answer []byte) {
			if path == "prov-scan" {
				answer[0] ^= 1
			}
		}
	})
	if _, err := provision.Scan(ctx, second); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("a changed answer: %v", err)
	}
}

// A label has a proof that nobody guesses; what the device is given has it only as a verifier.
func TestALabel(t *testing.T) {
	t.Parallel()
	l, err := provision.NewLabel("PROV_ABC123", "softap", 2)
	if err != nil {
		t.Fatal(err)
	}
	other, err := provision.NewLabel("PROV_ABC123", "softap", 2)
	if err != nil || other.Proof == l.Proof || len(l.Proof) != 16 {
		t.Errorf("%q, %q, %v", l.Proof, other.Proof, err)
	}
	want := fmt.Sprintf(`{"ver":"v1","name":"PROV_ABC123","username":"wifiprov","pop":"%s",`, l.Proof) +
		`"transport":"softap","security":2}`
	if l.Payload() != want || len(want) > 150 {
		t.Errorf("%s, want %s", l.Payload(), want)
	}
	if back, err := provision.ReadLabel(want); err != nil || back != l {
		t.Errorf("%+v, %v", back, err)
	}
	back, err := provision.ReadLabel(`{"ver":"v1","name":"X","transport":"ble"}`)
	if err != nil || back.Security != 2 {
		t.Errorf("a label that does not say: %+v, %v", back, err)
	}
	secrets := strings.Split(strings.TrimSpace(l.Secrets()), "\n")
	if strings.Contains(l.Secrets(), l.Proof) || len(secrets) != 5 ||
		!strings.HasPrefix(secrets[3], "salt,data,hex2bin,") {
		t.Errorf("%q", secrets)
	}
	l.Security = 1
	if !slices.Contains(strings.Split(l.Secrets(), "\n"), "pop,data,string,"+l.Proof) {
		t.Errorf("%q", l.Secrets())
	}
	for _, bad := range []struct {
		name, transport string
		security        int
	}{{"", "ble", 2}, {strings.Repeat("x", 30), "ble", 2}, {"a/b", "ble", 2}, {"x", "wifi", 2}, {"x", "ble", 0}} {
		if _, err := provision.NewLabel(bad.name, bad.transport, bad.security); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	for _, bad := range []string{"", "{}", "MT:Y.K9042C00KA0648G00", `{"ver":"v2","name":"X"}`} {
		if _, err := provision.ReadLabel(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
