package domain

// CodeInfo is what the documentation says of a code.
type CodeInfo struct {
	Code  Code
	Kinds []Kind // that errors of this code have
	Text  string // when it is given and what to do; names of values in back quotes
}

// CodeGroup is codes about one thing.
type CodeGroup struct {
	Title string
	Codes []CodeInfo
}

// Codes lists every code, each once. docs/errors.md is checked against it.
func Codes() []CodeGroup {
	return []CodeGroup{
		{"Requests", requestCodes()},
		{"Signing in", signInCodes()},
		{"Second factors, passkeys and providers", factorCodes()},
		{"CAPTCHA", captchaCodes()},
		{"Rooms", roomCodes()},
		{"Messages and search", messageCodes()},
		{"Files and pictures", fileCodes()},
		{"Notifications", []CodeInfo{
			{CodeNoSubscription, []Kind{NotFound}, "There is no such browser or app that gets pushes. Load the list again."},
			{CodeTooManyLevels, []Kind{Conflict}, "You have chosen a level for as many rooms and threads as one person may. " +
				"Go back to the default in some of them."},
		}},
		{"Devices", deviceCodes()},
		{"Firmware", firmwareCodes()},
		{"Limits", limitCodes()},
		{"Connections", connectionCodes()},
		{"The server", serverCodes()},
	}
}

func requestCodes() []CodeInfo {
	return []CodeInfo{
		{CodeInvalidRequest, []Kind{Invalid},
			"The request does not fit the API; `errors` names the values. Correct them."},
		{CodeInvalidField, []Kind{Invalid},
			"A value breaks a rule that the schema cannot say; `errors` names it. Correct it."},
		{CodeNothingToChange, []Kind{Invalid}, "A change names nothing to change. Name at least one value."},
		{CodeOneChange, []Kind{Invalid},
			"A change names none or several of values that exclude each other. Send exactly one."},
		{CodeMethodNotAllowed, []Kind{Invalid}, "The path exists, the method does not. Use one that `Allow` lists."},
		{CodeUnsupportedMediaType, []Kind{Invalid},
			"The body has another media type than the operation takes. Send the one that `detail` names."},
		{CodeBodyTooLarge, []Kind{TooLarge}, "The body is over the limit that `detail` names. Send less."},
		{CodeBodyTimeout, []Kind{Invalid}, "The body took too long to arrive. Send it again."},
		{CodeBadCursor, []Kind{Invalid}, "The cursor is not of this list. Start without one."},
		{CodeNoRoute, []Kind{NotFound}, "The path does not exist. /docs lists those that do."},
		{CodeNoFile, []Kind{NotFound}, "The web client has no such file. Load the page again."},
		{CodeNoProblem, []Kind{NotFound}, "There is no page about such a kind of problem."},
		{CodeOrigin, []Kind{Forbidden},
			"A page of another origin sent this. An operator can add the origin to ALLOWED_ORIGINS."},
	}
}

