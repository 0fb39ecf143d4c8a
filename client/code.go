package client

import "github.com/unhidra/unhidra/internal/domain"

// Code is the code of an Error, which is more specific than its kind. docs/errors.md describes all
// codes. Servers newer than this client may send others.
type Code = domain.Code

// Codes about the form of a request.
const (
	CodeInvalidRequest       = domain.CodeInvalidRequest
	CodeInvalidField         = domain.CodeInvalidField
	CodeNothingToChange      = domain.CodeNothingToChange
	CodeOneChange            = domain.CodeOneChange
	CodeMethodNotAllowed     = domain.CodeMethodNotAllowed
	CodeUnsupportedMediaType = domain.CodeUnsupportedMediaType
	CodeBodyTooLarge         = domain.CodeBodyTooLarge
	CodeBodyTimeout          = domain.CodeBodyTimeout
	CodeBadCursor            = domain.CodeBadCursor
	CodeNoRoute              = domain.CodeNoRoute
	CodeNoFile               = domain.CodeNoFile
	CodeNoProblem            = domain.CodeNoProblem
	CodeOrigin               = domain.CodeOrigin
)

// Codes about accounts and sessions.
const (
	CodeNoCredentials      = domain.CodeNoCredentials
	CodeBadToken           = domain.CodeBadToken
	CodeSignedOut          = domain.CodeSignedOut
	CodeRefreshRaced       = domain.CodeRefreshRaced
	CodeNoSession          = domain.CodeNoSession
	CodeNoAccount          = domain.CodeNoAccount
	CodeDisabled           = domain.CodeDisabled
	CodeInvalidCredentials = domain.CodeInvalidCredentials
	CodeWrongPassword      = domain.CodeWrongPassword
	CodeLocked             = domain.CodeLocked
	CodeFlowEnded          = domain.CodeFlowEnded
	CodeTicketEnded        = domain.CodeTicketEnded
	CodeEmailNotVerified   = domain.CodeEmailNotVerified
	CodeEmailTaken         = domain.CodeEmailTaken
	CodeNameTaken          = domain.CodeNameTaken
	CodeRegistrationClosed = domain.CodeRegistrationClosed
	CodeInviteNeeded       = domain.CodeInviteNeeded
	CodeNoMail             = domain.CodeNoMail
	CodeMailQueueFull      = domain.CodeMailQueueFull
	CodeStepUpRequired     = domain.CodeStepUpRequired
	CodePasswordNeeded     = domain.CodePasswordNeeded
	CodeNotAdmin           = domain.CodeNotAdmin
	CodeNotForGuests       = domain.CodeNotForGuests
	CodeGuestEnded         = domain.CodeGuestEnded
	CodeStillOwns          = domain.CodeStillOwns
	CodeLastAdmin          = domain.CodeLastAdmin
	CodeNoUser             = domain.CodeNoUser
	CodeNoAvatar           = domain.CodeNoAvatar
	CodeNoUserGroup        = domain.CodeNoUserGroup
	CodeUserGroupFull      = domain.CodeUserGroupFull
	CodeTooManyUserGroups  = domain.CodeTooManyUserGroups
)

// Codes about second factors and other ways to sign in.
const (
	CodeSecondFactor         = domain.CodeSecondFactor
	CodeSecondFactorRequired = domain.CodeSecondFactorRequired
	CodeWrongCode            = domain.CodeWrongCode
	CodeNoFactor             = domain.CodeNoFactor
	CodeHasTOTP              = domain.CodeHasTOTP
	CodeNoTOTP               = domain.CodeNoTOTP
	CodeNoTrial              = domain.CodeNoTrial
	CodeNoPasskeys           = domain.CodeNoPasskeys
	CodeNoPasskey            = domain.CodeNoPasskey
	CodeHasPasskey           = domain.CodeHasPasskey
	CodePasskeyExists        = domain.CodePasskeyExists
	CodePasskeyLate          = domain.CodePasskeyLate
	CodePasskeyRefused       = domain.CodePasskeyRefused
	CodeWrongPasskey         = domain.CodeWrongPasskey
	CodeTooManyPasskeys      = domain.CodeTooManyPasskeys
	CodeNoProvider           = domain.CodeNoProvider
	CodeOIDCAway             = domain.CodeOIDCAway
	CodeOIDCDenied           = domain.CodeOIDCDenied
	CodeOIDCRefused          = domain.CodeOIDCRefused
	CodeIdentityTaken        = domain.CodeIdentityTaken
)

