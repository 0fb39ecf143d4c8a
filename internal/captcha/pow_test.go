package captcha

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

var home = netip.MustParseAddr("192.0.2.7")

// vector is one that ALTCHA's own library gave.
func vector() Parameters {
	return Parameters{
		Algorithm: algorithm, Cost: 1000, KeyLength: 32, KeyPrefix: "00", Nonce: "000102030405060708090a0b",
		Salt: "101112131415161718191a1b", ExpiresAt: 1800000000,
	}
}

func TestReferenceVector(t *testing.T) {
	p := vector()
	canonical, err := p.canonical()
	want := `{"algorithm":"PBKDF2/SHA-256","cost":1000,"expiresAt":1800000000,"keyLength":32,"keyPrefix":"00","nonce":"000102030405060708090a0b","salt":"101112131415161718191a1b"}`
	if err != nil || string(canonical) != want {
		t.Errorf("canonical form\n%s\nwant\n%s", canonical, want)
	}
	if s, err := p.sign([]byte("test-key")); err != nil ||
		s != "2b1645f08cc755e9a1563d8ee5c4841f050ed4e948f661dc6b34c4b60da46725" {
		t.Errorf("signature %s, %v", s, err)
	}
	solved, err := Challenge{Parameters: p}.Solve()
	if err != nil || solved.Solution.Counter != 405 ||
		solved.Solution.DerivedKey != "00f928e821c14b05bfb90c7f2f5622bda84e2565a1a4bfe9aaf3774ece644503" {
		t.Errorf("solved by %+v, %v", solved.Solution, err)
	}
	if !p.solvedBy(solved.Solution) {
		t.Error("the solution is refused")
	}
	p.Data = map[string]string{"b": "<&>", "action": "x"}
	if canonical, _ = p.canonical(); !strings.Contains(string(canonical), `"data":{"action":"x","b":"<&>"}`) {
		t.Errorf("canonical form with data: %s", canonical)
	}
}

// made is a challenge with data that ALTCHA's library (2.8.0, for JavaScript) made
// with the key "test-key", and its solution.
const made = `{"challenge":{"parameters":{"algorithm":"PBKDF2/SHA-256","cost":2000,"data":{"a<b&c":"ü \"x\"","action":"register"},` +
	`"expiresAt":2000000000,"keyLength":32,"keyPrefix":"00","nonce":"55bcd10932457a2ae6f3ed32ad791c35","salt":"c9661b88c6e2e7cbfb877c6a4cc177ba"},` +
	`"signature":"c6817e5a3826ee2841cdb20eb59be3f7108cbe342b979efdc99af509ca2b3f80"},` +
	`"solution":{"counter":79,"derivedKey":"00f1b8590bc504983703a43d06a52f17e7c7756cc6cde0788e28bf5f64df392a","time":53.9}}`

func TestAnAnswerOfAltchasLibraryIsTaken(t *testing.T) {
	payload, err := decode(base64.StdEncoding.EncodeToString([]byte(made)))
	if err != nil {
		t.Fatal(err)
	}
	params := payload.Challenge.Parameters
	if got, err := params.sign([]byte("test-key")); err != nil || got != payload.Challenge.Signature {
		t.Errorf("signature %q, %v; want %q", got, err, payload.Challenge.Signature)
	}
	if !params.solvedBy(payload.Solution) {
		t.Error("the solution is refused")
	}
}

// Work that was done for one address is not good from another; a household's IPv6
// addresses are one.
func TestWorkIsGoodFromItsAddressAlone(t *testing.T) {
	t.Parallel()
	p, _ := newPoW(t, &memory{used: map[string]bool{}})
	token := encode(t, solve(t, p, "register"))
	if r, err := p.Verify(t.Context(), token, "register", netip.MustParseAddr("192.0.2.8")); err != nil || r.OK {
		t.Errorf("from another address: %+v %v", r, err)
	}
	if r, err := p.Verify(t.Context(), token, "register", home); err != nil || !r.OK {
		t.Errorf("from its own address: %+v %v", r, err)
	}
	if a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff"); p.from(a) != p.from(b) {
		t.Error("two addresses of a household are two")
	}
}

// memory remembers uses as the store does.
type memory struct {
	mu   sync.Mutex
	used map[string]bool
	err  error
}

func (m *memory) UseCaptcha(_ context.Context, id []byte, _ time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := !m.used[string(id)]
	m.used[string(id)] = true
	return first, m.err
}

func (m *memory) PruneCaptchas(context.Context, time.Time) error { return nil }

type clock struct{ now time.Time }

func newPoW(t *testing.T, uses Uses) (*PoW, *clock) {
	t.Helper()
	c := &clock{time.Now()}
	return NewPoW(PoWOptions{Key: []byte("key"), Uses: uses, Log: testkit.Logger(t),
		Now: func() time.Time { return c.now }}), c
}