func signInCodes() []CodeInfo {
	return []CodeInfo{
		{CodeNoCredentials, []Kind{Unauthorized}, "No access token was sent. Sign in, and send it."},
		{CodeBadToken, []Kind{Unauthorized}, "The access token is invalid or has expired. Refresh it, or sign in."},
		{CodeSignedOut, []Kind{Unauthorized}, "The session has ended. Sign in again."},
		{CodeRefreshRaced, []Kind{Conflict},
			"Another tab refreshed with this token a moment ago. Use the token that it got."},
		{CodeNoSession, []Kind{NotFound, Forbidden},
			"There is no such session, or it cannot be renewed. Sign in again."},
		{CodeNoAccount, []Kind{Unauthorized}, "The account was deleted."},
		{CodeDisabled, []Kind{Forbidden}, "The account is disabled. Ask an administrator."},
		{CodeInvalidCredentials, []Kind{Unauthorized},
			"The username or the password is wrong. Type them again, or choose a new password by mail."},
		{CodeWrongPassword, []Kind{Forbidden}, "The password that should confirm this is wrong. Type it again."},
		{CodeLocked, []Kind{RateLimited},
			"Too many attempts failed. Wait, sign in where you were signed in before, or choose a new password by mail."},
		{CodeFlowEnded, []Kind{Unauthorized}, "The sign-in took too long or too many attempts. Start again."},
		{CodeTicketEnded, []Kind{Forbidden}, "The link was used already or has expired. Ask for a new one."},
		{CodeEmailNotVerified, []Kind{Forbidden},
			"The e-mail address is not confirmed. Open the link in the mail first."},
		{CodeEmailTaken, []Kind{Conflict},
			"Another account has this e-mail address. Sign in to it, or ask for a new password."},
		{CodeNameTaken, []Kind{Conflict}, "The username is taken, or looks like one that is. Choose another."},
		{CodeRegistrationClosed, []Kind{Forbidden}, "The server takes no new accounts. Ask its administrator."},
		{CodeInviteNeeded, []Kind{Forbidden}, "Registration needs an invitation. Ask an administrator for one."},
		{CodeNoMail, []Kind{Conflict}, "The server cannot send mail. Ask its administrator."},
		{CodeMailQueueFull, []Kind{Unavailable},
			"Too many mails wait to be sent. Try again later; an operator should check the mail server."},
		{CodeStepUpRequired, []Kind{Forbidden},
			"This needs a recent proof of who you are. Confirm it by `POST /me/step-up`, and send the request again."},
		{CodePasswordNeeded, []Kind{Forbidden},
			"The passkey asked for no PIN or fingerprint. Send the password as well."},
		{CodeNotAdmin, []Kind{Forbidden}, "This is for administrators of the server."},
		{CodeLastAdmin, []Kind{Conflict}, "This is the last administrator. Make someone else one first."},
		{CodeNoUser, []Kind{NotFound}, "There is no such user."},
		{CodeNoAvatar, []Kind{NotFound}, "There is no such picture."},
	}
}

func factorCodes() []CodeInfo {
	return []CodeInfo{
		{CodeSecondFactor, []Kind{Forbidden},
			"A code is needed as well. Send one of the authenticator app, or a recovery code."},
		{CodeSecondFactorRequired, []Kind{Forbidden},
			"The server asks this account for a second factor. Add one first."},
		{CodeWrongCode, []Kind{Unauthorized}, "The code is wrong, used already or expired. Send the next one."},
		{CodeNoFactor, []Kind{Conflict}, "Recovery codes need a second factor. Add one first."},
		{CodeHasTOTP, []Kind{Conflict}, "The account already has an authenticator app. Remove it first."},
		{CodeNoTOTP, []Kind{NotFound}, "The account has no authenticator app."},
		{CodeNoTrial, []Kind{Conflict}, "Setting up the authenticator app took too long. Start again."},
		{CodeNoPasskeys, []Kind{Conflict},
			"The server is reached by an address, and passkeys need a name. An operator can set UNHIDRA_PUBLIC_URL."},
		{CodeNoPasskey, []Kind{Conflict, NotFound}, "The account has no such passkey. Use another way."},
		{CodeHasPasskey, []Kind{Conflict}, "This passkey is already added to an account."},
		{CodePasskeyExists, []Kind{Conflict}, "This device already has a passkey of the account."},
		{CodePasskeyLate, []Kind{Unauthorized}, "The passkey was used too late. Try again."},
		{CodePasskeyRefused, []Kind{Unauthorized}, "The passkey was not accepted. Try again, or use another way."},
		{CodeWrongPasskey, []Kind{Unauthorized}, "No account here uses this passkey. Use another way."},
		{CodeTooManyPasskeys, []Kind{Conflict}, "The account has as many passkeys as it can have. Remove one first."},
		{CodeNoProvider, []Kind{NotFound}, "The server knows no such sign-in provider."},
		{CodeOIDCAway, []Kind{Unavailable},
			"The sign-in provider does not answer. Try again in a moment, or sign in another way."},
		{CodeOIDCDenied, []Kind{Unauthorized}, "The sign-in was cancelled at the provider."},
		{CodeOIDCRefused, []Kind{Unauthorized}, "The sign-in by the provider did not work. Start it again."},
		{CodeIdentityTaken, []Kind{Conflict}, "Another account signs in by this account of the provider."},
	}
}

