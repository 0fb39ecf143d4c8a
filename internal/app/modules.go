package app

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/admin"
	"github.com/unhidra/unhidra/internal/alarm"
	"github.com/unhidra/unhidra/internal/assistant"
	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/backup"
	"github.com/unhidra/unhidra/internal/bot"
	"github.com/unhidra/unhidra/internal/captcha"
	"github.com/unhidra/unhidra/internal/certs"
	"github.com/unhidra/unhidra/internal/chat"
	"github.com/unhidra/unhidra/internal/command"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/dashboard"
	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/disk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/emoji"
	"github.com/unhidra/unhidra/internal/files"
	"github.com/unhidra/unhidra/internal/firmware"
	"github.com/unhidra/unhidra/internal/gateway"
	"github.com/unhidra/unhidra/internal/guest"
	"github.com/unhidra/unhidra/internal/history"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/inference"
	"github.com/unhidra/unhidra/internal/mail"
	"github.com/unhidra/unhidra/internal/meaning"
	"github.com/unhidra/unhidra/internal/ml"
	"github.com/unhidra/unhidra/internal/moderation"
	"github.com/unhidra/unhidra/internal/mqtt"
	"github.com/unhidra/unhidra/internal/notify"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/ota"
	"github.com/unhidra/unhidra/internal/personal"
	"github.com/unhidra/unhidra/internal/presence"
	"github.com/unhidra/unhidra/internal/preview"
	"github.com/unhidra/unhidra/internal/rollout"
	"github.com/unhidra/unhidra/internal/shadow"
	"github.com/unhidra/unhidra/internal/store/emojis"
	"github.com/unhidra/unhidra/internal/store/readings"
	"github.com/unhidra/unhidra/internal/telemetry"
	"github.com/unhidra/unhidra/internal/usergroup"
	"github.com/unhidra/unhidra/internal/webhook"
	"github.com/unhidra/unhidra/internal/webhook/outgoing"
	"github.com/unhidra/unhidra/internal/webtrace"
)

// The services satisfy the interfaces that the gateway and others declare; stores.go
// says the same of the store.
var (
	_ gateway.Chat     = (*chat.Service)(nil)
	_ chat.Pictures    = (*auth.Service)(nil)
	_ gateway.Presence = (*presence.Service)(nil)
	_ hub.Presence     = departures{}
	_ gateway.Devices  = (*device.Service)(nil)
	_ mqtt.Devices     = (*device.Service)(nil)
	_ mqtt.Presence    = (*presence.Service)(nil)
	_ notify.Presence  = (*presence.Service)(nil)
	_ gateway.Commands = (*command.Service)(nil)
	_ gateway.Settings = (*shadow.Service)(nil)
	_ mqtt.Settings    = (*shadow.Service)(nil)
	_ shadow.Devices   = (*device.Service)(nil)
	_ command.Devices  = (*device.Service)(nil)
	_ command.Rooms    = (*chat.Service)(nil)
	_ gateway.Readings = (*telemetry.Service)(nil)

	_ telemetry.Devices  = (*device.Service)(nil)
	_ telemetry.Observer = (*alarm.Service)(nil)
	_ dashboard.Devices  = (*device.Service)(nil)
	_ dashboard.Rooms    = (*chat.Service)(nil)
	_ dashboard.Readings = (*telemetry.Service)(nil)
	_ alarm.Devices      = (*device.Service)(nil)
	_ alarm.Rooms        = (*chat.Service)(nil)
	_ alarm.Readings     = (*readings.Repository)(nil)

	_ admin.Rooms = (*chat.Service)(nil)

	_ httpx.Authenticator   = (*auth.Service)(nil)
	_ gateway.Authenticator = (*auth.Service)(nil)
)

// modules are the services of this process. All are there in every process;
// its roles say which of them are reached from outside.
type modules struct {
	audit        *audit.Service
	backup       *backup.Service // nil: another process has that duty
	admin        *admin.Service
	auth         *auth.Service
	chat         *chat.Service
	history      *history.Service
	presence     *presence.Service
	notify       *notify.Service
	personal     *personal.Service
	moderation   *moderation.Service
	usergroup    *usergroup.Service
	emoji        *emoji.Service
	preview      *preview.Service
	meaning      *meaning.Service
	webtrace     *webtrace.Service
	device       *device.Service
	command      *command.Service
	shadow       *shadow.Service
	alarm        *alarm.Service
	rollout      *rollout.Service
	dashboard    *dashboard.Service
	webhook      *webhook.Service
	outgoing     *outgoing.Service
	bot          *bot.Service
	firmware     *firmware.Service
	firmwareEnds *firmware.Ends
	files        *files.Service
	ota          *ota.Service
	ml           *ml.Service
	inference    *inference.Server
	assistant    *assistant.Service
	telemetry    *telemetry.Service
	hub          *hub.Hub
	gateway      *gateway.Service
	mqtt         *mqtt.Service
	mail         *mail.Queue     // nil: there is no mail server
	captcha      captcha.Captcha // nil: nobody is asked
}

