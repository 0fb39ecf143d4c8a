package chat_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// ask sends one request and returns the status and the code of the refusal.
func ask(t *testing.T, c *client.Client, method, path string, body any, out any) (status int, code domain.Code) {
	t.Helper()
	err := c.Do(t.Context(), method, path, body, out)
	var refused *client.Error
	if errors.As(err, &refused) {
		return refused.Status, refused.Code
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return http.StatusOK, ""
}

type obj = map[string]any

func TestRequestsAndRefusals(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		owner, member, stranger := s.User("owner"), s.User("member"), s.User("stranger")
		var room, open client.RoomState
		ask(t, owner, "POST", "/rooms", obj{"kind": "private", "name": "Den"}, &room)
		ask(t, owner, "POST", "/rooms", obj{"kind": "public", "name": "Yard"}, &open)
		ask(t, owner, "POST", "/rooms/"+room.ID+"/members", obj{"user": "member"}, nil)
		in, yard := "/rooms/"+room.ID, "/rooms/"+open.ID
		ask(t, owner, "POST", in+"/messages", obj{"key": "1", "text": "first"}, nil) // number 4
		for _, c := range []struct {
			who          *client.Client
			method, path string
			body         any
			status       int
			code         domain.Code
		}{
			// What is wrong with the request itself.
			{owner, "POST", "/rooms", obj{"kind": "private", "name": "x", "colour": "red"}, 400,
				domain.CodeInvalidRequest},
			{owner, "POST", "/rooms", obj{"kind": "secret", "name": "x"}, 400, domain.CodeInvalidRequest},
			{owner, "POST", "/rooms", obj{"kind": "public", "name": 7}, 400, domain.CodeInvalidRequest},
			{owner, "POST", "/rooms", obj{"kind": "public", "name": "  "}, 400, domain.CodeInvalidField},
			{owner, "POST", "/rooms", obj{"kind": "public", "name": "a\nb"}, 400, domain.CodeInvalidField},
			{owner, "POST", "/rooms", obj{"kind": "public", "name": "x", "members": []string{"room_1"}}, 400,
				domain.CodeInvalidField},
			{owner, "POST", "/rooms", obj{"kind": "public", "name": "x", "members": []string{}, "Members": []string{}}, 400,
				domain.CodeInvalidRequest},
			{owner, "PATCH", in, obj{}, 400, domain.CodeNothingToChange},
			{owner, "POST", in + "/messages", obj{"key": "2", "text": ""}, 400, domain.CodeInvalidField},
			{owner, "POST", in + "/messages", obj{"key": "2", "text": "bell\a"}, 400, domain.CodeInvalidField},
			{owner, "POST", in + "/messages", obj{"key": "", "text": "x"}, 400, domain.CodeInvalidField},
			{owner, "POST", in + "/messages", obj{"key": "a b", "text": "x"}, 400, domain.CodeInvalidField},
			{owner, "POST", in + "/messages", obj{"key": "2", "text": "x", "reply_to": 99}, 400,
				domain.CodeInvalidField},
			{owner, "POST", in + "/messages", obj{"key": "2", "text": strings.Repeat("x", 16<<10+1)}, 413,
				domain.CodeTextTooLong},
			{owner, "PATCH", in + "/members/member", obj{}, 400, domain.CodeOneChange},
			{owner, "PATCH", in + "/members/member", obj{"muted_until": "9999-12-31T23:30:00-01:00"}, 400,
				domain.CodeInvalidField},
			{owner, "PATCH", in + "/members/member", obj{"role": "owner"}, 400, domain.CodeInvalidRequest},
			{owner, "GET", in + "/members?cursor=nonsense", nil, 400, domain.CodeBadCursor},
			{owner, "GET", in + "/members?limit=0", nil, 400, domain.CodeInvalidRequest},
			// Names that lead nowhere.
			{owner, "GET", "/rooms/room_nonsense", nil, 404, domain.CodeNoRoom},
			{owner, "GET", "/rooms/usr_" + strings.TrimPrefix(room.ID, "room_"), nil, 404, domain.CodeNoRoom},
			{owner, "POST", in + "/members", obj{"user": "nobody"}, 404, domain.CodeNoUser},
			{owner, "PATCH", in + "/messages/1", obj{"text": "x"}, 404, domain.CodeNoMessage},
			{owner, "DELETE", in + "/messages/77", nil, 404, domain.CodeNoMessage},
			{owner, "GET", "/invites/nonsense", nil, 404, domain.CodeNoInvite},
			{owner, "DELETE", in + "/bans/stranger", nil, 404, domain.CodeNotBanned},
			// A private room does not exist for strangers.
			{stranger, "GET", in, nil, 404, domain.CodeNoRoom},
			{stranger, "POST", in + "/join", nil, 404, domain.CodeNoRoom},
			{stranger, "GET", in + "/members", nil, 404, domain.CodeNoRoom},
			{stranger, "POST", in + "/messages", obj{"key": "1", "text": "x"}, 404, domain.CodeNoRoom},
			{stranger, "PATCH", in + "/messages/4", obj{"text": "x"}, 404, domain.CodeNoRoom},
			{stranger, "DELETE", in, nil, 404, domain.CodeNoRoom},
			{stranger, "PUT", in + "/read", obj{"seq": 1}, 404, domain.CodeNoRoom},
			{stranger, "POST", in + "/leave", nil, 404, domain.CodeNoRoom},
			{stranger, "POST", in + "/invites", obj{}, 404, domain.CodeNoRoom},
			// A public one does, and is entered first.
			{stranger, "POST", yard + "/messages", obj{"key": "1", "text": "x"}, 403, domain.CodeNotAMember},
			{stranger, "GET", yard + "/members", nil, 403, domain.CodeNotAMember},
			// A plain member's bounds.
			{member, "PATCH", in, obj{"name": "Mine"}, 403, domain.CodeRoleTooLow},
			{member, "PATCH", in, obj{"archived": true}, 403, domain.CodeRoleTooLow},
			{member, "DELETE", in, nil, 403, domain.CodeRoleTooLow},
			{member, "PATCH", in + "/messages/4", obj{"text": "x"}, 403, domain.CodeNotYours},
			{member, "DELETE", in + "/messages/4", nil, 403, domain.CodeRoleTooLow},
			{member, "DELETE", in + "/members/owner", nil, 403, domain.CodeRoleTooLow},
			{member, "PUT", in + "/bans/owner", obj{}, 403, domain.CodeRoleTooLow},
			{member, "PATCH", in + "/members/owner", obj{"role": "member"}, 403, domain.CodeRoleTooLow},
			{member, "POST", in + "/owner", obj{"user": "member"}, 403, domain.CodeRoleTooLow},
			{member, "GET", in + "/invites", nil, 403, domain.CodeRoleTooLow},
			{member, "GET", in + "/bans", nil, 403, domain.CodeRoleTooLow},
			// Keys are of a person, not of a room.
			{owner, "POST", yard + "/messages", obj{"key": "1", "text": "something else"}, 409, domain.CodeKeyReused},
			// An owner's.
			{owner, "POST", in + "/leave", nil, 409, domain.CodeLastOwner},
			{owner, "POST", in + "/members", obj{"user": "member"}, 409, domain.CodeAlreadyMember},
			{owner, "DELETE", in + "/members/owner", nil, 403, domain.CodeRankTooLow},
			{owner, "DELETE", in + "/members/stranger", nil, 404, domain.CodeNotAMember},
		} {
			if status, code := ask(t, c.who, c.method, c.path, c.body, nil); status != c.status || code != c.code {
				t.Errorf("%s %s %v: %d %s, want %d %s", c.method, c.path, c.body, status, code, c.status, c.code)
			}
		}
	})
}

