//go:build linux

package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/disktest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// TestAFullDiskStopsOnlyWhatIsNew: a server starts on a disk that others have filled, by
// the room that it kept; people sign in, read, mark as read and delete, new messages are
// refused, and /ready tells. With room again, all goes on.
func TestAFullDiskStopsOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	dir := disktest.Mount(t, 40)
	o := store.Options{Path: filepath.Join(dir, "unhidra.db"), Log: testkit.Logger(t)}
	first := live.Start(t, o, "UNHIDRA_DISK_RESERVE=8")
	ann := first.User("ann")
	room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "public", Name: "Room"})
	must(t, err)
	sent, err := ann.Send(t.Context(), client.Draft{Room: room.ID, Key: "k1", Text: "hello"})
	must(t, err)
	first.Stop()
	must(t, os.WriteFile(o.Path+".reserve", make([]byte, 8<<20), 0o600)) // as a server of some seconds does
	end := disktest.Fill(t, dir)

	s := live.Start(t, o, "UNHIDRA_DISK_RESERVE=8")
	if _, err := os.Stat(o.Path + ".reserve"); err == nil {
		t.Error("the reserve was kept on a full disk")
	}
	again := client.New(s.URL)
	must(t, again.SignIn(t.Context(), "ann", live.Password))
	if p, err := again.Events(t.Context(), room.ID, 0, 10); err != nil || len(p.Events) == 0 {
		t.Errorf("reading: %v", err)
	}
	_, err = again.Send(t.Context(), client.Draft{Room: room.ID, Key: "k2", Text: "more"})
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != domain.CodeDiskFull {
		t.Errorf("a new message: %v", err)
	}
	if _, err := again.AddEmoji(t.Context(), "parrot", []byte(dot)); codeOf(err) != client.CodeDiskFull {
		t.Errorf("an emoji: %v", err)
	}
	nothing(t, s, again)
	must(t, again.Do(t.Context(), "PUT", "/rooms/"+room.ID+"/read", map[string]any{"seq": sent.Seq}, nil))
	must(t, again.Do(t.Context(), "DELETE", fmt.Sprintf("/rooms/%s/messages/%d", room.ID, sent.Seq), nil, nil))
	if status, body := ready(t, s); status != http.StatusOK || body.Degraded["disk"] == "" {
		t.Errorf("/ready: %d %+v", status, body)
	}
	end()
	if _, err := again.Send(t.Context(), client.Draft{Room: room.ID, Key: "k2", Text: "more"}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if _, err := again.AddEmoji(t.Context(), "parrot", []byte(dot)); err != nil {
		t.Errorf("an emoji with room again: %v", err)
	}
	defer disktest.Fill(t, dir)() // and nothing is kept this time
	if status, body := ready(t, s); status != http.StatusServiceUnavailable || body.Checks["disk"] == "" {
		t.Errorf("/ready without any room: %d %+v", status, body)
	}
}

type readiness struct{ Checks, Degraded map[string]string }

func ready(t *testing.T, s *live.Server) (status int, body readiness) {
	t.Helper()
	res, err := http.Get(s.URL + "/ready")
	must(t, err)
	defer res.Body.Close()
	must(t, json.NewDecoder(res.Body).Decode(&body))
	return res.StatusCode, body
}
