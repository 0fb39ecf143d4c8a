package domain

// Code says what is wrong more narrowly than a Kind: "room_archived". Clients act on
// it, so codes are part of the protocol: add, never rename. Codes has what each means.
type Code string

// Codes about the form of a request.
const (
	CodeInvalidRequest       Code = "invalid_request"
	CodeInvalidField         Code = "invalid_field"
	CodeNothingToChange      Code = "nothing_to_change"
	CodeOneChange            Code = "one_change"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeBodyTooLarge         Code = "body_too_large"
	CodeBodyTimeout          Code = "body_timeout"
	CodeBadCursor            Code = "bad_cursor"
	CodeNoRoute              Code = "no_route"
	CodeNoFile               Code = "no_file"
	CodeNoProblem            Code = "no_problem"
	CodeOrigin               Code = "origin"
)

// Codes about accounts and sessions.
const (
	CodeNoCredentials      Code = "no_credentials"
	CodeBadToken           Code = "bad_token"
	CodeSignedOut          Code = "signed_out"
	CodeRefreshRaced       Code = "refresh_raced"
	CodeNoSession          Code = "no_session"
	CodeNoAccount          Code = "no_account"
	CodeDisabled           Code = "disabled"
	CodeInvalidCredentials Code = "invalid_credentials"
	CodeWrongPassword      Code = "wrong_password"
	CodeLocked             Code = "locked"
	CodeFlowEnded          Code = "flow_ended"
	CodeTicketEnded        Code = "ticket_ended"
	CodeEmailNotVerified   Code = "email_not_verified"
	CodeEmailTaken         Code = "email_taken"
	CodeNameTaken          Code = "name_taken"
	CodeRegistrationClosed Code = "registration_closed"
	CodeInviteNeeded       Code = "invite_needed"
	CodeNoMail             Code = "no_mail"
	CodeMailQueueFull      Code = "mail_queue_full"
	CodeStepUpRequired     Code = "step_up_required"
	CodePasswordNeeded     Code = "password_needed"
	CodeNotAdmin           Code = "not_admin"
	CodeLastAdmin          Code = "last_admin"
	CodeNoUser             Code = "no_user"
	CodeNoAvatar           Code = "no_avatar"
)

// Codes about other ways to prove who one is.
const (
	CodeSecondFactor         Code = "second_factor"
	CodeSecondFactorRequired Code = "second_factor_required"
	CodeWrongCode            Code = "wrong_code"
	CodeNoFactor             Code = "no_factor"
	CodeHasTOTP              Code = "has_totp"
	CodeNoTOTP               Code = "no_totp"
	CodeNoTrial              Code = "no_trial"
	CodeNoPasskeys           Code = "no_passkeys"
	CodeNoPasskey            Code = "no_passkey"
	CodeHasPasskey           Code = "has_passkey"
	CodePasskeyExists        Code = "passkey_exists"
	CodePasskeyLate          Code = "passkey_late"
	CodePasskeyRefused       Code = "passkey_refused"
	CodeWrongPasskey         Code = "wrong_passkey"
	CodeTooManyPasskeys      Code = "too_many_passkeys"
	CodeNoProvider           Code = "no_provider"
	CodeOIDCAway             Code = "oidc_away"
	CodeOIDCDenied           Code = "oidc_denied"
	CodeOIDCRefused          Code = "oidc_refused"
	CodeIdentityTaken        Code = "identity_taken"
)

// Codes about proving that one is a person.
const (
	CodeCaptchaRequired     Code = "captcha_required"
	CodeCaptchaMalformed    Code = "captcha_malformed"
	CodeCaptchaWrong        Code = "captcha_wrong"
	CodeCaptchaExpired      Code = "captcha_expired"
	CodeCaptchaReused       Code = "captcha_reused"
	CodeCaptchaForged       Code = "captcha_forged"
	CodeCaptchaWrongAction  Code = "captcha_wrong_action"
	CodeCaptchaWrongHost    Code = "captcha_wrong_host"
	CodeCaptchaOtherAddress Code = "captcha_other_address"
	CodeCaptchaLowScore     Code = "captcha_low_score"
	CodeCaptchaHosted       Code = "captcha_hosted"
	CodeCaptchaRate         Code = "captcha_rate"
	CodeCaptchaUnavailable  Code = "captcha_unavailable"
)

