package domain

// AuditType says what happened.
type AuditType string

// What the audit log knows.
const (
	AuditLogin            AuditType = "auth.login"
	AuditMFA              AuditType = "auth.mfa"
	AuditLogout           AuditType = "auth.logout"
	AuditRefresh          AuditType = "auth.refresh"
	AuditRefreshReuse     AuditType = "auth.refresh_reuse"
	AuditLock             AuditType = "auth.lock"
	AuditUnlock           AuditType = "auth.unlock"
	AuditStepUp           AuditType = "auth.step_up"
	AuditPasswordChange   AuditType = "auth.password_change"
	AuditResetStart       AuditType = "auth.password_reset_start"
	AuditResetDone        AuditType = "auth.password_reset_done"
	AuditRegister         AuditType = "auth.register"
	AuditVerifyEmail      AuditType = "auth.verify_email"
	AuditEmailChange      AuditType = "auth.email_change"
	AuditDelete           AuditType = "auth.delete"
	AuditDataExport       AuditType = "auth.export"
	AuditTOTPEnroll       AuditType = "auth.totp_enroll"
	AuditTOTPDisable      AuditType = "auth.totp_disable"
	AuditRecoveryGenerate AuditType = "auth.recovery_generate"
	AuditRecoveryUse      AuditType = "auth.recovery_use"
	AuditRememberAdd      AuditType = "auth.remember_add"
	AuditRememberUse      AuditType = "auth.remember_use"
	AuditRememberRevoke   AuditType = "auth.remember_revoke"
	AuditPasskeyAdd       AuditType = "auth.passkey_add"
	AuditPasskeyRemove    AuditType = "auth.passkey_remove"
	AuditOIDCLink         AuditType = "auth.oidc_link"
	AuditOIDCLogin        AuditType = "auth.oidc_login"
	AuditSessionRevoke    AuditType = "session.revoke"

	AuditGuestEnd AuditType = "auth.guest_end" // the access of a guest ended at its time

	AuditBot AuditType = "auth.bot" // a bot or a token was made or deleted, or a bot is an assistant or none any more

	AuditDeviceRegister   AuditType = "device.register"
	AuditDeviceRotate     AuditType = "device.rotate"
	AuditDeviceRevoke     AuditType = "device.revoke"
	AuditDeviceConnect    AuditType = "device.connect"
	AuditDeviceDisconnect AuditType = "device.disconnect"
	AuditDeviceAuthFailed AuditType = "device.auth_failed"
	AuditDeviceSuspend    AuditType = "device.suspend"
	AuditDeviceResume     AuditType = "device.resume"
	AuditDeviceDoubled    AuditType = "device.doubled"
	AuditDeviceTransfer   AuditType = "device.transfer"
	AuditDeviceLetClaim   AuditType = "device.claim_token" // was made
	AuditDeviceClaim      AuditType = "device.claim"       // a device got its key by it, or was refused
	AuditDeviceReset      AuditType = "device.reset"       // it was reset, by a button or a command, and its key has ended
	AuditDeviceSettings   AuditType = "device.settings"
	AuditDeviceReadings   AuditType = "device.readings_delete"
	AuditDeviceCommand    AuditType = "device.command"
	AuditDeviceCancel     AuditType = "device.command_cancel"
	AuditAlarmRule        AuditType = "device.alarm_rule"
	AuditAlarmAck         AuditType = "device.alarm_ack"

	AuditProduct        AuditType = "firmware.product"
	AuditFirmwareRoot   AuditType = "firmware.root"
	AuditRelease        AuditType = "firmware.release"
	AuditRollout        AuditType = "firmware.rollout"         // a rollout was made, changed, or went on by itself
	AuditUpdateRejected AuditType = "firmware.update_rejected" // a check of a device failed
	AuditUpdateAgreed   AuditType = "firmware.update_agreed"   // the owner of a device
	AuditFirmwareJoin   AuditType = "firmware.join"            // a device joined a product of somebody else, or left it
	AuditDeviceOTA      AuditType = "firmware.device_ota"      // a device may get updates over other protocols, or not any more

	AuditOpenDenied   AuditType = "ws.open_denied"
	AuditOriginDenied AuditType = "ws.origin_denied"
	AuditClosedPolicy AuditType = "ws.closed_policy"

	AuditRateLimited   AuditType = "ratelimit.exceeded"
	AuditCaptchaFailed AuditType = "captcha.failed"

	// AdminPrefix begins what administrators do; the rest names it.
	AdminPrefix = "admin."

	AuditAdminUserCreate    AuditType = "admin.user_create"
	AuditAdminUserUpdate    AuditType = "admin.user_update"
	AuditAdminUserDisable   AuditType = "admin.user_disable"
	AuditAdminUserEnable    AuditType = "admin.user_enable"
	AuditAdminUserDelete    AuditType = "admin.user_delete"
	AuditAdminUserRole      AuditType = "admin.user_role"
	AuditAdminGuest         AuditType = "admin.guest" // an account became a guest, or another day ends its access
	AuditAdminPasswordReset AuditType = "admin.password_reset"
	AuditAdminFactorsReset  AuditType = "admin.factors_reset"
	AuditAdminInvite        AuditType = "admin.invite"
	AuditAdminInviteRevoke  AuditType = "admin.invite_revoke"
	AuditAdminRoom          AuditType = "admin.room"
	AuditAdminUserGroup     AuditType = "admin.user_group" // one was made, changed or deleted, or who is in it
	AuditAdminCommand       AuditType = "admin.command"    // a slash command of the server was made, changed, renewed or removed

	AuditEmoji AuditType = "emoji.change" // one was added to the server, or deleted

	AuditConfigChange AuditType = "config.change"

	AuditRoomRetention AuditType = "room.retention" // a room chose how long it keeps its messages
	AuditRoomHistory   AuditType = "room.history"   // what new members of a room see was changed
	AuditRoomPreviews  AuditType = "room.previews"  // previews of links were switched on or off in a room
	AuditRoomScreening AuditType = "room.screening" // what the server flags in a room was changed
	AuditRoomLook      AuditType = "room.look"      // a room got a picture, emoji or colour, or lost it
	AuditHook          AuditType = "room.hook"      // a webhook of a room was made, changed, renewed or removed
	AuditPurge         AuditType = "room.purge"     // what is kept no longer was forgotten

	AuditReport       AuditType = "moderation.report"   // somebody reported a message
	AuditAppeal       AuditType = "moderation.appeal"   // somebody whose message the server flagged asked for a decision
	AuditReportView   AuditType = "moderation.view"     // an administrator looked at a reported message
	AuditReportDecide AuditType = "moderation.decision" // somebody decided on the reports of a message

	AuditStart        AuditType = "audit.start"      // the server began to record
	AuditStop         AuditType = "audit.stop"       // and stopped
	AuditExport       AuditType = "audit.export"     // somebody took records away
	AuditRead         AuditType = "audit.read"       // an administrator looked at them
	AuditVerify       AuditType = "audit.verify"     // somebody checked the chain
	AuditCheckpointed AuditType = "audit.checkpoint" // where the chain stands, signed
	AuditGap          AuditType = "audit.gap"        // records could not be kept, or not be sent
	AuditRetention    AuditType = "audit.retention"  // old records were deleted
	AuditErase        AuditType = "audit.erase"      // personal data were erased
)
