package ota

import (
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// Whatever words a client has for what happened, its feedback is one that a device may give.
func TestWhateverWordsAFeedbackHasItIsTaken(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"":                                   "closed",
		"flash \x00\x7ffailed\n\tat 0x1000":  "closed: flash failed at 0x1000",
		"a\u009bb\u202ec\u2028d\u0085e\xfff": "closed: abc d ef",
		strings.Repeat("ä", 2*domain.MaxFirmwareReason): "closed: " +
			strings.Repeat("ä", domain.MaxFirmwareReason-len("closed: ")),
	} {
		got := reason("closed", words)
		if kept, err := domain.CheckLine("/reason", got, domain.MaxFirmwareReason, false); got != want || err != nil ||
			kept != want {
			t.Errorf("%q becomes %q, which is kept as %q: %v", words, got, kept, err)
		}
	}
}
