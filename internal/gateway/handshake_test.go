package gateway

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

func TestCHK_WS_01_OriginsAndCredentials(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), func(d *Deps) { d.Origins = []string{"https://chat.example.org"} })
	h := func(pairs ...string) http.Header {
		header := make(http.Header)
		for i := 0; i < len(pairs); i += 2 {
			header.Set(pairs[i], pairs[i+1])
		}
		return header
	}
	for _, c := range []struct {
		name      string
		header    http.Header
		protocols []string
		status    int
	}{
		{"no credentials", nil, nil, 401},
		{"no token", nil, []string{"bearer"}, 401},
		{"another protocol", nil, []string{"chat", "ada"}, 401},
		{"three protocols", nil, []string{"bearer", "ada", "x"}, 401},
		{"case of the protocol", nil, []string{"Bearer", "ada"}, 401},
		{"bad token", nil, []string{"bearer", "bad"}, 401},
		{"token in the header alone", h("Authorization", "Bearer ada"), nil, 401},
		{"token in the header", h("Authorization", "Bearer ada"), []string{"bearer"}, 101},
		{"no origin", nil, []string{"bearer", "ada"}, 101},
		{"listed origin", h("Origin", "https://chat.example.org"), []string{"bearer", "ada"}, 101},
		// CHK-WS-01: the list is exact.
		{"null origin", h("Origin", "null"), []string{"bearer", "ada"}, 403},
		{"other scheme", h("Origin", "http://chat.example.org"), []string{"bearer", "ada"}, 403},
		{"other port", h("Origin", "https://chat.example.org:8443"), []string{"bearer", "ada"}, 403},
		{"suffix", h("Origin", "https://chat.example.org.evil.example"), []string{"bearer", "ada"}, 403},
		// A page of this server by another of its names, as by the address of a LAN.
		{"own origin, not listed", h("Origin", "http://"+strings.TrimPrefix(n.url, "ws://")), []string{"bearer", "ada"}, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := n.get(t, c.header, c.protocols...)
			if c.status == 101 {
				if r != nil {
					t.Fatalf("refused: %d %s", r.Status, r.Body)
				}
				return
			}
			if r == nil {
				t.Fatalf("let in, want %d", c.status)
			}
			checkProblem(t, r, c.status)
		})
	}
}

func checkProblem(t *testing.T, r *ws.Refused, status int) {
	t.Helper()
	var p httpx.Problem
	if err := json.Unmarshal(r.Body, &p); err != nil {
		t.Fatal(err)
	}
	if r.Status != status || p.Status != status || p.Detail == "" || p.Kind == "" ||
		r.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("got %d %s %+v, want %d", r.Status, r.Header.Get("Content-Type"), p, status)
	}
}

func TestCHK_WS_01_OwnOriginByDefault(t *testing.T) {
	t.Parallel()
	g := New(Deps{})
	for origin, want := range map[string]bool{
		"http://localhost:9000":       true,
		"https://localhost:9000":      true,
		"http://LOCALHOST:9000":       true,
		"http://localhost":            false,
		"http://localhost:9001":       false,
		"http://localhost:9000.evil":  false,
		"http://evil@localhost:9000":  false,
		"http://localhost:9000/path":  false,
		"file://localhost:9000":       false,
		"null":                        false,
		"":                            false,
		"http://evil.example":         false,
		"http://localhost:9000#x":     false,
		"http://localhost:9000?x":     false,
		"javascript://localhost:9000": false,
	} {
		if got := g.originAllowed(origin, "localhost:9000"); got != want {
			t.Errorf("origin %q: allowed %v, want %v", origin, got, want)
		}
	}
}

func TestNotAHandshake(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"post", func(r *http.Request) { r.Method = http.MethodPost }, 405},
		{"no upgrade", func(r *http.Request) { r.Header.Del("Upgrade") }, 426},
		{"no connection", func(r *http.Request) { r.Header.Del("Connection") }, 426},
		{"old version", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Version", "8") }, 426},
		{"no key", func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }, 400},
		{"short key", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "AAAA") }, 400},
		{"two keys", func(r *http.Request) { r.Header.Add("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==") }, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(n.url, "ws"), nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range map[string]string{
				"Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Version": "13",
				"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": "bearer, ada",
			} {
				r.Header.Set(k, v)
			}
			c.change(r)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var p httpx.Problem
			if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status || p.Status != c.status {
				t.Errorf("got %d %+v, want %d", resp.StatusCode, p, c.status)
			}
			if c.status == 426 && resp.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Error("the answer does not name the version")
			}
		})
	}
}

// devices lets in whoever's key is dk_ and a name, and counts them.
type devices struct{ here atomic.Int64 }

func (d *devices) AuthenticateCertificate(context.Context, *x509.Certificate, netip.Addr) (domain.Principal, error) {
	return domain.Principal{}, domain.Unauthorized.Errorf(domain.CodeBadDeviceKey, "no")
}

