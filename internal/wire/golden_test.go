package wire

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

var update = flag.Bool("update", false, "write the golden files anew")

// frame is one golden frame: a Request or a Reply.
type frame struct {
	name string
	v    any // a Request whose data is of type data, or a Reply
	data any // the value inside
}

var (
	t0    = time.Date(2026, 3, 14, 9, 26, 53, 589_000_000, time.UTC)
	t1    = t0.Add(90 * time.Second)
	later = t0.Add(10 * time.Minute)

	room1 = "room_01jd8m5q8re0t9v3x7k2p4s6za"
	room2 = "room_01jd8m5q8re0t9v3x7k2p4s6zb"
	ada   = User{ID: "usr_01jd8m5q8re0t9v3x7k2p4s6za", Kind: "user", Username: "ada", DisplayName: "Ada Lovelace",
		Avatar: "/api/v1/avatars/5f2a"}
	lin = User{ID: "usr_01jd8m5q8re0t9v3x7k2p4s6zb", Kind: "user", Username: "lin", DisplayName: "林 <3"}

	hello1 = Message{Room: room1, Seq: 412, Sender: ada, Key: "c-19", Text: "hello **all**", At: t0}
	reply1 = Message{
		Room: room1, Seq: 413, Sender: lin, Key: "c-20", Text: "hi @ada & <all>",
		ReplyTo: &Quote{Seq: 412, Sender: ada, Excerpt: "hello **all**"}, Mentions: []string{ada.ID}, At: t1,
	}
	edited = Message{Room: room1, Seq: 412, Sender: ada, Key: "c-19", Text: "hello everyone", At: t0, EditedAt: &t1,
		Edits: 1}
	reacted = Message{Room: room1, Seq: 412, Sender: ada, Key: "c-19", Text: "hello everyone", At: t0, EditedAt: &t1,
		Edits: 1, Reactions: []Reaction{{Emoji: "👍", Count: 2, Users: []string{lin.ID, ada.ID}},
			{Emoji: "❤", Count: 1, Users: []string{lin.ID}}}, ReactionsSeq: 418}
	flagged = Message{Room: room1, Seq: 419, Sender: lin, Key: "c-25", Text: "get rich quick, write me now", At: t0,
		Flag: &Flag{Reason: "looks_like_spam", Score: 91}}
	previewed = Message{Room: room1, Seq: 417, Sender: ada, Key: "c-24", Text: "read https://example.org/tea", At: t0,
		Previews: []LinkPreview{{URL: "https://example.org/tea", Title: "How to make tea", Description: "In four steps",
			Site: "The Tea Book", Image: &PreviewImage{ID: "WJ6Z3M4V2QXN7T5BKA2EYHOCRL", Width: 480, Height: 270,
				Alt: "A pot of tea"}, Icon: "QXN7T5BKA2EYHOCRLWJ6Z3M4V2"}}}
	gone = Message{Room: room1, Seq: 412, Sender: ada, Key: "c-19", At: t0, EditedAt: &t1, Edits: 1, DeletedAt: &later}
	team = Room{ID: room1, Kind: "public", Name: "Team", Topic: "what we do", Head: 413, Members: 2, CreatedAt: t0,
		LastAt: t1}
	chat = Room{ID: room2, Kind: "direct", Head: 3, Members: 2, CreatedAt: t0, LastAt: t0}
	me   = Me{
		Profile: Profile{User: ada, About: "Analyst", TimeZone: "Europe/London", CreatedAt: t0},
		Email:   "ada@example.org", Locale: "en-GB", Role: "user",
		Status: Status{Mode: "dnd", Text: "writing", Emoji: "✍", Expires: &later},
	}
)

// What a lamp runs, and what it is to run.
var (
	lampOld    = strings.Repeat("0a", 32)
	lampNew    = strings.Repeat("0b", 32)
	lampPatch  = strings.Repeat("0c", 32)
	lampELF    = strings.Repeat("0e", 32)
	lampUpdate = "upd_01jd8m5q8re0t9v3x7k2p4s6ze"
)