// build makes the modules and what runs them, in the order in which they start: each
// after those that it needs, the gateway last.
func (s *server) build(ctx context.Context) error {
	if err := s.buildBus(); err != nil {
		return err
	}
	if err := s.buildTrace(); err != nil {
		return err
	}
	s.limits = writeLimits(s.Config)
	s.limits.Count(s.reg)
	s.db.Watch(s.reg)
	s.run("memory", releaseMemory)
	if err := s.buildAudit(); err != nil {
		return err
	}
	if err := s.buildMeaning(); err != nil {
		return err
	}
	s.buildHistory()
	s.buildChat()
	s.buildPersonal()
	s.buildFeed()
	s.runMeaning()
	if err := s.buildFiles(ctx); err != nil {
		return err
	}
	if err := s.buildBackup(); err != nil {
		return err
	}
	if err := s.buildMail(); err != nil {
		return err
	}
	if err := s.buildCaptcha(); err != nil {
		return err
	}
	if err := s.buildAuth(ctx); err != nil {
		return err
	}
	s.buildGuests()
	s.buildPresence()
	s.buildML()
	if err := s.buildNotify(); err != nil {
		return err
	}
	s.buildPreviews()
	s.buildDevices()
	s.buildCommands()
	s.buildShadow()
	s.buildAlarms()
	s.buildTelemetry()
	s.buildDashboards()
	s.buildOutgoing()
	s.buildWebhooks()
	s.buildBots()
	s.buildAssistants()
	if err := s.buildFirmware(); err != nil {
		return err
	}
	s.buildRollouts()
	s.buildPostedFiles()
	s.buildHub()
	s.buildGateway()
	s.buildMQTT()
	s.buildAdmin()
	s.buildModeration()
	s.modules.usergroup = usergroup.New(usergroup.Deps{Store: s.db.UserGroups, Audit: s.modules.audit,
		Log: s.logs.Part("usergroup")})
	s.modules.emoji = emoji.New(emoji.Deps{Store: s.db.Emoji, Files: s.files, Bus: s.bus, Audit: s.modules.audit,
		Log: s.logs.Part("emoji")})
	s.watchQueues()
	return nil
}

// run adds a component, which starts after those that are there already, and stops before.
func (s *server) run(name string, run func(context.Context) error) {
	s.components = append(s.components, component{name, run})
}

func (s *server) buildHistory() {
	r := s.Config.Retention
	s.modules.history = history.New(history.Deps{
		Store: historyStore(s.db), Meaning: s.byMeaning(), Bus: s.bus, Audit: s.modules.audit,
		Log: s.logs.Part("history"), Metrics: s.reg,
		Retention: domain.RetentionRules{
			Default: domain.Retention{Days: r.Days, Lines: r.Lines}, MinDays: r.MinDays, MaxDays: r.MaxDays,
		},
	})
	if s.Config.Works() {
		s.run("retention", s.modules.history.Run)
	}
}

func (s *server) buildChat() {
	m := &s.modules
	m.chat = chat.New(chat.Deps{
		Store: chatStore(s.db), Bus: s.bus, Log: s.logs.Part("chat"), Metrics: s.reg, Audit: m.audit,
		Retention: m.history.Rules,
		DiskFull:  s.reserve.Full, Quota: int64(s.Config.UserStorage) << 20, OnRoomDeleted: m.history.Wake,
		Previews: s.Config.LinkPreviews, Trace: s.tracer,
		OnScreening: s.beginScreening,
	})
	s.db.OnCommit(m.chat.Announce)
	s.run("chat", m.chat.Run)
}

func (s *server) buildPersonal() {
	s.modules.personal = personal.New(personal.Deps{
		Store: s.db.Personal, RoomLog: s.db.Log, Chat: s.modules.chat, Bus: s.bus, Log: s.logs.Part("personal"),
		DiskFull: s.reserve.Full,
	})
	if s.Config.Works() {
		s.run("scheduled messages and reminders", s.modules.personal.Run)
	}
}

func (s *server) buildGuests() {
	m := &s.modules
	guests := guest.New(guest.Deps{Store: s.db.Accounts, Tokens: m.auth, Audit: m.audit, Log: s.logs.Part("guest")})
	if s.Config.Works() {
		s.run("guests", guests.Run)
	}
}