func (d *devices) AuthenticateDevice(_ context.Context, key string, from netip.Addr) (domain.Principal, error) {
	name, ok := strings.CutPrefix(key, domain.DeviceKeyPrefix)
	if !ok || name == "bad" || !from.IsValid() {
		return domain.Principal{}, domain.Unauthorized.Errorf(domain.CodeBadDeviceKey, "no")
	}
	id, k, _ := strings.Cut(name, "-")
	return domain.Principal{ID: id, Kind: domain.KindDevice, Key: k, Owner: "someone"}, nil
}

func (d *devices) DeviceConnected(context.Context, string, domain.Principal, netip.Addr, func() time.Time) {
	d.here.Add(1)
}

func (d *devices) Note(string, domain.DeviceNote) {}

func (d *devices) DeviceRenewed(context.Context, string, domain.Principal) {}

func (d *devices) Leaves(context.Context, domain.Principal, string, time.Duration) error { return nil }
func (d *devices) Describe(context.Context, domain.Principal, domain.Capabilities) error { return nil }
func (d *devices) DeviceDisconnected(context.Context, string, string) {
	d.here.Add(-1)
}

// The answer names the subprotocol, and never the secret after it. A device that
// offers its key alone is answered without one, as RFC 6455 allows.
func TestCHK_WS_02_SecretsAreNotEchoed(t *testing.T) {
	t.Parallel()
	d := &devices{}
	n := start(t, newWorld(), func(deps *Deps) { deps.Devices = d })
	for _, c := range []struct{ offer, authorization, want string }{
		{"bearer, ada/secret", "", "[bearer]"},
		{"bearer", "Bearer ada/secret", "[bearer]"},
		{"bearer, dk_lin-k1", "", "[bearer]"},
		{"device, dk_lin-k1", "", "[device]"},
		{"device", "Bearer dk_lin-k1", "[device]"},
		{"dk_lin-k1", "", "[]"},
		{"", "Bearer dk_lin-k1", "[]"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(n.url, "ws"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{
			"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
			"Sec-WebSocket-Key":      "dGhlIHNhbXBsZSBub25jZQ==",
			"Sec-WebSocket-Protocol": c.offer, "Authorization": c.authorization,
		} {
			if v != "" {
				r.Header.Set(k, v)
			}
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := fmt.Sprint(resp.Header.Values("Sec-WebSocket-Protocol")); resp.StatusCode != 101 || got != c.want {
			t.Errorf("%q: %d, the protocol in the answer is %s, want %s", c.offer, resp.StatusCode, got, c.want)
		}
		// The example of RFC 6455, section 1.3.
		if got := resp.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Errorf("the accept key is %s", got)
		}
	}
	eventually(t, "all have gone", func() bool { return d.here.Load() == 0 && n.g.conns.count.Load() == 0 })
}

func TestDeviceCredentials(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), func(d *Deps) { d.Devices = &devices{} })
	for _, protocols := range [][]string{
		{"device"}, {"device", "ada"}, {"Device", "dk_lin"}, {"device", "dk_bad"}, {"dk_bad"}, {"dk_lin", "device"},
		{"dk_lin", "dk_lin"},
		{"device", "dk_lin", "x"}, {"bearer", "device", "dk_lin"},
	} {
		if r := n.get(t, nil, protocols...); r == nil || r.Status != 401 {
			t.Errorf("%q: %+v, want 401", protocols, r)
		}
	}
}

// A device that gets another key can use it on the same connection, which then ends with that key and
// not with the one before.
func TestDeviceChangesItsKey(t *testing.T) {
	t.Parallel()
	d := &devices{}
	n := start(t, newWorld(), func(deps *Deps) { deps.Devices = d })
	p, _ := n.enter(t, "dk_lin-old")
	if e := p.refused(wire.TypeRefresh, wire.Refresh{Token: "dk_ada-k"}); e.Code != domain.CodeOtherSession {
		t.Errorf("the key of another device: %+v", e)
	}
	if e := p.refused(wire.TypeRefresh, wire.Refresh{Token: "lin"}); e.Code != domain.CodeOtherSession &&
		e.Code != domain.CodeBadToken {
		t.Errorf("an access token: %+v", e)
	}
	p.ask(wire.TypeRefresh, wire.Refresh{Token: "dk_lin-new"}, nil)
	revoke := func(text string) {
		before := n.g.revocations.Load()
		n.bus.Publish(bus.RevokeSubject, []byte(text))
		eventually(t, "it is handled", func() bool { return n.g.revocations.Load() > before })
	}
	revoke(`{"device":"lin","key":"old","reason":"rotated"}`)
	revoke(`{"device":"ada","reason":"revoked"}`)
	p.ask(wire.TypePing, nil, nil)
	revoke(`{"device":"lin","key":"new","reason":"revoked"}`)
	p.expect(wire.TypeRevoked, nil)
	if code, _ := p.closed(); code != wire.CloseRevoked {
		t.Errorf("closed with %d", code)
	}
	eventually(t, "it has gone", func() bool { return d.here.Load() == 0 })
}

