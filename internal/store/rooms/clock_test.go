package rooms_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/clocktest"
)

func TestAnInvitationEndsAtItsTime(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 1)
		guest := domain.User{ID: testkit.UserID(1), Kind: domain.KindUser, Role: domain.SystemUser, Username: "guest",
			DisplayName: "Guest"}
		if err := db.Accounts.CreateUser(t.Context(), guest, "", domain.Signup{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		clocktest.Each(t, func(t *testing.T, at time.Time) {
			i := domain.Invite{ID: domain.NewID(domain.InvitePrefix), Room: room, Expires: at}
			hash := []byte(i.ID)
			if err := db.Rooms.CreateInvite(t.Context(), testkit.UserID(0), i, hash, at.Add(-24*time.Hour)); err != nil {
				t.Fatal(err)
			}
			found, _, err := db.Rooms.InviteByHash(t.Context(), guest.ID, hash, at.Add(-time.Millisecond))
			if err != nil || !found.Expires.Equal(at) {
				t.Errorf("a moment before: %+v, %v", found, err)
			}
			if _, _, err := db.Rooms.InviteByHash(t.Context(), guest.ID, hash,
				at); domain.CodeOf(err) != domain.CodeInviteEnded {
				t.Errorf("read at its end: %v", err)
			}
			if _, err := db.Rooms.JoinByInvite(t.Context(), guest.ID, hash, at); domain.CodeOf(err) != domain.CodeInviteEnded {
				t.Errorf("used at its end: %v", err)
			}
			if _, err := db.Rooms.JoinByInvite(t.Context(), guest.ID, hash, at.Add(-time.Millisecond)); err != nil {
				t.Errorf("used a moment before: %v", err)
			}
			if _, err := db.Departure.Leave(t.Context(), guest.ID, room, at); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestAMuteEndsAtItsTime(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		owner, muted := testkit.UserID(0), testkit.UserID(1)
		clocktest.Each(t, func(t *testing.T, at time.Time) {
			says := func(now time.Time) domain.Code {
				d := domain.Draft{Room: room, Key: domain.NewID("key"), Text: "x"}
				_, _, err := db.Messages.AppendMessage(t.Context(), muted, d, nil, false, now)
				return domain.CodeOf(err)
			}
			e, err := db.Rooms.Mute(t.Context(), owner, room, muted, at, at.Add(-24*time.Hour))
			if p, ok := e.Payload.(domain.MemberMutedPayload); err != nil || !ok || p.Until == nil || !p.Until.Equal(at) {
				t.Errorf("%+v, %v", e, err)
			}
			st, err := db.Rooms.RoomState(t.Context(), muted, room)
			if err != nil || !st.Muted.Equal(at) {
				t.Errorf("muted until %v, %v", st.Muted, err)
			}
			if code := says(at.Add(-time.Millisecond)); code != domain.CodeMuted {
				t.Errorf("a moment before the end: %q", code)
			}
			if code := says(at); code != "" {
				t.Errorf("at the end: %q", code)
			}
		})
	})
}