func captchaCodes() []CodeInfo {
	return []CodeInfo{
		{CodeCaptchaRequired, []Kind{Forbidden},
			"The request needs a CAPTCHA. Solve one, and send the request again with its answer."},
		{CodeCaptchaMalformed, []Kind{Forbidden},
			"The answer to the CAPTCHA is not of the right form. Solve another."},
		{CodeCaptchaWrong, []Kind{Forbidden}, "The answer to the CAPTCHA is wrong. Solve another."},
		{CodeCaptchaExpired, []Kind{Forbidden}, "The CAPTCHA was solved too long ago. Solve another."},
		{CodeCaptchaReused, []Kind{Forbidden}, "The answer to the CAPTCHA was used already. Solve another."},
		{CodeCaptchaForged, []Kind{Forbidden}, "The CAPTCHA was not given out by this server. Solve one of its own."},
		{CodeCaptchaWrongAction, []Kind{Forbidden}, "The CAPTCHA was solved for something else. Solve one for this."},
		{CodeCaptchaWrongHost, []Kind{Forbidden},
			"The CAPTCHA was solved on another site. Solve one on this server's pages."},
		{CodeCaptchaOtherAddress, []Kind{Forbidden},
			"The CAPTCHA was given to another network address. Solve another."},
		{CodeCaptchaLowScore, []Kind{Forbidden},
			"The CAPTCHA's provider takes the sender for a program. Try again later."},
		{CodeCaptchaHosted, []Kind{NotFound}, "The CAPTCHA is given by its provider, not by this server."},
		{CodeCaptchaRate, []Kind{RateLimited}, "Too many CAPTCHAs were asked for. Try again later."},
		{CodeCaptchaUnavailable, []Kind{Unavailable}, "The CAPTCHA cannot be checked at the moment. Try again."},
	}
}

func roomCodes() []CodeInfo {
	return []CodeInfo{
		{CodeNoRoom, []Kind{NotFound}, "There is no such room, or you may not see it."},
		{CodeNotAMember, []Kind{Forbidden, NotFound},
			"You, or the person that this is about, are not a member of the room. Join or add them first."},
		{CodeAlreadyMember, []Kind{Conflict}, "The person is already a member of the room."},
		{CodeAlreadyAsked, []Kind{Conflict},
			"The person was already asked to join. Wait for an answer, or send an invitation link."},
		{CodeRoleTooLow, []Kind{Forbidden}, "Your role in the room does not allow this."},
		{CodeRankTooLow, []Kind{Forbidden}, "This needs a higher role than that of the person it is about."},
		{CodeLastOwner, []Kind{Conflict}, "You own the room. Transfer it to someone before you leave."},
		{CodeDeviceOwner, []Kind{Conflict}, "Only a person can own a room, not a device or a webhook. Transfer it to one."},
		{CodeMuted, []Kind{Forbidden}, "You are muted in the room until the time that `detail` names."},
		{CodeBanned, []Kind{Forbidden},
			"You, or the person that this is about, are banned from the room. A moderator can lift the ban."},
		{CodeAlreadyBanned, []Kind{Conflict}, "The person is already banned from the room."},
		{CodeNotBanned, []Kind{NotFound}, "The person is not banned from the room."},
		{CodeNotInDirect, []Kind{Forbidden}, "This is not possible in a direct conversation."},
		{CodeRoomArchived, []Kind{Conflict}, "The room is archived. Reopen it first."},
		{CodeRoomFull, []Kind{Conflict}, "The room has as many members as it can have."},
		{CodePreviewsOff, []Kind{Conflict},
			"The server shows no previews of links. An operator can set UNHIDRA_LINK_PREVIEWS."},
		{CodeRoomHeld, []Kind{Conflict},
			"The room is under a legal hold and cannot be deleted. Ask an administrator."},
		{CodeHoldUnchanged, []Kind{Conflict}, "The legal hold of the room is already as asked for."},
		{CodeNoInvite, []Kind{NotFound}, "There is no such invitation. Ask for a new one."},
		{CodeInviteEnded, []Kind{NotFound, Forbidden},
			"The invitation has expired or was used up. Ask for a new one."},
		{CodeNoHook, []Kind{NotFound}, "There is no such webhook in the room. It may have been removed."},
		{CodeTooManyHooks, []Kind{Conflict}, "The room has as many webhooks as it can have. Remove one first."},
		{CodeNoBot, []Kind{NotFound}, "There is no such bot or token, or it is not yours."},
		{CodeTooManyBots, []Kind{Conflict},
			"You have as many bots, or the bot has as many tokens, as there may be. Delete one first."},
		{CodeBotScope, []Kind{Forbidden}, "The bot's token does not allow this. Its owner can make one that does."},
		{CodeNoRequest, []Kind{NotFound}, "There is no such request; it may have been answered elsewhere."},
		{CodeTooManyRequests, []Kind{Conflict}, "The person has too many requests to answer. Send an invitation link."},
		{CodeTooManyRooms, []Kind{Conflict},
			"The person or bot is in as many rooms as one may be. They must leave one first."},
		{CodeTooManyRoomsMade, []Kind{Conflict}, "You created as many rooms as one person may. Delete one first."},
	}
}

