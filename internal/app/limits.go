package app

import (
	"time"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// perMinute allows n in a minute, all of them at once.
func perMinute(n int) *ratelimit.Limiter { return ratelimit.New(n, time.Minute, n) }

// writeLimits is the table of what may be written how often: every operation of the
// REST API that changes something is in it, and searches are. Passwords, mails and registrations have
// limits of package auth besides, those of WebSockets are the gateway's.
func writeLimits(c config.Config) httpx.Limits {
	n := c.UserPerMinute
	limits := httpx.Limits{}
	shared := func(l httpx.Limit, operations ...string) {
		for _, op := range operations {
			limits[op] = &l
		}
	}
	// What is made and stays: seldom, and by many from one address in an office.
	shared(httpx.Limit{Name: "changes", User: perMinute(n), Addr: perMinute(10 * n)},
		"create-room", "open-direct", "add-emoji", "delete-emoji", "delete-room", "create-invite", "revoke-invite", "add-member", "hand-over-room",
		"accept-request", "decline-request", "set-requests", "block", "unblock",
		"register-device", "import-devices", "update-device", "revoke-device", "delete-readings",
		"rotate-device-key", "revoke-device-key", "revoke-device-keys", "put-device-group",
		"change-device-group", "delete-device-group",
		"put-device-template", "delete-device-template", "let-device-claim", "offer-device", "accept-device", "end-device-offer",
		"create-alarm-rule", "replace-alarm-rule", "delete-alarm-rule", "change-alarm", "change-device-settings",
		"create-group-rule", "replace-group-rule", "delete-group-rule", "add-maintenance", "delete-maintenance",
		"create-rollout", "act-on-rollout", "revert-rollout", "agree-to-update", "join-product", "leave-product",
		"send-devices-away",
		"put-device-ota", "delete-device-ota",
		"create-hook", "update-hook", "renew-hook", "delete-hook",
		"create-outgoing-hook", "update-outgoing-hook", "rotate-outgoing-hook", "delete-outgoing-hook",
		"test-outgoing-hook", "redeliver-hook",
		"create-slash-command", "update-slash-command", "rotate-slash-command", "delete-slash-command",
		"create-bot", "delete-bot", "create-bot-token", "revoke-bot-token",
		"set-assistant", "end-assistant")
	shared(httpx.Limit{Name: "firmware", User: perMinute(2 * n), Addr: perMinute(20 * n)},
		"create-product", "update-product", "share-product", "delete-product", "add-root",
		"begin-upload", "complete-upload", "delete-upload", "create-release",
		"update-release", "delete-release", "add-image", "remove-image", "sign-release",
		"set-factory-image", "remove-factory-image")
	// Files in messages, several to one of them.
	shared(httpx.Limit{Name: "files", User: perMinute(5 * n), Addr: perMinute(50 * n)},
		"upload-file", "create-file", "complete-file", "delete-file", "link-files")
	// Their parts, of 8 MiB each.
	shared(httpx.Limit{Name: "file_parts", User: perMinute(20 * n), Addr: perMinute(100 * n)}, "put-file-part")
	// Parts of firmware, of 1 MiB each.
	shared(httpx.Limit{Name: "parts", User: perMinute(20 * n), Addr: perMinute(100 * n)}, "add-part")
	// What everybody in a room is told. A room that is open to all fills quickly once.
	shared(httpx.Limit{Name: "joins", User: perMinute(2 * n), Addr: perMinute(20 * n), Room: perMinute(20 * n)},
		"join-room", "accept-invite")
	// Of the same, what is not counted by room: strangers who are refused would count, and
	// keep its moderators from acting.
	shared(httpx.Limit{Name: "members", User: perMinute(2 * n), Addr: perMinute(20 * n)},
		"leave-room", "update-room", "update-member", "remove-member", "ban", "unban")
	// What all who share a room with somebody are told.
	shared(httpx.Limit{Name: "profiles", User: perMinute(n), Addr: perMinute(10 * n)},
		"update-me", "set-status", "set-avatar", "delete-avatar", "set-hook-avatar", "delete-hook-avatar",
		"set-room-avatar", "delete-room-avatar")
	shared(httpx.Limit{Name: "messages_by_http", User: ratelimit.New(c.MessagesPerSec, time.Second, 2*c.MessagesPerSec)},
		"send-message", "edit-message", "tick-task", "delete-message", "remove-previews", "add-reaction", "remove-reaction",
		"create-poll", "forward-message", "vote", "close-poll", "pin-message", "unpin-message", "save-message",
		"unsave-message", "report-message", "appeal-flag", "decide-room-report",
		"mark-thread", "follow-thread", "follow-threads",
		"set-room-notifications",
		"bot-send", "run-slash-command", "mark-read", "mark-unread", "send-command", "cancel-command",
		"post-chart", "put-dashboard")
	// Of who writes, a client tells every few seconds at most.
	shared(httpx.Limit{Name: "drafts", User: perMinute(2 * n)}, "put-draft")
	shared(httpx.Limit{Name: "sections", User: perMinute(2 * n)}, "put-sections")
	shared(httpx.Limit{Name: "scheduled", User: perMinute(n)},
		"schedule-message", "change-scheduled", "skip-scheduled", "send-scheduled", "delete-scheduled",
		"create-reminder", "change-reminder", "finish-reminder", "delete-reminder")
	// What many devices are told at once.
	shared(httpx.Limit{Name: "group_commands", User: perMinute(max(n/6, 1)), Addr: perMinute(2 * n)}, "send-group-command")
	// One's own way to sign in.
	shared(httpx.Limit{Name: "account_changes", User: perMinute(n), Addr: perMinute(10 * n)},
		"set-notifications", "set-digest", "subscribe", "unsubscribe",
		"change-password", "change-email", "delete-me", "end-session", "end-sessions", "forget-browser", "new-recovery-codes",
		"step-up", "begin-passkey-step-up", "enrol-totp", "confirm-totp", "remove-totp",
		"begin-passkey", "add-passkey", "rename-passkey", "remove-passkey", "link-provider", "unlink-provider")
	// Of nobody who is known yet. All browsers behind one address come here to go on,
	// hundreds after an outage.
	shared(httpx.Limit{Name: "strangers", Addr: perMinute(20 * n)},
		"register", "sign-in", "sign-in-factor", "refresh", "sign-out", "begin-passkey-sign-in", "passkey-sign-in",
		"begin-passkey-factor",
		"begin-provider", "finish-provider", "confirm-email", "undo-email", "verify-email", "resend-verification",
		"forgot-password",
		"reset-password", "unlock", "claim-device-key", "end-digests")
	// What looks through much to answer little.
	shared(httpx.Limit{Name: "searches", User: perMinute(2 * n), Addr: perMinute(20 * n)}, "search")
	// What web clients measured, once every few seconds if they are asked to.
	shared(httpx.Limit{Name: "spans", User: perMinute(n), Addr: perMinute(10 * n)}, "report-spans")
	shared(httpx.Limit{Name: "administration", User: perMinute(10 * n)},
		"admin-update-user", "admin-delete-user", "admin-end-sessions", "admin-end-session", "admin-reset-factors",
		"admin-reset-password",
		"admin-create-invite", "admin-delete-invite", "admin-update-room", "admin-delete-room", "admin-hold-room",
		"admin-set-settings", "admin-decide-report", "admin-create-user-group", "admin-update-user-group",
		"admin-delete-user-group", "admin-add-to-user-group", "admin-remove-from-user-group",
		"admin-create-slash-command", "admin-update-slash-command", "admin-rotate-slash-command",
		"admin-delete-slash-command", "admin-change-model", "admin-try-model",
		"verify-audit")
	return limits
}
