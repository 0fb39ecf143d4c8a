package notify

import (
	"context"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// A chooser takes settings that are good.
type chooser struct{ Store }

func (chooser) PutSettings(context.Context, string, domain.NotifySettings) error { return nil }

func (chooser) Settings(context.Context, string) (s domain.NotifySettings, of []domain.NotifyChoice, err error) {
	return s, nil, nil
}

// A keyword that no message can have is refused: its owner would wait for it in vain.
func TestAKeywordHasAWord(t *testing.T) {
	t.Parallel()
	s := sender(t, &queue{}, false, time.Now())
	s.Store, s.Bus = chooser{}, bus.NewLocal()
	for keyword, refused := range map[string]bool{"!!!": true, "\u200b": true, "tea!": false, "東京": false, "чай": false} {
		_, err := s.PutSettings(t.Context(), domain.Principal{ID: "usr_1", Kind: domain.KindUser},
			domain.NotifySettings{Keywords: []string{"coffee", keyword}})
		if (domain.CodeOf(err) == domain.CodeInvalidField) != refused {
			t.Errorf("%q: %v", keyword, err)
		}
	}
}