func (s *server) buildPresence() {
	s.modules.presence = presence.New(presence.Deps{
		Users: s.db.Accounts, Devices: s.db.Devices, Peers: s.db.Rooms, Bus: s.bus, Log: s.logs.Part("presence"),
		Node: s.node,
	})
	s.run("presence", s.modules.presence.Run)
}

func (s *server) buildDevices() {
	s.modules.device = device.New(device.Deps{
		Store: s.db.Devices, Groups: s.db.Groups, Templates: s.db.Templates, Peers: s.db.Rooms, Bus: s.bus,
		Transfers: s.db.Transfers, Claims: s.db.Claims, Handovers: s.db.Departure, Users: s.db.Accounts,
		Log: s.logs.Part("device"), Audit: s.modules.audit,
		Metrics: s.reg, Pepper: s.keys.Derive(DevicePepper),
		Max: s.Config.DevicesPerUser, RegisterPerHour: s.Config.DevicesPerHour,
	})
	s.run("devices", s.modules.device.Run)
}

func (s *server) buildCommands() {
	m := &s.modules
	m.command = command.New(command.Deps{
		Store: s.db.Commands, Devices: m.device, Rooms: m.chat, Bus: s.bus, Log: s.logs.Part("command"), Audit: m.audit,
		Metrics: s.reg, Trace: s.tracer, DiskFull: s.reserve.Full,
	})
	s.run("commands", m.command.Run)
	if s.Config.Works() {
		s.run("command_expiry", m.command.Expire)
	}
}

func (s *server) buildShadow() {
	m := &s.modules
	m.shadow = shadow.New(shadow.Deps{Store: s.db.Settings, Devices: m.device, Bus: s.bus, Log: s.logs.Part("shadow"),
		Audit: m.audit})
	s.run("settings of devices", m.shadow.Run)
	if s.Config.Works() {
		s.run("defaults of settings", m.shadow.Follow)
	}
}

func (s *server) buildAlarms() {
	m := &s.modules
	m.alarm = alarm.New(alarm.Deps{
		Store: s.db.Alarms, Devices: m.device, Rooms: m.chat, Readings: s.readings, Bus: s.bus,
		Log: s.logs.Part("alarm"), Audit: m.audit, Metrics: s.reg,
	})
	s.run("alarms", m.alarm.Run)
	if s.Config.Works() {
		s.run("alarm_absence", m.alarm.Absence)
	}
}

func (s *server) buildDashboards() {
	m := &s.modules
	m.dashboard = dashboard.New(dashboard.Deps{
		Store: s.db.Dashboards, Devices: m.device, Rooms: m.chat, Readings: m.telemetry, DiskFull: s.reserve.Full,
	})
}

func (s *server) buildWebhooks() {
	m := &s.modules
	m.webhook = webhook.New(webhook.Deps{
		Store: s.db.Hooks, Chat: m.chat, Pictures: m.auth, Emoji: s.db.Emoji, Faces: m.preview, Commands: m.outgoing,
		Audit: m.audit, Log: s.logs.Part("webhook"), Metrics: s.reg, Hash: s.keys.Hash, URL: s.addrs.URL,
	})
}

func (s *server) buildBots() {
	m := &s.modules
	m.bot = bot.New(bot.Deps{
		Store: s.db.Bots, Accounts: s.db.Departure, RoomLog: s.db.Log, Chat: m.chat, Bus: s.bus, Audit: m.audit,
		Log: s.logs.Part("bot"), Hash: s.keys.Hash,
	})
}

func (s *server) buildHub() {
	s.modules.hub = hub.New(hub.Deps{
		Rooms: s.db.Rooms, RoomLog: s.db.Log, Bus: s.bus, Log: s.logs.Part("hub"), Metrics: s.reg,
		Presence: departures{s.modules.presence, s.modules.telemetry},
		Trace:    s.tracer,
	})
	s.run("hub", s.modules.hub.Run)
}

func (s *server) buildGateway() {
	c, m := s.Config, &s.modules
	m.gateway = gateway.New(gateway.Deps{
		Auth: m.auth, Devices: m.device, Commands: m.command, Settings: m.shadow, Readings: m.telemetry, Secure: s.secure(),
		Updates: m.rollout, Images: m.firmware, Chat: m.chat,
		Rooms: s.db.Rooms, RoomLog: s.db.Log, Users: s.db.Accounts, Presence: m.presence, Hub: m.hub, Bus: s.bus,
		Log: s.logs.Part("gateway"), Metrics: s.reg,
		ClientAddr: httpx.Proxies(c.TrustedProxies).ClientAddr, Version: s.Version, Origins: s.origins(),
		Limits: gateway.Limits{
			HandshakesPerAddr: c.IPPerMinute, HandshakesPerUser: c.UserPerMinute, ConnsPerAddr: c.ConnsPerAddr,
			ConnsPerUser: c.ConnsPerUser, MessagesPerSec: c.MessagesPerSec, Queue: c.SendQueue,
		},
		Trace: s.tracer, TraceShare: s.browserShare(), Drain: c.Drain, Others: c.NATS.Servers != "", Age: c.ConnectionAge,
	})
	s.run("gateway", m.gateway.Run)
}

