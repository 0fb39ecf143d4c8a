package domain

import "slices"

// EventType names one kind of change that a room's members can see.
type EventType string

// The types of events. They are part of the protocol: add, never rename. What is known of
// each stands in the catalogue below.
const (
	RoomCreated       EventType = "room.created"
	RoomUpdated       EventType = "room.updated"
	MemberJoined      EventType = "member.joined"
	MemberAsked       EventType = "member.asked"
	MemberLeft        EventType = "member.left"
	MemberKicked      EventType = "member.kicked"
	MemberBanned      EventType = "member.banned"
	MemberUnbanned    EventType = "member.unbanned"
	MemberMuted       EventType = "member.muted"
	MemberRole        EventType = "member.role"
	MessageCreated    EventType = "message.created"
	MessageEdited     EventType = "message.edited"
	MessageDeleted    EventType = "message.deleted"
	MessagePreviewed  EventType = "message.previewed"
	MessageFlagged    EventType = "message.flagged"
	CommandGiven      EventType = "command.sent"
	CommandChanged    EventType = "command.changed"
	AlarmRaised       EventType = "alarm.raised"
	AlarmCleared      EventType = "alarm.cleared"
	AlarmAcknowledged EventType = "alarm.acknowledged"
	AlarmEscalated    EventType = "alarm.escalated"
	ChartPosted       EventType = "chart.posted"
	RolloutTold       EventType = "rollout.told"
	GroupCommanded    EventType = "group.commanded"
	GroupChanged      EventType = "group.changed"
	ReactionAdded     EventType = "reaction.added"
	ReactionRemoved   EventType = "reaction.removed"
	MessagePinned     EventType = "message.pinned"
	MessageUnpinned   EventType = "message.unpinned"
	PollChanged       EventType = "poll.changed"
)

// EventSpec says all that the server, its clients and its documents know of a type of
// event. Nothing else may switch on types for what a column here tells.
type EventSpec struct {
	Type     EventType
	About    string      // what happened, for documents: a phrase without a full stop
	Audience Audience    // who may see it
	Timeline bool        // a line of its own in the room's timeline; else it changes a line above, its target
	Quiet    bool        // a run of such lines may be shown as one
	Subject  bool        // it is about a user
	Message  MessagePart // what it does to a message
	Joins    bool        // its subject is a member from now on
	Leaves   LeaveReason // its subject is no longer a member, if they were one; empty: nobody leaves
	Payload  Payload     // the zero value of its payload's struct; nil: it has none
	Version  int         // of the payload's stored form, from 1
	Unread   bool        // counts as unread for everybody but its actor
	Indexed  bool        // search finds it by its text
}

// Audience is who may see events of a type.
type Audience string

// All events of a log have one audience: the numbers of a log have no gaps, so whoever may
// read it may read all of it. What fewer people may see is in no log.
const (
	ForMembers Audience = "members" // in the log: whoever may read the room
	ForActor   Audience = "actor"   // in no log: the answer to whoever did it, and nothing else
)

// MessagePart is what an event does to a message.
type MessagePart int

// The events of a log are about no message, are one, or change an earlier one.
const (
	NoMessage MessagePart = iota
	NewMessage
	ChangedMessage
)

// LeaveReason is why somebody is no longer a member of a room.
type LeaveReason string

// The reasons that events give.
const (
	ReasonLeft   LeaveReason = "left"
	ReasonKicked LeaveReason = "kicked"
	ReasonBanned LeaveReason = "banned"
)

