package wire

import (
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// MaxFrame is the largest frame, in bytes, that either side sends.
const MaxFrame = 64 << 10

// Types of frames that a client sends. Each has an id, and is answered by one
// frame of type ok or error with the same id; typing alone is not answered.
const (
	TypeSend          = "message.send"    // Send -> Sent
	TypeEdit          = "message.edit"    // Edit -> Sent
	TypeDelete        = "message.delete"  // Target -> Sent
	TypeReact         = "reaction.add"    // React -> Reacted
	TypeUnreact       = "reaction.remove" // React -> Reacted
	TypeRead          = "read.mark"       // Mark -> Mark (where the mark stands now)
	TypeThreadRead    = "thread.mark"     // ThreadMark -> ThreadState
	TypeTyping        = "typing"          // InRoom
	TypeSync          = "sync"            // Sync -> Synced
	TypeWatch         = "presence.watch"  // Watch -> Presences
	TypeActivity      = "presence.set"    // Activity -> nothing
	TypeRefresh       = "auth.refresh"    // Refresh -> Until
	TypePing          = "ping"            // nothing -> nothing
	TypeDescribe      = "describe"        // Describe -> nothing; devices only
	TypeBye           = "bye"             // Bye -> nothing; devices only
	TypeCommand       = "command"         // NewCommand -> Command
	TypeCommands      = "commands"        // nothing -> Commands; devices only
	TypeReported      = "command_result"  // CommandReport -> nothing; devices only
	TypeSettings      = "settings"        // nothing -> Settings; devices only
	TypeSettingsSet   = "settings_result" // SettingsReport -> nothing; devices only
	TypeReport        = "report"          // Report -> Reported; devices only
	TypeWatchReadings = "watch_readings"  // WatchReadings -> WatchedReadings
)

// Types of frames that the server sends.
const (
	TypeOK         = "ok"
	TypeError      = "error"
	TypeHello      = "hello"          // Hello, first frame of a connection
	TypeEvent      = "event"          // Event: one entry of a room's log
	TypePresence   = "presence"       // Presences: what changed of the watched users
	TypeIsTyping   = "typing"         // Typing
	TypeReadMoved  = "read"           // Mark: the user's own mark moved, on any device
	TypeThread     = "thread.state"   // ThreadState: the user has read a thread or follows it, on any device
	TypeRoomJoined = "room.joined"    // RoomState: the user is now a member
	TypeRoomLeft   = "room.left"      // Left: the user is no longer a member, or the room is gone
	TypeRequested  = "room.requested" // RoomRequest: a stranger wants the user in a room
	TypeAnswered   = "room.answered"  // InRoom: the user has answered such a request, on any device
	TypeBlocked    = "user.blocked"   // Blocking: the user has blocked somebody, or not any longer, on any device
	TypeRoomReset  = "room.reset"     // InRoom: forget the room's events and load it again
	TypePurged     = "room.purged"    // Purged: the room's oldest events are no longer kept
	// Profile: a watched user, one of the same rooms, or this one, has a new name, picture or text
	TypeUser    = "user.updated"
	TypeRevoked = "auth.revoked" // Revoked: the connection closes next
	// Command: to a device, which is to carry it out. It has the type of the request by which people
	// give one.
	TypeOrder        = TypeCommand
	TypeCommandState = "command.state" // Command: what became of one that the user gave in no room
	TypeReadings     = "readings"      // DeviceReadings: what is new of a watched device
	// Settings: to a device, which is to set them. It has the type of the request by which a device asks.
	TypeSet             = TypeSettings
	TypeSettingsChanged = "device.settings" // SettingsChanged: of a device of the user
	TypeDeviceTransfer  = "device.transfer" // DeviceTransfer: to both sides
	TypeNotifications   = "notifications"   // Notifications: the user has chosen others, on any device
	TypeSaved           = "saved"           // SavedChanged: the user has saved a message, or not any longer, on any device
	TypeDraft           = "draft"           // Draft: the user has written, on any device
	TypeScheduled       = "scheduled"       // ScheduledChanged: a message that the user sends later has changed
	TypeSections        = "sections"        // RoomSections: the user has arranged their rooms, on any device
	TypeReminder        = "reminder"        // ReminderChanged: a reminder of the user came or has changed
	TypeSlashAnswer     = "slash.answer"    // SlashAnswer: to whoever wrote a slash command
	TypeReportChanged   = "report.changed"  // ReportChanged: to those who decide on a report, or who made it
	TypeEmojiChanged    = "emoji.changed"   // EmojiChanged: to everybody
	TypeDeviceStatus    = "device.status"   // DeviceStatuses: devices of the user, or watched ones, that came or went
)

// Request is a frame from a client.
type Request struct {
	ID   string          `json:"id,omitempty" maxLength:"64" doc:"chosen by the client; comes back in the answer"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data,omitempty"`

	Trace string `json:"trace,omitempty" doc:"traceparent of W3C Trace Context: of which trace the request is a part"`
}

// Reply is a frame from the server: an answer if it has an id, news otherwise.
type Reply struct {
	ID    string     `json:"id,omitempty"`
	Type  string     `json:"type"`
	Data  any        `json:"data,omitempty"`
	Error *ErrorBody `json:"error,omitempty"`
}

// ErrorBody says what was wrong with a request. Kind is one of a closed set;
// code is narrower.
type ErrorBody struct {
	Kind       string      `json:"kind"`
	Code       domain.Code `json:"code,omitempty"`
	Detail     string      `json:"detail"`
	Fields     []Field     `json:"fields,omitempty"`
	RetryAfter float64     `json:"retry_after,omitempty" doc:"seconds"`
	Trace      string      `json:"trace,omitempty" doc:"id of the request's trace, if the server traces"`
}

// Field names one bad value by its JSON pointer.
type Field struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Hello opens a connection. One that names many rooms comes as several frames.
type Hello struct {
	Conn      string      `json:"conn" doc:"connection id"`
	Server    string      `json:"server" doc:"version"`
	Me        *Me         `json:"me"`
	Limits    Limits      `json:"limits"`
	Heartbeat int         `json:"heartbeat" doc:"seconds between the server's pings; a connection that is silent for two of them is dead"`
	Expires   *time.Time  `json:"expires,omitempty" doc:"when the token ends; send auth.refresh before"`
	Rooms     []RoomState `json:"rooms" doc:"that of the latest message first"`
	More      bool        `json:"more,omitempty" doc:"another hello follows at once, with further rooms"`
	Requests  int         `json:"requests,omitempty" doc:"rooms that strangers want the user in: GET /requests"`
	Blocked   []string    `json:"blocked,omitempty" doc:"ids of those whom the user has blocked"`
	Traces    bool        `json:"traces,omitempty" doc:"the server traces: it takes the field trace of requests"`
	// TraceShare is for clients that do not trace by themselves.
	TraceShare float64 `json:"trace_share,omitempty" doc:"share of its requests that a web client traces, and reports to POST /traces"`
}

// Blocking says whether the user has blocked somebody.
type Blocking struct {
	User    string `json:"user" doc:"id"`
	Blocked bool   `json:"blocked"`
}

// Limits are what the server accepts.
type Limits struct {
	Frame     int     `json:"frame" doc:"bytes of a frame"`
	Text      int     `json:"text" doc:"bytes of a message's text"`
	PerSecond float64 `json:"messages_per_second"`
	Replay    int     `json:"replay" doc:"events in one answer to sync"`
}

// Send asks for a message to be written.
type Send struct {
	Room        string `json:"room"`
	Key         string `json:"key" maxLength:"64" doc:"idempotency key: the same key gives the same message"`
	Text        string `json:"text,omitempty" doc:"needed without files"`
	ContentType string `json:"content_type,omitempty"`
	ReplyTo     int64  `json:"reply_to,omitempty" doc:"seq of the message it answers"`
	Thread      int64  `json:"thread,omitempty" doc:"seq of the message whose thread it is a reply in, and which it answers without reply_to"`
	Broadcast   bool   `json:"broadcast,omitempty" doc:"with thread: also a line of the room"`
	// Files are shown in this order.
	Files []string `json:"files,omitempty" maxItems:"10" doc:"ids of the sender's uploads; with them text may be empty"`
}

// Edit gives a message a new text.
type Edit struct {
	Room string `json:"room"`
	Seq  int64  `json:"seq"`
	Text string `json:"text"`
}

// Target names a message.
type Target struct {
	Room string `json:"room"`
	Seq  int64  `json:"seq"`
}

// Sent acknowledges a durable change: seq is that of the event, the message
// has its own.
type Sent struct {
	Seq     int64    `json:"seq"`
	Message *Message `json:"message"`
}

// React names a message and an emoji.
type React struct {
	Room  string `json:"room"`
	Seq   int64  `json:"seq" doc:"of the message"`
	Emoji string `json:"emoji" doc:"one emoji; U+FE0F in it makes no difference"`
}

// Reacted acknowledges a reaction, or that one was taken away.
type Reacted struct {
	Seq int64 `json:"seq,omitempty" doc:"of the event; absent: it was so already, and there is no event"`
}

// Mark is how far a user has read in a room. It moves back only if the user asks for that.
type Mark struct {
	Room     string `json:"room"`
	Seq      int64  `json:"seq"`
	Unread   int    `json:"unread,omitempty"`
	Mentions int    `json:"mentions,omitempty"`
	Threads  int    `json:"threads,omitempty" doc:"that the user follows, with unread replies"`
	Main     bool   `json:"main,omitempty" doc:"in a request: the marks of threads stay; else all threads are read to seq, too"`
	Back     bool   `json:"back,omitempty" doc:"the user has marked messages as unread again; else marks only move forward"`
}

// ThreadMark says how far a user has read a thread.
type ThreadMark struct {
	Room string `json:"room"`
	Root int64  `json:"root" doc:"seq of the message that the thread begins with"`
	Seq  int64  `json:"seq" doc:"of the last reply that was read"`
}

// ThreadState is what a user has read of a thread, and whether they follow it. It has no messages.
type ThreadState struct {
	Thread
	Mark *Mark `json:"mark,omitempty" doc:"what is unread in the room; absent: load it, if you show it"`
	Back bool  `json:"back,omitempty" doc:"the user has marked replies as unread again; else read only moves forward"`
}

// InRoom names a room.
type InRoom struct {
	Room string `json:"room"`
}

// Purged tells that the events of a room up to a number are no longer kept.
type Purged struct {
	Room  string `json:"room"`
	Floor int64  `json:"floor" doc:"the last number that is gone"`
}

// Sync names the last event that the client has of each room.
type Sync struct {
	Rooms map[string]int64 `json:"rooms"`
}

// Synced holds what came after. Rooms that the client may not read, or that
// are gone, are in Gone. More means: sync again from the last event.
type Synced struct {
	Rooms []Replay `json:"rooms"`
	Gone  []string `json:"gone,omitempty"`
	More  bool     `json:"more,omitempty" doc:"rooms that are neither here nor gone did not fit: ask for them again"`
}

// Replay is a stretch of one room's log.
type Replay struct {
	Room   string  `json:"room"`
	Events []Event `json:"events"`
	Head   int64   `json:"head"`
	More   bool    `json:"more,omitempty"`
	Reset  bool    `json:"reset,omitempty" doc:"events between the client's number and these are no longer kept: forget what came before"`
	Floor  int64   `json:"floor,omitempty" doc:"last sequence number that is no longer kept"`
}

// Watch replaces the set of users whose presence the client wants to be told.
type Watch struct {
	Users []string `json:"users" maxItems:"500"`
}

// Presences is a list of presences.
type Presences struct {
	Users []Presence `json:"users"`
}

// Activity tells that the person at this connection is there, or went away.
type Activity struct {
	Active bool `json:"active"`
}

// Typing tells that someone is writing. It is over after 6 seconds, or with
// their next message.
type Typing struct {
	Room string `json:"room"`
	User User   `json:"user"`
}

// Left tells that the user is no longer in a room.
type Left struct {
	Room   string `json:"room"`
	Reason string `json:"reason" enum:"left,kicked,banned,deleted"`
}

// Refresh extends a connection with a new access token of the same session.
type Refresh struct {
	Token string `json:"token"`
}

// Describe is what a device says about itself. It replaces what it said before.
type Describe struct {
	Capabilities domain.Capabilities `json:"capabilities"`
}

// Bye says that a device will be away for some time, on purpose; reset, that it forgets its key, which ends.
type Bye struct {
	Reason string `json:"reason" enum:"sleep,update,restart,off,reset"`
	BackIn int    `json:"back_in" doc:"seconds until it wants to be back, at most 31 days"`
}

// NewCommand tells a device to do something.
type NewCommand struct {
	Device    string         `json:"device"`
	Room      string         `json:"room,omitempty" doc:"which shows the command and its answer; absent: none, for the owner alone"`
	Key       string         `json:"key" maxLength:"64" doc:"idempotency key: the same key gives the same command"`
	Action    string         `json:"action" doc:"one of the device's actuators"`
	Args      map[string]any `json:"args,omitempty" doc:"by name, as the device has declared them"`
	ExpiresIn int            `json:"expires_in,omitempty" doc:"seconds, 1 to 86400; absent: 60"`
	Confirm   bool           `json:"confirm,omitempty" doc:"needed if the action is destructive"`
}

// Commands are the open commands of a device, the oldest first.
type Commands struct {
	Commands []Command `json:"commands"`
}

// CommandReport is what a device says about a command.
type CommandReport struct {
	ID       string          `json:"id" doc:"of the command"`
	State    string          `json:"state" enum:"received,running,done,failed"`
	Progress *int            `json:"progress,omitempty" doc:"percent, while it is running"`
	Result   json.RawMessage `json:"result,omitempty" doc:"any JSON of at most 4096 bytes, with done"`
	Error    string          `json:"error,omitempty" maxLength:"200" doc:"why it failed"`
}

// Until is when a token ends.
type Until struct {
	Expires time.Time `json:"expires,omitzero"` // absent: not by time
}

// Revoked tells why the connection is about to be closed.
type Revoked struct {
	Reason string `json:"reason"`
}

// Close codes of the WebSocket, beside those of RFC 6455. They say whether to
// come back.
const (
	CloseBadFrame   = 4400 // not our protocol; do not return without a change
	CloseToken      = 4401 // refresh the token, then return
	CloseForbidden  = 4403 // do not return
	CloseTimeout    = 4408 // silent for too long; return
	CloseRevoked    = 4410 // the session was ended; do not return
	CloseRate       = 4429 // return after the seconds in the reason
	CloseSlow       = 4430 // too slow in reading; return and sync
	CloseRestarting = 1012 // the server restarts, or the connection is old; return after the seconds in the reason
)
