package app

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/presence"
	"github.com/unhidra/unhidra/internal/remotewrite"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/readings"
	"github.com/unhidra/unhidra/internal/telemetry"
)

// OpenReadings opens what devices measured: in db if that is PostgreSQL, and else in a file of its
// own.
func OpenReadings(ctx context.Context, db *all.Store, c config.Config, o StoreOptions) (*readings.Repository, error) {
	if c.DatabaseURL != "" {
		return readings.On(db.DB), nil
	}
	repo, err := readings.OpenFile(ctx, store.Options{
		Path: c.ReadingsFile(), Log: o.Log, Tool: o.Tool, NoMigrate: o.NoMigrate,
	})
	if err != nil {
		return nil, fmt.Errorf("open the readings of devices: %w", err)
	}
	return repo, nil
}

func (s *server) buildTelemetry() {
	m, keep := &s.modules, s.Config.Readings
	var receiver telemetry.Receiver
	if w := s.Config.RemoteWrite; w.URL != "" {
		receiver = &remotewrite.Client{URL: w.URL, User: w.User, Token: w.Token.Reveal(), HTTP: &http.Client{}}
	}
	m.telemetry = telemetry.New(telemetry.Deps{
		Store: s.readings, Devices: m.device, Watchable: s.db.Devices, Observer: m.alarm, Bus: s.bus,
		Log: s.logs.Part("telemetry"), Audit: m.audit, Metrics: s.reg,
		Forwarded: s.readings, Receiver: receiver, Owned: s.db.Devices,
		Secrets: secrets{users: m.auth, devices: m.device},
		Cleaner: s.readings, Erased: s.db.Devices, DiskFull: s.reserve.Full,
		Keep: telemetry.Keep{
			Raw: days(keep.Days), Minutes: days(keep.MinutesDays), Hours: days(keep.HoursDays), Days: days(keep.DaysDays),
		},
	})
	s.readings.Watch(s.reg)
	s.run("telemetry", m.telemetry.Run)
	if s.Config.Works() {
		s.run("old_readings", m.telemetry.Clean)
	}
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// secrets tells whose a secret is: an access token, or the key of a device.
type secrets struct {
	users interface {
		Authenticate(ctx context.Context, bearer string) (domain.Principal, error)
	}
	devices *device.Service
	bots    botTokens // nil: their tokens open nothing
}

// botTokens tells whose a bot's token is, and what it allows.
type botTokens interface {
	Authenticate(ctx context.Context, bearer string) (domain.Principal, error)
	Require(ctx context.Context, p domain.Principal, scope domain.BotScope, room string) error
}

// Authenticate implements telemetry.Secrets.
func (s secrets) Authenticate(ctx context.Context, secret string, from netip.Addr) (domain.Principal, error) {
	if strings.HasPrefix(secret, domain.DeviceKeyPrefix) {
		return s.devices.AuthenticateDevice(ctx, secret, from)
	}
	if s.bots != nil && strings.HasPrefix(secret, domain.BotSecretPrefix) {
		return s.bots.Authenticate(ctx, secret)
	}
	p, err := s.users.Authenticate(ctx, secret)
	if err == nil && p.Limited {
		err = domain.Forbidden.Errorf(domain.CodeSecondFactorRequired,
			"this server asks you for a second factor; add one first")
	}
	return p, err
}

// MayLoad implements files.Secrets.
func (s secrets) MayLoad(ctx context.Context, p domain.Principal, room string) error {
	if p.Kind != domain.KindBot {
		return nil
	}
	return s.bots.Require(ctx, p, domain.ScopeFiles, room)
}

// departures tells all who let users watch one another that somebody is no longer in a room.
type departures struct {
	presence  *presence.Service
	telemetry *telemetry.Service
}

// OnLeft implements hub.Presence.
func (d departures) OnLeft(ctx context.Context, user string) {
	d.presence.OnLeft(ctx, user)
	d.telemetry.OnLeft(ctx, user)
}
