package chat_test

import (
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

func TestDirectoryHidesLastMessagesFromBanned(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		var room client.RoomState
		ask(t, ann, "POST", "/rooms", obj{"kind": "public", "name": "Yard"}, &room)
		ask(t, ann, "POST", "/rooms/"+room.ID+"/messages", obj{"key": "1", "text": "Tea is ready."}, nil)
		ask(t, ann, "PUT", "/rooms/"+room.ID+"/bans/eve", obj{}, nil)
		words := func(c *client.Client) string {
			var page struct {
				Items []struct {
					Last *client.Message
				}
			}
			ask(t, c, "GET", "/rooms/public", nil, &page)
			if len(page.Items) != 1 {
				t.Fatalf("%d rooms", len(page.Items))
			}
			if page.Items[0].Last == nil {
				return ""
			}
			return page.Items[0].Last.Text
		}
		if got := words(bob); got != "Tea is ready." {
			t.Errorf("a newcomer reads %q", got)
		}
		if got := words(eve); got != "" {
			t.Errorf("who is banned reads %q", got)
		}
	})
}
