package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

func TestQuotaOfOneUser(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start("UNHIDRA_USER_STORAGE=1")
		ann, bob := s.User("ann"), s.User("bob")
		var room client.RoomState
		ask(t, ann, "POST", "/rooms", obj{"kind": "public", "name": "Yard"}, &room)
		ask(t, bob, "POST", "/rooms/"+room.ID+"/join", nil, nil)
		at := "/rooms/" + room.ID + "/messages"
		text := strings.Repeat("x", 16<<10)
		var task client.Sent
		ask(t, ann, "POST", at, obj{"key": "task", "text": "- [ ] milk"}, &task)
		code, first := domain.Code(""), client.Sent{}
		for i := 0; code == "" && i < 400; i++ { // 62 are 1 MiB; on two nodes, which count apart, twice as many
			var sent client.Sent
			_, code = ask(t, ann, "POST", at, obj{"key": fmt.Sprint(i), "text": text}, &sent)
			if i == 0 {
				first = sent
			}
		}
		if code != domain.CodeQuota {
			t.Fatalf("the last answer was %q", code)
		}
		code = "" // the other node may have some left; an edit that did not count would never be refused
		for i := 0; code == "" && i < 200; i++ {
			edit := obj{"text": fmt.Sprint(i) + text[4:]}
			_, code = ask(t, ann, "PATCH", fmt.Sprintf("%s/%d", at, first.Seq), edit, nil)
		}
		if code != domain.CodeQuota {
			t.Errorf("the last edit: %q", code)
		}
		code = ""
		for i := 0; code == "" && i < 200; i++ { // each keeps the text as it was
			tick := obj{"task": "milk", "done": i%2 == 0}
			_, code = ask(t, ann, "PUT", fmt.Sprintf("%s/%d/tasks/1", at, task.Seq), tick, nil)
		}
		if code != domain.CodeQuota {
			t.Errorf("the last tick: %q", code)
		}
		if _, code := ask(t, bob, "POST", at, obj{"key": "1", "text": "hello"}, nil); code != "" {
			t.Errorf("somebody else: %q", code)
		}
	})
}
