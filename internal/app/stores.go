package app

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/admin"
	"github.com/unhidra/unhidra/internal/alarm"
	"github.com/unhidra/unhidra/internal/assistant"
	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/bot"
	"github.com/unhidra/unhidra/internal/captcha"
	"github.com/unhidra/unhidra/internal/certs"
	"github.com/unhidra/unhidra/internal/chat"
	"github.com/unhidra/unhidra/internal/command"
	"github.com/unhidra/unhidra/internal/dashboard"
	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/emoji"
	"github.com/unhidra/unhidra/internal/files"
	"github.com/unhidra/unhidra/internal/firmware"
	"github.com/unhidra/unhidra/internal/gateway"
	"github.com/unhidra/unhidra/internal/guest"
	"github.com/unhidra/unhidra/internal/history"
	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/mail"
	"github.com/unhidra/unhidra/internal/meaning"
	"github.com/unhidra/unhidra/internal/moderation"
	"github.com/unhidra/unhidra/internal/mqtt"
	"github.com/unhidra/unhidra/internal/notify"
	"github.com/unhidra/unhidra/internal/ota"
	"github.com/unhidra/unhidra/internal/personal"
	"github.com/unhidra/unhidra/internal/presence"
	"github.com/unhidra/unhidra/internal/preview"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/alarms"
	"github.com/unhidra/unhidra/internal/store/all"
	storeaudit "github.com/unhidra/unhidra/internal/store/audit"
	"github.com/unhidra/unhidra/internal/store/bots"
	"github.com/unhidra/unhidra/internal/store/commands"
	"github.com/unhidra/unhidra/internal/store/dashboards"
	"github.com/unhidra/unhidra/internal/store/devices"
	"github.com/unhidra/unhidra/internal/store/emojis"
	storefiles "github.com/unhidra/unhidra/internal/store/files"
	storefirmware "github.com/unhidra/unhidra/internal/store/firmware"
	"github.com/unhidra/unhidra/internal/store/guests"
	"github.com/unhidra/unhidra/internal/store/hooks"
	"github.com/unhidra/unhidra/internal/store/mails"
	storemoderation "github.com/unhidra/unhidra/internal/store/moderation"
	storemqtt "github.com/unhidra/unhidra/internal/store/mqtt"
	"github.com/unhidra/unhidra/internal/store/notifications"
	storepersonal "github.com/unhidra/unhidra/internal/store/personal"
	"github.com/unhidra/unhidra/internal/store/previews"
	"github.com/unhidra/unhidra/internal/store/readings"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
	"github.com/unhidra/unhidra/internal/store/search"
	storeserver "github.com/unhidra/unhidra/internal/store/server"
	"github.com/unhidra/unhidra/internal/store/usergroups"
	"github.com/unhidra/unhidra/internal/telemetry"
	"github.com/unhidra/unhidra/internal/usergroup"
	"github.com/unhidra/unhidra/internal/webhook"
	"github.com/unhidra/unhidra/internal/webhook/outgoing"
)

// What one repository is to a module, whole.
var (
	_ guest.Store       = (*accounts.Repository)(nil)
	_ notify.Store      = (*notifications.Repository)(nil)
	_ personal.Store    = (*storepersonal.Repository)(nil)
	_ personal.RoomLog  = (*roomlog.Repository)(nil)
	_ moderation.Store  = (*storemoderation.Repository)(nil)
	_ usergroup.Store   = (*usergroups.Repository)(nil)
	_ preview.Store     = (*previews.Repository)(nil)
	_ meaning.Store     = (*search.Repository)(nil)
	_ presence.Users    = (*accounts.Repository)(nil)
	_ presence.Peers    = (*rooms.Repository)(nil)
	_ emoji.Store       = (*emojis.Repository)(nil)
	_ device.Store      = (*devices.Repository)(nil)
	_ device.Peers      = (*rooms.Repository)(nil)
	_ alarm.Store       = (*alarms.Repository)(nil)
	_ dashboard.Store   = (*dashboards.Repository)(nil)
	_ webhook.Store     = (*hooks.Repository)(nil)
	_ outgoing.Store    = (*hooks.Outgoing)(nil)
	_ outgoing.Queue    = (*hooks.Outgoing)(nil)
	_ bot.Store         = (*bots.Repository)(nil)
	_ assistant.Store   = (*bots.Assistants)(nil)
	_ command.Store     = (*commands.Repository)(nil)
	_ files.Store       = (*storefiles.Repository)(nil)
	_ firmware.Products = (*storefirmware.Products)(nil)
	_ firmware.Releases = (*storefirmware.Releases)(nil)
	_ firmware.Deltas   = (*storefirmware.Deltas)(nil)
	_ firmware.Uploads  = (*storefirmware.Uploads)(nil)
	_ firmware.Sums     = (*storefirmware.OTA)(nil)
	_ ota.Store         = (*storefirmware.OTA)(nil)
	_ gateway.Rooms     = (*rooms.Repository)(nil)
	_ gateway.Log       = (*roomlog.Repository)(nil)
	_ hub.Rooms         = (*rooms.Repository)(nil)
	_ hub.Log           = (*roomlog.Repository)(nil)
	_ gateway.Users     = (*accounts.Repository)(nil)
	_ mqtt.Users        = (*accounts.Repository)(nil)
	_ mqtt.Topics       = (*storemqtt.Repository)(nil)
	_ mqtt.Sessions     = (*storemqtt.Repository)(nil)
	_ audit.Store       = (*storeaudit.Repository)(nil)
	_ audit.Reader      = (*storeaudit.Repository)(nil)
	_ mail.Store        = (*mails.Repository)(nil)
	_ captcha.Uses      = (*storeserver.Repository)(nil)
	_ certs.Store       = (*storeserver.Repository)(nil)

	_ outgoing.SlashStore = (*hooks.Slash)(nil)
	_ telemetry.Store     = (*readings.Repository)(nil)
	_ telemetry.Cleaner   = (*readings.Repository)(nil)
	_ telemetry.Watchable = (*devices.Repository)(nil)
	_ telemetry.Erased    = (*devices.Repository)(nil)
)

