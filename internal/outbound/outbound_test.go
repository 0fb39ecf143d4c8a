package outbound_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/outbound"
)

func TestOnlyPublicAddressesAreReached(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"9.9.9.9": true, "2620:fe::fe": true, "::ffff:9.9.9.9": true,
		"127.0.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false,
		"172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "192.0.0.8": false,
		"192.0.2.1": false, "192.88.99.1": false, "198.18.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"224.0.0.1": false, "::": false, "::7f00:1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false, "2001::1": false,
		"2002:7f00:1::": false, "100::1": false, "2001:db8::1": false, "fec0::1": false, "5f00::1": false, "3fff::1": false,
		"fc00::1": false, "fe80::1": false, "ff02::1": false, "fe80::1%eth0": false,
	} {
		if got := outbound.Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is public: %v", text, got)
		}
	}
}

func TestAPrivateServerIsReachedOnlyIfItIsAllowed(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/further", http.StatusFound)
	}))
	t.Cleanup(s.Close)
	get := func(allowed ...netip.Prefix) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := outbound.Client(allowed, time.Minute).Do(req)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	if _, err := get(); !errors.Is(err, outbound.ErrPrivate) {
		t.Errorf("this machine is reached: %v", err)
	}
	if status, err := get(netip.MustParsePrefix("127.0.0.0/8")); err != nil || status != http.StatusFound {
		t.Errorf("allowed, and the answer is %d %v: a redirect is not followed", status, err)
	}
}

// How long an answer may take is what the caller says, also until it begins.
func TestAnAnswerMayBeginLateInTheTimeItHas(t *testing.T) {
	t.Parallel()
	for _, c := range []*http.Client{outbound.Client(nil, time.Minute), outbound.Named(time.Minute)} {
		if first := c.Transport.(*http.Transport).ResponseHeaderTimeout; c.Timeout != time.Minute || first != 0 {
			t.Errorf("a client ends a request after %v, and after %v without an answer", c.Timeout, first)
		}
	}
}