func messageCodes() []CodeInfo {
	return []CodeInfo{
		{CodeNoMessage, []Kind{NotFound}, "There is no such message in the room."},
		{CodeMessageDeleted, []Kind{Conflict}, "The message was deleted."},
		{CodeNoTask, []Kind{NotFound}, "The message has no such task, or it says something else now."},
		{CodeNotYours, []Kind{Forbidden}, "Only its author can edit a message."},
		{CodeTextTooLong, []Kind{TooLarge}, "The text is over the limit that `detail` names. Shorten or split it."},
		{CodeQuota, []Kind{Forbidden},
			"You keep as many messages as one person may on this server. Delete some, or ask an administrator for more."},
		{CodeTooManyReactions, []Kind{Conflict},
			"The message has as many different reactions as it can have, or as you may give. Use one that is there."},
		{CodeTooManyPins, []Kind{Conflict},
			"The room has as many pinned messages as it can have. Unpin one first."},
		{CodeTooManySaved, []Kind{Conflict},
			"You have saved as many messages as one person can. Take one off the list first."},
		{CodeTooManyDrafts, []Kind{Conflict}, "You have as many drafts as one person can. Send or delete one first."},
		{CodeDraftChanged, []Kind{Conflict},
			"There is a newer version of the draft, of another device. Read it, and write over that if you still want to."},
		{CodeOnePlace, []Kind{Invalid},
			"A page of the timeline was asked for at several places. Send one of before, after, around, at and cursor."},
		{CodeBadQuery, []Kind{Invalid}, "The search cannot be understood; `detail` says where. Correct it."},
		{CodeSearchTooBroad, []Kind{Invalid}, "The search takes too long. Add a word, or a room with in:."},
	}
}

func fileCodes() []CodeInfo {
	return []CodeInfo{
		{CodeBadPicture, []Kind{Invalid}, "The picture cannot be read. Send a JPEG, PNG, GIF or WebP picture."},
		{CodePictureTooLarge, []Kind{Invalid}, "The picture has too many pixels. Send a smaller one."},
		{CodeAvatarDamaged, []Kind{Invalid},
			"The stored picture has another content than when it was sent. Send it again."},
		{CodeFileTooLarge, []Kind{TooLarge}, "The file is over the limit that `detail` names. Send a smaller one."},
		{CodeQuotaExceeded, []Kind{TooLarge}, "The files would take more room than they may; `detail` says how much. Delete some first."},
		{CodeNoSuchFile, []Kind{NotFound}, "There is no such file. Send it again."},
		{CodeFileInUse, []Kind{Conflict}, "A message has the file. Delete the message."},
		{CodeUploadComplete, []Kind{Conflict}, "The upload is complete, and takes no more parts."},
		{CodeFileRefused, []Kind{Invalid}, "The virus scanner found what `detail` names in the file, which was deleted."},
		{CodeScannerAway, []Kind{Unavailable}, "The file cannot be scanned for viruses at the moment. Try again later."},
		{CodeFileMissing, []Kind{NotFound},
			"The server knows the file but has lost its content. Restore it from a backup, or send it again."},
		{CodeFilesUnavailable, []Kind{Unavailable}, "The server cannot reach its storage of files. Try again."},
		{CodeObjectName, []Kind{Invalid}, "The name of a stored file is not of the right form."},
	}
}

