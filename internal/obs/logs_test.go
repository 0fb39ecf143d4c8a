package obs

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// logsTo returns logs that write JSON to b.
func logsTo(b *bytes.Buffer, o LogOptions) *Logs { return NewLogs(NewLogger(b, "debug", "json"), o) }

// lines returns the lines of b, and empties it.
func lines(t *testing.T, b *bytes.Buffer) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		delete(v, "time")
		all = append(all, v)
	}
	b.Reset()
	return all
}

func TestEachPartHasALevelOfItsOwn(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := logsTo(&b, LogOptions{Level: "info", Levels: map[string]string{"store": "warn"}})
	hub, store := l.Part("hub"), l.Part("store").With("file", "f") // made before the levels change
	said := func() (parts []string) {
		for _, log := range []*slog.Logger{hub, store} {
			log.Debug("finely")
			log.Info("plainly")
		}
		for _, v := range lines(t, &b) {
			parts = append(parts, v["part"].(string)+" "+v["msg"].(string))
		}
		return parts
	}
	if got, want := said(), []string{"hub plainly"}; !slices.Equal(got, want) {
		t.Errorf("at the start: %q", got)
	}
	l.SetLevels(map[string]string{"hub": "error", "store": "debug"})
	if got, want := said(), []string{"store finely", "store plainly"}; !slices.Equal(got, want) {
		t.Errorf("after a change: %q", got)
	}
	if got := l.Levels(); !maps.Equal(got, map[string]string{"hub": "error", "store": "debug"}) {
		t.Errorf("levels: %v", got)
	}
	l.ResetLevels()
	if got, want := said(), []string{"hub plainly"}; !slices.Equal(got, want) {
		t.Errorf("after a reset: %q", got)
	}
}

func TestLinesNameTheirRequestOnce(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	type key struct{}
	l := logsTo(&b, LogOptions{Level: "info", Names: func(ctx context.Context) []slog.Attr {
		id, ok := ctx.Value(key{}).(string)
		if !ok {
			return nil
		}
		return []slog.Attr{slog.String("request", id), slog.String("user", "u_caller")}
	}})
	ctx := context.WithValue(t.Context(), key{}, "req_1")
	l.Part("chat").InfoContext(ctx, "one", "user", "u_other", "room", "r_1")
	l.Part("chat").Info("two")
	if n := strings.Count(b.String(), `"user"`); n != 1 {
		t.Errorf("a user is named %d times: %s", n, b.String())
	}
	got := lines(t, &b)
	if len(got) != 2 || got[0]["request"] != "req_1" || got[0]["user"] != "u_other" || got[1]["request"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestRepeatedWarningsAreCountedAndNotWritten(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := logsTo(&b, LogOptions{Level: "info", Repeats: 2})
	chat, hub := l.Part("chat"), l.Part("hub")
	for range 5 {
		chat.Error("lost", "err", "x")
		chat.Warn("lost")
		chat.Info("done")
	}
	hub.Error("lost")
	written := map[string]int{}
	for _, v := range lines(t, &b) {
		written[v["part"].(string)+" "+v["level"].(string)]++
	}
	want := map[string]int{"chat ERROR": 2, "chat WARN": 2, "chat INFO": 5, "hub ERROR": 1}
	if !maps.Equal(written, want) {
		t.Errorf("written %v", written)
	}
	l.tellLeftOut(t.Context())
	got := lines(t, &b)
	if len(got) != 2 || got[0]["repeated"] != "lost" || got[0]["left_out"] != 3.0 || got[0]["part"] != "chat" ||
		got[0]["level"] != "WARN" || got[1]["level"] != "ERROR" {
		t.Errorf("told %v", got)
	}
	if n := testutil.ToFloat64(l.leftOut.WithLabelValues("chat", "error")); n != 3 {
		t.Errorf("%v errors counted as left out", n)
	}
	if n := testutil.ToFloat64(l.lines.WithLabelValues("chat", "error")); n != 6 { // with what was told
		t.Errorf("%v errors counted", n)
	}
	chat.Error("lost")
	if got := lines(t, &b); len(got) != 1 {
		t.Errorf("in the next minute: %v", got)
	}
	l.tellLeftOut(t.Context())
	if got := lines(t, &b); len(got) != 0 {
		t.Errorf("told of nothing: %v", got)
	}
}

func TestLinesThatAreTheOnlyRecordAreAllWritten(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := Whole(logsTo(&b, LogOptions{Level: "info", Repeats: 1}).Part("audit"))
	for range 3 {
		log.Error("lost to the audit log")
	}
	if got := lines(t, &b); len(got) != 3 {
		t.Errorf("written: %v", got)
	}
	plain := slog.New(slog.DiscardHandler)
	if Whole(plain) != plain {
		t.Error("another logger is not left alone")
	}
}

func TestWhatWasLeftOutIsToldAtTheEnd(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := logsTo(&b, LogOptions{Level: "info", Repeats: 1})
	l.Part("mail").Warn("no")
	l.Part("mail").Warn("no")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, &b); len(got) != 2 || got[1]["left_out"] != 1.0 {
		t.Errorf("got %v", got)
	}
}