func (s *server) buildAdmin() {
	c, r, m := s.Config, s.Config.Retention, &s.modules
	m.admin = admin.New(admin.Deps{
		Store: adminStore(s.db), Passwords: m.auth, Proofs: m.auth, Tokens: m.auth, Rooms: m.chat, Audit: m.audit,
		Health: s.healthCheckers(), Hash: s.keys.Hash, Log: s.logs.Part("admin"),
		Version: s.Version, Started: s.started, URL: s.addrs.URL, Apply: m.auth.LoadRules,
		Defaults: map[string]string{
			emojis.SettingWho: "everyone", auth.SettingRegistration: c.Registration, auth.SettingSecondFactor: c.SecondFactor,
			history.SettingRetentionDays:    strconv.Itoa(r.Days),
			history.SettingRetentionLines:   strconv.Itoa(r.Lines),
			history.SettingRetentionMinDays: strconv.Itoa(r.MinDays),
			history.SettingRetentionMaxDays: strconv.Itoa(r.MaxDays),
		},
	})
}

// healthCheckers are the modules that report to administrators.
func (s *server) healthCheckers() []admin.HealthChecker {
	m := s.modules
	return []admin.HealthChecker{
		m.gateway, s.db, disk.Health{Dir: s.Config.DataDir}, m.mail, m.audit, m.backup, certs.Health{Source: s.certs},
		certs.Health{Source: s.mqttCerts}, m.firmwareEnds, m.ml, m.assistant,
	}
}

// watchQueues registers what waits in this process. The bus, mail and the audit
// log tell of their queues by themselves.
func (s *server) watchQueues() {
	m := s.modules
	obs.WatchQueues(s.reg, slices.Concat(s.db.Queues(), s.readings.Queues(), m.chat.Queues(), m.hub.Queues(),
		m.gateway.Queues(), m.auth.Queues(), m.history.Queues(), m.command.Queues(), m.alarm.Queues(), m.firmware.Queues(),
		m.rollout.Queues(), m.shadow.Queues(), m.files.Queues(), m.bot.Queues(), m.preview.Queues(),
		m.emoji.Queues())...)
}

// origins are those whose pages may connect beside the host that they are asked
// for. Behind a proxy that renames the host, the public URL is one of them.
func (s *server) origins() []string {
	o := s.Config.AllowedOrigins
	if len(o) > 0 || s.Config.PublicURL != "" {
		o = append([]string{s.addrs.URL}, o...)
	}
	return o
}

// DevicePepper is what the key is derived for under which device keys are kept.
const DevicePepper = "device-key"

// secure says, of a server that people reach by https, which connections nobody
// can listen to: those with TLS, those that a trusted proxy took with it, and
// those from this very machine.
func (s *server) secure() func(*http.Request) bool {
	if !strings.HasPrefix(s.addrs.URL, "https:") {
		return nil
	}
	proxies := httpx.Proxies(s.Config.TrustedProxies)
	return func(r *http.Request) bool { return proxies.HTTPS(r) || httpx.IsLoopback(r) }
}

// routes adds what the public listener answers.
func (m *modules) routes(api huma.API, c config.Config) {
	if c.Has(config.RoleAuth) {
		m.auth.Routes(api)
	}
	m.audit.Routes(api)
	m.admin.Routes(api)
	m.ml.Routes(api)
	m.chat.Routes(api)
	m.history.Routes(api)
	m.presence.Routes(api)
	m.notify.Routes(api)
	m.personal.Routes(api)
	m.moderation.Routes(api)
	m.usergroup.Routes(api)
	m.emoji.Routes(api)
	m.preview.Routes(api)
	m.device.Routes(api)
	m.command.Routes(api)
	m.shadow.Routes(api)
	m.telemetry.Routes(api)
	m.alarm.Routes(api)
	m.dashboard.Routes(api)
	m.webhook.Routes(api)
	m.outgoing.Routes(api)
	m.bot.Routes(api)
	m.assistant.Routes(api)
	m.firmware.Routes(api)
	m.files.Routes(api)
	m.rollout.Routes(api)
	m.ota.Routes(api)
	m.webtrace.Routes(api)
}

func (m *modules) serveStats(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(map[string]any{"gateway": m.gateway.Stats()})
}