func deviceCodes() []CodeInfo {
	return []CodeInfo{
		{CodeNoDevice, []Kind{NotFound}, "There is no such device, or it is not yours."},
		{CodeNotYourCommand, []Kind{Forbidden},
			"Somebody else gave the command. They can cancel it, or the owner of the device."},
		{CodeNoCommand, []Kind{NotFound},
			"There is no such command, or you may not see it."},
		{CodeConfirm, []Kind{Conflict},
			"The action is destructive. Send the command again with `confirm: true`."},
		{CodeCommandReceived, []Kind{Conflict},
			"The device has the command already. It cannot be cancelled any more."},
		{CodeKeyReused, []Kind{Conflict},
			"You gave another command, or your bot wrote in another room, with this `key`. Use a new key."},
		{CodeTooManyCommands, []Kind{Conflict},
			"The device has not answered too many commands. Wait until it has, or cancel some."},
		{CodeNotReachable, []Kind{Forbidden},
			"The device is not in this room, or muted there. Use another room."},
		{CodeNameARoom, []Kind{Forbidden},
			"The device is not yours. Name a room that you and the device are in."},
		{CodePeopleOnly, []Kind{Forbidden},
			"A device cannot do this."},
		{CodeNotYourDevice, []Kind{Forbidden}, "Only the owner of the device can do this."},
		{CodeSettingsChanged, []Kind{Conflict},
			"Somebody has changed the settings of the device meanwhile. Read them again."},
		{CodeNoAlarm, []Kind{NotFound}, "There is no such alarm, or you may not see it."},
		{CodeNoAlarmRule, []Kind{NotFound}, "There is no such rule, or you may not see it."},
		{CodeNoRollout, []Kind{NotFound},
			"There is no such rollout, or you may not see it."},
		{CodeNotJoined, []Kind{NotFound}, "The device has joined no product of somebody else."},
		{CodeNoUpdate, []Kind{NotFound},
			"The device is in no such update. It forgets it, and reports its firmware."},
		{CodeNoOTA, []Kind{NotFound},
			"The device is not registered for updates by other protocols. Its owner does that."},
		{CodeRolloutState, []Kind{Conflict},
			"The rollout is not in a state in which this can be done. Read it again."},
		{CodeRolloutOpen, []Kind{Conflict},
			"The release has a rollout that is not over. Go on with that, or abort it first."},
		{CodeOwnApproval, []Kind{Forbidden},
			"Who made a rollout cannot approve of it. Ask somebody else who manages the product."},
		{CodeTooManyRollouts, []Kind{Conflict},
			"The product has had as many rollouts as it may. Go on with another product."},
		{CodeReleaseNotActive, []Kind{Conflict},
			"Only an active release is rolled out. Activate it first."},
		{CodeRuleOfGroup, []Kind{Conflict}, "This rule comes from one for several devices: change that."},
		{CodeDashboardChanged, []Kind{Conflict}, "Somebody has changed the dashboard meanwhile: load it again."},
		{CodeNoMaintenance, []Kind{NotFound}, "There is no such maintenance window, or it is not yours."},
		{CodeTooManyRules, []Kind{Conflict}, "The device has as many rules as it may. Delete one."},
		{CodeDeviceOnly, []Kind{Forbidden}, "Only a device sends this, with its key."},
		{CodeDeviceRevoked, []Kind{Conflict}, "The device was revoked for good. Register it again."},
		{CodeNoDeviceGroup, []Kind{NotFound}, "You have no such group of devices."},
		{CodeClaimRefused, []Kind{Forbidden},
			"The claim token was used, has ended, or never was. Ask the owner of the device for another one."},
		{CodeNoTransfer, []Kind{NotFound}, "This device is not offered to you, or not any more."},
		{CodeTooManyGroups, []Kind{Conflict}, "You have as many groups of devices as one person may. Delete one."},
		{CodeGroupByRule, []Kind{Conflict},
			"The devices of this group follow from its rule. Change the rule, or the devices."},
		{CodeNoTemplate, []Kind{NotFound}, "You have no such template of devices."},
		{CodeManyTemplates, []Kind{Conflict}, "You have as many templates as one person may. Delete one."},
		{CodeNoDeviceKey, []Kind{NotFound}, "There is no such key."},
		{CodeBadDeviceKey, []Kind{Unauthorized}, "The device key is invalid, revoked or expired. Create a new one."},
		{CodeTooManyDevices, []Kind{Conflict}, "You have as many devices as one person may. Revoke one."},
		{CodeRegistrations, []Kind{RateLimited},
			"Too many devices were registered in a short time. Try again later."},
		{CodeRotations, []Kind{RateLimited}, "Too many device keys were created in a short time. Try again later."},
		{CodeReadings, []Kind{RateLimited}, "The device sends too many readings. Wait as long as `retry_after` says."},
		{CodeTooManyReadings, []Kind{TooLarge},
			"The request has more readings than one may have. Send the others in another one."},
		{CodeNoSeries, []Kind{NotFound}, "The device measures nothing of that name."},
	}
}

