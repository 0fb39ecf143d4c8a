package chat_test

import (
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// waiting is what somebody is asked.
func waiting(t *testing.T, c *client.Client) []client.RoomRequest {
	t.Helper()
	found, err := c.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestStrangersNeedConsent(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start("UNHIDRA_ROOM_REQUESTS=strangers")
		ann, eve := s.User("ann"), s.User("eve")
		me, _ := ann.Me(t.Context())
		asked := make(chan client.RoomRequest, 10)
		hello := make(chan client.Hello, 10)
		told := ann.Live(t.Context(), client.LiveOptions{OnAsked: func(q client.RoomRequest) { asked <- q },
			OnHello: func(h client.Hello) { hello <- h }})
		defer told.Close()
		<-hello

		var den, direct client.RoomState
		ask(t, eve, "POST", "/rooms", obj{"kind": "private", "name": "Den", "members": []string{me.ID}}, &den)
		if den.Members != 1 || len(waiting(t, ann)) != 1 {
			t.Fatalf("a room with a stranger has %d members, and %d requests", den.Members, len(waiting(t, ann)))
		}
		if q := <-asked; q.Room != den.ID || q.By.Username != "eve" || q.Name != "Den" {
			t.Errorf("told of %+v", q)
		}
		if st, code := ask(t, eve, "POST", "/rooms/"+den.ID+"/members", obj{"user": "ann"}, nil); st != 409 ||
			code != domain.CodeAlreadyAsked {
			t.Errorf("asking twice: %d %s", st, code)
		}
		ask(t, eve, "POST", "/direct", obj{"users": []string{me.ID}}, &direct)
		if len(direct.Peers) != 1 || direct.Peers[0].ID != me.ID {
			t.Errorf("a conversation that waits has the peers %+v", direct.Peers)
		}
		ask(t, eve, "POST", "/rooms/"+direct.ID+"/messages", obj{"key": "1", "text": "hello, it is Eve"}, nil)
		if st, _ := ask(t, ann, "GET", "/rooms/"+direct.ID, nil, nil); st != 404 {
			t.Errorf("a room that was not accepted: %d", st)
		}
		var seen struct{ Users []client.Presence }
		ask(t, eve, "GET", "/presence?users="+me.ID, nil, &seen)
		for _, p := range seen.Users {
			if p.Is == "online" {
				t.Errorf("presence of a stranger who has not accepted: %+v", p)
			}
		}

		// No.
		if err := ann.DeclineRequest(t.Context(), den.ID, false); err != nil {
			t.Fatal(err)
		}
		if st, code := ask(t, ann, "POST", "/requests/"+den.ID+"/accept", nil, nil); st != 404 ||
			code != domain.CodeNoRequest {
			t.Errorf("after no: %d %s", st, code)
		}
		if st, code := ask(t, ann, "POST", "/requests/"+domain.NewID(domain.RoomPrefix)+"/accept", nil, nil); st != 404 ||
			code != domain.CodeNoRequest {
			t.Errorf("a room that does not exist: %d %s", st, code)
		}
		if st, code := ask(t, eve, "POST", "/rooms/"+den.ID+"/members", obj{"user": "ann"}, nil); st != 409 ||
			code != domain.CodeAlreadyAsked {
			t.Errorf("asking after no: %d %s", st, code)
		}

		// Yes.
		state, err := ann.AcceptRequest(t.Context(), direct.ID)
		if err != nil || state.Unread != 1 || state.Members != 2 {
			t.Errorf("accepted: %+v, %v", state, err)
		}
		// They are in a room together now.
		ask(t, eve, "POST", "/rooms", obj{"kind": "private", "name": "Attic", "members": []string{me.ID}}, &den)
		if den.Members != 2 || len(waiting(t, ann)) != 0 {
			t.Errorf("with somebody one knows: %d members, %d requests", den.Members, len(waiting(t, ann)))
		}
		// But one may want to be asked by everyone.
		ask(t, ann, "PUT", "/me/requests", obj{"asked_by": "everyone"}, nil)
		ask(t, eve, "POST", "/rooms", obj{"kind": "private", "name": "Cellar", "members": []string{me.ID}}, &den)
		if den.Members != 1 || len(waiting(t, ann)) != 1 {
			t.Errorf("everyone asks: %d members, %d requests", den.Members, len(waiting(t, ann)))
		}
	})
}

