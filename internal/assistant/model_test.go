package assistant

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A model answers for a test as one beside the server.
type model func(ctx context.Context, n int, conversation string, yield func(string) error) error

type models struct {
	t    *testing.T
	room string
	asks int
	model
}

func (m *models) Chat(ctx context.Context, name, room, conversation string, yield func(string) error) error {
	m.asks++
	if name != "small" || room != m.room {
		m.t.Errorf("the model %q is asked in %q", name, room)
	}
	return m.model(ctx, m.asks, conversation, yield)
}

func TestAModelBesideTheServerAnswers(t *testing.T) {
	t.Parallel()
	busy := domain.Unavailable.Errorf(domain.CodeBusy, "the model does not run").After(time.Second)
	for name, c := range map[string]struct {
		model  model
		want   string
		asks   int
		health string
	}{
		"whole": {func(_ context.Context, _ int, conversation string, yield func(string) error) error {
			var turns []turn
			if err := json.Unmarshal([]byte(conversation), &turns); err != nil || len(turns) != 2 ||
				turns[0].Role != "system" || !strings.HasSuffix(turns[1].Content, ": @ask is there tea?") {
				t.Errorf("the model is asked %s", conversation)
			}
			_ = yield("Tea is")
			return yield(" ready.")
		}, "Tea is ready.", 1, ""},
		"loading at first": {func(_ context.Context, n int, _ string, yield func(string) error) error {
			if n == 1 {
				return busy
			}
			return yield("Yes.")
		}, "Yes.", 2, ""},
		"never there": {func(context.Context, int, string, func(string) error) error { return busy }, failedText, maxTries,
			"may fail"},
		"no such model": {func(context.Context, int, string, func(string) error) error {
			return domain.NotFound.Errorf(domain.CodeNoRoute, "there is no model")
		}, failedText, 1, "fails"},
		"takes no conversations": {func(context.Context, int, string, func(string) error) error {
			return domain.Invalid.Errorf(domain.CodeInvalidRequest, "the model takes pictures")
		}, failedText, 1, "fails"},
		"dies": {func(_ context.Context, _ int, _ string, yield func(string) error) error {
			_ = yield("One mo")
			return domain.Internal.Errorf("", "the worker ended")
		}, "One mo\n\n*" + cutNote + "*", 1, "may fail"},
		"hangs": {func(ctx context.Context, _ int, _ string, yield func(string) error) error {
			_ = yield("One mo")
			<-ctx.Done()
			return ctx.Err()
		}, "One mo\n\n*" + cutNote + "*", 1, "may fail"},
		"never ends": {func(_ context.Context, _ int, _ string, yield func(string) error) error {
			for {
				if err := yield("la "); err != nil {
					return err
				}
			}
		}, "", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			m := &models{t: t, room: b.room, model: c.model}
			b.s.Endpoint, b.s.Models = Endpoint{Model: "small"}, m
			b.ask("is there tea?")
			b.answer()
			all := b.answers()
			if len(all) != 1 || m.asks != c.asks || c.want != "" && all[0].Text != c.want ||
				c.want == "" && !strings.HasSuffix(all[0].Text, "*"+longNote+"*") {
				t.Fatalf("after %d requests there are %d answers: %+v", m.asks, len(all), all)
			}
			if got := b.health(); got != c.health {
				t.Errorf("the health page says that it %q, want %q", got, c.health)
			}
		})
	}
}