// dsse is an envelope, with the form of real ones.
func dsse(payloadType string) json.RawMessage {
	return json.RawMessage(`{"payloadType":"` + payloadType +
		`","payload":"e30=","signatures":[{"keyid":"5f2a5f2a5f2a5f2a","sig":"c2ln"}]}`)
}

// greenhouse is what a device says about itself.
var greenhouse = domain.Capabilities{
	Model: "GH-1", Firmware: "1.4.0", Heartbeat: 60,
	Sensors: []domain.Sensor{{Name: "temperature", Title: "Temperature", Unit: "Cel", Kind: domain.NumberArg,
		Min: ptr(-40.0), Max: ptr(85.0), Precision: ptr(1)}},
	Actuators: []domain.Actuator{
		{Name: "fan", Title: "Fan", Args: []domain.Arg{
			{Name: "state", Kind: domain.ChoiceArg, Options: []string{"on", "off", "auto"}, Required: true},
			{Name: "speed", Kind: domain.NumberArg, Unit: "%", Min: ptr(0.0), Max: ptr(100.0), Step: ptr(5.0)},
		}},
		{Name: "reset", Title: "Restart", Destructive: true},
	},
	Settings: []domain.Arg{{Name: "interval", Title: "Seconds between readings", Kind: domain.NumberArg, Unit: "s",
		Min: ptr(1.0), Max: ptr(3600.0)}},
}

var (
	gh = User{ID: "dev_01jd8m5q8re0t9v3x7k2p4s6zc", Kind: "device", Username: "dev_01jd8m5q8re0t9v3x7k2p4s6zc",
		DisplayName: "Greenhouse"}
	fanOn = Command{
		CommandLine: CommandLine{ID: "cmd_01jd8m5q8re0t9v3x7k2p4s6zd", Action: "fan",
			Args: json.RawMessage(`{"speed":40,"state":"on"}`), State: "queued", Expires: t1},
		Device: gh.ID, Room: room1, Seq: 414, By: ada, Key: "c-21", At: t0, ChangedAt: t0,
	}
	fanDone = CommandLine{ID: fanOn.ID, Action: "fan", Args: fanOn.Args, State: "done",
		Result: json.RawMessage(`{"rpm":900}`), Expires: t1}
	lampPaused = domain.RolloutLine{ID: "rol_01jd8m5q8re0t9v3x7k2p4s6zj", Product: "lamp", Version: "2.4.1",
		State: domain.RolloutPaused, Stage: 1, Stages: 4, Percent: 1, Devices: 10000, Succeeded: 6, Failed: 4, Itself: true,
		Pause: &domain.RolloutPause{Kind: domain.PausedRevision, At: t1, Failed: 4, Of: 4, AtLeast: 0.425, Chance: 0.005,
			Revision: &domain.HardwareRevision{Chip: "esp32c3", Revision: 101}, Reason: "panic"}}
	pumpsOn = BatchLine{ID: "bat_01jd8m5q8re0t9v3x7k2p4s6zh", Group: "pumps", Action: "pump",
		Args: json.RawMessage(`{"on":true}`), Expires: t1, Counts: domain.BatchCounts{Devices: 12, Pending: 11, Refused: 1}}
	pumpsDone = BatchLine{ID: pumpsOn.ID, Group: "pumps", Action: "pump", Args: pumpsOn.Args, Expires: t1,
		Counts: domain.BatchCounts{Devices: 12, Done: 10, Failed: 1, Refused: 1}}
	tooWarm = AlarmLine{ID: "alm_01jd8m5q8re0t9v3x7k2p4s6zf", Rule: "alr_01jd8m5q8re0t9v3x7k2p4s6zg", Name: "Too warm",
		Kind: "threshold", Severity: "warning", Sensor: "temperature", Value: ptr(31.5), Limit: ptr(30.0), RaisedAt: t0}
	tooWarmAcked = func(l AlarmLine) AlarmLine {
		l.Acknowledged, l.AckedAt, l.Note = ada.ID, &t0, "the window is open"
		return l
	}(tooWarm)
	tooWarmLate = func(l AlarmLine) AlarmLine { l.EscalatedAt = &t1; return l }(tooWarm)
	tooWarmOver = func(l AlarmLine) AlarmLine { l.ClearedAt = &t1; return l }(tooWarmAcked)
	resetFailed = Command{
		CommandLine: CommandLine{ID: "cmd_01jd8m5q8re0t9v3x7k2p4s6ze", Action: "reset", State: "failed",
			Error: "the door is open", Expires: t1},
		Device: gh.ID, By: ada, Key: "c-22", At: t0, ChangedAt: t1,
	}

	buffered = Report{Boot: ptr(uint64(7)), Reports: []ReportItem{
		{Seq: ptr(uint32(39)), At: t0.Add(-20 * time.Second), Old: true,
			Readings: map[string]json.RawMessage{"temperature": json.RawMessage("21.2")}},
		{Seq: ptr(uint32(40)), At: t0.Add(-10 * time.Second), Old: true,
			Readings: map[string]json.RawMessage{"temperature": json.RawMessage("21.3")}},
	}}
	pack = Report{Boot: ptr(uint64(7)), Seq: ptr(uint32(42)), SenML: json.RawMessage(
		`[{"bn":"out/","bt":1773480413,"n":"temperature","u":"Cel","v":7.5},{"n":"temperature","t":60,"u":"Cel","v":7.6}]`)}
	live = DeviceReadings{Device: "dev_01jd8m5q8re0t9v3x7k2p4s6za", At: t0,
		Values: map[string]any{"temperature": 21.4, "relay": true, "mode": "heat"}}
)

