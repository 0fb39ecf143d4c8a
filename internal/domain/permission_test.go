package domain

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// want is the matrix once more, by hand: who may do what in a room that is
// neither direct nor archived (o, a, m, p: owner, admin, moderator, plain
// member), then d if members of direct rooms may, r if it goes in archived ones.
var want = map[Permission]string{
	ReadRoom: "oamp d r", LeaveRoom: "oamp d r", SendMessage: "oamp d", React: "oamp d", PinMessage: "oamp d",
	UploadFile: "oamp d", EditOwn: "oamp d", DeleteOwn: "oamp d",
	DeleteAny: "oam", MentionRoom: "oam d", InviteMember: "oamp", ManageInvites: "oam", ManageHooks: "oa",
	KickMember: "oam r", MuteMember: "oam r", BanMember: "oam r",
	UpdateRoom: "oa", SetHistory: "oa", SetPreviews: "oa d", SetScreening: "oa",
	SetVisibility: "oa", ArchiveRoom: "oa r", SetRole: "oa r",
	TransferOwnership: "o r",
	SetRetention:      "o r", DeleteRoom: "o r",
}

func TestPermissionMatrix(t *testing.T) {
	now := time.Now()
	letters := map[RoomRole]string{Owner: "o", Admin: "a", Moderator: "m", RegularMember: "p"}
	for _, rule := range Matrix() {
		if rule.Permission == JoinRoom {
			continue
		}
		row, ok := want[rule.Permission]
		if !ok {
			t.Errorf("%s has no row in this test", rule.Permission)
		}
		words := strings.Fields(row)
		for role, letter := range letters {
			for _, kind := range []RoomKind{PublicRoom, PrivateRoom, DirectRoom} {
				for _, archived := range []bool{false, true} {
					may := strings.Contains(words[0], letter)
					if kind == DirectRoom {
						may = slices.Contains(words, "d")
					}
					may = may && (!archived || slices.Contains(words, "r"))
					err := Allow(Room{Kind: kind, Archived: archived}, Member{Role: role}, rule.Permission, now)
					if may != (err == nil) {
						t.Errorf("%s by %s in a %s room, archived %v: %v", rule.Permission, role, kind, archived, err)
					}
				}
			}
		}
	}
}

func TestOutsiders(t *testing.T) {
	now := time.Now()
	for _, rule := range Matrix() {
		err := Allow(Room{Kind: PrivateRoom}, Member{}, rule.Permission, now)
		if KindOf(err) != NotFound {
			t.Errorf("%s by an outsider in a private room: %v", rule.Permission, err)
		}
		err = Allow(Room{Kind: PublicRoom}, Member{}, rule.Permission, now)
		if join := rule.Permission == JoinRoom; join != (err == nil) {
			t.Errorf("%s by an outsider in a public room: %v", rule.Permission, err)
		}
	}
	if err := Allow(Room{Kind: PublicRoom, Archived: true}, Member{}, JoinRoom, now); KindOf(err) != Conflict {
		t.Error(err)
	}
}

// A guest of the server is a plain member, whatever role they have, adds nobody, and finds no public room.
func TestGuestsArePlainMembers(t *testing.T) {
	now := time.Now()
	for _, rule := range Matrix() {
		if rule.Permission == JoinRoom {
			continue
		}
		want := Allow(Room{Kind: PrivateRoom}, Member{Role: RegularMember}, rule.Permission, now) == nil &&
			rule.Permission != InviteMember
		for _, role := range []RoomRole{Owner, Admin, Moderator, RegularMember} {
			err := Allow(Room{Kind: PrivateRoom}, Member{Role: role, Guest: true}, rule.Permission, now)
			if want != (err == nil) {
				t.Errorf("%s by a guest who is %s: %v", rule.Permission, role, err)
			}
		}
		if err := Allow(Room{Kind: PublicRoom}, Member{Guest: true}, rule.Permission, now); CodeOf(err) != CodeNoRoom {
			t.Errorf("%s by a guest in a public room: %v", rule.Permission, err)
		}
	}
	if err := Allow(Room{Kind: PublicRoom}, Member{Guest: true}, JoinRoom, now); CodeOf(err) != CodeNoRoom {
		t.Errorf("a guest joins a public room: %v", err)
	}
	if err := AllowOn(Room{Kind: PrivateRoom}, Member{Role: Owner}, Member{Role: RegularMember, Guest: true}, SetRole,
		Moderator, now); CodeOf(err) != CodeNotForGuests {
		t.Errorf("a guest becomes a moderator: %v", err)
	}
}

