package owndata_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/owndata"
	"github.com/unhidra/unhidra/internal/testkit"
)

// elsewhere are the columns that name a person and that the rest of the download has: the account with its sessions,
// passkeys, browsers and identities, what they wrote, what they keep for themselves, what they reported, and what they
// are told of.
var elsewhere = []string{
	"sessions.user_id", "passkeys.user_id", "remembered.user_id", "identities.user_id",
	"events.actor_id", "reactions.user_id", "poll_votes.user_id",
	"saved_messages.user_id", "drafts.user_id", "scheduled_messages.user_id", "reminders.user_id", "room_sections.user_id",
	"message_reports.user_id", "notify_settings.user_id", "notify_levels.user_id", "digests.user_id",
	"custom_emoji.user_id",
}

const (
	secret   = "a secret of the sign-in: whoever has the download must not get in by it"
	working  = "a state of the server that goes by itself, and follows from what the download has"
	machine  = "no person, but a device, a bot, a node of the server or a holder of files"
	ofOthers = "what others did or wrote, which is theirs"
	log      = "a record of what was done in a room, to devices or to the server, which its members or administrators read"
)

// leftOut are the other columns that name a person, and why the download has them not.
var leftOut = map[string]string{
	"flows.user_id": secret, "tickets.user_id": secret, "totp.user_id": secret, "recovery_codes.user_id": secret,
	"slash_runs.user_id": secret, "server_runs.user_id": secret,

	"notifications.user_id": working, "digest_marks.user_id": working, "mentions.user_id": working,
	"mqtt_sessions.site_id": working, "mqtt_sessions.principal_id": working, "mqtt_sites.site_id": working,
	"mqtt_topics.site_id": working, "mqtt_topics.sender_id": working, "device_ota.owner_id": working,
	"firmware_uploads.by_user": working,

	"bots.id": machine, "devices.id": machine, "incoming_hooks.id": machine, "outgoing_hooks.id": machine,
	"slash_commands.id": machine, "server_commands.id": machine, "face_pictures.user_id": machine,
	"audit_sinks.owner": machine, "blob_refs.owner_id": machine,
	"certificate_locks.owner": machine, "feed_cursors.owner": machine,

	"blocks.other_id": ofOthers, "bans.by_user": ofOthers, "forwards.user_id": ofOthers, "held_texts.by_id": ofOthers,
	"held_files.by_id": ofOthers, "users.asked_by": ofOthers, "firmware_joins.publisher_id": ofOthers,
	"firmware_joins.agreed_by": ofOthers,

	"audit_personal.actor": log, "audit_records.actor": log, "alarms.acknowledged_by": log, "commands.actor_id": log,
	"command_batches.actor_id": log, "dashboards.changed_by": log, "message_reports.decided_by": log,
	"firmware_releases.created_by": log, "firmware_roots.added_by": log, "rollout_log.actor": log, "rooms.made_by": log,
	"settings.by_id": log,
}

// namesPeople are the names of columns in which there are ids of people.
var namesPeople = regexp.MustCompile(`^(.+_)?(user|user_id|user_ids|users|by|by_id|by_user|owner|owner_id|actor|actor_id|` +
	`sender|sender_id|author|author_id|creator|creator_id|member|member_id|site_id|principal_id|asker_id|other_id|peer_id|` +
	`person|person_id|account|account_id|publisher_id)$`)