func encoded(v any) json.RawMessage {
	b, _ := Encode(v)
	return b
}

func ptr[T any](v T) *T { return &v }

func goldenRequests() []frame {
	req := func(typ string, data any) frame {
		r := Request{ID: "7", Type: typ}
		if data != nil {
			r.Data, _ = Encode(data)
		}
		return frame{"client." + typ, r, data}
	}
	return []frame{
		req(TypeSend, &Send{Room: room1, Key: "c-20", Text: "hi @ada & <all>", ReplyTo: 412}),
		req(TypeEdit, &Edit{Room: room1, Seq: 412, Text: "hello everyone"}),
		req(TypeDelete, &Target{Room: room1, Seq: 412}),
		req(TypeReact, &React{Room: room1, Seq: 412, Emoji: "👍"}),
		req(TypeUnreact, &React{Room: room1, Seq: 412, Emoji: "👍"}),
		req(TypeRead, &Mark{Room: room1, Seq: 413}),
		req(TypeThreadRead, &ThreadMark{Room: room1, Root: 412, Seq: 418}),
		req(TypeTyping, &InRoom{Room: room1}),
		req(TypeSync, &Sync{Rooms: map[string]int64{room1: 411, room2: 3}}),
		req(TypeWatch, &Watch{Users: []string{ada.ID, lin.ID}}),
		req(TypeActivity, &Activity{Active: true}),
		req(TypeRefresh, &Refresh{Token: "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"}),
		req(TypeReport, &Report{Boot: ptr(uint64(7)), Seq: ptr(uint32(41)), At: t0,
			Readings: map[string]json.RawMessage{"temperature": json.RawMessage("21.4"), "relay": json.RawMessage("true"),
				"mode": json.RawMessage(`"heat"`)}, Units: map[string]string{"temperature": "Cel"}}),
		{"client.report.several", Request{ID: "7", Type: TypeReport, Data: encoded(&buffered)}, &buffered},
		{"client.report.senml", Request{ID: "7", Type: TypeReport, Data: encoded(&pack)}, &pack},
		req(TypeWatchReadings, &WatchReadings{Devices: []string{"dev_01jd8m5q8re0t9v3x7k2p4s6za"}}),
		req(TypePing, nil),
		req(TypeDescribe, &Describe{Capabilities: greenhouse}),
		req(TypeSettings, nil),
		req(TypeSettingsSet, &SettingsReport{Version: 4, Settings: map[string]any{"interval": 30.0},
			Errors: map[string]string{"mode": "this pump has no mode"}}),
		req(TypeBye, &Bye{Reason: "sleep", BackIn: 3600}),
		req(TypeCommand, &NewCommand{Device: gh.ID, Room: room1, Key: "c-21", Action: "fan",
			Args: map[string]any{"state": "on", "speed": 40.0}, ExpiresIn: 120}),
		req(TypeCommands, nil),
		req(TypeReported, &CommandReport{ID: fanOn.ID, State: "done", Result: json.RawMessage(`{"rpm":900}`)}),
		req(TypeFirmware, &FirmwareReport{Product: "lamp", Chip: "esp32c3", Revision: 3, Version: "1.4.0", VersionCode: 140,
			SHA256: lampOld, ELFSHA256: lampELF, SlotState: "valid", ResetReason: "power_on", RollbackCapable: true,
			Nonce: "3q2-7wAAAAAAAAAAAAAAAA", RootVersion: 1, Features: []string{"detools-heatshrink", "windows"},
			Battery: ptr(80), Signal: ptr(-61), UTCOffset: ptr(3600)}),
		req(TypeFirmwareProgress, &FirmwareProgress{Update: lampUpdate, State: "downloading", Offset: 65536, Size: 446144}),
		req(TypeFirmwareRead, &FirmwareRead{Update: lampUpdate, SHA256: lampNew, Offset: 65536, Length: 4096}),
		req(TypeCrash, &CrashReport{ELFSHA256: lampELF[:16], ResetReason: "panic", Task: "main", PC: 0x42001234,
			Backtrace: []uint32{0x42001234, 0x42000c10}, Message: "Load access fault"}),
	}
}