func TestMutedMembersDoNotWrite(t *testing.T) {
	now := time.Now()
	m := Member{Role: RegularMember, MutedUntil: now.Add(time.Minute)}
	for _, p := range []Permission{SendMessage, EditOwn, React, UploadFile} {
		if err := Allow(Room{Kind: PublicRoom}, m, p, now); CodeOf(err) != CodeMuted {
			t.Errorf("%s: %v", p, err)
		}
		if err := Allow(Room{Kind: PublicRoom}, m, p, now.Add(time.Hour)); err != nil {
			t.Errorf("%s after the mute: %v", p, err)
		}
	}
	m.Role = Moderator
	if err := Allow(Room{Kind: PublicRoom}, m, PinMessage, now); CodeOf(err) != CodeMuted {
		t.Errorf("a muted moderator pins: %v", err)
	}
	if err := Allow(Room{Kind: PublicRoom}, m, ReadRoom, now); err != nil {
		t.Error(err)
	}
}

func TestActingUponOthersNeedsAHigherRank(t *testing.T) {
	now := time.Now()
	roles := []RoomRole{Owner, Admin, Moderator, RegularMember}
	for i, mine := range roles {
		for j, theirs := range roles {
			err := AllowOn(Room{Kind: PublicRoom}, Member{Role: mine}, Member{Role: theirs}, KickMember, "", now)
			if may := i < j && mine != RegularMember; may != (err == nil) {
				t.Errorf("%s kicks %s: %v", mine, theirs, err)
			}
			for k, to := range roles {
				err := AllowOn(Room{Kind: PublicRoom}, Member{Role: mine}, Member{Role: theirs}, SetRole, to, now)
				if may := i < j && i < k && i < 2; may != (err == nil) {
					t.Errorf("%s makes %s %s: %v", mine, theirs, to, err)
				}
			}
		}
	}
}

// TestPermissionsPage keeps docs/permissions.md true: go test -update writes it.
func TestPermissionsPage(t *testing.T) {
	const path = "../../docs/permissions.md"
	page := permissionsPage()
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page {
		t.Fatalf("%s is not what the matrix says; run go test ./internal/domain -update", path)
	}
}

func permissionsPage() string {
	var b strings.Builder
	b.WriteString(`# Permissions

What each role may do in a room, printed from the table in ` + "`internal/domain/permission.go`" + `
that the server decides by. In a direct conversation everyone is a plain member,
and the column "direct" counts alone.

Acting upon another member (remove, ban, mute, give a role) also needs a higher
role than theirs, and nobody gives a role as high as their own. Someone who is
not a member learns nothing of a private room: it is answered like one that does
not exist. Administrators of the server have no rights in rooms that they are
not in.
Of devices that they neither own nor share a room with they see the
[registry](devices.md), and nothing that these measure, are told or are set to.

| permission | allows to | owner | admin | moderator | member | direct | when archived |
|---|---|---|---|---|---|---|---|
`)
	for _, r := range Matrix() {
		if r.Permission == JoinRoom {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s |", r.Permission, r.Doc)
		for _, role := range []RoomRole{Owner, Admin, Moderator, RegularMember} {
			b.WriteString(" " + mark(slices.Contains(r.Roles, role)) + " |")
		}
		b.WriteString(" " + mark(r.Direct) + " | " + mark(r.Archived) + " |\n")
	}
	b.WriteString("\n`room.join` is for those who are not members: anyone may join a public room that is not archived, " +
		"unless banned from it.\n\n[Guests](guests.md) of the server are plain members, whatever role they have, and add nobody; a public " +
		"room that they are not in does not exist for them.\n\n" +
		"[Emoji](emoji.md) of the server are added by everybody but guests, bots and devices, or by administrators alone, as " +
		"they choose. Whoever added one deletes it, and so do administrators.\n")
	return b.String()
}

func mark(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}
