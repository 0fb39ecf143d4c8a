package domain

import (
	"regexp"
	"slices"
	"time"
)

// Limits of slash commands.
const (
	MaxSlashCommands = 20 // that a room may have
	MaxServerSlash   = 50 // that the server may have for all rooms
	MaxSlashName     = 32 // bytes
	MaxSlashAbout    = 100
	MaxSlashHint     = 60
	MaxSlashReply    = 64 << 10 // bytes of an answer of a receiver
	SlashReplyUses   = 5        // answers that a response_url takes
	SlashReplyKept   = 30 * time.Minute
)

// A SlashCommand is a word that members of a room write after a slash, and an address that is asked then. In the room
// it is a member of its own, of kind bot, and exists as long as this membership. One of the server is there in many
// rooms, and becomes a member of one when it first answers to all of it.
type SlashCommand struct {
	ID          string   // also that of the user that it is in the room
	Room        string   // empty: it is the server's
	Kind        RoomKind // of rooms that have it, if it is the server's; empty: public and private ones
	Guests      bool     // whether guests may use it, if it is the server's; those of rooms they may
	Name        string   // what is written after the slash
	Description string   // what it does
	Hint        string   // what is written after its name; may be empty
	URL         string
	User        UserRef // as whom it answers
	CreatedBy   UserRef // who made it, or switched it on last
	CreatedAt   time.Time
	Generation  int       // of its secret, from 1
	RotatedAt   time.Time // when the secret was replaced; zero: never
	Secret      string    // only known when it is made or replaced
	Off         HookOff   // why it asks nobody; empty: it is on
	UsedAt      time.Time // about when the receiver last answered; zero: never
	FailedAt    time.Time // about when the receiver last failed; zero: never
	Failure     string    // what was wrong then
}

// OfServer reports whether c is a command of the server, beside those of rooms.
func (c SlashCommand) OfServer() bool { return c.Room == "" }

// A SlashRun is one use of a slash command, which its receiver may answer later.
type SlashRun struct {
	Command  SlashCommand
	Room     string  // in which it was written
	User     UserRef // who wrote it
	RoomName string  // only known when it begins
	Thread   int64   // in whose thread it was written; 0: in none
}

// A SlashReply is what a receiver answers.
type SlashReply struct {
	Text string // Markdown; empty: it says nothing
	Room bool   // all of the room see it; else who wrote the command, and nobody else
}

var slashName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// builtInCommands are the words that the web client, unhidra chat or both have after a slash themselves.
var builtInCommands = []string{
	"me", "poll", "topic", "look", "invite", "join", "leave", "mute", "unmute", "shrug", "remind", "chart",
	"help", "rooms", "open", "create", "search", "block", "unblock", "saved", "more", "edit", "delete", "send", "save",
	"react", "unreact", "thread", "unread", "vote", "pin", "unpin", "report", "unsave", "forward", "text", "quit",
}

// CheckSlashName returns an error if a slash command may not have a name.
func CheckSlashName(name string) error {
	switch {
	case len(name) > MaxSlashName || !slashName.MatchString(name):
		return InvalidField("/name", "a command has a name of at most %d small letters a to z, digits, _ and -, without the "+
			"slash", MaxSlashName)
	case slices.Contains(builtInCommands, name):
		return InvalidField("/name", "/%s is a command that rooms have already; choose another name", name)
	}
	return nil
}
