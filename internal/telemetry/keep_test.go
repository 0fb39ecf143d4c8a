package telemetry

import (
	"slices"
	"testing"
	"time"
)

func TestEachResolutionIsForgottenInItsTime(t *testing.T) {
	t.Parallel()
	f, now := &fakes{rows: 1500}, t0
	s := service(f, &now)
	if err := s.forget(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	want := []string{"0s 2026-02-11", "0s 2026-02-11", "1m0s 2025-02-06", "numbers 2026-02-11"}
	if !slices.Equal(f.forgot, want) { // hours and days are kept
		t.Errorf("%q, want %q", f.forgot, want)
	}
	if err := s.eraseSince(t.Context(), time.Time{}); err != nil || !slices.Equal(f.erased, []string{"dev_gone"}) {
		t.Errorf("%v, %v", f.erased, err)
	}
}