// Codes about CAPTCHAs.
const (
	CodeCaptchaRequired     = domain.CodeCaptchaRequired
	CodeCaptchaMalformed    = domain.CodeCaptchaMalformed
	CodeCaptchaWrong        = domain.CodeCaptchaWrong
	CodeCaptchaExpired      = domain.CodeCaptchaExpired
	CodeCaptchaReused       = domain.CodeCaptchaReused
	CodeCaptchaForged       = domain.CodeCaptchaForged
	CodeCaptchaWrongAction  = domain.CodeCaptchaWrongAction
	CodeCaptchaWrongHost    = domain.CodeCaptchaWrongHost
	CodeCaptchaOtherAddress = domain.CodeCaptchaOtherAddress
	CodeCaptchaLowScore     = domain.CodeCaptchaLowScore
	CodeCaptchaHosted       = domain.CodeCaptchaHosted
	CodeCaptchaRate         = domain.CodeCaptchaRate
	CodeCaptchaUnavailable  = domain.CodeCaptchaUnavailable
)

// Codes about rooms and their members.
const (
	CodeNoRoom           = domain.CodeNoRoom
	CodeNotAMember       = domain.CodeNotAMember
	CodeAlreadyMember    = domain.CodeAlreadyMember
	CodeAlreadyAsked     = domain.CodeAlreadyAsked
	CodeRoleTooLow       = domain.CodeRoleTooLow
	CodeRankTooLow       = domain.CodeRankTooLow
	CodeLastOwner        = domain.CodeLastOwner
	CodeDeviceOwner      = domain.CodeDeviceOwner
	CodeMuted            = domain.CodeMuted
	CodeBanned           = domain.CodeBanned
	CodeAlreadyBanned    = domain.CodeAlreadyBanned
	CodeNotBanned        = domain.CodeNotBanned
	CodeNotInDirect      = domain.CodeNotInDirect
	CodeRoomArchived     = domain.CodeRoomArchived
	CodeRoomFull         = domain.CodeRoomFull
	CodePreviewsOff      = domain.CodePreviewsOff
	CodeRoomHeld         = domain.CodeRoomHeld
	CodeHoldUnchanged    = domain.CodeHoldUnchanged
	CodeNoInvite         = domain.CodeNoInvite
	CodeInviteEnded      = domain.CodeInviteEnded
	CodeNoHook           = domain.CodeNoHook
	CodeTooManyHooks     = domain.CodeTooManyHooks
	CodeNoSlash          = domain.CodeNoSlash
	CodeSlashExists      = domain.CodeSlashExists
	CodeSlashOff         = domain.CodeSlashOff
	CodeSlashLate        = domain.CodeSlashLate
	CodeSlashAway        = domain.CodeSlashAway
	CodeSlashAnswer      = domain.CodeSlashAnswer
	CodeNoBot            = domain.CodeNoBot
	CodeTooManyBots      = domain.CodeTooManyBots
	CodeBotScope         = domain.CodeBotScope
	CodeAssistantsOff    = domain.CodeAssistantsOff
	CodeNoRequest        = domain.CodeNoRequest
	CodeTooManyRequests  = domain.CodeTooManyRequests
	CodeTooManyRooms     = domain.CodeTooManyRooms
	CodeTooManyRoomsMade = domain.CodeTooManyRoomsMade
)