// Codes about rooms and their members.
const (
	CodeNoRoom           Code = "no_room"
	CodeNotAMember       Code = "not_a_member"
	CodeAlreadyMember    Code = "already_member"
	CodeAlreadyAsked     Code = "already_asked"
	CodeRoleTooLow       Code = "role_too_low"
	CodeRankTooLow       Code = "rank_too_low"
	CodeLastOwner        Code = "last_owner"
	CodeDeviceOwner      Code = "device_owner"
	CodeMuted            Code = "muted"
	CodeBanned           Code = "banned"
	CodeAlreadyBanned    Code = "already_banned"
	CodeNotBanned        Code = "not_banned"
	CodeNotInDirect      Code = "not_in_direct"
	CodeRoomArchived     Code = "room_archived"
	CodeRoomFull         Code = "room_full"
	CodePreviewsOff      Code = "previews_off"
	CodeRoomHeld         Code = "room_held"
	CodeHoldUnchanged    Code = "hold_unchanged"
	CodeNoInvite         Code = "no_invite"
	CodeInviteEnded      Code = "invite_ended"
	CodeNoHook           Code = "no_hook"
	CodeTooManyHooks     Code = "too_many_hooks"
	CodeNoBot            Code = "no_bot"
	CodeTooManyBots      Code = "too_many_bots"
	CodeBotScope         Code = "bot_scope"
	CodeNoRequest        Code = "no_request"
	CodeTooManyRequests  Code = "too_many_requests"
	CodeTooManyRooms     Code = "too_many_rooms"
	CodeTooManyRoomsMade Code = "too_many_rooms_made"
)

// Codes about what rooms hold.
const (
	CodeNoMessage        Code = "no_message"
	CodeMessageDeleted   Code = "message_deleted"
	CodeNoTask           Code = "no_task"
	CodeNotYours         Code = "not_yours"
	CodeTextTooLong      Code = "text_too_long"
	CodeQuota            Code = "quota"
	CodeTooManyReactions Code = "too_many_reactions"
	CodeTooManyPins      Code = "too_many_pins"
	CodeTooManySaved     Code = "too_many_saved"
	CodeTooManyDrafts    Code = "too_many_drafts"
	CodeDraftChanged     Code = "draft_changed"
	CodeOnePlace         Code = "one_place"
	CodeBadQuery         Code = "bad_query"
	CodeSearchTooBroad   Code = "search_too_broad"
)

// Codes about what is uploaded.
const (
	CodeBadPicture       Code = "bad_picture"
	CodePictureTooLarge  Code = "picture_too_large"
	CodeAvatarDamaged    Code = "avatar_damaged"
	CodeFileTooLarge     Code = "file_too_large"
	CodeQuotaExceeded    Code = "quota_exceeded"
	CodeNoSuchFile       Code = "no_such_file"
	CodeFileInUse        Code = "file_in_use"
	CodeUploadComplete   Code = "upload_complete"
	CodeFileRefused      Code = "file_refused"
	CodeScannerAway      Code = "scanner_away"
	CodeFileMissing      Code = "file_missing"
	CodeFilesUnavailable Code = "files_unavailable"
	CodeObjectName       Code = "object_name"
)