func goldenReplies() []frame {
	ok := func(of string, data any) frame {
		return frame{"server.ok." + of, Reply{ID: "7", Type: TypeOK, Data: data}, data}
	}
	news := func(name, typ string, data any) frame {
		return frame{"server." + name, Reply{Type: typ, Data: data}, data}
	}
	event := func(e Event) frame { return news("event."+e.Type, TypeEvent, &e) }
	return []frame{
		ok(TypeSend, &Sent{Seq: 413, Message: &reply1}),
		ok(TypeEdit, &Sent{Seq: 414, Message: &edited}),
		ok(TypeDelete, &Sent{Seq: 415, Message: &gone}),
		ok(TypeReact, &Reacted{Seq: 416}),
		ok(TypeUnreact, &Reacted{}),
		ok(TypeRead, &Mark{Room: room1, Seq: 413, Unread: 2, Mentions: 1}),
		ok(TypeThreadRead, &ThreadState{Thread: Thread{Room: room1, Root: 412, Following: true, Read: 418},
			Mark: &Mark{Room: room1, Seq: 413, Unread: 2, Threads: 1}}),
		ok(TypeSync, &Synced{
			Rooms: []Replay{
				{Room: room1, Events: []Event{{Room: room1, Seq: 412, Type: "message.created", Actor: ada, At: t0,
					Message: &reacted}}, Head: 418, More: true},
			},
			Gone: []string{room2},
		}),
		ok(TypeWatch, &Presences{Users: []Presence{
			{User: ada.ID, Is: "dnd", Text: "writing", Emoji: "✍", Expires: &later},
			{User: lin.ID, Is: "offline", LastSeen: &t0},
		}}),
		ok(TypeActivity, nil),
		ok(TypeRefresh, &Until{Expires: later}),
		ok(TypeReport, &Reported{Accepted: 1, AckedThrough: ptr(uint32(38)), Missing: [][]uint32{{39, 40}},
			Refused: []Refusal{{Name: "humidity", Reason: "not_finite"}}}),
		ok(TypeWatchReadings, &WatchedReadings{Devices: []DeviceReadings{live}}),
		ok(TypePing, nil),
		ok(TypeDescribe, nil),
		ok(TypeSettings, &Settings{Version: 4, Settings: map[string]any{"interval": 30.0}}),
		ok(TypeSettingsSet, nil),
		ok(TypeBye, nil),
		ok(TypeCommand, &fanOn),
		ok(TypeCommands, &Commands{Commands: []Command{fanOn}}),
		ok(TypeReported, nil),
		ok(TypeFirmware, nil),
		ok(TypeFirmwareProgress, &FirmwareAnswer{Action: "stop", Reason: "the rollout was aborted"}),
		ok(TypeFirmwareRead, &FirmwareData{Offset: 65536, Data: []byte("\xe9\x05\x02\x20")}),
		ok(TypeCrash, nil),
		news(TypeFirmwareOffer, TypeFirmwareOffer, &FirmwareOffer{Update: lampUpdate,
			Offer:    dsse("application/vnd.unhidra.offer+json"),
			Manifest: dsse("application/vnd.unhidra.manifest+json"),
			Roots:    []json.RawMessage{dsse("application/vnd.unhidra.root+json")},
			Image:    FirmwareFile{SHA256: lampNew, Size: 446144, URL: "https://chat.example.org/ota/i/" + lampNew[:8]},
			Delta: &FirmwareDelta{Format: "detools-heatshrink", BaseSHA256: lampOld, SHA256: lampPatch, Size: 15128,
				URL: "https://chat.example.org/ota/i/" + lampPatch[:8]},
			If: FirmwareConditions{Battery: 40, Signal: -75},
		}),
		news(TypeOrder, TypeOrder, &fanOn),
		news(TypeCommandState, TypeCommandState, &resetFailed),
		event(Event{Room: room1, Seq: 417, Type: "alarm.raised", Actor: gh, At: t0, Subject: &gh,
			Detail: &Detail{Alarm: &tooWarm}}),
		event(Event{Room: room1, Seq: 418, Type: "alarm.acknowledged", Actor: ada, At: t0, Subject: &gh,
			Detail: &Detail{Of: 417, Alarm: &tooWarmAcked}}),
		event(Event{Room: room1, Seq: 419, Type: "alarm.cleared", Actor: gh, At: t1, Subject: &gh,
			Detail: &Detail{Of: 417, Alarm: &tooWarmOver}}),
		event(Event{Room: room1, Seq: 423, Type: "alarm.escalated", Actor: gh, At: t1, Subject: &gh,
			Detail: &Detail{User: ada.ID, Alarm: &tooWarmLate}}),
		event(Event{Room: room1, Seq: 422, Type: "chart.posted", Actor: ada, At: t1, Subject: &gh,
			Detail: &Detail{Chart: &ChartLine{From: t0, To: t1, Series: []ChartSeries{{Name: "temperature", Unit: "Cel",
				Kind: "number", Count: 1440, Min: ptr(18.2), Mean: ptr(21.4), Max: ptr(24.5), Last: ptr(22.1)}}}}}),
		event(Event{Room: room1, Seq: 426, Type: "rollout.told", Actor: ada, At: t1, Detail: &Detail{Rollout: &lampPaused}}),
		event(Event{Room: room1, Seq: 424, Type: "group.commanded", Actor: ada, At: t0, Detail: &Detail{Batch: &pumpsOn}}),
		event(Event{Room: room1, Seq: 425, Type: "group.changed", Actor: ada, At: t1,
			Detail: &Detail{Of: 424, Batch: &pumpsDone}}),
		event(Event{Room: room1, Seq: 414, Type: "command.sent", Actor: ada, At: t0, Subject: &gh,
			Detail: &Detail{Command: &fanOn.CommandLine}}),
		event(Event{Room: room1, Seq: 416, Type: "command.changed", Actor: gh, At: t1, Subject: &gh,
			Detail: &Detail{Of: 414, Command: &fanDone}}),
		{"server.error", Reply{ID: "8", Type: TypeError, Error: &ErrorBody{
			Kind: "invalid", Code: domain.CodeInvalidField, Detail: "must not be empty",
			Fields: []Field{{"/text", "must not be empty"}},
		}}, nil},
		{"server.error.rate_limited", Reply{ID: "9", Type: TypeError, Error: &ErrorBody{
			Kind: "rate_limited", Code: domain.CodeMessages, Detail: "too many messages; wait a moment",
			RetryAfter: 0.02,
		}}, nil},
		{"server.error.frame", Reply{Type: TypeError, Error: &ErrorBody{
			Kind: "invalid", Code: domain.CodeBadFrame, Detail: "this is not a JSON object of the protocol",
		}}, nil},
		news(TypeReadings, TypeReadings, &live),
		news("settings", TypeSet, &Settings{Version: 4, Settings: map[string]any{"interval": 30.0}}),
		news(TypeSettingsChanged, TypeSettingsChanged, &SettingsChanged{Device: live.Device, Version: 4, Applied: 3}),
		news(TypeDeviceStatus, TypeDeviceStatus, &DeviceStatuses{Devices: []DeviceStatus{{
			Device: live.Device, State: "asleep", Since: t0, Session: 41, Reason: "client", Until: &later,
		}}}),
		news(TypeNotifications, TypeNotifications, &Notifications{NotifySettings: NotifySettings{Level: "mentions",
			Keywords: []string{"release"}, Quiet: QuietHours{Zone: "Europe/Berlin", Spans: []QuietSpan{
				{Weekdays: []int{1, 5}, Start: "22:00", End: "07:00"}}}, PausedUntil: &later}, SilentUntil: &later,
			Choices: []NotifyChoice{{Room: "room_01jd8m5q8re0t9v3x7k2p4s6za", Thread: 7, Level: "all"}}}),
		news(TypeSaved, TypeSaved, &SavedChanged{Room: room1, Seq: 412, Saved: true}),
		news(TypeDraft, TypeDraft, &Draft{Room: room1, Thread: 412, Text: "what about", Version: 1773480413589}),
		news(TypeScheduled, TypeScheduled, &ScheduledChanged{ID: "sch_01jd8m5q8re0t9v3x7k2p4s6za", Scheduled: &Scheduled{
			ID: "sch_01jd8m5q8re0t9v3x7k2p4s6za", Room: room1, Text: "see you at ten", At: later,
			Repeat: &Repeat{Zone: "Europe/Berlin", Time: "09:30", MonthDay: 31}, State: "waiting"}}),
		news(TypeReminder, TypeReminder, &ReminderChanged{ID: "rmd_01jd8m5q8re0t9v3x7k2p4s6za", Reminder: &Reminder{
			ID: "rmd_01jd8m5q8re0t9v3x7k2p4s6za", Text: "water the plants", At: &later, Since: &t0,
			Repeat: &Repeat{Zone: "Europe/Berlin", Time: "09:00", Weekdays: []int{1}}}}),
		news(TypeSections, TypeSections, &RoomSections{Version: 1773480413589,
			Favourites: RoomGroup{Rooms: []string{room1}},
			Sections:   []RoomSection{{Name: "Garden", Closed: true, Rooms: []string{}}}}),
		news(TypeSlashAnswer, TypeSlashAnswer,
			&SlashAnswer{Room: room1, Thread: 412, Command: "deploy", Text: "api is **deployed**."}),
		news(TypeReportChanged, TypeReportChanged, &ReportChanged{Room: room1, Seq: 412, State: "removed", As: "reporter"}),
		news(TypeEmojiChanged, TypeEmojiChanged, &EmojiChanged{Name: "parrot", Picture: AvatarPath("5d41402abc4b2a76b9719d911017c592")}),
		news(TypeDeviceTransfer, TypeDeviceTransfer, &DeviceTransfer{Device: live.Device, Name: "Greenhouse", From: ada, To: lin,
			State: "offered", At: t0, Expires: &later}),
		news(TypeHello, TypeHello, &Hello{
			Conn: "conn_01jd8m5q8re0t9v3x7k2p4s6za", Server: "1.0.0", Me: &me,
			Limits:    Limits{Frame: MaxFrame, Text: 16384, PerSecond: 50, Replay: 500},
			Heartbeat: 25, Expires: &later, Blocked: []string{lin.ID},
			Rooms: []RoomState{
				{Room: team, Role: "owner", Read: 411, Unread: 1, Mentions: 1, Last: &reply1},
				{Room: chat, Role: "member", MutedUntil: &later, Read: 3, Peers: []User{lin}},
			},
		}),
		news(TypeRequested, TypeRequested, &RoomRequest{Room: room1, Kind: "private", Name: "Team", Topic: "what we do",
			Members: 2, By: ada, At: t0}),
		news(TypeAnswered, TypeAnswered, &InRoom{Room: room1}),
		news(TypeBlocked, TypeBlocked, &Blocking{User: lin.ID, Blocked: true}),
		event(Event{Room: room1, Seq: 1, Type: "room.created", Actor: ada, At: t0,
			Detail: &Detail{Name: ptr("Team"), Kind: "public"}}),
		event(Event{Room: room1, Seq: 420, Type: "room.updated", Actor: ada, At: t0,
			Detail: &Detail{Topic: ptr(""), Kind: "private", Archived: ptr(true)}}),
		news("event.room.updated.retention", TypeEvent,
			&Event{Room: room1, Seq: 421, Type: "room.updated", Actor: ada, At: t0,
				Detail: &Detail{Keep: &KeepOf{Keep: Keep{Days: 30}}, Held: ptr(true), Previews: ptr(true)}}),
		event(Event{Room: room1, Seq: 2, Type: "member.joined", Actor: lin, At: t0, Subject: &lin,
			Detail: &Detail{Role: "member", Invite: "inv_01jd8m5q8re0t9v3x7k2p4s6za"}}),
		event(Event{Room: room1, Seq: 3, Type: "member.left", Actor: lin, At: t0, Subject: &lin}),
		event(Event{Room: room1, Seq: 4, Type: "member.kicked", Actor: ada, At: t0, Subject: &lin,
			Detail: &Detail{Reason: "too loud"}}),
		event(Event{Room: room1, Seq: 5, Type: "member.banned", Actor: ada, At: t0, Subject: &lin,
			Detail: &Detail{Reason: "too loud"}}),
		event(Event{Room: room1, Seq: 6, Type: "member.unbanned", Actor: ada, At: t0, Subject: &lin}),
		event(Event{Room: room1, Seq: 7, Type: "member.muted", Actor: ada, At: t0, Subject: &lin,
			Detail: &Detail{Until: &later}}),
		event(Event{Room: room1, Seq: 8, Type: "member.role", Actor: ada, At: t0, Subject: &lin,
			Detail: &Detail{Role: "moderator"}}),
		event(Event{Room: room1, Seq: 413, Type: "message.created", Actor: lin, At: t1, Message: &reply1}),
		event(Event{Room: room1, Seq: 414, Type: "message.edited", Actor: ada, At: t1, Message: &edited}),
		event(Event{Room: room1, Seq: 418, Type: "message.previewed", Actor: ada, At: t1, Message: &previewed}),
		event(Event{Room: room1, Seq: 420, Type: "message.flagged", Actor: lin, At: t1, Message: &flagged}),
		event(Event{Room: room1, Seq: 416, Type: "reaction.added", Actor: lin, At: t1,
			Detail: &Detail{Of: 412, Emoji: "👍"}}),
		event(Event{Room: room1, Seq: 417, Type: "reaction.removed", Actor: lin, At: t1,
			Detail: &Detail{Of: 412, Emoji: "👍"}}),
		event(Event{Room: room1, Seq: 418, Type: "message.pinned", Actor: ada, At: t1, Detail: &Detail{Of: 412}}),
		event(Event{Room: room1, Seq: 419, Type: "message.unpinned", Actor: ada, At: t1, Detail: &Detail{Of: 412}}),
		event(Event{Room: room1, Seq: 420, Type: "poll.changed", Actor: ada, At: t1,
			Detail: &Detail{Of: 412, Poll: &PollVotes{Votes: []int{2, 1}, Voters: 3}}}),
		event(Event{Room: room1, Seq: 415, Type: "message.deleted", Actor: ada, At: later, Message: &gone}),
		news(TypePresence, TypePresence, &Presences{Users: []Presence{{User: lin.ID, Is: "away"}}}),
		news(TypeIsTyping, TypeIsTyping, &Typing{Room: room1, User: lin}),
		news(TypeThread, TypeThread, &ThreadState{Thread: Thread{Room: room1, Root: 412, Following: true, Read: 417,
			Unread: 1}}),
		news(TypeReadMoved, TypeReadMoved, &Mark{Room: room1, Seq: 413, Unread: 2, Mentions: 1}),
		news(TypeRoomJoined, TypeRoomJoined, &RoomState{Room: team, Role: "member", Last: &reply1}),
		news(TypeRoomLeft, TypeRoomLeft, &Left{Room: room1, Reason: "kicked"}),
		news(TypeRoomReset, TypeRoomReset, &InRoom{Room: room1}),
		news(TypePurged, TypePurged, &Purged{Room: room1, Floor: 300}),
		news(TypeUser, TypeUser, &Profile{User: lin, About: "Poet", CreatedAt: t0}),
		news(TypeRevoked, TypeRevoked, &Revoked{Reason: "signed_out"}),
	}
}