// Codes about messages.
const (
	CodeNoMessage        = domain.CodeNoMessage
	CodeMessageDeleted   = domain.CodeMessageDeleted
	CodeNoTask           = domain.CodeNoTask
	CodeNotYours         = domain.CodeNotYours
	CodeNotFlagged       = domain.CodeNotFlagged
	CodeTextTooLong      = domain.CodeTextTooLong
	CodeQuota            = domain.CodeQuota
	CodeTooManyReactions = domain.CodeTooManyReactions
	CodeNoEmoji          = domain.CodeNoEmoji
	CodeEmojiTaken       = domain.CodeEmojiTaken
	CodeTooManyEmoji     = domain.CodeTooManyEmoji
	CodeTooManyPins      = domain.CodeTooManyPins
	CodeTooManyBlocked   = domain.CodeTooManyBlocked
	CodePollAnonymous    = domain.CodePollAnonymous
	CodePollFixed        = domain.CodePollFixed
	CodePollClosed       = domain.CodePollClosed
	CodeNoPoll           = domain.CodeNoPoll
	CodeReportOwn        = domain.CodeReportOwn
	CodeTooManyReports   = domain.CodeTooManyReports
	CodeNoReport         = domain.CodeNoReport
	CodeReportDecided    = domain.CodeReportDecided
	CodeForwardFixed     = domain.CodeForwardFixed
	CodeTooManySaved     = domain.CodeTooManySaved
	CodeTooManyDrafts    = domain.CodeTooManyDrafts
	CodeDraftChanged     = domain.CodeDraftChanged
	CodeSectionsChanged  = domain.CodeSectionsChanged
	CodeNoScheduled      = domain.CodeNoScheduled
	CodeTooManyScheduled = domain.CodeTooManyScheduled
	CodeScheduledSending = domain.CodeScheduledSending
	CodeScheduledLate    = domain.CodeScheduledLate
	CodeNoReminder       = domain.CodeNoReminder
	CodeTooManyReminders = domain.CodeTooManyReminders
	CodeOnePlace         = domain.CodeOnePlace
	CodeBadQuery         = domain.CodeBadQuery
	CodeNoLanguage       = domain.CodeNoLanguage
	CodeSearchTooBroad   = domain.CodeSearchTooBroad
)

// Codes about uploads.
const (
	CodeBadPicture       = domain.CodeBadPicture
	CodePictureTooLarge  = domain.CodePictureTooLarge
	CodeAvatarDamaged    = domain.CodeAvatarDamaged
	CodeFileTooLarge     = domain.CodeFileTooLarge
	CodeQuotaExceeded    = domain.CodeQuotaExceeded
	CodeNoSuchFile       = domain.CodeNoSuchFile
	CodeFileInUse        = domain.CodeFileInUse
	CodeUploadComplete   = domain.CodeUploadComplete
	CodeFileRefused      = domain.CodeFileRefused
	CodeScannerAway      = domain.CodeScannerAway
	CodeFileMissing      = domain.CodeFileMissing
	CodeFilesUnavailable = domain.CodeFilesUnavailable
	CodeObjectName       = domain.CodeObjectName
)