func TestRequestsOfBlockedUsersAreDeclined(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start("UNHIDRA_ROOM_REQUESTS=strangers")
		ann, eve := s.User("ann"), s.User("eve")
		me, _ := ann.Me(t.Context())
		var a, b client.RoomState
		ask(t, eve, "POST", "/rooms", obj{"kind": "private", "name": "A", "members": []string{me.ID}}, &a)
		ask(t, eve, "POST", "/rooms", obj{"kind": "private", "name": "B", "members": []string{me.ID}}, &b)
		if err := ann.DeclineRequest(t.Context(), a.ID, true); err != nil {
			t.Fatal(err)
		}
		if n := len(waiting(t, ann)); n != 0 {
			t.Errorf("%d requests of somebody who is blocked", n)
		}
		ask(t, eve, "DELETE", "/rooms/"+a.ID, nil, nil) // the block is not the room's
		ask(t, eve, "POST", "/rooms", obj{"kind": "private", "name": "C"}, &b)
		if st, _ := ask(t, eve, "POST", "/rooms/"+b.ID+"/members", obj{"user": "ann"}, nil); st != 200 {
			t.Errorf("who is blocked is told: %d", st)
		}
		if n := len(waiting(t, ann)); n != 0 {
			t.Errorf("%d requests of somebody who is blocked", n)
		}
		var blocked struct{ Items []client.User }
		ask(t, ann, "GET", "/me/blocked", nil, &blocked)
		if len(blocked.Items) != 1 || blocked.Items[0].Username != "eve" {
			t.Errorf("blocked: %+v", blocked)
		}
		ask(t, ann, "DELETE", "/me/blocked/eve", nil, nil)
		ask(t, eve, "POST", "/rooms/"+b.ID+"/members", obj{"user": "ann"}, nil)
		if n := len(waiting(t, ann)); n != 1 {
			t.Errorf("%d requests after the block was lifted", n)
		}

		// She blocks without a request, too. Her devices are told, and he is brought up by nothing that waited.
		hello, told := make(chan client.Hello, 10), make(chan client.Blocking, 10)
		l := ann.Live(t.Context(), client.LiveOptions{OnHello: func(h client.Hello) { hello <- h },
			OnBlocked: func(b client.Blocking) { told <- b }})
		defer l.Close()
		if h := <-hello; len(h.Blocked) != 0 {
			t.Errorf("blocked at first: %v", h.Blocked)
		}
		her, _ := eve.Me(t.Context())
		for _, to := range []bool{true, false, true} {
			do := ann.Block
			if !to {
				do = ann.Unblock
			}
			for range 2 { // the second time nobody is told
				if err := do(t.Context(), "eve"); err != nil {
					t.Fatal(err)
				}
			}
			if b := <-told; b != (client.Blocking{User: her.ID, Blocked: to}) {
				t.Errorf("told of %+v", b)
			}
		}
		if n := len(waiting(t, ann)); n != 0 {
			t.Errorf("%d requests of somebody who was blocked since", n)
		}
		var direct client.RoomState
		if st, code := ask(t, eve, "POST", "/direct", obj{"users": []string{me.ID}}, &direct); st != 200 {
			t.Errorf("who is blocked is told: %d %s", st, code)
		}
		if st, _ := ask(t, ann, "GET", "/rooms/"+direct.ID, nil, nil); st != 404 || len(waiting(t, ann)) != 0 {
			t.Errorf("she is in a conversation with whom she blocked: %d", st)
		}
		again := ann.Live(t.Context(), client.LiveOptions{OnHello: func(h client.Hello) { hello <- h }})
		defer again.Close()
		if h := <-hello; len(h.Blocked) != 1 || h.Blocked[0] != her.ID {
			t.Errorf("a hello says that she blocked %v", h.Blocked)
		}
		for user, want := range map[string]int{"ann": 400, "nobody": 404, domain.NewID(domain.UserPrefix): 404, "!": 404} {
			if st, code := ask(t, ann, "PUT", "/me/blocked/"+user, nil, nil); st != want {
				t.Errorf("to block %q: %d %s", user, st, code)
			}
		}
	})
}