func TestRoomLifecycle(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		owner, guest := s.User("owner"), s.User("guest")
		s.User("stranger")
		var room client.RoomState
		ask(t, owner, "POST", "/rooms", obj{"kind": "public", "name": "Yard", "topic": "Outside"}, &room)
		in := "/rooms/" + room.ID
		must := func(t *testing.T, c *client.Client, method, path string, body, out any) {
			t.Helper()
			if status, code := ask(t, c, method, path, body, out); status != 200 {
				t.Fatalf("%s %s: %d %s", method, path, status, code)
			}
		}
		refused := func(t *testing.T, want domain.Code, c *client.Client, method, path string, body any) {
			t.Helper()
			if status, code := ask(t, c, method, path, body, nil); code != want {
				t.Fatalf("%s %s: %d %s, want %s", method, path, status, code, want)
			}
		}

		testkit.Step(t, "who is not in it sees what the directory tells", func(t *testing.T) {
			must(t, owner, "POST", in+"/messages", obj{"key": "0", "text": "@room for members"}, nil)
			var seen client.RoomState
			must(t, guest, "GET", in, nil, &seen)
			if seen.Name != "Yard" || seen.Members != 1 || seen.Role != "" || seen.Last != nil || seen.Unread != 0 {
				t.Errorf("a stranger sees %+v", seen)
			}
		})
		testkit.Step(t, "a link shows its room, but not to whom the room has banned", func(t *testing.T) {
			var link client.Invite
			must(t, owner, "POST", in+"/invites", obj{"max_uses": 5}, &link)
			must(t, guest, "GET", "/invites/"+link.Code, nil, nil)
			stranger, err := guest.Me(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			id := stranger.ID
			must(t, owner, "PUT", in+"/bans/"+id, obj{}, nil)
			refused(t, domain.CodeBanned, guest, "GET", "/invites/"+link.Code, nil)
			must(t, owner, "DELETE", in+"/bans/"+id, nil, nil)
		})
		testkit.Step(t, "an invitation is good once", func(t *testing.T) {
			var invite client.Invite
			must(t, owner, "POST", in+"/invites", obj{"max_uses": 1}, &invite)
			must(t, guest, "POST", "/invites/"+invite.Code+"/accept", nil, nil)
			must(t, guest, "POST", in+"/leave", nil, nil)
			refused(t, domain.CodeInviteEnded, guest, "POST", "/invites/"+invite.Code+"/accept", nil)
			must(t, guest, "POST", in+"/join", nil, nil)
			must(t, guest, "POST", in+"/join", nil, nil) // again is no error
		})
		var st client.RoomState
		testkit.Step(t, "what is unread is counted, and marks only move forward", func(t *testing.T) {
			must(t, owner, "POST", in+"/messages", obj{"key": "1", "text": "hello @guest"}, nil)
			must(t, owner, "POST", in+"/messages", obj{"key": "2", "text": "everyone: @room"}, nil)
			must(t, guest, "GET", in, nil, &st)
			if st.Unread != 2 || st.Mentions != 2 || st.Last == nil || st.Last.Text != "everyone: @room" {
				t.Errorf("unread %d, mentions %d, last %+v", st.Unread, st.Mentions, st.Last)
			}
			must(t, guest, "PUT", in+"/read", obj{"seq": st.Head}, nil)
			var mark client.Mark
			must(t, guest, "PUT", in+"/read", obj{"seq": 1}, &mark)
			if mark.Seq != st.Head || mark.Unread != 0 {
				t.Errorf("a mark moved back: %+v", mark)
			}
		})
		testkit.Step(t, "a mute and a ban bind until they end", func(t *testing.T) {
			must(t, owner, "PATCH", in+"/members/guest", obj{"muted_until": "2999-01-01T00:00:00Z"}, nil)
			refused(t, domain.CodeMuted, guest, "POST", in+"/messages", obj{"key": "g1", "text": "x"})
			must(t, owner, "PATCH", in+"/members/guest", obj{"muted_until": "2000-01-01T00:00:00Z"}, nil)
			must(t, guest, "POST", in+"/messages", obj{"key": "g1", "text": "x"}, nil)
			var banned client.Event
			must(t, owner, "PUT", in+"/bans/guest", obj{"reason": "noise"}, &banned)
			if banned.Detail == nil || banned.Detail.Role != "member" {
				t.Errorf("the ban of a member tells %+v", banned.Detail)
			}
			banned = client.Event{}
			must(t, owner, "PUT", in+"/bans/stranger", obj{}, &banned)
			if banned.Detail != nil && banned.Detail.Role != "" {
				t.Errorf("the ban of a stranger tells %+v", banned.Detail)
			}
			refused(t, domain.CodeNotAMember, guest, "POST", in+"/messages", obj{"key": "g2", "text": "x"})
			refused(t, domain.CodeBanned, guest, "POST", in+"/join", nil)
			refused(t, domain.CodeBanned, owner, "POST", in+"/members", obj{"user": "guest"})
			must(t, owner, "DELETE", in+"/bans/guest", nil, nil)
			must(t, guest, "POST", in+"/join", nil, nil)
		})
		testkit.Step(t, "the owner hands the room over", func(t *testing.T) {
			must(t, owner, "PATCH", in+"/members/guest", obj{"role": "moderator"}, nil)
			must(t, owner, "POST", in+"/owner", obj{"user": "guest"}, &st)
			if st.Role != "admin" {
				t.Errorf("the former owner is %s", st.Role)
			}
			must(t, owner, "POST", in+"/leave", nil, nil)
		})
		testkit.Step(t, "an archived room is read only, until it is opened again or deleted", func(t *testing.T) {
			must(t, guest, "PATCH", in, obj{"archived": true}, nil)
			refused(t, domain.CodeRoomArchived, guest, "POST", in+"/messages", obj{"key": "g3", "text": "x"})
			refused(t, domain.CodeRoomArchived, owner, "POST", in+"/join", nil)
			must(t, guest, "PATCH", in, obj{"archived": false, "name": "Garden"}, nil)
			must(t, guest, "GET", in, nil, &st)
			if st.Name != "Garden" || st.Archived {
				t.Errorf("%+v", st.Room)
			}
			must(t, guest, "DELETE", in, nil, nil)
			refused(t, domain.CodeNoRoom, guest, "GET", in, nil)
		})
	})
}

