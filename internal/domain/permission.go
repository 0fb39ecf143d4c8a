package domain

import (
	"slices"
	"time"
)

// RoomRole is a member's rank in one room. The empty role is that of someone
// who is not a member.
type RoomRole string

// The roles of a room, highest first.
const (
	Owner         RoomRole = "owner"
	Admin         RoomRole = "admin"
	Moderator     RoomRole = "moderator"
	RegularMember RoomRole = "member"
	NonMember     RoomRole = ""
)

// Rank orders roles: a higher one may act upon a lower one.
func (r RoomRole) Rank() int {
	return len(ranks) - 1 - slices.Index(ranks, r)
}

var ranks = []RoomRole{Owner, Admin, Moderator, RegularMember, NonMember}

// Permission is one thing that a role may allow in a room.
type Permission string

// The permissions.
const (
	ReadRoom          Permission = "room.read"
	JoinRoom          Permission = "room.join"
	UpdateRoom        Permission = "room.update" // name, topic and look
	SetVisibility     Permission = "room.visibility"
	ArchiveRoom       Permission = "room.archive"
	SetRetention      Permission = "room.retention"
	SetPreviews       Permission = "room.previews"
	SetScreening      Permission = "room.screening"
	SetHistory        Permission = "room.history"
	DeleteRoom        Permission = "room.delete"
	TransferOwnership Permission = "room.hand_over"
	SendMessage       Permission = "message.send"
	EditOwn           Permission = "message.edit_own"
	DeleteOwn         Permission = "message.delete_own"
	DeleteAny         Permission = "message.delete_any"
	MentionRoom       Permission = "message.mention_room"
	React             Permission = "message.react"
	PinMessage        Permission = "message.pin"
	UploadFile        Permission = "file.upload"
	LeaveRoom         Permission = "member.leave"
	InviteMember      Permission = "member.invite"
	KickMember        Permission = "member.kick"
	BanMember         Permission = "member.ban"
	MuteMember        Permission = "member.mute"
	SetRole           Permission = "member.set_role"
	ManageInvites     Permission = "invite.manage"
	ManageHooks       Permission = "hook.manage"
)

// Rule is one row of the permission matrix.
type Rule struct {
	Permission Permission
	Doc        string
	Roles      []RoomRole // who may, in rooms that are not direct
	Direct     bool       // whether members of a direct room may
	Archived   bool       // whether it is still possible in an archived room
}

// Matrix is the whole of what roles allow. docs/permissions.md is printed from
// it. Acting upon another member (kick, ban, mute, set role) also needs a
// higher rank than theirs, and nobody gives a role as high as their own: see
// AllowOn.
func Matrix() []Rule {
	all := []RoomRole{Owner, Admin, Moderator, RegularMember}
	mods, admins, owner := all[:3], all[:2], all[:1]
	return []Rule{
		{ReadRoom, "read messages, members and search", all, true, true},
		{JoinRoom, "join without an invitation (public rooms only)", []RoomRole{NonMember}, false, false},
		{LeaveRoom, "leave (an owner hands over first)", all, true, true},
		{SendMessage, "write messages, and tell devices in the room what to do", all, true, false},
		{EditOwn, "edit own messages", all, true, false},
		{DeleteOwn, "delete own messages", all, true, false},
		{DeleteAny, "delete messages of others", mods, false, false},
		{MentionRoom, "notify everyone with @room", mods, true, false},
		{React, "react to messages", all, true, false},
		{PinMessage, "pin messages, and unpin them", all, true, false},
		{UploadFile, "upload files, to post them in messages", all, true, false},
		{InviteMember, "add people by name", all, false, false},
		{ManageInvites, "make and revoke invitation links", mods, false, false},
		{KickMember, "remove members", mods, false, true},
		{MuteMember, "mute members", mods, false, true},
		{BanMember, "ban people and lift bans", mods, false, true},
		{UpdateRoom, "change name, topic, picture, emoji and colour", admins, false, false},
		{SetPreviews, "switch previews of links on and off", admins, true, false},
		{SetScreening, "have the server flag rough language and spam for moderators", admins, false, false},
		{SetHistory, "choose what new members see of the history (private rooms only)", admins, false, false},
		{ManageHooks, "make, renew and remove webhooks", admins, false, false},
		{SetVisibility, "switch between public and private", admins, false, false},
		{ArchiveRoom, "archive and reopen", admins, false, true},
		{SetRole, "give and take roles", admins, false, true},
		{TransferOwnership, "hand over ownership", owner, false, true},
		{SetRetention, "choose how long messages are kept", owner, false, true},
		{DeleteRoom, "delete the room and all its messages", owner, false, true},
	}
}