func TestRoomLimits(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start("UNHIDRA_ROOMS_PER_USER=3", "UNHIDRA_ROOMS_MADE_PER_USER=3", "UNHIDRA_MEMBERS_PER_ROOM=2")
		ann, bob := s.User("ann"), s.User("bob")
		me, _ := ann.Me(t.Context())
		var rooms [4]client.RoomState
		for i := range 3 {
			ask(t, bob, "POST", "/rooms", obj{"kind": "public", "name": string(rune('A' + i))}, &rooms[i])
		}
		if st, code := ask(t, bob, "POST", "/rooms", obj{"kind": "public", "name": "D"}, nil); st != 409 ||
			code != domain.CodeTooManyRoomsMade {
			t.Errorf("a fourth room: %d %s", st, code)
		}
		ask(t, bob, "DELETE", "/rooms/"+rooms[2].ID, nil, nil)
		if st, code := ask(t, bob, "POST", "/rooms", obj{"kind": "public", "name": "D"}, &rooms[2]); st != 200 {
			t.Errorf("after one was deleted: %d %s", st, code)
		}
		ask(t, ann, "POST", "/rooms", obj{"kind": "private", "name": "Hers"}, nil)
		for _, r := range rooms[:2] {
			if st, code := ask(t, ann, "POST", "/rooms/"+r.ID+"/join", nil, nil); st != 200 {
				t.Fatalf("join: %d %s", st, code)
			}
		}
		if st, code := ask(t, s.User("cy"), "POST", "/rooms/"+rooms[0].ID+"/join", nil, nil); st != 409 ||
			code != domain.CodeRoomFull {
			t.Errorf("a third member: %d %s", st, code)
		}
		link, err := bob.Invite(t.Context(), rooms[2].ID, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			by           *client.Client
			method, path string
			body         any
		}{
			{ann, "POST", "/rooms/" + rooms[2].ID + "/join", nil}, {ann, "POST", "/invites/" + link.Code + "/accept", nil},
			{bob, "POST", "/rooms/" + rooms[2].ID + "/members", obj{"user": "ann"}},
			{ann, "POST", "/rooms", obj{"kind": "private", "name": "Mine"}},
			{s.User("dora"), "POST", "/rooms", obj{"kind": "private", "name": "Ours", "members": []string{me.ID}}},
		} {
			if st, code := ask(t, c.by, c.method, c.path, c.body, nil); st != 409 || code != domain.CodeTooManyRooms {
				t.Errorf("%s %s into a fourth room: %d %s", c.method, c.path, st, code)
			}
		}
	})
}

func TestDirectRoomIsReopened(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann, bob := s.User("ann"), s.User("bob")
		me, _ := ann.Me(t.Context())
		him, _ := bob.Me(t.Context())
		var st client.RoomState
		ask(t, ann, "POST", "/direct", obj{"users": []string{him.ID}}, &st)
		for _, c := range []*client.Client{ann, bob} {
			if err := c.Leave(t.Context(), st.ID); err != nil {
				t.Fatal(err)
			}
		}
		var again client.RoomState
		if code, why := ask(t, bob, "POST", "/direct", obj{"users": []string{me.ID}}, &again); code != 200 ||
			again.ID != st.ID || again.Archived {
			t.Fatalf("opened again: %d %s %+v", code, why, again)
		}
		if len(again.Peers) != 1 || len(waiting(t, ann)) != 1 { // who left is asked, whatever the server says
			t.Errorf("%d peers, %d requests", len(again.Peers), len(waiting(t, ann)))
		}
		if _, err := ann.AcceptRequest(t.Context(), st.ID); err != nil {
			t.Error(err)
		}
	})
}