// Each column that names a person is in the download of their data, or it is said here why not. Who adds one decides.
func TestWhatNamesAPersonIsInTheDownload(t *testing.T) {
	t.Parallel()
	db := testkit.Raw(t, testkit.SQLite(t))
	rows, err := db.QueryContext(t.Context(), `SELECT m.name, p.name, EXISTS (SELECT 1 FROM pragma_foreign_key_list(m.name) f
			WHERE f."from" = p.name AND f."table" = 'users')
		FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	decided := map[string]int{}
	for _, c := range slices.Concat(owndata.Exported(), elsewhere) {
		decided[c]++
	}
	for c := range leftOut {
		decided[c]++
	}
	for rows.Next() {
		var table, name string
		var refers bool
		if err := rows.Scan(&table, &name, &refers); err != nil {
			t.Fatal(err)
		}
		column := table + "." + name
		if !refers && !namesPeople.MatchString(name) {
			continue
		}
		if decided[column] != 1 {
			t.Errorf("%s names a person, and is decided on %d times: add it to the download, or to leftOut with a reason",
				column, decided[column])
		}
		delete(decided, column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for column := range decided {
		t.Errorf("there is no column %s that names a person", column)
	}
}

func TestTheDownloadHasWhatThereIs(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now().Truncate(time.Second)
		room, ann, bob := testkit.Room(t, db, 2), testkit.UserID(0), testkit.UserID(1)
		if _, err := db.Rooms.Block(ctx, bob, ann); err != nil {
			t.Fatal(err)
		}
		g := domain.UserGroup{ID: "ugr_1", Handle: "cooks", Name: "Cooks", CreatedAt: now}
		if err := db.UserGroups.CreateUserGroup(ctx, g, []string{bob}); err != nil {
			t.Fatal(err)
		}
		bot := testkit.Bot(t, db, bob, "pong")
		got := map[string][]map[string]any{}
		n, err := db.OwnData.Each(ctx, bob, func(kind string, v map[string]any) error {
			got[kind] = append(got[kind], v)
			return nil
		})
		if err != nil || n != len(got) {
			t.Fatalf("%d, %v: %+v", n, err, got)
		}
		if r := got["room"][0]; r["room"] != room || r["name"] != "Lobby" || r["role"] != "member" || r["muted_until_at"] != nil {
			t.Errorf("the room is %+v", r)
		}
		if _, err := time.Parse(time.RFC3339, got["room"][0]["joined_at"].(string)); err != nil {
			t.Error(err)
		}
		if b := got["blocked"][0]; b["user"] != ann || b["username"] != "user0" {
			t.Errorf("blocked is %+v", b)
		}
		if g := got["user_group"][0]; g["handle"] != "cooks" || g["group"] != "ugr_1" {
			t.Errorf("the group is %+v", g)
		}
		if b := got["bot"][0]; b["id"] != bot {
			t.Errorf("the bot is %+v", b)
		}
		if n, err := db.OwnData.Each(ctx, "usr_none", nil); n != 0 || err != nil {
			t.Errorf("of nobody there are %d, %v", n, err)
		}
	})
}

// Whatever row names a person in a column that the download reads is in theirs once, and in nobody else's.
func TestEachColumnIsReadForItsPersonAlone(t *testing.T) {
	t.Parallel()
	o := testkit.SQLite(t)
	db, raw := testkit.Open(t, o), testkit.Raw(t, o)
	raw.SetMaxOpenConns(1)
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := raw.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	exec(`PRAGMA foreign_keys = OFF`)
	// insert puts a row of which one column has a value, and the others what a row of anybody may have.
	insert := func(table, column, value string) {
		t.Helper()
		rows, err := raw.QueryContext(t.Context(), `SELECT name, type FROM pragma_table_info($1)`, table)
		if err != nil {
			t.Fatal(err)
		}
		var names, places []string
		var args []any
		for rows.Next() {
			var name, typ string
			if err := rows.Scan(&name, &typ); err != nil {
				t.Fatal(err)
			}
			var v any = "x"
			switch {
			case name == column:
				v = value
			case typ != "TEXT" && typ != "BLOB":
				v = 0
			}
			args = append(args, v)
			names, places = append(names, `"`+name+`"`), append(places, fmt.Sprint("$", len(args)))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		exec(`INSERT INTO `+table+` (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(places, ", ")+`)`, args...)
	}
	for _, table := range []string{"users", "rooms", "user_groups"} { // what rows refer to
		insert(table, "id", "x")
	}
	count := func(user string) int {
		t.Helper()
		n, err := db.OwnData.Each(t.Context(), user, func(string, map[string]any) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range owndata.Exported() {
		table, column, _ := strings.Cut(c, ".")
		if table == "mutes" {
			continue // told with the membership
		}
		before := count("x")
		insert(table, column, "usr_me")
		if mine, others, theirs := count("usr_me"), count("usr_other"), count("x")-before; mine != 1 || others != 0 ||
			theirs > 1 {
			t.Errorf("a row with %s: %d in one's own download, %d in another one's", c, mine, others)
		}
		exec(`DELETE FROM ` + table)
	}
}