// No connection is accepted before the gateway hears of revocations, as it could outlive its session, nor
// before the hub hears of what its members are told.
func TestHandshakesWaitUntilTheBusIsHeard(t *testing.T) {
	t.Parallel()
	w := newWorld()
	g := New(Deps{Auth: w, Chat: w, Rooms: w, RoomLog: w, Users: w, Bus: w.bus, Log: slog.New(slog.DiscardHandler),
		Hub: hub.New(hub.Deps{Rooms: w, RoomLog: w, Bus: w.bus, Log: slog.New(slog.DiscardHandler)})})
	running, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(running) }()
	for range 20 {
		if code := g.handshake(t, 10*time.Millisecond); code != http.StatusServiceUnavailable {
			t.Fatalf("answered %d before the hub runs", code)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// handshake asks for a connection, for some time, and returns the status.
func (g *Service) handshake(t *testing.T, patience time.Duration) int {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/ws", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Authorization": "Bearer ada",
	} {
		r.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	g.ServeHTTP(answer, r)
	return answer.Code
}

func TestCHK_WS_03_PlainConnections(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), func(d *Deps) {
		d.Secure = func(r *http.Request) bool { return r.Header.Get("X-Forwarded-Proto") == "https" }
	})
	r := n.get(t, nil, "bearer", "ada")
	if r == nil {
		t.Fatal("let in")
	}
	checkProblem(t, r, http.StatusForbidden)
	if r := n.get(t, http.Header{"X-Forwarded-Proto": {"https"}}, "bearer", "ada"); r != nil {
		t.Errorf("refused with %d", r.Status)
	}
}

func TestCHK_WS_05_HandshakeAndConnectionLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limits Limits
		tokens []string // all but the last are let in
	}{
		{"of a user", Limits{HandshakesPerUser: 2}, []string{"ada", "lin", "ada", "ada"}},
		{"connections of an address", Limits{ConnsPerAddr: 2}, []string{"ada", "lin", "bob"}},
		{"connections of a user", Limits{ConnsPerUser: 1}, []string{"ada", "lin", "ada"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, newWorld(), func(d *Deps) { d.Limits = c.limits })
			last := len(c.tokens) - 1
			for _, token := range c.tokens[:last] {
				n.enter(t, token)
			}
			r := n.get(t, nil, "bearer", c.tokens[last])
			if r == nil {
				t.Fatal("one too many was let in")
			}
			checkProblem(t, r, http.StatusTooManyRequests)
			if r.Header.Get("Retry-After") == "" {
				t.Error("the answer does not say when to come back")
			}
		})
	}
}

// Handshakes without valid credentials are limited by address. They do not keep out clients with valid
// tokens, however many share the address.
func TestGoodTokensDoNotWaitForBadOnes(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), func(d *Deps) { d.Limits = Limits{HandshakesPerAddr: 2} })
	for i := range 4 {
		r := n.get(t, nil, "bearer", "bad")
		if r == nil {
			t.Fatal("a bad token was let in")
		}
		want := http.StatusUnauthorized
		if i >= 2 {
			want = http.StatusTooManyRequests
		}
		checkProblem(t, r, want)
	}
	for range 10 {
		n.enter(t, "ada")
	}
}

// On a server with an https URL, its own host over plain http is not an allowed origin.
func TestOwnOriginOfASecureServerIsHTTPS(t *testing.T) {
	t.Parallel()
	g := New(Deps{Secure: func(*http.Request) bool { return true }, Origins: []string{"https://chat.example.org"}})
	for origin, want := range map[string]bool{"https://192.0.2.1": true, "http://192.0.2.1": false,
		"https://chat.example.org": true} {
		if got := g.originAllowed(origin, "192.0.2.1"); got != want {
			t.Errorf("origin %q: allowed %v, want %v", origin, got, want)
		}
	}
}

func TestConnectionsThatEndMakeRoom(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), func(d *Deps) { d.Limits = Limits{ConnsPerAddr: 1, ConnsPerUser: 1} })
	for range 5 {
		p, _ := n.enter(t, "ada")
		_ = p.nc.Close()
		eventually(t, "it is forgotten", func() bool { return n.g.conns.count.Load() == 0 })
	}
}

func TestStoreAwayAtHandshake(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	n.set(func(w *world) { w.fail = domain.Unavailable.Errorf("", "the store is away") })
	p := n.dial(t, "ada")
	if code, _ := p.closed(); code != ws.CodeInternal {
		t.Errorf("closed with %d, want %d", code, ws.CodeInternal)
	}
}