func TestDirectRoomIsUnique(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann, bob := s.User("ann"), s.User("bob")
		me, err := ann.Me(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		other, err := bob.Me(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var first, second client.RoomState
		ask(t, ann, "POST", "/direct", obj{"users": []string{other.ID}}, &first)
		ask(t, bob, "POST", "/direct", obj{"users": []string{me.ID}}, &second)
		if first.ID == "" || first.ID != second.ID {
			t.Errorf("two rooms for the same two people: %q, %q", first.ID, second.ID)
		}
		if len(first.Peers) != 1 || first.Peers[0].Username != "bob" {
			t.Errorf("ann sees %+v", first.Peers)
		}
		if status, code := ask(t, ann, "PATCH", "/rooms/"+first.ID, obj{"name": "x"},
			nil); code != domain.CodeNotInDirect {
			t.Errorf("renaming: %d %s", status, code)
		}
	})
}

func TestMemberListPages(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		owner := s.User("m0")
		var room client.RoomState
		ask(t, owner, "POST", "/rooms", obj{"kind": "public", "name": "Yard"}, &room)
		for i := 1; i < 5; i++ {
			ask(t, s.User(fmt.Sprint("m", i)), "POST", "/rooms/"+room.ID+"/join", nil, nil)
		}
		var names []string
		cursor := ""
		for range 5 {
			var p client.Page[client.Member]
			ask(t, owner, "GET", "/rooms/"+room.ID+"/members?limit=2&cursor="+cursor, nil, &p)
			for _, m := range p.Items {
				names = append(names, m.Username)
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if strings.Join(names, " ") != "m0 m1 m2 m3 m4" {
			t.Errorf("members: %v", names)
		}
	})
}

// A failure of the store is not taken for a refusal.
func TestAStoreErrorIsNotNotFound(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		owner := s.User("owner")
		var room client.RoomState
		ask(t, owner, "POST", "/rooms", obj{"kind": "public", "name": "Yard"}, &room)
		if _, err := testkit.Raw(t, s.Store).ExecContext(t.Context(), `ALTER TABLE members RENAME TO elsewhere`); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"", "/members", "/timeline", "/events?after=0"} {
			if status, code := ask(t, owner, "GET", "/rooms/"+room.ID+path, nil, nil); status < 500 {
				t.Errorf("%s: answered %d %s without knowing who is in the room", path, status, code)
			}
		}
	})
}
