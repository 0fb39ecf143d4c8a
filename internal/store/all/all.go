// Package all opens a database with all its repositories.
package all

import (
	"context"
	"errors"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/alarms"
	"github.com/unhidra/unhidra/internal/store/audit"
	"github.com/unhidra/unhidra/internal/store/blobs"
	"github.com/unhidra/unhidra/internal/store/bots"
	"github.com/unhidra/unhidra/internal/store/commands"
	"github.com/unhidra/unhidra/internal/store/dashboards"
	"github.com/unhidra/unhidra/internal/store/departure"
	"github.com/unhidra/unhidra/internal/store/devices"
	"github.com/unhidra/unhidra/internal/store/emojis"
	"github.com/unhidra/unhidra/internal/store/feedlog"
	"github.com/unhidra/unhidra/internal/store/files"
	"github.com/unhidra/unhidra/internal/store/firmware"
	"github.com/unhidra/unhidra/internal/store/guests"
	"github.com/unhidra/unhidra/internal/store/hooks"
	"github.com/unhidra/unhidra/internal/store/mails"
	"github.com/unhidra/unhidra/internal/store/messages"
	"github.com/unhidra/unhidra/internal/store/moderation"
	"github.com/unhidra/unhidra/internal/store/mqtt"
	"github.com/unhidra/unhidra/internal/store/notifications"
	"github.com/unhidra/unhidra/internal/store/owndata"
	"github.com/unhidra/unhidra/internal/store/personal"
	"github.com/unhidra/unhidra/internal/store/previews"
	"github.com/unhidra/unhidra/internal/store/rollouts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
	"github.com/unhidra/unhidra/internal/store/search"
	"github.com/unhidra/unhidra/internal/store/server"
	"github.com/unhidra/unhidra/internal/store/usergroups"
)

// A Store is an open database with the repositories on it.
type Store struct {
	*store.DB
	Accounts   *accounts.Repository
	Sessions   *accounts.Sessions
	Factors    *accounts.Factors
	Devices    *devices.Repository
	Groups     *devices.Groups
	Templates  *devices.Templates
	Transfers  *devices.Transfers
	Claims     *devices.Claims
	Settings   *devices.Settings
	Commands   *commands.Repository
	Alarms     *alarms.Repository
	Dashboards *dashboards.Repository
	Hooks      *hooks.Repository
	OutHooks   *hooks.Outgoing
	Slash      *hooks.Slash
	Bots       *bots.Repository
	Files      *files.Repository
	Products   *firmware.Products
	Releases   *firmware.Releases
	Uploads    *firmware.Uploads
	Deltas     *firmware.Deltas
	OTA        *firmware.OTA
	Rollouts   *rollouts.Repository
	Rooms      *rooms.Repository
	Log        *roomlog.Repository
	Messages   *messages.Repository
	Search     *search.Repository
	Departure  *departure.Repository
	Audit      *audit.Repository
	Mails      *mails.Repository
	Server     *server.Repository
	Feed       *feedlog.Repository
	Blobs      *blobs.Repository
	MQTT       *mqtt.Repository
	Emoji      *emojis.Repository

	Notifications *notifications.Repository
	Personal      *personal.Repository
	Previews      *previews.Repository
	Assistants    *bots.Assistants
	Moderation    *moderation.Repository
	OwnData       *owndata.Repository
	UserGroups    *usergroups.Repository
	Guests        *guests.Repository
}

// Open opens a database as store.Open does, and starts the search indexer, except for a command
// beside a server.
func Open(ctx context.Context, o store.Options) (*Store, error) {
	db, err := store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &Store{
		DB:       db,
		Accounts: accounts.New(db), Sessions: accounts.NewSessions(db), Factors: accounts.NewFactors(db),
		Devices: devices.New(db), Groups: devices.NewGroups(db), Templates: devices.NewTemplates(db),
		Settings: devices.NewSettings(db), Commands: commands.New(db), Alarms: alarms.New(db),
		Dashboards: dashboards.New(db), Hooks: hooks.New(db), OutHooks: hooks.NewOutgoing(db), Slash: hooks.NewSlash(db),
		Bots:     bots.New(db),
		Products: firmware.NewProducts(db), Releases: firmware.NewReleases(db),
		Uploads: firmware.NewUploads(db), Deltas: firmware.NewDeltas(db), OTA: firmware.NewOTA(db), Rollouts: rollouts.New(db),
		Rooms: rooms.New(db, o.Rooms), Log: roomlog.New(db), Messages: messages.New(db), Search: search.New(db),
		Transfers: devices.NewTransfers(db), Claims: devices.NewClaims(db),
		Files:     files.New(db),
		Departure: departure.New(db), Audit: audit.New(db), Mails: mails.New(db), Server: server.New(db),
		Feed: feedlog.New(db), Blobs: blobs.New(db), MQTT: mqtt.New(db), Emoji: emojis.New(db),
		Notifications: notifications.New(db), Personal: personal.New(db),
		Previews: previews.New(db), Assistants: bots.NewAssistants(db),
		Moderation: moderation.New(db), OwnData: owndata.New(db), UserGroups: usergroups.New(db),
	}
	s.Guests = guests.New(db, s.Rooms)
	if !o.Tool {
		if err := s.Search.Start(ctx, o.Log); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return s, nil
}

// Close commits what was accepted and closes the database. No other method may be called after it.
func (s *Store) Close() error {
	s.Search.Stop()
	return s.DB.Close()
}

// Use returns how much space the database takes, and how many messages are not indexed yet.
func (s *Store) Use(ctx context.Context) (domain.StoreUsage, error) {
	u, err := s.DB.Usage(ctx)
	if err != nil {
		return u, err
	}
	u.Unindexed, err = s.Search.Unindexed(ctx)
	return u, err
}

// Check verifies the whole database: its integrity, as far as the database can check that, and the
// invariants of the log.
func (s *Store) Check(ctx context.Context) error {
	if err := s.Integrity(ctx); err != nil {
		return err
	}
	return s.Log.Check(ctx)
}

// Verify checks the SQLite file at path, which no server may have open. It migrates the file to
// this program's schema.
func Verify(ctx context.Context, path string) error {
	s, err := Open(ctx, store.Options{Path: path, Tool: true})
	if err != nil {
		return err
	}
	return errors.Join(s.Check(ctx), s.Close())
}
