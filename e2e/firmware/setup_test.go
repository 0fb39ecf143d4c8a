package firmware

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/provision"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/provtest"
)

// A house has a server with TLS, and a device of ann's in a room of hers, which waits for its key.
type house struct {
	*live.Server
	ann      *client.Client
	device   device
	room     string
	ca, pem  string // file, and what is in it
	claiming string // path of the device's claim
}

func newHouse(t *testing.T) *house {
	t.Helper()
	s, authority, file := secure(t, 1000*time.Hour)
	ann := client.New(s.URL)
	ann.Trust(authority.Client())
	must(t, ann.Register(t.Context(), client.Registration{Username: "ann", Password: live.Password}))
	d := registered(t, ann)
	room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Cellar"})
	must(t, err)
	must(t, ann.Do(t.Context(), "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": d.id}, nil))
	return &house{s, ann, d, room.ID, file, string(authority.PEM), "/devices/" + d.id + "/claim"}
}

func (h *house) token(t *testing.T) string {
	t.Helper()
	var made struct{ Token string }
	must(t, h.ann.Do(t.Context(), "POST", h.claiming, map[string]any{}, &made))
	return made.Token
}

// A blank device waits to be set up: ESP-IDF's part of it is a model, and what it is given goes to the firmware.
type blank struct {
	provtest.Device
	setup string // file of what it was given
	dir   string
	inNet chan string
}

func newBlank(t *testing.T, security int) (b *blank, addr string) {
	t.Helper()
	dir := t.TempDir()
	b = &blank{setup: filepath.Join(dir, "setup.json"), dir: filepath.Join(dir, "memory"), inNet: make(chan string, 1)}
	b.Security, b.Patch, b.Pop, b.User = security, 1, "k7j2m4p6q3r5", "wifiprov"
	b.Salt = []byte("salt of the test")
	b.Verifier = provtest.Verifier(b.User, b.Pop, b.Salt)
	b.Networks, b.Password = []string{"Home"}, "secret of home"
	b.Joined = func(ssid string) { b.inNet <- ssid }
	b.Custom = map[string]func([]byte) []byte{provision.Endpoint: func(body []byte) []byte {
		if err := os.WriteFile(b.setup, body, 0o600); err != nil {
			return fmt.Appendf(nil, `{"ok":false,"error":%q}`, err)
		}
		return []byte(`{"ok":true}`)
	}}
	return b, b.Start(t)
}

// firmware starts the agent on what the board was given.
func (b *blank) firmware(t *testing.T, options ...string) *agent {
	t.Helper()
	args := append([]string{"--setup", b.setup, "--dir", b.dir, "--spread", "0", "--base", "5", "--cap", "50"}, options...)
	return watch(t, exec.CommandContext(t.Context(), program(t), args...))
}

func soon(context.Context) error { return nil }

// A device without a network is set up by each security: it joins, gets a key of its own by the claim token, is online
// in its room, and comes back with that key. Who has another proof of possession gets nothing.
func TestADeviceIsSetUp(t *testing.T) {
	t.Parallel()
	program(t)
	for security := 1; security <= 2; security++ {
		t.Run(fmt.Sprint("Security ", security), func(t *testing.T) {
			t.Parallel()
			ctx, h := t.Context(), newHouse(t)
			b, addr := newBlank(t, security)
			to := provision.Target{SSID: "Home", Password: "secret of home",
				Claim: &provision.Claim{Server: at(h.Server), Token: h.token(t), CA: h.pem}}
			_, err := provision.Connect(ctx, provision.SoftAP{Addr: addr, Proof: "k7j2m4p6q3r6"})
			if !errors.Is(err, provision.ErrProof) {
				t.Fatalf("another proof of possession: %v", err)
			}
			if _, err := os.Stat(b.setup); err == nil {
				t.Fatal("it was given something")
			}
			c, err := provision.Connect(ctx, provision.SoftAP{Addr: addr, Proof: b.Pop})
			must(t, err)
			_, err = provision.Provision(ctx, c, to, soon)
			must(t, err)
			if ssid := <-b.inNet; ssid != "Home" {
				t.Errorf("it is in %q", ssid)
			}
			a := b.firmware(t, "--samples", "5", "--period", "10", "--batch", "20")
			a.hears("claim: ok")
			a.hears("online")
			wait(t, "the device is online", func() bool { return h.device.state(t) == "online" })
			wait(t, "it is seen in its room", func() bool {
				var in client.Page[struct {
					ID     string
					Status struct{ State string }
				}]
				must(t, h.ann.Do(ctx, "GET", "/rooms/"+h.room+"/devices", nil, &in))
				return len(in.Items) == 1 && in.Items[0].ID == h.device.id && in.Items[0].Status.State == "online"
			})
			a.stop()
			again := b.firmware(t)
			again.hears("online") // by the same key: its token is used
			again.stop()
			var shown struct{ Keys []struct{ Live bool } }
			must(t, h.ann.Do(ctx, "GET", "/devices/"+h.device.id, nil, &shown))
			if k := shown.Keys; len(k) != 2 || k[0].Live == k[1].Live {
				t.Errorf("it has the keys %+v; want its own, and that of the registration, which has ended", k)
			}
		})
	}
}

// A token that has been used by another device, or never was one, gets a device nothing: it must be set up again.
func TestASecondClaimerIsRefused(t *testing.T) {
	t.Parallel()
	program(t)
	s := live.Start(t, testkit.SQLite(t))
	ann := s.User("ann")
	d := registered(t, ann)
	var made struct{ Token string }
	must(t, ann.Do(t.Context(), "POST", "/devices/"+d.id+"/claim", map[string]any{"expires_in": 60}, &made))
	given := func(token string) *blank {
		b, _ := newBlank(t, 2)
		b.Custom[provision.Endpoint](fmt.Appendf(nil, `{"server":%q,"claim":%q}`, at(s), token))
		return b
	}
	first := given(made.Token).firmware(t)
	first.hears("online")
	for what, token := range map[string]string{"used": made.Token, "unknown": strings.Repeat("x", 41)} {
		second := given(token).firmware(t)
		second.board = true // it ends by itself
		second.hears("claim: the server refuses the device")
		if second.count("online") != 0 {
			t.Errorf("%s: it is online", what)
		}
	}
	if first.count("offline") != 0 {
		t.Error("the first one was cut off")
	}
	first.stop()
}
