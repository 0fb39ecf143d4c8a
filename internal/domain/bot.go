package domain

import (
	"slices"
	"strings"
	"time"
)

// Bounds of bots.
const (
	MaxBots      = 10  // of one person
	MaxBotTokens = 10  // of one bot
	MaxBotRooms  = 100 // that one bot is in, or that a token is restricted to
)

// Bot is an account of a program. It is a member of rooms like a person, and belongs to one.
type Bot struct {
	User      UserRef
	Owner     string // id
	CreatedAt time.Time
	Tokens    []BotToken
}

// BotToken is what a bot proves by who it is, and says what it may.
type BotToken struct {
	ID        string
	Bot       string // id
	Owner     string // of the bot, id
	Name      string
	Secret    string   // only known when it is made
	Read      bool     // it may read the bot's rooms
	Write     bool     // it may write in them
	Files     bool     // it may upload and load files there
	Manage    bool     // it may change topics, pins and members there, as far as the bot's role allows
	Rooms     []string // ids; nil: all that the bot is in
	CreatedAt time.Time
	UsedAt    time.Time // to about a minute; zero: never
}

// BotScope is one of the things that tokens of bots may allow.
type BotScope string

// The scopes of tokens.
const (
	ScopeRead   BotScope = "read"
	ScopeWrite  BotScope = "write"
	ScopeFiles  BotScope = "files"
	ScopeManage BotScope = "manage"
)

// Has reports whether k allows what a scope is about.
func (k BotToken) Has(scope BotScope) bool {
	return map[BotScope]bool{ScopeRead: k.Read, ScopeWrite: k.Write, ScopeFiles: k.Files, ScopeManage: k.Manage}[scope]
}

// Scopes returns what k allows.
func (k BotToken) Scopes() (scopes []BotScope) {
	for _, scope := range []BotScope{ScopeRead, ScopeWrite, ScopeFiles, ScopeManage} {
		if k.Has(scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// Covers reports whether k is for a room.
func (k BotToken) Covers(room string) bool { return k.Rooms == nil || slices.Contains(k.Rooms, room) }

// BotSecretPrefix begins the secrets of bots, so that scanners for secrets know them.
const BotSecretPrefix = "ubt_"

// CheckBearer returns an error if secret, which came as an access token, has the form of a bot's token or of a device's
// key. They are good elsewhere.
func CheckBearer(secret string) error {
	switch {
	case strings.HasPrefix(secret, BotSecretPrefix):
		return Unauthorized.Errorf(CodeBadToken, "this is the token of a bot, which opens /bot/events, /bot/messages and "+
			"what its scopes allow; all else takes access tokens of people")
	case LooksLikeDeviceKey(secret):
		return Unauthorized.Errorf(CodeBadToken, "this is the key of a device, which opens WebSocket and MQTT connections "+
			"alone; the REST API takes access tokens of people")
	}
	return nil
}

// BotRoom is a room that a bot is in.
type BotRoom struct {
	ID     string
	Joined int64 // number of the event by which it came in
	Since  int64 // the last number that it does not see; 0: it sees all
	Head   int64 // the last number of its log
}
