package domain

import "time"

// Payload is what an event says beside its subject and its message: one of the structs
// below, by value, as the catalogue names it for the event's type. Their JSON is the stored
// form; see package roomlog for its versions.
type Payload interface{ payload() }

// RoomCreatedPayload is what a new room is like.
type RoomCreatedPayload struct {
	Name  *string  `json:"name,omitempty"`  // nil: none
	Topic *string  `json:"topic,omitempty"` // nil: none
	Kind  RoomKind `json:"kind,omitempty"`
}

// RoomUpdatedPayload is what has changed of a room; nil and empty: as before.
type RoomUpdatedPayload struct {
	Name     *string        `json:"name,omitempty"`
	Topic    *string        `json:"topic,omitempty"`
	Kind     RoomKind       `json:"kind,omitempty"`
	Archived *bool          `json:"archived,omitempty"`
	Keep     *RoomRetention `json:"keep,omitempty"` // retention
	Held     *bool          `json:"held,omitempty"` // legal hold
	Previews *bool          `json:"previews,omitempty"`
	Hides    *bool          `json:"hides_history,omitempty"` // earlier messages, from new members
	Look     *RoomLook      `json:"look,omitempty"`          // all of it, as it is from now on

	Screening *Screening `json:"screening,omitempty"` // all of it
}

// MemberJoinedPayload is how somebody came in.
type MemberJoinedPayload struct {
	Role   RoomRole `json:"role,omitempty"`
	Invite string   `json:"invite,omitempty"` // id of the link they joined by; empty: by none
}

// MemberKickedPayload is why somebody was removed.
type MemberKickedPayload struct {
	Reason string `json:"reason,omitempty"`
}

// MemberBannedPayload is why somebody is kept out.
type MemberBannedPayload struct {
	Role   RoomRole `json:"role,omitempty"` // that they had; empty: they were no member
	Reason string   `json:"reason,omitempty"`
}

// MemberMutedPayload is until when somebody may not write.
type MemberMutedPayload struct {
	Until *time.Time `json:"until,omitempty"` // nil: they may write again
}

// MemberRolePayload is the role that somebody has from now on.
type MemberRolePayload struct {
	Role RoomRole `json:"role,omitempty"`
}

// CommandSentPayload is a command to a device, as it is now.
type CommandSentPayload struct {
	Command *CommandLine `json:"command,omitempty"`
}

// CommandChangedPayload is what has become of a command.
type CommandChangedPayload struct {
	Of      int64        `json:"of,omitempty"` // number of the line that it changes
	Command *CommandLine `json:"command,omitempty"`
}

// AlarmRaisedPayload is an alarm, as it is now.
type AlarmRaisedPayload struct {
	Alarm *AlarmLine `json:"alarm,omitempty"`
}

// AlarmClearedPayload is an alarm that is over.
type AlarmClearedPayload struct {
	Of    int64      `json:"of,omitempty"` // number of its line
	Alarm *AlarmLine `json:"alarm,omitempty"`
}

// AlarmAcknowledgedPayload is an alarm that somebody acknowledged, snoozed or noted something about.
type AlarmAcknowledgedPayload struct {
	Of    int64      `json:"of,omitempty"` // number of its line
	Alarm *AlarmLine `json:"alarm,omitempty"`
}

// AlarmEscalatedPayload is an alarm that nobody has acknowledged in time, as it is now.
type AlarmEscalatedPayload struct {
	User  string     `json:"user,omitempty"` // who is mentioned; empty: nobody
	Alarm *AlarmLine `json:"alarm,omitempty"`
}

// ChartPostedPayload is a chart, with its figures of when it was posted.
type ChartPostedPayload struct {
	Chart *ChartLine `json:"chart,omitempty"`
}

// RolloutToldPayload is a rollout, as it was then.
type RolloutToldPayload struct {
	Rollout *RolloutLine `json:"rollout,omitempty"`
}

// GroupCommandedPayload is what a group of devices was told, as far as it has come now.
type GroupCommandedPayload struct {
	Batch *BatchLine `json:"batch,omitempty"`
}

// GroupChangedPayload is how far it has come.
type GroupChangedPayload struct {
	Of    int64      `json:"of,omitempty"` // number of the line that it changes
	Batch *BatchLine `json:"batch,omitempty"`
}

// ReactionAddedPayload is an emoji that the actor gave to a message.
type ReactionAddedPayload struct {
	Of    int64  `json:"of,omitempty"` // number of the message
	Emoji string `json:"emoji,omitempty"`
}

// ReactionRemovedPayload is an emoji that the actor no longer gives to a message.
type ReactionRemovedPayload struct {
	Of    int64  `json:"of,omitempty"` // number of the message
	Emoji string `json:"emoji,omitempty"`
}

// MessagePinnedPayload is a message that is pinned from now on.
type MessagePinnedPayload struct {
	Of int64 `json:"of,omitempty"` // number of the message
}

// MessageUnpinnedPayload is a message that is no longer pinned.
type MessageUnpinnedPayload struct {
	Of int64 `json:"of,omitempty"` // number of the message
}

// PollChangedPayload is how a poll stands after a vote, or after it was closed.
type PollChangedPayload struct {
	Of   int64      `json:"of,omitempty"` // number of the message
	Poll *PollVotes `json:"poll,omitempty"`
}

// UnknownPayload is what a newer server stored: this one knows the event's type not at all,
// or not in that version. It stays in the log as it is, and clients are not told of it.
type UnknownPayload struct {
	Version int
	Stored  string // JSON
}

func (RoomCreatedPayload) payload()       {}
func (RoomUpdatedPayload) payload()       {}
func (MemberJoinedPayload) payload()      {}
func (MemberKickedPayload) payload()      {}
func (MemberBannedPayload) payload()      {}
func (MemberMutedPayload) payload()       {}
func (MemberRolePayload) payload()        {}
func (CommandSentPayload) payload()       {}
func (CommandChangedPayload) payload()    {}
func (AlarmRaisedPayload) payload()       {}
func (AlarmClearedPayload) payload()      {}
func (AlarmAcknowledgedPayload) payload() {}
func (AlarmEscalatedPayload) payload()    {}
func (RolloutToldPayload) payload()       {}
func (ChartPostedPayload) payload()       {}
func (GroupCommandedPayload) payload()    {}
func (GroupChangedPayload) payload()      {}
func (ReactionAddedPayload) payload()     {}
func (ReactionRemovedPayload) payload()   {}
func (MessagePinnedPayload) payload()     {}
func (MessageUnpinnedPayload) payload()   {}
func (PollChangedPayload) payload()       {}
func (UnknownPayload) payload()           {}
