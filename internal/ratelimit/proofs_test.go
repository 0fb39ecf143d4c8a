package ratelimit

import (
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// What others at an address get wrong holds up no proof that was good, and a new one only until the limit lets it in.
func TestWrongProofsHoldUpNoGoodOne(t *testing.T) {
	t.Parallel()
	const limit = 5
	p, now := NewProofs(limit, time.Minute), time.Unix(1_700_000_000, 0)
	house, elsewhere := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	check := func(secret string, a netip.Addr) (Proof, bool) {
		t.Helper()
		c, ok, wait := p.Check(secret, a, now)
		if ok == (wait > 0) {
			t.Fatalf("%s: %v, wait %s", secret, ok, wait)
		}
		return c, ok
	}
	c, ok := check("good", house)
	if !ok {
		t.Fatal("the first one is not checked")
	}
	c.Good(now)
	guesses := 0
	for ; guesses < 100; guesses++ {
		c, ok := check("guess "+strconv.Itoa(guesses), house)
		if !ok {
			break
		}
		c.Wrong(now)
	}
	if guesses != limit {
		t.Errorf("%d guesses were checked, not %d", guesses, limit)
	}
	for range 100 {
		c, ok := check("good", house)
		if !ok {
			t.Fatal("a proof that was good is held up by what others guess")
		}
		c.Good(now)
	}
	if _, ok := check("new", house); ok {
		t.Error("one more guess is checked")
	}
	if _, ok := check("new", elsewhere); !ok {
		t.Error("another address is held up")
	}
	now = now.Add(time.Minute / limit)
	if c, ok := check("new", house); !ok {
		t.Error("a new proof is held up for longer than the limit says")
	} else {
		c.Good(now)
	}
}

// A proof that is good no longer counts as a guess, and one that could not be checked counts for nothing.
func TestAProofThatIsGoodNoLongerCountsAsAGuess(t *testing.T) {
	t.Parallel()
	p, now := NewProofs(2, time.Minute), time.Unix(1_700_000_000, 0)
	a := netip.MustParseAddr("2001:db8::1")
	ask := func(secret string, tell func(Proof)) bool {
		c, ok, _ := p.Check(secret, a, now)
		if ok {
			tell(c)
		}
		return ok
	}
	good, wrong := func(c Proof) { c.Good(now) }, func(c Proof) { c.Wrong(now) }
	for range 10 {
		if !ask("x", Proof.Unclear) || !ask("old", good) {
			t.Fatal("what is no guess counts as one")
		}
	}
	for range 2 {
		if !ask("old", wrong) {
			t.Fatal("two guesses are not checked")
		}
	}
	if ask("old", wrong) {
		t.Error("an old key is checked without end")
	}
	now = now.Add(time.Hour)
	if !ask("late", good) {
		t.Error("a new proof is not checked")
	}
	if now = now.Add(goodTime); !ask("y", wrong) || !ask("z", wrong) || ask("late", good) {
		t.Error("what was good a day ago is let through after all that was guessed since")
	}
}

func TestOnlySoManyGoodProofsAreKept(t *testing.T) {
	t.Parallel()
	p, now := NewProofs(1, time.Minute), time.Unix(1_700_000_000, 0)
	a := netip.MustParseAddr("192.0.2.1")
	for i := range maxGood + 100 {
		c, ok, _ := p.Check(strconv.Itoa(i), a, now)
		if !ok {
			t.Fatal("a good proof counts as a guess")
		}
		c.Good(now)
	}
	if len(p.good) != maxGood {
		t.Errorf("%d are kept, not %d", len(p.good), maxGood)
	}
}