// matrix is Matrix by permission. It is never changed.
var matrix = func() map[Permission]Rule {
	m := make(map[Permission]Rule)
	for _, r := range Matrix() {
		m[r.Permission] = r
	}
	return m
}()

// Allow returns nil if m may do p in r at the time now, and otherwise an error that says why
// not. The zero Member is a non-member. Non-members get not_found for rooms that they may not
// see, so that the error does not reveal that the room exists. A guest is a plain member, whatever
// their role says, invites nobody, and sees no room that they are not a member of.
func Allow(r Room, m Member, p Permission, now time.Time) error {
	if m.Role == NonMember {
		return allowNonMember(r, m, p)
	}
	role := m.Role
	if m.Guest {
		role = RegularMember
	}
	rule := matrix[p]
	if p == JoinRoom {
		return Conflict.Errorf(CodeAlreadyMember, "you are already a member of this room")
	}
	if r.Kind == DirectRoom && !rule.Direct {
		return Forbidden.Errorf(CodeNotInDirect, "this is not possible in a direct conversation")
	}
	if m.Guest && p == InviteMember {
		return ErrNotForGuests()
	}
	if r.Kind != DirectRoom && !slices.Contains(rule.Roles, role) {
		return Forbidden.Errorf(CodeRoleTooLow, "your role in this room does not allow this (%s)", p)
	}
	if r.Archived && !rule.Archived {
		return Conflict.Errorf(CodeRoomArchived, "this room is archived; reopen it first")
	}
	if m.Muted(now) && (p == SendMessage || p == EditOwn || p == React || p == PinMessage || p == UploadFile) {
		return Forbidden.Errorf(CodeMuted, "you are muted in this room until %s",
			m.MutedUntil.UTC().Format(time.RFC3339)).After(m.MutedUntil.Sub(now))
	}
	return nil
}

func allowNonMember(r Room, m Member, p Permission) error {
	switch {
	case r.Kind != PublicRoom, m.Guest:
		return ErrNoRoom()
	case p != JoinRoom:
		return Forbidden.Errorf(CodeNotAMember, "join this room first")
	case r.Archived:
		return Conflict.Errorf(CodeRoomArchived, "this room is archived; it takes no new members")
	}
	return nil
}

// AllowOn says whether m may do p to another member of r, and, for SetRole,
// give them the role to.
func AllowOn(r Room, m, other Member, p Permission, to RoomRole, now time.Time) error {
	if err := Allow(r, m, p, now); err != nil {
		return err
	}
	if m.Role.Rank() <= other.Role.Rank() {
		return Forbidden.Errorf(CodeRankTooLow, "this needs a higher role than theirs")
	}
	if p == SetRole && other.Guest && to.Rank() > RegularMember.Rank() {
		return Conflict.Errorf(CodeNotForGuests, "a guest stays a plain member; they can have no other role")
	}
	if p == SetRole && m.Role.Rank() <= to.Rank() {
		return Forbidden.Errorf(CodeRankTooLow, "you can only give roles below your own")
	}
	return nil
}

// ErrNoRoom is the answer about a room that does not exist or that the caller
// may not see: the two look the same.
func ErrNoRoom() *Error {
	return NotFound.Errorf(CodeNoRoom, "there is no such room, or you don't have access to it")
}

// CheckRoomID returns ErrNoRoom if id is not that of a room.
func CheckRoomID(id string) error {
	if !ValidID(RoomPrefix, id) {
		return ErrNoRoom()
	}
	return nil
}

// ErrNoMessage is the answer about a number in a room that no message has.
func ErrNoMessage(seq int64) *Error {
	return NotFound.Errorf(CodeNoMessage, "there is no message %d in this room", seq)
}
