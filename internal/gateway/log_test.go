package gateway

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/wire"
)

// lines keeps what is logged.
type lines struct{ testkit.Buffer }

func (l *lines) find(t *testing.T, msg string) (line map[string]string) {
	t.Helper()
	for s := range strings.Lines(l.String()) {
		if line = nil; json.Unmarshal([]byte(s), &line) == nil && line["msg"] == msg {
			return line
		}
	}
	t.Fatalf("no line %q in %s", msg, l)
	return nil
}

func TestLogLinesNameConnectionUserAndRequest(t *testing.T) {
	t.Parallel()
	var log lines
	n := start(t, newWorld(), func(d *Deps) {
		d.Log = obs.NewLogs(obs.NewLogger(&log, "info", "json"), obs.LogOptions{Names: httpx.LogAttrs}).Part("gateway")
	})
	n.join("ada", "r1")
	ada, h := n.enter(t, "ada")
	n.set(func(w *world) { w.fail = errors.New("the disk is away") })
	ada.refused(wire.TypeSync, wire.Sync{Rooms: map[string]int64{"r1": 1}})
	line := log.find(t, "request failed")
	if line["conn"] != h.Conn || line["user"] != "ada" || line["request"] != h.Conn+"/1" ||
		line["err"] != "the disk is away" {
		t.Errorf("got %v", line)
	}
}
