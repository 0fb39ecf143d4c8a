package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/rollout"
	"github.com/unhidra/unhidra/internal/wire"
)

func TestTheLogOfARolloutSaysWhoAndWhy(t *testing.T) {
	t.Parallel()
	ann := wire.User{ID: "usr_ann", DisplayName: "Ann"}
	pause := func(kind domain.PauseKind) *domain.RolloutPause {
		return &domain.RolloutPause{Kind: kind, Failed: 2, Of: 3}
	}
	now := time.Now()
	answers := map[string]any{
		"/log": client.Page[rollout.RolloutLogEntry]{Items: []rollout.RolloutLogEntry{
			{Seq: 3, At: now, What: "paused", State: "paused", Pause: pause(domain.PausedLost)},
			{Seq: 2, At: now, What: "pause", State: "paused", Pause: pause(domain.PausedByUser), By: &ann, Note: "Lunch"},
		}},
		"": rollout.RolloutView{ID: "rol_1", State: "paused", Pause: pause(domain.PausedByUser), PausedBy: &ann},
	}
	if got := pauseReason(*pause(domain.PausedByUser), wire.User{}); got != "by somebody whose account is gone" {
		t.Errorf("paused %s", got)
	}
	mux := http.NewServeMux()
	for at, body := range answers {
		mux.HandleFunc("GET /api/v1/firmware/rollouts/rol_1"+at, func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(body); err != nil {
				t.Error(err)
			}
		})
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	for what, want := range map[string][]string{"log": {"Ann", "Lunch", "by itself (lost): 2 of 3"},
		"show": {"paused by Ann"}} {
		var out strings.Builder
		o := &remote{env: &env{stdout: &out}, c: client.New(server.URL)}
		if err := o.rollout(t.Context(), what, []string{"rol_1"}, rolloutFlags{}, nil); err != nil {
			t.Fatal(what, err)
		}
		for _, words := range want {
			if !strings.Contains(out.String(), words) {
				t.Errorf("%s should say %q:\n%s", what, words, out.String())
			}
		}
	}
}