// TestGolden holds that the frames in testdata/golden are what Go writes, and
// that Go reads them back to the same values.
func TestGolden(t *testing.T) {
	want := make(map[string]bool)
	for _, f := range append(goldenRequests(), goldenReplies()...) {
		want[f.name+".json"] = true
		t.Run(f.name, func(t *testing.T) { checkGolden(t, f) })
	}
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !want[filepath.Base(file)] {
			t.Errorf("%s belongs to no frame of this test", file)
		}
	}
}

func checkGolden(t *testing.T, f frame) {
	wrote, err := Encode(f.v)
	if err != nil {
		t.Fatal(err)
	}
	if len(wrote) > MaxFrame {
		t.Errorf("frame of %d bytes", len(wrote))
	}
	path := filepath.Join("testdata", "golden", f.name+".json")
	if *update {
		var b bytes.Buffer
		if err := json.Indent(&b, wrote, "", "  "); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, file); err != nil {
		t.Fatal(err)
	}
	if got, want := string(wrote), compact.String(); got != want {
		t.Errorf("Go writes\n%s\nthe golden file says\n%s", got, want)
	}
	checkDecode(t, f, compact.Bytes())
}

func checkDecode(t *testing.T, f frame, file []byte) {
	if want, ok := f.v.(Request); ok {
		var got Request
		if err := Decode(file, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("decoded %+v, want %+v", got, want)
		}
	}
	if f.data == nil {
		return
	}
	var outer struct{ Data json.RawMessage }
	if err := json.Unmarshal(file, &outer); err != nil {
		t.Fatal(err)
	}
	got := reflect.New(reflect.TypeOf(f.data).Elem()).Interface()
	if err := Decode(outer.Data, got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, f.data) {
		t.Errorf("decoded %+v, want %+v", got, f.data)
	}
}