// Codes about devices and their keys.
const (
	CodeNoDevice         = domain.CodeNoDevice
	CodeNoDeviceGroup    = domain.CodeNoDeviceGroup
	CodeNoTransfer       = domain.CodeNoTransfer
	CodeClaimRefused     = domain.CodeClaimRefused
	CodeTooManyGroups    = domain.CodeTooManyGroups
	CodeGroupByRule      = domain.CodeGroupByRule
	CodeDeviceRevoked    = domain.CodeDeviceRevoked
	CodeNoTemplate       = domain.CodeNoTemplate
	CodeManyTemplates    = domain.CodeManyTemplates
	CodeNoDeviceKey      = domain.CodeNoDeviceKey
	CodeNotYourCommand   = domain.CodeNotYourCommand
	CodeNoCommand        = domain.CodeNoCommand
	CodeConfirm          = domain.CodeConfirm
	CodeCommandReceived  = domain.CodeCommandReceived
	CodeKeyReused        = domain.CodeKeyReused
	CodeTooManyCommands  = domain.CodeTooManyCommands
	CodeNotReachable     = domain.CodeNotReachable
	CodeNameARoom        = domain.CodeNameARoom
	CodePeopleOnly       = domain.CodePeopleOnly
	CodeNotYourDevice    = domain.CodeNotYourDevice
	CodeSettingsChanged  = domain.CodeSettingsChanged
	CodeNoAlarm          = domain.CodeNoAlarm
	CodeNoAlarmRule      = domain.CodeNoAlarmRule
	CodeRolloutState     = domain.CodeRolloutState
	CodeRolloutOpen      = domain.CodeRolloutOpen
	CodeOwnApproval      = domain.CodeOwnApproval
	CodeTooManyRollouts  = domain.CodeTooManyRollouts
	CodeReleaseNotActive = domain.CodeReleaseNotActive
	CodeNoRollout        = domain.CodeNoRollout
	CodeNoUpdate         = domain.CodeNoUpdate
	CodeNotJoined        = domain.CodeNotJoined
	CodeNoOTA            = domain.CodeNoOTA
	CodeRuleOfGroup      = domain.CodeRuleOfGroup
	CodeDashboardChanged = domain.CodeDashboardChanged
	CodeNoMaintenance    = domain.CodeNoMaintenance
	CodeTooManyRules     = domain.CodeTooManyRules
	CodeDeviceOnly       = domain.CodeDeviceOnly
	CodeBadDeviceKey     = domain.CodeBadDeviceKey
	CodeTooManyDevices   = domain.CodeTooManyDevices
	CodeRegistrations    = domain.CodeRegistrations
	CodeRotations        = domain.CodeRotations
	CodeReadings         = domain.CodeReadings
	CodeTooManyReadings  = domain.CodeTooManyReadings
	CodeNoSeries         = domain.CodeNoSeries
	CodeNoProduct        = domain.CodeNoProduct
	CodeProductExists    = domain.CodeProductExists
	CodeManyProducts     = domain.CodeManyProducts
	CodeNotYourProduct   = domain.CodeNotYourProduct
	CodeProductInUse     = domain.CodeProductInUse
	CodeNoRelease        = domain.CodeNoRelease
	CodeReleaseExists    = domain.CodeReleaseExists
	CodeReleaseFixed     = domain.CodeReleaseFixed
	CodeReleaseState     = domain.CodeReleaseState
	CodeManyReleases     = domain.CodeManyReleases
	CodeNoRoot           = domain.CodeNoRoot
	CodeBadDocument      = domain.CodeBadDocument
	CodeBadSignature     = domain.CodeBadSignature
	CodeNotSigned        = domain.CodeNotSigned
	CodeNoUpload         = domain.CodeNoUpload
	CodeManyUploads      = domain.CodeManyUploads
	CodeUploadOffset     = domain.CodeUploadOffset
	CodeUploadHash       = domain.CodeUploadHash
	CodeUploadOpen       = domain.CodeUploadOpen
	CodeBadImage         = domain.CodeBadImage
	CodeImageOverlaps    = domain.CodeImageOverlaps
	CodeNoImage          = domain.CodeNoImage
	CodeLinkExpired      = domain.CodeLinkExpired
)

// Codes about limits.
const (
	CodeTooManyAttempts = domain.CodeTooManyAttempts
	CodeTooManyChanges  = domain.CodeTooManyChanges
	CodeLargeBodies     = domain.CodeLargeBodies
	CodeBusyAddress     = domain.CodeBusyAddress
	CodeHandshakes      = domain.CodeHandshakes
	CodeConnections     = domain.CodeConnections
	CodeRequests        = domain.CodeRequests
	CodeMessages        = domain.CodeMessages
	CodeTyping          = domain.CodeTyping
)

// Codes about the WebSocket.
const (
	CodeHandshake    = domain.CodeHandshake
	CodeInsecure     = domain.CodeInsecure
	CodeBadFrame     = domain.CodeBadFrame
	CodeUnknownType  = domain.CodeUnknownType
	CodeBadData      = domain.CodeBadData
	CodeOtherSession = domain.CodeOtherSession
	CodeNoConnection = domain.CodeNoConnection
	CodeBehind       = domain.CodeBehind
	CodeStarting     = domain.CodeStarting
	CodeRestarting   = domain.CodeRestarting
)

// Codes about the server itself.
const (
	CodeBusy             = domain.CodeBusy
	CodeTimeout          = domain.CodeTimeout
	CodeCancelled        = domain.CodeCancelled
	CodeStopping         = domain.CodeStopping
	CodeStoreUnavailable = domain.CodeStoreUnavailable
	CodeStoreLost        = domain.CodeStoreLost
	CodeDiskFull         = domain.CodeDiskFull
	CodeNoCertificate    = domain.CodeNoCertificate
	CodeAuditUnavailable = domain.CodeAuditUnavailable
	CodeAuditSegmentOpen = domain.CodeAuditSegmentOpen
	CodeAuditSegmentGone = domain.CodeAuditSegmentGone
)

// Codes about notifications.
const (
	CodeNoSubscription = domain.CodeNoSubscription
	CodeTooManyLevels  = domain.CodeTooManyLevels
)