// Codes about devices and their keys.
const (
	CodeNoDevice         Code = "no_device"
	CodeDeviceRevoked    Code = "device_revoked"
	CodeNoDeviceGroup    Code = "no_device_group"
	CodeTooManyGroups    Code = "too_many_groups"
	CodeGroupByRule      Code = "group_by_rule"
	CodeNoTransfer       Code = "no_transfer"
	CodeClaimRefused     Code = "claim_refused"
	CodeNoTemplate       Code = "no_device_template"
	CodeManyTemplates    Code = "too_many_templates"
	CodeNoDeviceKey      Code = "no_device_key"
	CodeNotYourCommand   Code = "not_your_command"
	CodeNoCommand        Code = "no_command"
	CodeConfirm          Code = "confirm"
	CodeCommandReceived  Code = "command_received"
	CodeKeyReused        Code = "key_reused"
	CodeTooManyCommands  Code = "too_many_commands"
	CodeNotReachable     Code = "not_reachable"
	CodeNameARoom        Code = "name_a_room"
	CodePeopleOnly       Code = "people_only"
	CodeNotYourDevice    Code = "not_your_device"
	CodeSettingsChanged  Code = "settings_changed"
	CodeNoAlarm          Code = "no_alarm"
	CodeNoAlarmRule      Code = "no_alarm_rule"
	CodeRolloutState     Code = "rollout_state"
	CodeRolloutOpen      Code = "rollout_open"
	CodeOwnApproval      Code = "own_approval"
	CodeTooManyRollouts  Code = "too_many_rollouts"
	CodeReleaseNotActive Code = "release_not_active"
	CodeNoRollout        Code = "no_rollout"
	CodeNoUpdate         Code = "no_update"
	CodeNotJoined        Code = "not_joined"
	CodeNoOTA            Code = "no_ota"
	CodeRuleOfGroup      Code = "rule_of_group"
	CodeDashboardChanged Code = "dashboard_changed"
	CodeNoMaintenance    Code = "no_maintenance"
	CodeTooManyRules     Code = "too_many_rules"
	CodeDeviceOnly       Code = "device_only"
	CodeBadDeviceKey     Code = "bad_device_key"
	CodeTooManyDevices   Code = "too_many_devices"
	CodeRegistrations    Code = "registrations"
	CodeRotations        Code = "rotations"
	CodeReadings         Code = "readings"
	CodeTooManyReadings  Code = "too_many_readings"
	CodeNoSeries         Code = "no_series"
)

// Codes about firmware.
const (
	CodeNoProduct      Code = "no_product"
	CodeProductExists  Code = "product_exists"
	CodeManyProducts   Code = "too_many_products"
	CodeNotYourProduct Code = "not_your_product"
	CodeProductInUse   Code = "product_in_use"
	CodeNoRelease      Code = "no_release"
	CodeReleaseExists  Code = "release_exists"
	CodeReleaseFixed   Code = "release_fixed"
	CodeReleaseState   Code = "release_state"
	CodeManyReleases   Code = "too_many_releases"
	CodeNoRoot         Code = "no_root"
	CodeBadDocument    Code = "bad_document"
	CodeBadSignature   Code = "bad_signature"
	CodeNotSigned      Code = "not_signed"
	CodeNoUpload       Code = "no_upload"
	CodeManyUploads    Code = "too_many_uploads"
	CodeUploadOffset   Code = "upload_offset"
	CodeUploadHash     Code = "upload_hash"
	CodeUploadOpen     Code = "upload_incomplete"
	CodeBadImage       Code = "bad_image"
	CodeImageOverlaps  Code = "image_overlaps"
	CodeNoImage        Code = "no_image"
	CodeLinkExpired    Code = "link_expired"
)

// Codes about doing too much at once.
const (
	CodeTooManyAttempts Code = "too_many_attempts"
	CodeTooManyChanges  Code = "too_many_changes"
	CodeLargeBodies     Code = "large_bodies"
	CodeBusyAddress     Code = "busy_address"
	CodeHandshakes      Code = "handshakes"
	CodeConnections     Code = "connections"
	CodeRequests        Code = "requests"
	CodeMessages        Code = "messages"
	CodeTyping          Code = "typing"
)

// Codes about the WebSocket.
const (
	CodeHandshake    Code = "handshake"
	CodeInsecure     Code = "insecure"
	CodeBadFrame     Code = "bad_frame"
	CodeUnknownType  Code = "unknown_type"
	CodeBadData      Code = "bad_data"
	CodeOtherSession Code = "other_session"
	CodeNoConnection Code = "no_connection"
	CodeBehind       Code = "behind"
	CodeStarting     Code = "starting"
	CodeRestarting   Code = "restarting"
)

// Codes about the server itself.
const (
	CodeBusy             Code = "busy"
	CodeTimeout          Code = "timeout"
	CodeCancelled        Code = "cancelled"
	CodeStopping         Code = "stopping"
	CodeStoreUnavailable Code = "store_unavailable"
	CodeStoreLost        Code = "store_lost"
	CodeDiskFull         Code = "disk_full"
	CodeNoCertificate    Code = "no_certificate"
	CodeAuditUnavailable Code = "audit_unavailable"
	CodeAuditSegmentOpen Code = "audit_segment_open"
	CodeAuditSegmentGone Code = "audit_segment_gone"
)

// Codes about notifications.
const (
	CodeNoSubscription Code = "no_subscription"
	CodeTooManyLevels  Code = "too_many_levels"
)
