package firmware

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// anyELF has each file for debugging.
type anyELF struct{}

func (anyELF) ELFNamed(_ context.Context, _, digits string) (string, error) { return digits, nil }

// A file that cannot be read is looked at again after an hour, and then it is not remembered any more.
func TestAFileThatCannotBeReadIsTriedAnewLater(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s := &Service{Deps: Deps{ELFs: anyELF{}, Now: func() time.Time { return now }}, explained: newExplained()}
	explains := func(file string, want domain.Explanation) {
		t.Helper()
		if _, how, err := s.Explain(t.Context(), "prd", file, []uint32{1}); how != want || err != nil {
			t.Errorf("%s: %s, %v", file, how, err)
		}
	}
	broken := errors.New("no ELF file")
	explains("a", domain.ExplainsLater)
	s.explained.learn(<-s.explained.queue, nil, broken, now)
	explains("a", domain.CannotExplain)
	now = now.Add(explainAgain)
	explains("a", domain.ExplainsLater)
	explains("b", domain.ExplainsLater)
	<-s.explained.queue // a, of which nothing is learned
	s.explained.learn(<-s.explained.queue, nil, broken, now)
	if n := len(s.explained.refused); n != 1 {
		t.Errorf("%d files are remembered as refused", n)
	}
}