// solve asks for a challenge and solves it.
func solve(t *testing.T, p *PoW, action string) Payload {
	t.Helper()
	c, err := p.Challenge(t.Context(), action, home)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := c.(Challenge).Solve()
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func encode(t *testing.T, p Payload) string {
	t.Helper()
	s, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func reason(t *testing.T, p *PoW, token, action string) domain.Code {
	t.Helper()
	r, err := p.Verify(t.Context(), token, action, home)
	if err != nil {
		t.Fatal(err)
	}
	if r.OK != (r.Reason == "") {
		t.Fatalf("%+v", r)
	}
	return r.Reason
}

func TestCHK_RG_03_IsVerifiedOnceForItsActionUntilItExpires(t *testing.T) {
	p, c := newPoW(t, &memory{used: map[string]bool{}})
	good := solve(t, p, "register")
	token := encode(t, good)
	if got := reason(t, p, token, "reset"); got != domain.CodeCaptchaWrongAction {
		t.Errorf("for another action: %q", got)
	}
	if got := reason(t, p, token, "register"); got != "" {
		t.Fatalf("refused: %q", got)
	}
	if got := reason(t, p, token, "register"); got != domain.CodeCaptchaReused {
		t.Errorf("the second time: %q", got)
	}
	// The same challenge with another text around it is the same.
	b, _ := json.MarshalIndent(good, "", "  ")
	if got := reason(t, p, base64.StdEncoding.EncodeToString(b), "register"); got != domain.CodeCaptchaReused {
		t.Errorf("written otherwise: %q", got)
	}
	late := encode(t, solve(t, p, "register"))
	c.now = c.now.Add(lifetime)
	if got := reason(t, p, late, "register"); got != domain.CodeCaptchaExpired {
		t.Errorf("after 20 minutes: %q", got)
	}
}

func TestForgedChallengesAreRefusedBeforeTheyCostAnything(t *testing.T) {
	p, c := newPoW(t, &memory{used: map[string]bool{}})
	good := solve(t, p, "register")
	easier := func(change func(*Payload)) string {
		forged := good
		forged.Challenge.Parameters.Data = map[string]string{"action": "register"}
		change(&forged)
		return encode(t, forged)
	}
	for name, token := range map[string]string{
		"cost":     easier(func(p *Payload) { p.Challenge.Parameters.Cost = 1 }),
		"no work":  easier(func(p *Payload) { p.Challenge.Parameters.KeyPrefix = "" }),
		"great":    easier(func(p *Payload) { p.Challenge.Parameters.Cost = 1 << 30 }),
		"life":     easier(func(p *Payload) { p.Challenge.Parameters.ExpiresAt = c.now.Add(24 * time.Hour).Unix() }),
		"action":   easier(func(p *Payload) { p.Challenge.Parameters.Data["action"] = "reset" }),
		"more":     easier(func(p *Payload) { p.Challenge.Parameters.Data["x"] = "y" }),
		"no sign":  easier(func(p *Payload) { p.Challenge.Signature = "" }),
		"own sign": easier(func(p *Payload) { p.Challenge.Signature, _ = p.Challenge.Parameters.sign([]byte("their key")) }),
	} {
		if got := reason(t, p, token, "register"); got != domain.CodeCaptchaForged {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, token := range map[string]string{
		"empty": "", "not base64": "!!", "not JSON": "e30x", "no fields": "e30=", "long": strings.Repeat("A", maxPayload+4),
		"counter": base64.StdEncoding.EncodeToString([]byte(`{"solution":{"counter":-1}}`)),
	} {
		if got := reason(t, p, token, "register"); got != domain.CodeCaptchaMalformed &&
			got != domain.CodeCaptchaExpired {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAWrongAnswerUsesTheChallengeUp(t *testing.T) {
	p, _ := newPoW(t, &memory{used: map[string]bool{}})
	good := solve(t, p, "register")
	bad := good
	bad.Solution.DerivedKey = "00" + hex.EncodeToString(make([]byte, 31))
	if got := reason(t, p, encode(t, bad), "register"); got != domain.CodeCaptchaWrong {
		t.Errorf("a made-up key: %q", got)
	}
	if got := reason(t, p, encode(t, good), "register"); got != domain.CodeCaptchaReused {
		t.Errorf("a second try at one challenge: %q", got)
	}
}

func TestSolutionsAreSingleUseAcrossNodes(t *testing.T) {
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		a, _ := newPoW(t, db.Server)
		b, _ := newPoW(t, db.Server)
		token := encode(t, solve(t, a, "register"))
		if got := reason(t, b, token, "register"); got != "" {
			t.Fatalf("a challenge of one node at another: %q", got)
		}
		if got := reason(t, a, token, "register"); got != domain.CodeCaptchaReused {
			t.Errorf("used at one node, at the other: %q", got)
		}
	})
}

func TestUnavailableStoreRefuses(t *testing.T) {
	p, _ := newPoW(t, &memory{used: map[string]bool{}, err: errors.New("disk full")})
	err := Gate{p}.Check(t.Context(), encode(t, solve(t, p, "register")), "register", home)
	if domain.KindOf(err) != domain.Unavailable {
		t.Errorf("got %v", err)
	}
	if err := (Gate{p}).Check(t.Context(), "nonsense", "register", home); domain.KindOf(err) != domain.Forbidden ||
		domain.CodeOf(err) != domain.CodeCaptchaMalformed {
		t.Errorf("nonsense: %v", err)
	}
}

func TestPressureRaisesTheCost(t *testing.T) {
	p, c := newPoW(t, &memory{used: map[string]bool{}})
	cost := func(addr string) int {
		t.Helper()
		got, err := p.Challenge(t.Context(), "register", netip.MustParseAddr(addr))
		if err != nil {
			t.Fatal(err)
		}
		return got.(Challenge).Parameters.Cost
	}
	var costs []int
	for range 20 {
		costs = append(costs, cost("192.0.2.7")/leastCost)
	}
	for i, want := range map[int]int{0: 1, 2: 1, 3: 2, 6: 2, 7: 4, 14: 4, 15: 8, 19: 8} {
		if costs[i] != want {
			t.Errorf("challenge %d costs %d times the least, want %d (%v)", i+1, costs[i], want, costs)
		}
	}
	if got := cost("198.51.100.9"); got != leastCost {
		t.Errorf("somebody else pays %d", got)
	}
	// Of an IPv6 household every address counts.
	for range 4 {
		cost("2001:db8::1")
	}
	if got := cost("2001:db8::ffff"); got == leastCost {
		t.Error("another address of the same IPv6 network pays the least")
	}
	c.now = c.now.Add(2 * addrWindow)
	if got := cost("192.0.2.7"); got != leastCost {
		t.Errorf("after a pause: %d", got)
	}
	for i := range 200 {
		cost(netip.AddrFrom4([4]byte{10, 0, byte(i), 1}).String())
	}
	if got := cost("203.0.113.1"); got != leastCost<<2 {
		t.Errorf("in a flood from many addresses: %d times", got/leastCost)
	}
}

func TestWrongAnswersRaiseTheCost(t *testing.T) {
	p, _ := newPoW(t, &memory{used: map[string]bool{}})
	for range 8 {
		reason(t, p, "nonsense", "register")
	}
	c, err := p.Challenge(t.Context(), "register", home)
	if err != nil || c.(Challenge).Parameters.Cost <= leastCost {
		t.Errorf("after eight wrong answers: %+v, %v", c, err)
	}
}

func TestOneAddressGetsThirtyChallengesAMinute(t *testing.T) {
	p, c := newPoW(t, &memory{used: map[string]bool{}})
	for range perMinute {
		if _, err := p.Challenge(t.Context(), "register", home); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Challenge(t.Context(), "register", home); domain.KindOf(err) != domain.RateLimited {
		t.Errorf("one more: %v", err)
	}
	c.now = c.now.Add(3 * time.Second)
	if _, err := p.Challenge(t.Context(), "register", home); err != nil {
		t.Errorf("later: %v", err)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	p, c := newPoW(t, &memory{used: map[string]bool{}})
	for i := range maxSeen + 100 {
		p.markUsed(hex.EncodeToString([]byte{byte(i), byte(i >> 8), byte(i >> 16)}), c.now.Add(lifetime), c.now)
	}
	if len(p.seen) != maxSeen {
		t.Errorf("%d signatures are remembered", len(p.seen))
	}
	p.markUsed("new", c.now.Add(2*lifetime), c.now.Add(lifetime))
	if len(p.seen) != 1 {
		t.Errorf("%d signatures are remembered after all have expired", len(p.seen))
	}
}

func FuzzVerify(f *testing.F) {
	p := NewPoW(PoWOptions{Key: []byte("key"), Uses: &memory{used: map[string]bool{}}})
	f.Add(`{"challenge":{"parameters":{"cost":1000,"expiresAt":9999999999,"keyPrefix":"00"},"signature":"00"},"solution":{"counter":1,"derivedKey":"00"}}`)
	f.Fuzz(func(t *testing.T, payload string) {
		r, err := p.Verify(context.Background(), base64.StdEncoding.EncodeToString([]byte(payload)), "register", home)
		if err != nil || r.OK {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	p := vector()
	p.Cost = leastCost
	for b.Loop() {
		if _, err := p.derive(405); err != nil {
			b.Fatal(err)
		}
	}
}
