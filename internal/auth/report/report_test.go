package report

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/obs"
)

// What goes on after the answer is still of the request, in the log.
func TestWorkAfterAnAnswerNamesItsRequest(t *testing.T) {
	t.Parallel()
	type key struct{}
	var b bytes.Buffer
	logs := obs.NewLogs(obs.NewLogger(&b, "info", "json"), obs.LogOptions{Names: func(ctx context.Context) []slog.Attr {
		id, _ := ctx.Value(key{}).(string)
		return []slog.Attr{slog.String("request", id)}
	}})
	r := New(logs.Part("auth"))
	asked, answered := context.WithCancel(context.WithValue(t.Context(), key{}, "req_1"))
	r.Later(asked, "tell them", func(ctx context.Context) error {
		if ctx.Err() != nil {
			t.Error("the work ends with the request")
		}
		return errors.New("no mail server")
	})
	answered()
	ended, end := context.WithCancel(t.Context())
	end()
	r.Work(ended)
	if got := b.String(); !strings.Contains(got, `"request":"req_1"`) || !strings.Contains(got, "no mail server") {
		t.Errorf("logged %s", got)
	}
}
