package httpx

import (
	"strings"
	"testing"
)

func TestOnlyPartnersAreLoaded(t *testing.T) {
	alone := policy(nil)
	for _, want := range []string{"script-src 'self'; ", "connect-src 'self'; ", "default-src 'none'; "} {
		if !strings.Contains(alone, want) {
			t.Errorf("no %q in %s", want, alone)
		}
	}
	if strings.Contains(alone, "frame-src") || strings.Contains(alone, "https:") {
		t.Errorf("somebody else's scripts or frames: %s", alone)
	}
	with := policy([]string{"https://captcha.example", "https://*.captcha.example"})
	for _, want := range []string{"script-src 'self' https://captcha.example https://*.captcha.example; ",
		"frame-src https://captcha.example https://*.captcha.example; "} {
		if !strings.Contains(with, want) {
			t.Errorf("no %q in %s", want, with)
		}
	}
	for _, bad := range []string{"'unsafe-inline'; script", "script-src 'self' 'unsafe", "'unsafe-eval'"} {
		if strings.Contains(with, bad) {
			t.Errorf("%q in %s", bad, with)
		}
	}
}