// TestGoldenIsComplete holds that no frame type is without a golden frame.
func TestGoldenIsComplete(t *testing.T) {
	requests := []string{
		TypeSend, TypeEdit, TypeDelete, TypeReact, TypeUnreact, TypeRead, TypeThreadRead, TypeTyping, TypeSync, TypeWatch, TypeActivity, TypeRefresh, TypePing,
	}
	news := []string{
		TypeHello, TypePresence, TypeIsTyping, TypeReadMoved, TypeThread, TypeRoomJoined, TypeRoomLeft, TypeRoomReset, TypePurged,
		TypeUser, TypeRevoked, TypeError,
	}
	names := make(map[string]bool)
	for _, f := range append(goldenRequests(), goldenReplies()...) {
		names[f.name] = true
	}
	for _, r := range requests {
		if !names["client."+r] {
			t.Errorf("no golden frame client.%s", r)
		}
		if r != TypeTyping && !names["server.ok."+r] {
			t.Errorf("no golden frame server.ok.%s", r)
		}
	}
	for _, n := range news {
		if !names["server."+n] {
			t.Errorf("no golden frame server.%s", n)
		}
	}
}

// allReactions are as many as a message can have, each as long as it can be.
func allReactions() (all []Reaction) {
	listed := 0
	for range domain.MaxReactions {
		r := Reaction{Emoji: strings.Repeat("🙂", 9)[:domain.MaxEmoji], Count: 100_000}
		for len(r.Users) < domain.MaxReactors && listed < domain.MaxReactorsListed {
			r.Users, listed = append(r.Users, ada.ID), listed+1
		}
		all = append(all, r)
	}
	return all
}

func TestLargestTextFitsAFrame(t *testing.T) {
	for _, text := range []string{`"`, "<", "\n", "\u2028", "\\", "🙂"} {
		m := hello1
		m.Text = strings.Repeat(text, 16384/len(text))
		m.Reactions = allReactions()
		b, err := Encode(Reply{Type: TypeEvent, Data: Event{Room: room1, Seq: 1, Type: "message.created", Actor: ada,
			Message: &m}})
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > MaxFrame {
			t.Errorf("a text of %q makes a frame of %d bytes", text, len(b))
		}
	}
}
