package guest

import (
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// May returns an error if p is a guest and the operation of the REST API is not for guests, whatever it is about. What
// is not in the table is for no guest, so that a new operation is refused until somebody decides.
func May(p domain.Principal, operation string) error {
	if p.IsGuest() && !open[operation] {
		return domain.ErrNotForGuests()
	}
	return nil
}

// open are the operations that guests may call. Many of them are about a room, which then decides.
var open = set(
	// their own account
	`get-me update-me delete-me export-me set-avatar delete-avatar set-status change-email change-password list-factors
	list-sessions end-session end-sessions new-recovery-codes step-up begin-passkey-step-up enrol-totp confirm-totp
	remove-totp begin-passkey add-passkey remove-passkey rename-passkey forget-browser link-provider unlink-provider
	report-spans get-retention`,
	// people who share a room with them, and groups with such people
	`list-users get-user get-presence list-shared-rooms list-user-groups get-user-group list-blocked block unblock
	list-requests set-requests accept-request decline-request open-direct`,
	// rooms that they are in
	`list-rooms get-room update-room leave-room list-members mark-read mark-unread search replay-events get-timeline`,
	// messages there
	`send-message get-message edit-message delete-message list-versions remove-previews tick-task get-thread list-threads
	mark-thread follow-thread follow-threads add-reaction remove-reaction list-reactions create-poll vote close-poll
	list-voters forward-message list-pins pin-message unpin-message report-message appeal-flag
	list-own-reports list-slash-commands
	run-slash-command list-emoji`,
	// files there
	`list-files upload-file create-file put-file-part complete-file delete-file get-file link-files list-room-files`,
	// what devices there measure
	`list-devices list-room-devices get-device list-series get-readings list-alarms list-room-alarms list-device-alarms
	get-dashboard post-chart`,
	// what they keep for themselves
	`list-saved list-saved-in-room save-message unsave-message list-drafts put-draft get-sections put-sections
	list-scheduled schedule-message change-scheduled skip-scheduled delete-scheduled send-scheduled list-reminders
	create-reminder change-reminder finish-reminder delete-reminder
	get-notifications set-notifications set-room-notifications
	get-digest set-digest list-subscriptions subscribe unsubscribe`,
)

func set(lists ...string) map[string]bool {
	in := make(map[string]bool)
	for _, list := range lists {
		for _, operation := range strings.Fields(list) {
			in[operation] = true
		}
	}
	return in
}
