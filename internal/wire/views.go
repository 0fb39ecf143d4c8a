package wire

import (
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// User is a principal as others see it.
type User struct {
	ID          string `json:"id" doc:"user id" example:"usr_01jd8m5q8re0t9v3x7k2p4s6za"`
	Kind        string `json:"kind" enum:"user,bot,device"`
	Username    string `json:"username" doc:"unique; what @mentions name"`
	DisplayName string `json:"display_name"`
	Avatar      string `json:"avatar,omitempty" doc:"path of the picture; absent: show initials"`
}

// Profile is a user's page as others see it.
type Profile struct {
	User
	About     string    `json:"about,omitempty"`
	TimeZone  string    `json:"time_zone,omitempty" doc:"IANA name"`
	CreatedAt time.Time `json:"created_at"`
	Disabled  bool      `json:"disabled,omitempty"`
	Guest     bool      `json:"guest,omitempty" doc:"is here as a guest, for a time"`
}

// Me is a user's own account.
type Me struct {
	Profile
	Email  string `json:"email,omitempty"`
	Locale string `json:"locale,omitempty" doc:"BCP 47 language tag"`
	Role   string `json:"role" enum:"user,admin,guest"`
	Status Status `json:"status"`

	GuestUntil *time.Time `json:"guest_until,omitempty" doc:"of a guest: when the access ends"`
}

// Status is what a user chose to show.
type Status struct {
	Mode    string     `json:"mode,omitempty" enum:"dnd,invisible," doc:"empty: by activity"`
	Text    string     `json:"text,omitempty" maxLength:"100"`
	Emoji   string     `json:"emoji,omitempty" maxLength:"32"`
	Expires *time.Time `json:"expires,omitempty" doc:"when text and emoji end; absent: never"`
}

// Presence is what others see of a user at one moment.
type Presence struct {
	User     string     `json:"user"`
	Is       string     `json:"is" enum:"online,away,dnd,invisible,asleep,offline"`
	Text     string     `json:"text,omitempty"`
	Emoji    string     `json:"emoji,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	LastSeen *time.Time `json:"last_seen,omitempty"`
	Until    *time.Time `json:"until,omitempty" doc:"of a device that sleeps: when it is to be back"`
}

// Room is a room as anyone who may see it sees it.
type Room struct {
	ID        string     `json:"id" example:"room_01jd8m5q8re0t9v3x7k2p4s6za"`
	Kind      string     `json:"kind" enum:"public,private,direct"`
	Name      string     `json:"name,omitempty" doc:"absent in direct rooms"`
	Topic     string     `json:"topic,omitempty"`
	Archived  bool       `json:"archived,omitempty"`
	Head      int64      `json:"head" doc:"last sequence number of the room's log"`
	Floor     int64      `json:"floor,omitempty" doc:"last sequence number that is no longer kept; absent: all are"`
	Keep      *Keep      `json:"retention,omitempty" doc:"how long this room keeps its messages; absent: as long as the server's rules say"`
	Previews  bool       `json:"previews,omitempty" doc:"pages that messages link to are shown with a preview"`
	Hides     bool       `json:"hides_history,omitempty" doc:"whoever joins from now on does not see what was written before; never of public rooms"`
	Look      *RoomLook  `json:"look,omitempty" doc:"by what it is told from others; absent: its name and a colour by its id"`
	Screening *Screening `json:"screening,omitempty" doc:"what the server flags for moderators; absent: nothing"`
	Held      bool       `json:"held,omitempty" doc:"a legal hold is on the room: nothing of it goes, and what is deleted is kept for the record"`
	Members   int        `json:"members" doc:"how many"`
	CreatedAt time.Time  `json:"created_at"`
	LastAt    time.Time  `json:"last_at" doc:"when the last message was written, or else the room made"`
}

// RoomLook is by what a room is told from others at a glance.
type RoomLook struct {
	Colour string `json:"colour,omitempty" enum:"red,orange,amber,green,teal,cyan,blue,violet,pink,grey" doc:"absent: one by the room's id"`
	Emoji  string `json:"emoji,omitempty" doc:"never beside a picture"`
	Avatar string `json:"avatar,omitempty" doc:"path of the picture"`
}

// Keep says how long messages are kept. A message goes once either is over.
type Keep struct {
	Days  int `json:"days,omitempty" minimum:"0" maximum:"36500" doc:"0: of any age"`
	Lines int `json:"lines,omitempty" minimum:"0" maximum:"100000000" doc:"of the timeline, joins and the like counted; 0: any number"`
}

// KeepOf is a choice between the server's rules and one's own.
type KeepOf struct {
	Keep
	Server bool `json:"server,omitempty" doc:"as the server's rules say; the other values do not count"`
}

// RoomState is a room in its member's list.
type RoomState struct {
	Room
	Role       string     `json:"role,omitempty" enum:"owner,admin,moderator,member" doc:"absent: you are not in the room"`
	MutedUntil *time.Time `json:"muted_until,omitempty"`
	Since      int64      `json:"since,omitempty" doc:"last sequence number that you do not see, since the room hid its history when you joined; absent: you see all that is kept"`
	Read       int64      `json:"read" doc:"last sequence number read on any of the user's devices"`
	Unread     int        `json:"unread" doc:"messages of others after read, without replies in threads; stops at 1000"`
	Mentions   int        `json:"mentions" doc:"unread ones that name the user or @room, in threads as well"`
	Threads    int        `json:"threads,omitempty" doc:"that the user follows, with unread replies"`
	FollowAll  bool       `json:"follow_threads,omitempty" doc:"the user follows each thread that gets a reply"`
	Last       *Message   `json:"last,omitempty" doc:"latest message"`
	Peers      []User     `json:"peers,omitempty" doc:"direct rooms: the other people"`
	Guests     int        `json:"guests,omitempty" doc:"how many of the members are guests of the server"`
}

// Member is someone's place in a room.
type Member struct {
	User
	Role       string     `json:"role" enum:"owner,admin,moderator,member"`
	MutedUntil *time.Time `json:"muted_until,omitempty"`
	JoinedAt   time.Time  `json:"joined_at"`
	Guest      bool       `json:"guest,omitempty" doc:"is here as a guest, for a time"`
}

// Invite is a link into a room.
type Invite struct {
	ID        string     `json:"id"`
	Code      string     `json:"code,omitempty" doc:"the secret part of the link; shown once, when it is made"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	Expires   *time.Time `json:"expires,omitempty"`
	MaxUses   int        `json:"max_uses,omitempty" doc:"absent: no limit"`
	Uses      int        `json:"uses"`
}

// RoomRequest asks somebody whether they want to be in a room.
type RoomRequest struct {
	Room    string    `json:"room"`
	Kind    string    `json:"kind" enum:"public,private,direct"`
	Name    string    `json:"name,omitempty" doc:"absent in direct rooms"`
	Topic   string    `json:"topic,omitempty"`
	Look    *RoomLook `json:"look,omitempty"`
	Members int       `json:"members" doc:"how many are in it"`
	By      User      `json:"by" doc:"who asks"`
	At      time.Time `json:"at"`
}

// Ban keeps someone out of a room.
type Ban struct {
	User   User      `json:"user"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Message is what someone said. Room and seq together are its name.
type Message struct {
	Room         string        `json:"room"`
	Seq          int64         `json:"seq" doc:"place in the room's log; with room, the message's name"`
	Sender       User          `json:"sender"`
	Key          string        `json:"key,omitempty" doc:"the sender's idempotency key"`
	ContentType  string        `json:"content_type,omitempty" doc:"absent: text/markdown; text/vnd.unhidra.action: the text says what the sender does; text/vnd.unhidra.answer: an assistant wrote it"`
	Text         string        `json:"text" doc:"empty once deleted"`
	ReplyTo      *Quote        `json:"reply_to,omitempty"`
	Mentions     []string      `json:"mentions,omitempty" doc:"ids of the members it names"`
	MentionsRoom bool          `json:"mentions_room,omitempty"`
	At           time.Time     `json:"at"`
	EditedAt     *time.Time    `json:"edited_at,omitempty"`
	Edits        int           `json:"edits,omitempty"`
	DeletedAt    *time.Time    `json:"deleted_at,omitempty"`
	Reactions    []Reaction    `json:"reactions,omitempty" doc:"by who was first; not in search, nor in last of a room"`
	ReactionsSeq int64         `json:"reactions_seq,omitempty" doc:"last event in reactions: apply only later ones"`
	Previews     []LinkPreview `json:"previews,omitempty" maxItems:"4" doc:"of links, in their order; not in search, nor in last of a room"`
	Files        []File        `json:"files,omitempty" maxItems:"10" doc:"in the order of the sender"`
	Thread       int64         `json:"thread,omitempty" doc:"of a reply in a thread: seq of the message that it began with"`
	Broadcast    bool          `json:"broadcast,omitempty" doc:"the reply is a line of the room as well"`
	Poll         *Poll         `json:"poll,omitempty" doc:"the message is a poll, and its text says the same; not in search, nor in last of a room"`
	Forward      *Forward      `json:"forward,omitempty" doc:"what it forwards; its text says the same; not in search, nor in last of a room"`
	Face         *Face         `json:"face,omitempty" doc:"the name and picture that a webhook gave it; show the sender beside it"`
	Replies      *Replies      `json:"replies,omitempty" doc:"what is said in its thread; absent: nothing; not in search, nor in last of a room"`
	Flag         *Flag         `json:"flag,omitempty" doc:"the server flagged it for moderators, who have not decided yet"`
	Hidden       bool          `json:"hidden,omitempty" doc:"it was written before you joined a room that hides that: nothing more is told of it"`
}

// Face is a name and a picture that a program gave one of its messages. The sender stays who it is from: show that it
// is a program, and its own name, beside them.
type Face struct {
	Name    string `json:"name,omitempty" doc:"at most 64 characters; absent: that of the sender"`
	Emoji   string `json:"emoji,omitempty" doc:"in place of a picture: as in reactions, or the name of one of the server between colons"`
	Picture string `json:"picture,omitempty" doc:"path of the picture; absent: the emoji, or that of the sender"`
}

// Flag is on a message that the server thinks moderators should look at.
type Flag struct {
	Reason   string `json:"reason" enum:"rough_language,looks_like_spam"`
	Score    int    `json:"score" doc:"how sure the server is, in per cent"`
	Appealed bool   `json:"appealed,omitempty" doc:"its author asked for a decision"`
}

// Screening is from which scores on the server flags messages of a room.
type Screening struct {
	Rough int `json:"rough_language,omitempty" doc:"50 to 99 per cent; 0 or absent: never"`
	Spam  int `json:"spam,omitempty" doc:"50 to 99 per cent; 0 or absent: never"`
}

// LinkPreview is what a page says of itself that a message links to.
type LinkPreview struct {
	URL         string        `json:"url" doc:"as it is written in the message"`
	Title       string        `json:"title,omitempty" doc:"at most 200 characters"`
	Description string        `json:"description,omitempty" doc:"at most 300 characters"`
	Site        string        `json:"site,omitempty" doc:"its name, at most 60 characters"`
	Image       *PreviewImage `json:"image,omitempty"`
	Icon        string        `json:"icon,omitempty" doc:"the id of its site's icon, of at most 32 by 32 pixels"`
}

// PreviewImage is the picture of a link preview. It is at /api/v1/previews/{id}, for whoever knows the id, and so is
// the icon.
type PreviewImage struct {
	ID     string `json:"id"`
	Width  int    `json:"width" doc:"pixels"`
	Height int    `json:"height"`
	Alt    string `json:"alt,omitempty" doc:"what it shows, in the page's words, at most 200 characters"`
}

// File is a file of a message. Its content is at /api/v1/files/{id}/content.
type File struct {
	ID         string     `json:"id" example:"fil_01jd8m5q8re0t9v3x7k2p4s6za"`
	Name       string     `json:"name" doc:"without a path, and without control characters"`
	Size       int64      `json:"size" doc:"bytes"`
	Type       string     `json:"type" doc:"media type, by the content and not by the name; empty until it is complete"`
	Width      int        `json:"width,omitempty" doc:"pixels, as it is shown"`
	Height     int        `json:"height,omitempty"`
	DurationMS int64      `json:"duration_ms,omitempty" doc:"of audio and video, as the sender says"`
	Thumbnail  *Thumbnail `json:"thumbnail,omitempty" doc:"there is a small picture, at /api/v1/files/{id}/thumbnail"`
	Gone       bool       `json:"gone,omitempty" doc:"it was deleted before the message, and cannot be loaded"`
}

// Thumbnail is a small picture of a file.
type Thumbnail struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// Reaction is an emoji that users gave to a message.
type Reaction struct {
	Emoji string   `json:"emoji" doc:"without U+FE0F: clients append it to what they would show as text"`
	Count int      `json:"count" doc:"of the users"`
	Users []string `json:"users,omitempty" maxItems:"20" doc:"ids, the first comes first; at most 300 in a message"`
	Mine  bool     `json:"mine,omitempty" doc:"you are one of them; only in answers of the REST API"`
}

// Forward is the copy of a message, as it was when it was forwarded.
type Forward struct {
	Room   string    `json:"room" doc:"of the original; who is no member there may not read it"`
	Seq    int64     `json:"seq" doc:"of the original"`
	Sender User      `json:"sender" doc:"who said it"`
	At     time.Time `json:"at" doc:"when they did"`
	Note   string    `json:"note,omitempty" doc:"what the forwarder says"`
	Text   string    `json:"text" doc:"what was said, with the names of files"`
	Cut    bool      `json:"cut,omitempty" doc:"more was said"`
}

// Poll is a question with choices, for which members of the room vote.
type Poll struct {
	Question  string       `json:"question"`
	Choices   []PollChoice `json:"choices" minItems:"2" maxItems:"10"`
	Multiple  bool         `json:"multiple,omitempty" doc:"one may vote for several"`
	Anonymous bool         `json:"anonymous,omitempty" doc:"nobody is told who voted for what"`
	ClosesAt  *time.Time   `json:"closes_at,omitempty" doc:"from then on nobody can vote"`
	ClosedAt  *time.Time   `json:"closed_at,omitempty" doc:"when somebody closed it"`
	Voters    int          `json:"voters" doc:"how many people have voted"`
	Seq       int64        `json:"seq,omitempty" doc:"last poll.changed in it: apply only later ones"`
	Mine      *[]int       `json:"mine,omitempty" doc:"your vote: choices, counted from 1; only in answers of the REST API"`
}

// PollChoice is a choice of a poll.
type PollChoice struct {
	Text  string `json:"text"`
	Votes int    `json:"votes"`
}

// PollNow is a poll after a vote, or after it was closed.
type PollNow struct {
	Seq  int64 `json:"seq" doc:"of the event; 0: it was so already"`
	Poll Poll  `json:"poll"`
}

// PollVotes is how a poll stands.
type PollVotes struct {
	Votes    []int      `json:"votes" doc:"for each choice"`
	Voters   int        `json:"voters"`
	ClosedAt *time.Time `json:"closed_at,omitempty"`
}

// VoteBy is a vote in the download of one's data.
type VoteBy struct {
	Room    string    `json:"room"`
	Seq     int64     `json:"seq"`     // of the poll
	Choices []int     `json:"choices"` // from 1
	At      time.Time `json:"at"`
}

// Replies are what is said in the thread of a message.
type Replies struct {
	Count int       `json:"count" doc:"replies that were not deleted; stops at 1000"`
	Last  int64     `json:"last" doc:"seq of the last one: add only later ones"`
	At    time.Time `json:"at" doc:"when that was written"`
	Users []User    `json:"users" maxItems:"5" doc:"who wrote the first replies"`
}

// Thread is a thread as a user sees it.
type Thread struct {
	Room      string   `json:"room"`
	Root      int64    `json:"root" doc:"seq of the message that it began with"`
	Following bool     `json:"following"`
	Read      int64    `json:"read" doc:"seq up to which the user has read it, on any device"`
	Unread    int      `json:"unread" doc:"replies of others after read; stops at 1000"`
	First     *Message `json:"first,omitempty" doc:"the message that it began with; absent: no longer kept, from before you joined, or in a frame"`
	Last      *Message `json:"last,omitempty" doc:"its last reply; only in the list of threads"`
}

// Quote is the message that a reply answers, as it is now.
type Quote struct {
	Seq     int64  `json:"seq"`
	Sender  User   `json:"sender"`
	Face    *Face  `json:"face,omitempty"`
	Excerpt string `json:"excerpt,omitempty" doc:"at most 200 characters"`
	Deleted bool   `json:"deleted,omitempty"`
	Hidden  bool   `json:"hidden,omitempty" doc:"it was written before you joined a room that hides that: only seq is told of it"`
}

// Pin is a message that is pinned in its room.
type Pin struct {
	Message Message   `json:"message"`
	By      User      `json:"by" doc:"who pinned it"`
	At      time.Time `json:"at" doc:"when they did"`
	Seq     int64     `json:"seq" doc:"of the event by which it was pinned"`
}

// PinChanged acknowledges that a message was pinned, or unpinned.
type PinChanged struct {
	Seq int64 `json:"seq,omitempty" doc:"of the event; absent: it was so already, and there is no event"`
}

// ReactionBy is a reaction in the download of one's data.
type ReactionBy struct {
	Room  string    `json:"room"`
	Seq   int64     `json:"seq"` // of the message
	Emoji string    `json:"emoji"`
	At    time.Time `json:"at"`
}

// Event is one entry of a room's log.
type Event struct {
	Room    string    `json:"room"`
	Seq     int64     `json:"seq" doc:"1, 2, 3 in each room, without gaps"`
	Type    string    `json:"type" example:"message.created" doc:"what happened; ignore types that you do not know"`
	Actor   User      `json:"actor"`
	At      time.Time `json:"at"`
	Subject *User     `json:"subject,omitempty" doc:"whom it is about"`
	Message *Message  `json:"message,omitempty" doc:"the message that it is or changes, as it is now; seq is that of the message, not of this event"`
	Detail  *Detail   `json:"detail,omitempty" doc:"what is new; each type has its own fields"`
}

// Detail is what an event about a room or a member says.
type Detail struct {
	Name      *string             `json:"name,omitempty"`
	Topic     *string             `json:"topic,omitempty"`
	Kind      string              `json:"kind,omitempty"`
	Archived  *bool               `json:"archived,omitempty"`
	Keep      *KeepOf             `json:"retention,omitempty" doc:"how long messages are kept from now on"`
	Hides     *bool               `json:"hides_history,omitempty" doc:"whether new members do not see from now on what was written before they join"`
	Look      *RoomLook           `json:"look,omitempty" doc:"all of the look of the room, as it is from now on; empty: it has none any more"`
	Previews  *bool               `json:"previews,omitempty" doc:"whether links are shown with a preview from now on"`
	Screening *Screening          `json:"screening,omitempty" doc:"all that the server flags from now on"`
	Held      *bool               `json:"held,omitempty" doc:"a legal hold began, or ended"`
	Role      string              `json:"role,omitempty"`
	Until     *time.Time          `json:"until,omitempty"`
	Reason    string              `json:"reason,omitempty"`
	Invite    string              `json:"invite,omitempty"`
	Of        int64               `json:"of,omitempty" doc:"number of the line that this event changes"`
	User      string              `json:"user,omitempty" doc:"id of who is mentioned"`
	Command   *CommandLine        `json:"command,omitempty" doc:"a command to the subject, as it is now"`
	Alarm     *AlarmLine          `json:"alarm,omitempty" doc:"an alarm of the subject, as it is now"`
	Poll      *PollVotes          `json:"poll,omitempty" doc:"how the poll with the number of stands now"`
	Emoji     string              `json:"emoji,omitempty" doc:"of a reaction to the message with the number of"`
	Chart     *ChartLine          `json:"chart,omitempty" doc:"what the subject has measured in a time"`
	Rollout   *domain.RolloutLine `json:"rollout,omitempty" doc:"a rollout of firmware, as it was then"`
	Batch     *BatchLine          `json:"batch,omitempty" doc:"what a group of devices was told, as far as it has come now"`
}

// ChartLine is a chart as a room shows it. Clients draw it from the readings of the device, as long as
// these are kept.
type ChartLine struct {
	From   time.Time     `json:"from"`
	To     time.Time     `json:"to"`
	Series []ChartSeries `json:"series" maxItems:"4"`
}

// ChartSeries is a series of a chart, with its figures of when it was posted.
type ChartSeries struct {
	Name  string   `json:"name"`
	Title string   `json:"title,omitempty" doc:"as the device declared it"`
	Unit  string   `json:"unit,omitempty"`
	Kind  string   `json:"kind" enum:"number,bool" doc:"of bool, true counts as 1 and false as 0"`
	Count int64    `json:"count" doc:"readings; 0: none, and no figures follow"`
	Min   *float64 `json:"min,omitempty"`
	Mean  *float64 `json:"mean,omitempty"`
	Max   *float64 `json:"max,omitempty"`
	Last  *float64 `json:"last,omitempty"`
}

// Alarm is one episode of a rule of a device.
type Alarm struct {
	AlarmLine
	Device    string     `json:"device"`
	Room      string     `json:"room,omitempty" doc:"that it was posted to"`
	Seq       int64      `json:"seq,omitempty" doc:"of its line in that room"`
	By        *User      `json:"by,omitempty" doc:"who acknowledged it"`
	HeldUntil *time.Time `json:"held_until,omitempty" doc:"it is posted then, when maintenance is over, if it is not over itself"`
}

// AlarmLine is an alarm as a room shows it.
type AlarmLine struct {
	ID           string     `json:"id"`
	Rule         string     `json:"rule"`
	Name         string     `json:"name" doc:"of the rule"`
	Kind         string     `json:"kind" enum:"threshold,rate,absence,anomaly"`
	Severity     string     `json:"severity" enum:"info,warning,critical"`
	Sensor       string     `json:"sensor,omitempty"`
	Value        *float64   `json:"value,omitempty" doc:"that raised it"`
	Limit        *float64   `json:"limit,omitempty" doc:"that the value is beyond"`
	RaisedAt     time.Time  `json:"raised_at"`
	ClearedAt    *time.Time `json:"cleared_at,omitempty" doc:"absent: it is not over"`
	Acknowledged string     `json:"acknowledged,omitempty" doc:"id of who did; absent: nobody"`
	AckedAt      *time.Time `json:"acked_at,omitempty"`
	SnoozedUntil *time.Time `json:"snoozed_until,omitempty" doc:"the rule posts nothing before"`
	EscalatedAt  *time.Time `json:"escalated_at,omitempty" doc:"nobody had acknowledged it in time"`
	Maintenance  string     `json:"maintenance,omitempty" doc:"name of the maintenance window in which it was raised"`
	Note         string     `json:"note,omitempty"`
	Flapping     bool       `json:"flapping,omitempty" doc:"it comes and goes: it is over only after 10 quiet minutes"`
}

// Command tells a device to do something.
type Command struct {
	CommandLine
	Device    string    `json:"device"`
	Room      string    `json:"room,omitempty" doc:"absent: its owner gave it, in no room"`
	Seq       int64     `json:"seq,omitempty" doc:"of its line in that room"`
	By        User      `json:"by"`
	Key       string    `json:"key,omitempty" doc:"idempotency key of whoever gave it"`
	At        time.Time `json:"at" doc:"when it was given"`
	ChangedAt time.Time `json:"changed_at"`
	Batch     string    `json:"batch,omitempty" doc:"id of what a group was told; absent: this device alone"`
	Trace     string    `json:"trace,omitempty" doc:"to the device alone, and only if it is traced: traceparent of W3C Trace Context"`
}

// Batch tells the devices of a group to do something.
type Batch struct {
	BatchLine
	Room string    `json:"room,omitempty" doc:"absent: in none"`
	Seq  int64     `json:"seq,omitempty" doc:"of its line in that room"`
	Key  string    `json:"key,omitempty" doc:"idempotency key of whoever gave it"`
	At   time.Time `json:"at" doc:"when it was given"`
}

// BatchLine is what a group of devices was told, as a room shows it.
type BatchLine struct {
	ID      string             `json:"id"`
	Group   string             `json:"group" doc:"name of the actor's group"`
	Action  string             `json:"action"`
	Args    json.RawMessage    `json:"args,omitempty" doc:"an object; absent: none"`
	Counts  domain.BatchCounts `json:"counts" doc:"how many devices have come how far"`
	Expires time.Time          `json:"expires"`
}

// CommandLine is a command as a room shows it.
type CommandLine struct {
	ID       string          `json:"id"`
	Action   string          `json:"action"`
	Args     json.RawMessage `json:"args,omitempty" doc:"an object; absent: none"`
	State    string          `json:"state" enum:"queued,sent,received,running,done,failed,expired,cancelled"`
	Progress *int            `json:"progress,omitempty" doc:"percent"`
	Result   json.RawMessage `json:"result,omitempty" doc:"any JSON, as the device says"`
	Error    string          `json:"error,omitempty" doc:"why it failed"`
	Expires  time.Time       `json:"expires"`
}
