package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Parts that log only because somebody asked for something. Of a connection there are lines
// outside of its requests, which name the connection.
var asked = []string{"auth", "chat", "device", "gateway", "http", "mqtt"}

func TestLinesOfRequestsAndConnectionsNameThem(t *testing.T) {
	t.Parallel()
	var logged testkit.Buffer
	s := live.StartLogged(t, testkit.SQLite(t), obs.NewLogger(&logged, "debug", "json"))
	ann := s.User("ann")
	d := registerDevice(t, ann, "Door")
	dial(t, s, nil, "device", d.Key)
	dial(t, s, http.Header{"Authorization": {"Bearer nonsense"}})
	room, err := ann.CreateRoom(t.Context(), client.NewRoom{Name: "Hall", Kind: "private"})
	must(t, err)
	l := ann.Live(t.Context(), client.LiveOptions{})
	must(t, l.Ready(t.Context()))
	_, err = l.Send(t.Context(), client.Draft{Room: room.ID, Text: "hello"})
	must(t, err)
	if _, err := l.Send(t.Context(), client.Draft{Room: "r_none", Text: "hello"}); err == nil {
		t.Error("wrote to a room that there is not")
	}
	l.Close()
	if err := client.New(s.URL).SignIn(t.Context(), "ann", "wrong"); err == nil {
		t.Error("signed in with a wrong password")
	}
	if status, _ := get(t, s.URL+"/api/v1/nothing"); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
	s.Stop()

	heard := map[string]bool{}
	for line := range strings.Lines(logged.String()) {
		var v map[string]any
		must(t, json.Unmarshal([]byte(line), &v))
		part, _ := v["part"].(string)
		if part == "" {
			t.Errorf("a line has no part: %s", line)
		}
		if _, listener := v["listener"]; listener || !slices.Contains(asked, part) {
			continue // net/http's own words about a connection of which it has no request
		}
		heard[part] = true
		if v["request"] == nil && v["conn"] == nil {
			t.Errorf("a line names neither its request nor its connection: %s", line)
		}
	}
	for _, part := range []string{"auth", "device", "http"} {
		if !heard[part] {
			t.Errorf("nothing from %s", part)
		}
	}
}