func firmwareCodes() []CodeInfo {
	return []CodeInfo{
		{CodeNoProduct, []Kind{NotFound}, "There is no such product, or you may not see it."},
		{CodeProductExists, []Kind{Conflict}, "You have a product of this name. Choose another."},
		{CodeManyProducts, []Kind{Conflict}, "You have as many products as one person may. Delete one."},
		{CodeNotYourProduct, []Kind{Forbidden},
			"Only the owner of the product, or who manages its room, may do this; `detail` says who."},
		{CodeProductInUse, []Kind{Conflict}, "The product has releases that were active. Withdraw them first."},
		{CodeNoRelease, []Kind{NotFound}, "There is no such release, or you may not see it."},
		{CodeReleaseExists, []Kind{Conflict},
			"The product has a release of this version or version_code. Choose higher ones."},
		{CodeReleaseFixed, []Kind{Conflict},
			"Somebody has signed the release, and it never changes again. Make another one."},
		{CodeReleaseState, []Kind{Conflict},
			"The state of the release does not allow this; `detail` says what it needs."},
		{CodeManyReleases, []Kind{Conflict},
			"The product has as many releases, or the release as many images, as there may be. Delete one."},
		{CodeNoRoot, []Kind{Conflict}, "The product has no root yet, which says whose signatures count. Add one."},
		{CodeBadDocument, []Kind{Invalid},
			"The signed document is malformed, or is about something else; `detail` says what. Make it again."},
		{CodeBadSignature, []Kind{Invalid},
			"The document has no new signature of a key that the root trusts. Sign it with one."},
		{CodeNotSigned, []Kind{Conflict}, "The release has fewer signatures than the root demands. Add the others."},
		{CodeNoUpload, []Kind{NotFound}, "There is no such upload any more. Begin again."},
		{CodeManyUploads, []Kind{Conflict},
			"You have too many uploads that are not complete. Complete or delete some."},
		{CodeUploadOffset, []Kind{Conflict},
			"The part does not begin where the last one ended; `detail` says where that is. Go on from there."},
		{CodeUploadHash, []Kind{Invalid}, "The file has another SHA-256 than was announced. Upload it again."},
		{CodeUploadOpen, []Kind{Conflict}, "The upload is not complete. Send the rest first."},
		{CodeBadImage, []Kind{Invalid}, "The image cannot be used; `detail` says why and what to change."},
		{CodeImageOverlaps, []Kind{Conflict},
			"The release has an image for the same chip and a revision of these. Remove it, or change the revisions."},
		{CodeNoImage, []Kind{NotFound}, "There is no such image, or you may not load it."},
		{CodeLinkExpired, []Kind{Forbidden}, "The link has expired or was changed. Ask for another one."},
	}
}