// catalogue has one row for each type. Its order is that of the documents.
var catalogue = []EventSpec{
	{Type: RoomCreated, About: "the room was created", Audience: ForMembers, Timeline: true, Payload: RoomCreatedPayload{},
		Version: 1},
	{Type: RoomUpdated, About: "name, topic, look, kind, archived, retention, previews, what new members see or legal hold of the room changed",
		Audience: ForMembers, Timeline: true, Payload: RoomUpdatedPayload{}, Version: 1},
	{Type: MemberJoined, About: "the subject joined, or was added by the actor",
		Audience: ForMembers, Timeline: true, Quiet: true, Subject: true, Joins: true, Payload: MemberJoinedPayload{},
		Version: 1},
	{Type: MemberAsked, About: "the subject is asked first; the answer to adding a member, with `seq` 0",
		Audience: ForActor, Subject: true},
	{Type: MemberLeft, About: "the subject left",
		Audience: ForMembers, Timeline: true, Quiet: true, Subject: true, Leaves: ReasonLeft},
	{Type: MemberKicked, About: "the actor removed the subject",
		Audience: ForMembers, Timeline: true, Subject: true, Leaves: ReasonKicked, Payload: MemberKickedPayload{},
		Version: 1},
	{Type: MemberBanned, About: "the actor banned the subject, who need not have been a member",
		Audience: ForMembers, Timeline: true, Subject: true, Leaves: ReasonBanned, Payload: MemberBannedPayload{},
		Version: 1},
	{Type: MemberUnbanned, About: "the actor lifted the ban on the subject",
		Audience: ForMembers, Timeline: true, Subject: true},
	{Type: MemberMuted, About: "the actor muted the subject, or ended a mute",
		Audience: ForMembers, Timeline: true, Subject: true, Payload: MemberMutedPayload{}, Version: 1},
	{Type: MemberRole, About: "the actor gave the subject a role",
		Audience: ForMembers, Timeline: true, Subject: true, Payload: MemberRolePayload{}, Version: 1},
	{Type: MessageCreated, About: "the actor wrote a message",
		Audience: ForMembers, Timeline: true, Message: NewMessage, Unread: true, Indexed: true},
	{Type: MessageEdited, About: "the actor changed a message's text",
		Audience: ForMembers, Message: ChangedMessage},
	{Type: MessageDeleted, About: "the actor deleted a message",
		Audience: ForMembers, Message: ChangedMessage},
	{Type: MessagePreviewed,
		About:    "the server looked at the links of the actor's message, or the actor took a preview away",
		Audience: ForMembers, Message: ChangedMessage},
	{Type: MessageFlagged,
		About: "the server flagged the actor's message for moderators, who have not decided yet; or the actor appealed; " +
			"or a moderator, the actor, has decided",
		Audience: ForMembers, Message: ChangedMessage},
	{Type: CommandGiven, About: "the actor told the subject, a device, to do something",
		Audience: ForMembers, Timeline: true, Subject: true, Payload: CommandSentPayload{}, Version: 1},
	{Type: CommandChanged, About: "a command to the subject has come further; the actor is whoever said so",
		Audience: ForMembers, Subject: true, Payload: CommandChangedPayload{}, Version: 1},
	{Type: AlarmRaised, About: "the subject, a device, raised an alarm",
		Audience: ForMembers, Timeline: true, Subject: true, Payload: AlarmRaisedPayload{}, Version: 1},
	{Type: AlarmCleared, About: "an alarm of the subject is over",
		Audience: ForMembers, Timeline: true, Subject: true, Payload: AlarmClearedPayload{}, Version: 1},
	{Type: AlarmAcknowledged, About: "the actor acknowledged an alarm of the subject, snoozed it or noted something",
		Audience: ForMembers, Subject: true, Payload: AlarmAcknowledgedPayload{}, Version: 1},
	{Type: AlarmEscalated, About: "nobody has acknowledged an alarm of the subject in time",
		Audience: ForMembers, Timeline: true, Subject: true, Payload: AlarmEscalatedPayload{}, Version: 1, Unread: true},
	{Type: ChartPosted, About: "the actor posted a chart of what the subject, a device, has measured",
		Audience: ForMembers, Timeline: true, Subject: true, Payload: ChartPostedPayload{}, Version: 1},
	{Type: RolloutTold, About: "a rollout of firmware began, paused, went on or ended: by the actor, or by itself",
		Audience: ForMembers, Timeline: true, Payload: RolloutToldPayload{}, Version: 1, Unread: true},
	{Type: GroupCommanded, About: "the actor told a group of devices to do something",
		Audience: ForMembers, Timeline: true, Payload: GroupCommandedPayload{}, Version: 1},
	{Type: GroupChanged, About: "what the actor told a group of devices has come further",
		Audience: ForMembers, Payload: GroupChangedPayload{}, Version: 1},
	{Type: ReactionAdded, About: "the actor reacted to a message with an emoji",
		Audience: ForMembers, Payload: ReactionAddedPayload{}, Version: 1},
	{Type: ReactionRemoved, About: "the actor took a reaction to a message away",
		Audience: ForMembers, Payload: ReactionRemovedPayload{}, Version: 1},
	{Type: MessagePinned, About: "the actor pinned a message",
		Audience: ForMembers, Payload: MessagePinnedPayload{}, Version: 1},
	{Type: MessageUnpinned, About: "the actor took a message off the pinned ones",
		Audience: ForMembers, Payload: MessageUnpinnedPayload{}, Version: 1},
	{Type: PollChanged,
		About:    "the actor voted in a poll or closed it; of a vote in an anonymous poll, the actor is its author",
		Audience: ForMembers, Payload: PollChangedPayload{}, Version: 1},
}

var specs = func() map[EventType]EventSpec {
	byType := make(map[EventType]EventSpec, len(catalogue))
	for _, s := range catalogue {
		byType[s.Type] = s
	}
	return byType
}()

// EventSpecs returns the catalogue of events, in the order of the documents.
func EventSpecs() []EventSpec { return slices.Clone(catalogue) }

// EventTypes returns the types whose rows of the catalogue match.
func EventTypes(match func(EventSpec) bool) (types []EventType) {
	for _, s := range catalogue {
		if match(s) {
			types = append(types, s.Type)
		}
	}
	return types
}

// Spec returns the row of the catalogue for t. Of a type that a newer server wrote there is
// none: such an event is a line that says nothing more.
func (t EventType) Spec() (s EventSpec, known bool) {
	if s, known = specs[t]; !known {
		s = EventSpec{Type: t, Audience: ForMembers, Timeline: true}
	}
	return s, known
}

// Timeline reports whether events of type t have a line of their own in the
// room's timeline; the others change a line above.
func (t EventType) Timeline() bool { s, _ := t.Spec(); return s.Timeline }

// Quiet reports whether a run of events of type t may be shown as one line.
func (t EventType) Quiet() bool { return specs[t].Quiet }

// Joins reports whether the subject of events of type t is a member from then on.
func (t EventType) Joins() bool { return specs[t].Joins }

// Leaves says why the subject of events of type t is no longer a member; it is empty if
// nobody leaves.
func (t EventType) Leaves() LeaveReason { return specs[t].Leaves }
