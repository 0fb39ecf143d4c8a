// Package eventtest has events of each type, for the tests of whatever must know all of
// them.
package eventtest

import (
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A Sample is an event to test with. Its name says what it is of all samples.
type Sample struct {
	Name  string
	Event domain.Event
}

// At is when all samples happened.
func At() time.Time { return time.Date(2026, 3, 14, 9, 26, 53, 589e6, time.UTC) }

// Samples returns events of room, without numbers: at least one of each type of the
// catalogue, and for each payload one with all of its fields and one with as few as may be.
func Samples(room string, actor, subject domain.UserRef) []Sample {
	name, topic, yes, no := "Team", "", true, false
	until := At().Add(10 * time.Minute)
	message := domain.Message{Room: room, Seq: 1, Sender: actor, Key: "k", ContentType: domain.ContentMarkdown,
		Text: "hello", At: At()}
	edited, deleted := message, message
	edited.Text, edited.Edits, edited.EditedAt = "hello all", 1, At()
	deleted.Text, deleted.DeletedAt = "", At()
	command := domain.CommandLine{ID: "cmd_1", Action: "fan", Args: json.RawMessage(`{"speed":40}`),
		State: domain.CommandQueued, Expires: until}
	progress := 100
	done := command
	done.State, done.Progress, done.Result = domain.CommandDone, &progress, json.RawMessage(`{"rpm":900}`)
	at, value, limit := At(), 31.5, 30.0
	alarm := domain.AlarmLine{ID: "alm_1", Rule: "alr_1", Name: "Too warm", Kind: domain.ThresholdAlarm,
		Severity: domain.WarningAlarm, Sensor: "temperature", Value: &value, Limit: &limit, RaisedAt: at}
	acked, over, late := alarm, alarm, alarm
	late.EscalatedAt = &until
	acked.Acknowledged, acked.AckedAt, acked.Note, acked.SnoozedUntil = actor.ID, &at, "the window is open", &until
	over.ClearedAt, over.Flapping = &until, true
	batch := domain.BatchLine{ID: "bat_1", Group: "pumps", Action: "fan", Args: json.RawMessage(`{"on":true}`),
		Counts: domain.BatchCounts{Devices: 12, Pending: 10, Refused: 2}, Expires: until}
	further := batch
	further.Counts = domain.BatchCounts{Devices: 12, Delivered: 1, Done: 8, Failed: 1, Refused: 2}
	chart := domain.ChartLine{From: at, To: until, Series: []domain.ChartSeries{
		{Name: "temperature", Title: "Temperature", Unit: "Cel", Kind: "number", Count: 3, Min: 18.5, Mean: 20, Max: 22,
			Last: 21},
		{Name: "fan", Kind: "bool"},
	}}
	rollout := domain.RolloutLine{ID: "rol_1", Product: "lamp", Version: "2.4.1", State: domain.RolloutPaused, Stage: 1,
		Stages: 4, Percent: 1, Devices: 1000, Succeeded: 6, Failed: 8, Itself: true, Pause: &domain.RolloutPause{
			Kind: domain.PausedRevision, At: at, Failed: 8, Of: 8, AtLeast: 0.6, Chance: 0.001, Reason: "panic",
			Revision: &domain.HardwareRevision{Chip: "esp32c3", Revision: 101}}}
	samples := []Sample{
		{"message.created", domain.Event{Type: domain.MessageCreated, Message: &message}},
		{"message.edited", domain.Event{Type: domain.MessageEdited, Message: &edited}},
		{"message.deleted", domain.Event{Type: domain.MessageDeleted, Message: &deleted}},
		{"message.previewed", domain.Event{Type: domain.MessagePreviewed, Message: &message}},
		{"message.flagged", domain.Event{Type: domain.MessageFlagged, Message: &message}},
		{"room.created", domain.Event{Type: domain.RoomCreated,
			Payload: domain.RoomCreatedPayload{Name: &name, Topic: &topic, Kind: domain.PublicRoom}}},
		{"room.created direct", domain.Event{Type: domain.RoomCreated,
			Payload: domain.RoomCreatedPayload{Kind: domain.DirectRoom}}},
		{"room.updated", domain.Event{Type: domain.RoomUpdated, Payload: domain.RoomUpdatedPayload{
			Name: &name, Topic: &topic, Kind: domain.PrivateRoom, Archived: &yes, Held: &no,
			Keep: &domain.RoomRetention{Own: true, Retention: domain.Retention{Days: 30, Lines: 1000}},
		}}},
		{"room.updated previews", domain.Event{Type: domain.RoomUpdated, Payload: domain.RoomUpdatedPayload{Previews: &yes}}},
		{"room.updated screening", domain.Event{Type: domain.RoomUpdated, Payload: domain.RoomUpdatedPayload{
			Screening: &domain.Screening{Rough: 80}}}},
		{"room.updated history", domain.Event{Type: domain.RoomUpdated, Payload: domain.RoomUpdatedPayload{Hides: &yes}}},
		{"room.updated look", domain.Event{Type: domain.RoomUpdated, Payload: domain.RoomUpdatedPayload{
			Look: &domain.RoomLook{Colour: "teal", Emoji: "🔧", Avatar: "5f2a"}}}},
		{"room.updated no look", domain.Event{Type: domain.RoomUpdated,
			Payload: domain.RoomUpdatedPayload{Look: &domain.RoomLook{}}}},
		{"room.updated nothing", domain.Event{Type: domain.RoomUpdated, Payload: domain.RoomUpdatedPayload{}}},
		{"room.updated rules of the server", domain.Event{Type: domain.RoomUpdated,
			Payload: domain.RoomUpdatedPayload{Keep: &domain.RoomRetention{}}}},
		{"member.joined", domain.Event{Type: domain.MemberJoined,
			Payload: domain.MemberJoinedPayload{Role: domain.RegularMember, Invite: "inv_1"}}},
		{"member.joined alone", domain.Event{Type: domain.MemberJoined,
			Payload: domain.MemberJoinedPayload{Role: domain.Owner}}},
		{"member.asked", domain.Event{Type: domain.MemberAsked}},
		{"member.left", domain.Event{Type: domain.MemberLeft}},
		{"member.kicked", domain.Event{Type: domain.MemberKicked, Payload: domain.MemberKickedPayload{Reason: `too "loud"`}}},
		{"member.kicked no reason", domain.Event{Type: domain.MemberKicked, Payload: domain.MemberKickedPayload{}}},
		{"member.banned", domain.Event{Type: domain.MemberBanned,
			Payload: domain.MemberBannedPayload{Role: domain.RegularMember, Reason: "spam"}}},
		{"member.banned stranger", domain.Event{Type: domain.MemberBanned, Payload: domain.MemberBannedPayload{}}},
		{"member.unbanned", domain.Event{Type: domain.MemberUnbanned}},
		{"member.muted", domain.Event{Type: domain.MemberMuted, Payload: domain.MemberMutedPayload{Until: &until}}},
		{"member.muted no more", domain.Event{Type: domain.MemberMuted, Payload: domain.MemberMutedPayload{}}},
		{"command.sent", domain.Event{Type: domain.CommandGiven, Payload: domain.CommandSentPayload{Command: &command}}},
		{"command.changed", domain.Event{Type: domain.CommandChanged,
			Payload: domain.CommandChangedPayload{Of: 1, Command: &done}}},
		{"alarm.raised", domain.Event{Type: domain.AlarmRaised, Payload: domain.AlarmRaisedPayload{Alarm: &alarm}}},
		{"alarm.cleared", domain.Event{Type: domain.AlarmCleared, Payload: domain.AlarmClearedPayload{Of: 1, Alarm: &over}}},
		{"alarm.acknowledged", domain.Event{Type: domain.AlarmAcknowledged,
			Payload: domain.AlarmAcknowledgedPayload{Of: 1, Alarm: &acked}}},
		{"alarm.escalated", domain.Event{Type: domain.AlarmEscalated,
			Payload: domain.AlarmEscalatedPayload{User: subject.ID, Alarm: &late}}},
		{"chart.posted", domain.Event{Type: domain.ChartPosted, Payload: domain.ChartPostedPayload{Chart: &chart}}},
		{"rollout.told", domain.Event{Type: domain.RolloutTold, Payload: domain.RolloutToldPayload{Rollout: &rollout}}},
		{"group.commanded", domain.Event{Type: domain.GroupCommanded, Payload: domain.GroupCommandedPayload{Batch: &batch}}},
		{"group.changed", domain.Event{Type: domain.GroupChanged,
			Payload: domain.GroupChangedPayload{Of: 1, Batch: &further}}},
		{"reaction.added", domain.Event{Type: domain.ReactionAdded,
			Payload: domain.ReactionAddedPayload{Of: 1, Emoji: "👍"}}},
		{"reaction.removed", domain.Event{Type: domain.ReactionRemoved,
			Payload: domain.ReactionRemovedPayload{Of: 1, Emoji: "👍"}}},
		{"message.pinned", domain.Event{Type: domain.MessagePinned, Payload: domain.MessagePinnedPayload{Of: 1}}},
		{"message.unpinned", domain.Event{Type: domain.MessageUnpinned, Payload: domain.MessageUnpinnedPayload{Of: 1}}},
		{"poll.changed", domain.Event{Type: domain.PollChanged,
			Payload: domain.PollChangedPayload{Of: 1, Poll: &domain.PollVotes{Votes: []int{2, 1}, Voters: 3}}}},
		{"member.role", domain.Event{Type: domain.MemberRole, Payload: domain.MemberRolePayload{Role: domain.Moderator}}},
	}
	for i := range samples {
		e := &samples[i].Event
		e.Room, e.Actor, e.At = room, actor, At()
		if spec, _ := e.Type.Spec(); spec.Subject {
			e.Subject = &subject
		}
	}
	return samples
}