func limitCodes() []CodeInfo {
	return []CodeInfo{
		{CodeTooManyAttempts, []Kind{RateLimited},
			"Too many attempts in a short time. Wait as long as `retry_after` says."},
		{CodeTooManyChanges, []Kind{RateLimited},
			"Too many changes in a short time. Wait as long as `retry_after` says."},
		{CodeLargeBodies, []Kind{RateLimited}, "You are sending several files already. Wait for one of them."},
		{CodeBusyAddress, []Kind{Unavailable},
			"Too many requests of your network address are under way. Wait for some of them."},
		{CodeHandshakes, []Kind{RateLimited},
			"Too many connections were opened or refused in a short time. Wait as long as `retry_after` says."},
		{CodeConnections, []Kind{RateLimited}, "Too many connections are open. Close one."},
		{CodeRequests, []Kind{RateLimited},
			"Too many requests on the connection. Wait as long as `retry_after` says."},
		{CodeMessages, []Kind{RateLimited}, "Too many messages in a short time. Wait as long as `retry_after` says."},
		{CodeTyping, []Kind{RateLimited},
			"Too many typing signals in a short time. Wait as long as `retry_after` says."},
	}
}

func connectionCodes() []CodeInfo {
	return []CodeInfo{
		{CodeHandshake, []Kind{Invalid},
			"The request is not a WebSocket handshake. Open the address with a WebSocket client."},
		{CodeInsecure, []Kind{Forbidden}, "The server takes connections by wss:// only."},
		{CodeBadFrame, []Kind{Invalid}, "The frame is not of the protocol. Correct the client."},
		{CodeUnknownType, []Kind{Invalid},
			"The server knows no request of this type. Update the server, or correct the client."},
		{CodeBadData, []Kind{Invalid}, "The data does not fit the type of the request. Correct the client."},
		{CodeOtherSession, []Kind{Forbidden},
			"The access token is of another session than the connection. Open a new connection."},
		{CodeNoConnection, []Kind{NotFound}, "The connection has ended. Open a new one."},
		{CodeBehind, []Kind{Unavailable}, "The server could not read what the room missed. Try again."},
		{CodeStarting, []Kind{Unavailable}, "The server is starting. Try again in a moment."},
		{CodeRestarting, []Kind{Unavailable}, "The server is restarting. Connect again in a moment."},
	}
}

func serverCodes() []CodeInfo {
	return []CodeInfo{
		{CodeBusy, []Kind{Unavailable}, "The server has too much to do. Try again."},
		{CodeTimeout, []Kind{Unavailable}, "The request took too long. Try again."},
		{CodeCancelled, []Kind{Unavailable}, "The request was given up before it was done."},
		{CodeStopping, []Kind{Unavailable}, "The server is stopping. Try again in a moment."},
		{CodeStoreUnavailable, []Kind{Unavailable}, "The server cannot reach its database. Try again."},
		{CodeStoreLost, []Kind{Unavailable},
			"The server's database is gone from its disk. An operator must put it back."},
		{CodeDiskFull, []Kind{Unavailable}, "The server's disk is nearly full. An operator must make room."},
		{CodeNoCertificate, []Kind{NotFound}, "The server has no certificate of this name."},
		{CodeAuditUnavailable, []Kind{Unavailable},
			"The action cannot be recorded in the audit log, and so was not done. Try again."},
		{CodeAuditSegmentOpen, []Kind{Conflict}, "The last day of the audit log cannot be deleted."},
		{CodeAuditSegmentGone, []Kind{Conflict}, "Another node has already deleted this day of the audit log."},
	}
}