// people are accounts, whose owners come into the rooms that they were invited to.
type people struct {
	*accounts.Repository
	guests *guests.Repository
}

// Register is guests.Repository.Register.
func (p people) Register(
	ctx context.Context, u domain.User, password string, by domain.Signup, now time.Time,
) (domain.User, error) {
	return p.guests.Register(ctx, u, password, by, now)
}

// VerifyEmail is guests.Repository.VerifyEmail.
func (p people) VerifyEmail(ctx context.Context, hash []byte, now time.Time) (domain.User, error) {
	return p.guests.VerifyEmail(ctx, hash, now)
}

// kept is what people keep, by themselves and on the server.
type kept struct{ db *all.Store }

// EachKept calls do for all that user keeps, and then for each emoji that they added.
func (k kept) EachKept(ctx context.Context, user string, do func(domain.Kept) error) (int, error) {
	n, err := k.db.Personal.EachKept(ctx, user, do)
	if err != nil {
		return n, err
	}
	emoji, err := k.db.Emoji.EachEmojiBy(ctx, user, func(e domain.CustomEmoji) error { return do(domain.Kept{Emoji: &e}) })
	return n + emoji, err
}

func authStore(db *all.Store) auth.Store {
	accounts := people{db.Accounts, db.Guests}
	return auth.Store{
		UserStore: accounts, AvatarStore: db.Accounts, DepartureStore: db.Departure,
		MessageStore: db.Log, PersonalStore: kept{db}, EachOther: otherData(db),
		PeerStore: db.Rooms, DeviceStore: db.Devices,
		FlowStore: db.Sessions, Sessions: db.Sessions, Attempts: db.Sessions,
		Factors:      factor.Store{FactorStore: db.Factors, IdentityStore: db.Factors, TicketStore: db.Accounts},
		Links:        accounts,
		SettingStore: db.Server,
	}
}

// OperatorStore is what the commands that manage accounts work on.
func OperatorStore(db *all.Store) auth.OperatorStore {
	return auth.OperatorStore{OperatorUsers: db.Accounts, OperatorFactors: db.Factors, OperatorSessions: db.Sessions}
}

func chatStore(db *all.Store) chat.Store {
	return chat.Store{RoomStore: db.Rooms, DepartureStore: db.Departure, MessageStore: db.Messages, UserStore: db.Accounts,
		LogStore: db.Log}
}

func historyStore(db *all.Store) history.Store {
	return history.Store{
		RoomStore: db.Rooms, LogStore: db.Log, ReactionStore: db.Log, PinStore: db.Log, PollStore: db.Log,
		ThreadStore: db.Log, SearchStore: db.Search, UserStore: db.Accounts, RetentionStore: db.Messages,
		SettingStore: db.Server, Database: db,
	}
}

func adminStore(db *all.Store) admin.Store {
	return admin.Store{
		AccountStore: db.Accounts, GuestStore: db.Guests, SessionStore: db.Sessions, FactorStore: db.Factors,
		PasswordStore: db.Accounts, DepartureStore: db.Departure,
		RoomStore: db.Rooms, LogStore: db.Log, SettingStore: db.Server,
	}
}
