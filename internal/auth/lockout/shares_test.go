package lockout

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestOneNameHasAShareOfTheTurns(t *testing.T) {
	t.Parallel()
	var s Shares
	first, err := s.Take("ann")
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Take("ann")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Take("ann")
	if domain.CodeOf(err) != domain.CodeTooManyAttempts {
		t.Errorf("the third: %v", err)
	}
	other, err := s.Take("bob")
	if err != nil {
		t.Errorf("somebody else: %v", err)
	}
	first()
	again, err := s.Take("ann")
	if err != nil {
		t.Errorf("once one is done: %v", err)
	}
	for _, done := range []func(){second, other, again} {
		done()
	}
	if len(s.now) != 0 {
		t.Errorf("%v is remembered", s.now)
	}
}
