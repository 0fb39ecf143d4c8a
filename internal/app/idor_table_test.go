package app_test

import "time"

// A row says what an operation answers to those to whom nothing belongs of what
// its path names: Ann's private room, her message, invitation, device, session.
type row struct {
	open bool   // to everybody: it asks for nobody signed in
	own  bool   // acts on whoever calls, and its path names nothing
	eve  int    // a stranger, signed in
	bob  int    // a plain member of the room; 0: as eve
	root int    // an administrator in no room, of what a device's path names; 0: as eve
	body string // JSON that would do; {user} and the like are filled in
	more string // what comes after the path
}

// noFile is the SHA-256 of no file.
const noFile = "0000000000000000000000000000000000000000000000000000000000000000"

// The table: every operation of the OpenAPI document. A new operation needs a row
// here, and the test says so.
func rows() map[string]row {
	soon := `"at":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"`
	open, own, admin := row{open: true}, row{own: true}, row{eve: 403}
	with := func(r row, body string) row { r.body = body; return r }
	theirs := func(body string) row { return row{eve: 404, body: body} } // Ann's, and there for nobody else
	registry := func(root int) row { return row{eve: 404, root: root} }  // of Ann's devices
	room := func(bob int, body string) row { return row{eve: 404, bob: bob, body: body} }
	return map[string]row{
		"get-server": open, "get-captcha": open, "get-avatar": open, "get-preview-image": open,
		"register": open, "sign-in": open, "sign-in-factor": open, "refresh": open, "sign-out": open,
		"confirm-email": open, "undo-email": open, "verify-email": open, "resend-verification": open, "forgot-password": open,
		"reset-password": open, "unlock": open,
		"begin-passkey-sign-in": open, "passkey-sign-in": open, "begin-passkey-factor": open, "begin-provider": open,
		"finish-provider": open,

		"list-audit": admin, "verify-audit": admin, "admin-get-health": admin, "admin-list-rooms": admin,
		"admin-delete-room": admin,
		"admin-update-room": with(admin, `{"archived":true}`), "admin-get-settings": admin,
		"admin-set-settings": with(admin, `{"registration":"closed"}`),
		"admin-list-invites": admin, "admin-create-invite": with(admin, `{}`), "admin-delete-invite": admin,
		"admin-list-users": admin, "admin-get-user": admin, "admin-update-user": with(admin, `{"role":"admin"}`),
		"admin-delete-user": admin,
		"admin-hold-room":   with(admin, `{"held":true,"reason":"x"}`), "admin-get-room-use": admin,
		"admin-reset-factors": admin, "admin-reset-password": admin, "admin-end-sessions": admin, "admin-end-session": admin,
		"admin-list-reports": admin, "admin-get-report": admin,
		"admin-decide-report":     with(admin, `{"decision":"removed"}`),
		"admin-create-user-group": with(admin, `{"handle":"mine"}`),
		"admin-update-user-group": with(admin, `{"name":"Mine"}`), "admin-delete-user-group": admin,
		"admin-add-to-user-group": admin, "admin-remove-from-user-group": admin,
		"admin-list-slash-commands":  admin,
		"admin-create-slash-command": with(admin, `{"name":"mine","url":"https://example.org/"}`),
		"admin-update-slash-command": with(admin, `{"on":false}`), "admin-rotate-slash-command": admin,
		"admin-delete-slash-command": admin,
		"list-user-groups":           own, "get-user-group": theirs(""), // there is none
		"admin-list-models":  admin,
		"admin-change-model": with(admin, `{"action":"rollback"}`), "admin-try-model": with(admin, `{"inputs":[]}`),

		"report-spans": with(own, `{"spans":[{}]}`),
		"get-me":       own, "update-me": with(own, `{"about":"x"}`), "delete-me": own, "set-avatar": own,
		"delete-avatar":   own,
		"set-status":      with(own, `{"text":"x"}`),
		"change-email":    with(own, `{"email":"x@example.org"}`),
		"change-password": with(own, `{"current_password":"x","password":"seven other otters row"}`),
		"export-me":       own, "list-factors": own, "list-sessions": own, "end-sessions": own, "new-recovery-codes": own,
		"step-up": with(own, `{"password":"x"}`), "begin-passkey-step-up": own, "enrol-totp": own,
		"confirm-totp": with(own, `{"code":"000000"}`), "remove-totp": own,
		"begin-passkey": own, "add-passkey": with(own, `{"ticket":"x","name":"x","passkey":{}}`),
		// a browser of the caller's, or none
		"end-session": theirs(""), "remove-passkey": theirs(""), "rename-passkey": theirs(`{"name":"mine"}`),
		"forget-browser": {eve: 204},
		"link-provider":  theirs(""), "unlink-provider": theirs(""), // there is no such provider here

		"list-emoji": own, "add-emoji": {eve: 409}, "delete-emoji": {eve: 403}, // Ann's has the name
		"get-retention": own, "list-users": own, "get-user": {eve: 200}, "list-shared-rooms": own, "get-presence": {own: true, more: "?users={user}"},
		"search":     {own: true, more: "?q=secret"},
		"list-rooms": own, "list-public-rooms": own, "create-room": with(own, `{"kind":"private","name":"Mine"}`),
		"open-direct": with(own, `{"users":["{user}"]}`),
		"get-invite":  {eve: 200}, "accept-invite": {eve: 200}, // whoever has the code is invited

		// nobody whom the caller had blocked
		"list-requests": own, "list-blocked": own, "set-requests": with(own, `{"asked_by":"everyone"}`),
		"block": {eve: 204}, "unblock": {eve: 204},
		"accept-request": room(404, ""), "decline-request": room(404, `{}`),

		"list-devices": own, "register-device": with(own, `{"name":"Mine"}`), "get-device": registry(200),
		"list-device-transfers": own, "offer-device": theirs(`{"user":"{bob}"}`), "accept-device": theirs(""),
		"end-device-offer": theirs(""),
		"let-device-claim": theirs(`{}`), "claim-device-key": open,
		"list-device-groups": own, "put-device-group": {eve: 200, body: `{"rule":{"tag":"x"}}`}, // of the caller's, by name
		"revoke-device-keys":  theirs(`{"group":"pumps","confirm":1}`),
		"change-device-group": theirs(`{"add":["{device}"]}`), "delete-device-group": theirs(""),
		"list-device-templates": own, "put-device-template": {eve: 200, body: `{"tags":["x"]}`},
		"delete-device-template": theirs(""),
		"import-devices":         with(own, `{"name":"Mine"}`),
		"list-room-devices":      room(200, ""), "list-device-connections": registry(200), "list-device-log": registry(200),
		"get-device-settings": theirs(""), "change-device-settings": theirs(`{"settings":{"a":null}}`),
		"update-device": theirs(`{"name":"Mine"}`),
		"send-command":  theirs(`{"key":"1","action":"fan"}`), "list-commands": theirs(""), "get-command": theirs(""),
		"cancel-command":      theirs(""),
		"send-group-command":  {eve: 400, body: `{"key":"1","action":"fan"}`}, // the caller's group, which is empty
		"list-group-commands": {eve: 200},
		"get-group-command":   theirs(""),
		"list-alarms":         own, "list-device-alarms": theirs(""), "change-alarm": theirs(`{"acknowledge":true}`),
		"list-group-rules": own, "create-group-rule": with(own, `{"name":"Silent","kind":"absence"}`),
		"replace-group-rule": theirs(`{"name":"Silent","kind":"absence"}`), "delete-group-rule": theirs(""),
		"list-maintenance": own, "delete-maintenance": theirs(""), "list-device-maintenance": theirs(""),
		"add-maintenance": theirs(
			`{"name":"Pump","device":"{device}","weekdays":[1],"start":"02:00","minutes":60,"zone":"UTC"}`),
		"list-alarm-rules": theirs(""), "create-alarm-rule": theirs(`{"name":"Silent","kind":"absence"}`),
		"replace-alarm-rule": theirs(`{"name":"Silent","kind":"absence"}`), "delete-alarm-rule": theirs(""),
		"revoke-device": registry(204), "rotate-device-key": theirs(`{}`), "revoke-device-key": registry(204),

		"list-room-alarms": room(200, ""),
		"get-dashboard":    room(200, ""), "put-dashboard": room(200, `{"version":0,"tiles":[{"kind":"alarms"}]}`),
		"post-chart": room(404, `{"key":"1","device":"{device}"}`),

		"list-series": theirs(""), "delete-readings": theirs(""),
		"export-readings": theirs(""), "get-readings": theirs(""),

		"get-offer-key": own, "list-products": own, "create-product": with(own, `{"name":"mine"}`),
		"get-product": theirs(""), "update-product": theirs(`{"title":"Mine"}`), "delete-product": theirs(""),
		"list-roots": theirs(""), "add-root": theirs(`{"payloadType":"x","payload":"","signatures":[]}`),
		"list-uploads": theirs(""), "begin-upload": theirs(`{"kind":"raw","size":1,"sha256":"` + noFile + `"}`),
		"get-upload": theirs(""), "add-part": theirs(""), "complete-upload": theirs(""), "delete-upload": theirs(""),
		"list-files": own, "create-file": with(own, `{"room":"room_1","name":"x","size":1}`),
		"link-files": with(own, `{"files":[]}`), "get-file": theirs(""), "put-file-part": theirs(""),
		"complete-file": theirs(`{}`), "delete-file": theirs(""), "list-room-files": room(200, ""),
		"upload-file":   {eve: 404, bob: 201, body: "x", more: "?name=x"},
		"list-releases": theirs(""), "create-release": theirs(`{"version":"2","version_code":2}`),
		"get-release": theirs(""), "update-release": theirs(`{"notes":"Mine"}`), "delete-release": theirs(""),
		"add-image": theirs(`{"upload":"{upload}","chip":"esp32"}`), "remove-image": theirs(""),
		"set-factory-image": theirs(`{"upload":"{upload}"}`), "remove-factory-image": theirs(""),
		"create-rollout": theirs(`{"release":"{release}"}`), "list-rollouts": theirs(""), "get-rollout": theirs(""),
		"act-on-rollout": theirs(`{"action":"pause"}`), "revert-rollout": theirs(`{"release":"{release}"}`),
		"list-updates": theirs(""), "get-rollout-log": theirs(""), "list-crashes": theirs(""),
		"get-device-ota": theirs(""), "delete-device-ota": theirs(""),
		"put-device-ota":      theirs(`{"product":"{product}","chip":"esp32"}`),
		"get-device-firmware": theirs(""), "agree-to-update": theirs(""),
		"share-product": theirs(`{"open":true,"code":"new"}`), "list-fleet": theirs(""),
		"send-devices-away": theirs(""),
		"join-product":      theirs(`{"product":"{product}"}`), "leave-product": theirs(""),
		"get-product-terms": {eve: 404, more: "?product={product}"}, // it is not open
		"get-manifest":      theirs(""), "sign-release": theirs(`{"payloadType":"x","payload":"","signatures":[]}`),

		"get-room": room(200, ""), "update-room": room(403, `{"name":"Mine"}`), "delete-room": room(403, ""),
		"set-room-avatar": room(403, ""), "delete-room-avatar": room(403, ""),
		"hand-over-room": room(403, `{"user":"{bob}"}`),
		"join-room":      room(200, ""), "leave-room": room(204, ""), "mark-read": room(200, `{"seq":1}`),
		"list-members": room(200, ""), "add-member": room(403, `{"user":"{banned}"}`), "remove-member": room(403, ""),
		"update-member": room(403, `{"role":"member"}`),
		"list-bans":     room(403, ""), "ban": room(403, `{}`), "unban": room(403, ""),
		"list-bots": own, "create-bot": with(own, `{"username":"mine","token":{"scopes":["read"]}}`),
		"delete-bot": theirs(""), "create-bot-token": theirs(`{"scopes":["read"]}`), "revoke-bot-token": theirs(""),
		"list-assistants": own, "set-assistant": {eve: 403, body: `{}`}, "end-assistant": theirs(""),
		// tokens of people open nothing there
		"bot-events": {eve: 401}, "bot-send": {eve: 401, body: `{"room":"{room}","key":"1","text":"x"}`},
		"list-hooks": room(403, ""), "create-hook": room(403, `{"name":"Mine"}`), "renew-hook": room(403, ""),
		"update-hook": room(403, `{"faces":true}`),
		"delete-hook": room(403, ""), "set-hook-avatar": room(403, ""), "delete-hook-avatar": room(403, ""),
		"list-outgoing-hooks":  room(403, ""),
		"create-outgoing-hook": room(403, `{"name":"Mine","url":"https://example.org/"}`),
		"update-outgoing-hook": room(403, `{"on":false}`), "rotate-outgoing-hook": room(403, ""),
		"delete-outgoing-hook": room(403, ""), "test-outgoing-hook": room(403, ""),
		"list-hook-deliveries": room(403, ""), "redeliver-hook": room(403, ""),
		"list-slash-commands": room(200, ""), "run-slash-command": room(404, `{"command":"none"}`),
		"create-slash-command": room(403, `{"name":"mine","url":"https://example.org/"}`),
		"update-slash-command": room(403, `{"on":false}`), "rotate-slash-command": room(403, ""),
		"delete-slash-command": room(403, ""),
		"list-invites":         room(403, ""), "create-invite": room(403, `{}`), "revoke-invite": room(403, ""),
		"replay-events": room(200, ""), "get-timeline": room(200, ""), "get-message": room(200, ""),
		"list-versions": room(200, ""),
		"send-message":  room(201, `{"key":"1","text":"hello"}`), "edit-message": room(403, `{"text":"mine"}`),
		"delete-message": room(403, ""), "remove-previews": room(403, ""),
		"tick-task":  room(403, `{"task":"tea","done":true}`),
		"get-thread": room(200, ""), "list-threads": own,
		"mark-thread": room(200, `{"seq":1}`), "mark-unread": room(200, ""), "follow-thread": room(200, `{"following":true}`),
		"follow-threads": room(204, `{"following":true}`),
		"add-reaction":   room(200, ""), "remove-reaction": room(200, ""), "list-reactions": room(200, ""),
		"create-poll":     room(201, `{"key":"p1","question":"Tea?","choices":["yes","no"]}`),
		"forward-message": room(201, `{"key":"f1","from":"{room}","seq":{seq}}`),
		"vote":            room(404, `{"choices":[1]}`), "close-poll": room(404, ""), "list-voters": room(404, ""),
		"pin-message": room(200, ""), "unpin-message": room(200, ""), "list-pins": room(200, ""),
		"report-message": room(200, `{"reason":"spam"}`), "appeal-flag": room(403, ""),
		"list-own-reports": own, "list-room-reports": room(403, ""),
		"decide-room-report": room(403, `{"decision":"removed"}`),
		"list-saved":         own, "list-saved-in-room": room(200, ""), "save-message": room(204, ""),
		"unsave-message": room(204, ""), "list-drafts": own, "put-draft": room(200, `{"text":"mine"}`),
		"get-sections":   own,
		"put-sections":   with(own, `{"favourites":{"rooms":["{room}"]},"sections":[]}`),
		"list-scheduled": own, "delete-scheduled": theirs(""), "send-scheduled": theirs(""),
		"schedule-message": room(201, `{"key":"{room}","room":"{room}","text":"mine",`+soon+`}`),
		"skip-scheduled":   theirs(`{"at":"2026-01-01T00:00:00Z"}`),
		"change-scheduled": theirs(`{"text":"mine",` + soon + `}`),
		"list-reminders":   own, "finish-reminder": theirs(""), "delete-reminder": theirs(""),
		"create-reminder":   room(201, `{"key":"{room}","room":"{room}","seq":{seq},`+soon+`}`),
		"change-reminder":   theirs(`{` + soon + `}`),
		"get-notifications": own,
		"set-notifications": with(own, `{"level":"all","keywords":[],"quiet":{"spans":[]}}`),
		"get-digest":        own,
		"set-digest":        with(own, `{"every":"never"}`),
		"end-digests":       open, "open-end-digests": open,
		"set-room-notifications": room(200, `{"level":"all"}`),
		"list-subscriptions":     own, "unsubscribe": theirs(""),
		"subscribe": with(own, `{"endpoint":"https://push.example.org/1","auth":"AAAAAAAAAAAAAAAAAAAAAA","p256dh":"`+
			`BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"}`),
	}
}
