package wire

// Frame describes one type of frame.
type Frame struct {
	Type    string
	Data    any    // zero value of what is inside, nil for nothing
	Answer  any    // of a request: zero value of what is inside its ok
	Silent  bool   // a request that is not answered
	Summary string // one sentence
}

// Requests lists the frames that a client sends.
func Requests() []Frame {
	return []Frame{
		{TypeSend, Send{}, Sent{}, false, "Write a message. The answer comes once it is on disk."},
		{TypeEdit, Edit{}, Sent{}, false, "Give a message of one's own a new text."},
		{TypeDelete, Target{}, Sent{}, false, "Delete a message: its text is gone everywhere."},
		{TypeReact, React{}, Reacted{}, false, "React to a message with an emoji. Repeating it changes nothing."},
		{TypeThreadRead, ThreadMark{}, ThreadState{}, false, "Say how far the user has read a thread."},
		{TypeUnreact, React{}, Reacted{}, false, "Take one's reaction to a message away. Repeating it changes nothing."},
		{TypeRead, Mark{}, Mark{}, false, "Tell how far the user has read in a room. Marks only move forward."},
		{TypeTyping, InRoom{}, nil, true, "Tell a room that the user is writing. Not answered."},
		{TypeSync, Sync{}, Synced{}, false, "Ask for what came after the last known event of each room."},
		{TypeWatch, Watch{}, Presences{}, false, "Replace the users whose presence this connection is told, and learn it."},
		{TypeActivity, Activity{}, nil, false, "Tell whether the person is there, or went away."},
		{TypeRefresh, Refresh{}, Until{}, false, "Extend the connection with a later token of the same session."},
		{TypeReport, Report{}, Reported{}, false,
			"Tell what was measured; devices only. The answer comes once it is on disk."},
		{TypeWatchReadings, WatchReadings{}, WatchedReadings{}, false,
			"Replace the devices whose readings this connection is told, and learn the last ones."},
		{TypePing, nil, nil, false, "Ask whether the server is there."},
		{TypeDescribe, Describe{}, nil, false,
			"Of a device: tell what it measures, what it can be told, and what can be set."},
		{TypeBye, Bye{}, nil, false, "Of a device: tell that it will be away for some time, on purpose."},
		{TypeCommand, NewCommand{}, Command{}, false,
			"Tell a device to do something. The answer comes once that is on disk."},
		{TypeCommands, nil, Commands{}, false, "Of a device: ask for all commands that it has not ended."},
		{TypeSettings, nil, Settings{}, false, "Of a device: ask for what is to be set."},
		{TypeSettingsSet, SettingsReport{}, nil, false, "Of a device: tell what is set, and what it did not take."},
		{TypeReported, CommandReport{}, nil, false, "Of a device: tell what has become of a command."},
		{TypeFirmware, FirmwareReport{}, nil, false,
			"Of a device: tell which firmware it runs, and give a nonce for the next offer."},
		{TypeFirmwareProgress, FirmwareProgress{}, FirmwareAnswer{}, false,
			"Of a device: tell how far it is with an update, and learn whether to go on."},
		{TypeFirmwareRead, FirmwareRead{}, FirmwareData{}, false, "Of a device: read a part of an image or of a patch."},
		{TypeCrash, CrashReport{}, nil, false, "Of a device: tell of its last crash."},
	}
}

// News lists the frames that the server sends by itself.
func News() []Frame {
	return []Frame{
		{Type: TypeHello, Data: Hello{}, Summary: "The first frame of a connection."},
		{Type: TypeEvent, Data: Event{}, Summary: "One entry of a room's log."},
		{Type: TypePresence, Data: Presences{}, Summary: "What changed of the users who are watched."},
		{Type: TypeIsTyping, Data: Typing{}, Summary: "Someone is writing."},
		{Type: TypeThread, Data: ThreadState{},
			Summary: "The user has read a thread, or follows it from now on or not any longer, on any device."},
		{Type: TypeReadMoved, Data: Mark{}, Summary: "The user's own read mark moved, on any device."},
		{Type: TypeRoomJoined, Data: RoomState{}, Summary: "The user is now a member of a room."},
		{Type: TypeRoomLeft, Data: Left{}, Summary: "The user is no longer a member, or the room is gone."},
		{Type: TypeRequested, Data: RoomRequest{}, Summary: "Somebody asks whether the user wants to be in a room."},
		{Type: TypeAnswered, Data: InRoom{}, Summary: "The user has answered that, on any device."},
		{Type: TypeBlocked, Data: Blocking{},
			Summary: "The user has blocked somebody, or not any longer, on any device."},
		{Type: TypeRoomReset, Data: InRoom{}, Summary: "Events were missed that are no longer kept: load the room again."},
		{Type: TypePurged, Data: Purged{}, Summary: "The room's oldest events are no longer kept: forget them."},
		{Type: TypeUser, Data: Profile{}, Summary: "A user has a new name, picture or text."},
		{Type: TypeOrder, Data: Command{}, Summary: "To a device: do this, and tell what becomes of it."},
		{Type: TypeCommandState, Data: Command{}, Summary: "What has become of a command that the user gave in no room."},
		{Type: TypeReadings, Data: DeviceReadings{}, Summary: "A device that is watched has measured something."},
		{Type: TypeSet, Data: Settings{}, Summary: "To a device: set this, and tell what became of it."},
		{Type: TypeFirmwareOffer, Data: FirmwareOffer{}, Summary: "To a device: there is an update for it."},
		{Type: TypeSettingsChanged, Data: SettingsChanged{}, Summary: "The settings of a device of the user have changed."},
		{Type: TypeNotifications, Data: Notifications{}, Summary: "The user has chosen what to be told of, on any device."},
		{Type: TypeSaved, Data: SavedChanged{}, Summary: "The user has saved a message, or not any longer, on any device."},
		{Type: TypeDraft, Data: Draft{}, Summary: "The user has begun to write, written on or sent it, on any device."},
		{Type: TypeScheduled, Data: ScheduledChanged{},
			Summary: "A message that the user sends later has changed, was sent, or could not be."},
		{Type: TypeReminder, Data: ReminderChanged{}, Summary: "A reminder of the user came, has changed, or is done."},
		{Type: TypeSections, Data: RoomSections{}, Summary: "The user has arranged their rooms otherwise, on any device."},
		{Type: TypeSlashAnswer, Data: SlashAnswer{},
			Summary: "A program answers a slash command of the user later, and tells nobody else."},
		{Type: TypeReportChanged, Data: ReportChanged{},
			Summary: "The reports that the user decides on have changed, or one of the user's was decided on."},
		{Type: TypeEmojiChanged, Data: EmojiChanged{}, Summary: "An emoji was added to the server, or deleted."},
		{Type: TypeDeviceTransfer, Data: DeviceTransfer{},
			Summary: "A device was offered to another user, or what became of that."},
		{Type: TypeDeviceStatus, Data: DeviceStatuses{}, Summary: "Devices of the user, or that are watched, came or went."},
		{Type: TypeRevoked, Data: Revoked{}, Summary: "The session was ended; the connection closes next."},
	}
}
