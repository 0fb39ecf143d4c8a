//go:build unix

package upgrade

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

// consumed are lists of work, from which a server takes what it finds.
var consumed = []string{
	"unindexed", "search_outdated", "search_build", "search_head", "blob_garbage", "blob_data",
	"feed_batches", "feed_pending", "certificate_locks", "reading_head", "device_links", "device_nodes",
	"notifications", "pushes", "reminder_pushes", "report_pushes", "push_subscriptions", // of a session that has ended
	"firmware_deltas",                                  // of no release that is active
	"files", "file_parts", "attachments", "held_files", // of a file that has expired
}

// What the version before has kept, in every table that it knows, is there after the
// upgrade, and people go on with it.
func TestEveryTableOutlivesTheUpgrade(t *testing.T) {
	t.Parallel()
	before, _ := previous(t)
	for _, c := range []struct {
		name  string
		where func(t *testing.T) (store.Options, []string)
	}{
		{"sqlite", func(t *testing.T) (store.Options, []string) {
			o := testkit.NewFile(t) // the older version could not use a schema of this one
			return o, []string{"AUTH_DB_PATH=" + o.Path}
		}},
		{"postgres", func(t *testing.T) (store.Options, []string) {
			url := pgtest.Database(t, nil)
			return store.Options{URL: url}, []string{"DATABASE_URL=" + url}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, settings := c.where(t)
			var log testkit.Buffer
			settings = append(settings, key)
			older, newer := node.New(t, before, &log, settings...), node.New(t, node.Build(t), &log, settings...)
			older.Start()
			ready(t, older, &log)
			room := story(t, older)
			older.Stop(patience)

			d := &database{DB: testkit.Raw(t, o), postgres: o.URL != ""}
			had := d.fill(t)
			newer.Start()
			ready(t, newer, &log)
			goesOn(t, newer, room)
			newer.Stop(patience)
			d.outlived(t, had)
		})
	}
}

// story is what people do at the version before: it fills the tables whose rows hang on
// each other. It returns the room that ann and bob are in.
func story(t *testing.T, n *node.Node) string {
	t.Helper()
	ctx := t.Context()
	ann, bob, zoe := client.New(n.URL()), client.New(n.URL()), client.New(n.URL())
	for name, c := range map[string]*client.Client{"ann": ann, "bob": bob, "zoe": zoe} {
		must(t, c.Register(ctx, client.Registration{Username: name, Password: live.Password}))
	}
	him, err := bob.Me(ctx)
	must(t, err)
	r, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Upgrade"})
	must(t, err)
	must(t, ann.Add(ctx, r.ID, him.ID))
	for _, text := range []string{"a sandwich for @bob", "a sandwich that is edited", "a soup that is deleted"} {
		_, err := ann.Send(ctx, client.Draft{Room: r.ID, Text: text})
		must(t, err)
	}
	sent, err := bob.Send(ctx, client.Draft{Room: r.ID, Text: "a soup"})
	must(t, err)
	at := func(back int64) string { return fmt.Sprint("/rooms/", r.ID, "/messages/", sent.Seq-back) }
	must(t, ann.Do(ctx, "PATCH", at(2), map[string]string{"text": "a sandwich that was edited"}, nil))
	must(t, ann.Do(ctx, "DELETE", at(1), nil, nil))
	_, err = ann.MarkRead(ctx, r.ID, sent.Seq)
	must(t, err)
	_, err = ann.Invite(ctx, r.ID, 3600, 5)
	must(t, err)
	must(t, ann.Do(ctx, "POST", "/devices", map[string]string{"name": "Thermometer"}, nil))
	await(t, "everything to be found", func() bool { return found(t, ann, "sandwich") == 2 })
	return r.ID
}

// goesOn has the same people go on at this version.
func goesOn(t *testing.T, n *node.Node, room string) {
	t.Helper()
	ctx := t.Context()
	bob := client.New(n.URL())
	must(t, bob.SignIn(ctx, "bob", live.Password))
	page, err := bob.Timeline(ctx, room, "", 50)
	must(t, err)
	var texts []string
	for _, e := range page.Items {
		if e.Message != nil && e.Message.Text != "" {
			texts = append(texts, e.Message.Text)
		}
	}
	want := []string{"a sandwich for @bob", "a sandwich that was edited", "a soup"}
	slices.Sort(texts)
	if !slices.Equal(texts, want) {
		t.Errorf("the room has %q, and not %q", texts, want)
	}
	_, err = bob.Send(ctx, client.Draft{Room: room, Text: "a sandwich of now"})
	must(t, err)
	await(t, "old and new to be found", func() bool { return found(t, bob, "sandwich") == 3 })
}

// A database is looked at, and written to, without the store: it is another version's.
type database struct {
	*sql.DB
	postgres bool
}

// fill adds a row to each table that has none, so that no step of the schema meets an
// empty one, and returns how many rows each has.
func (d *database) fill(t *testing.T) map[string]int {
	t.Helper()
	had := make(map[string]int)
	ids := map[string]string{}
	for column, from := range map[string]string{
		"user_id": "users WHERE username = 'zoe'", "room_id": "rooms", "session_id": "sessions", "device_id": "devices",
	} {
		var id string
		must(t, d.QueryRowContext(t.Context(), "SELECT id FROM "+from+" LIMIT 1").Scan(&id))
		ids[column] = id
	}
	ids["owner_id"], ids["other_id"], ids["by_user"] = ids["user_id"], ids["user_id"], ids["user_id"]
	for _, table := range d.referredFirst(t) {
		if d.rows(t, table) == 0 {
			d.insert(t, table, ids)
		}
		if had[table] = d.rows(t, table); had[table] == 0 {
			t.Errorf("the table %s is empty", table)
		}
	}
	if len(had) < 40 {
		t.Errorf("only %d tables are seen: %v", len(had), had)
	}
	return had
}

// outlived looks at every table of now: nothing that was there is gone.
func (d *database) outlived(t *testing.T, had map[string]int) {
	t.Helper()
	for _, table := range d.tables(t) {
		if n := d.rows(t, table); n < had[table] && !slices.Contains(consumed, table) {
			t.Errorf("the table %s had %d rows, and has %d after the upgrade", table, had[table], n)
		}
	}
}

// A reference is a column whose values are those of a column of another table.
type reference struct{ column, table, to string }

// references returns the foreign keys of a table.
func (d *database) references(t *testing.T, table string) (all []reference) {
	t.Helper()
	q := `SELECT f."from" || ' ' || f."table" || ' ' ||
			coalesce(f."to", (SELECT name FROM pragma_table_info(f."table") WHERE pk = f.seq + 1))
		FROM pragma_foreign_key_list('` + table + `') f`
	if d.postgres {
		q = `SELECT a.attname || ' ' || c.confrelid::regclass || ' ' || r.attname FROM pg_constraint c
			CROSS JOIN unnest(c.conkey, c.confkey) AS k(col, ref)
			JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.col
			JOIN pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = k.ref
			WHERE c.contype = 'f' AND c.conrelid = '` + table + `'::regclass`
	}
	for _, line := range d.texts(t, q) {
		f := strings.Fields(line)
		all = append(all, reference{f[0], f[1], f[2]})
	}
	return all
}

// referredFirst returns all tables, each after those that it refers to.
func (d *database) referredFirst(t *testing.T) (sorted []string) {
	t.Helper()
	seen := make(map[string]bool)
	var add func(table string)
	add = func(table string) {
		if seen[table] {
			return
		}
		seen[table] = true
		for _, r := range d.references(t, table) {
			add(r.table)
		}
		sorted = append(sorted, table)
	}
	for _, table := range d.tables(t) {
		add(table)
	}
	return sorted
}

// referred returns a value that a column may have: want if the other table has it, or else any.
func (d *database) referred(t *testing.T, r reference, want string) (id string) {
	t.Helper()
	q := fmt.Sprintf("SELECT %s FROM %s ORDER BY %[1]s = $1 DESC LIMIT 1", r.to, r.table)
	must(t, d.QueryRowContext(t.Context(), q, want).Scan(&id))
	return id
}

// tables are those of the server, without the indexes that FTS5 keeps: a search looks
// at those.
func (d *database) tables(t *testing.T) []string {
	t.Helper()
	q := `SELECT name FROM pragma_table_list
		WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`
	if d.postgres {
		q = `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`
	}
	return d.texts(t, q)
}

func (d *database) rows(t *testing.T, table string) int {
	t.Helper()
	var n int
	must(t, d.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// insert adds a row with a value in each column that must have one. Times are far ahead:
// nothing of it is over.
func (d *database) insert(t *testing.T, table string, ids map[string]string) {
	t.Helper()
	q := `SELECT name || ' ' || lower(type) FROM pragma_table_info('` + table + `')
		WHERE dflt_value IS NULL AND ("notnull" OR pk)`
	if d.postgres {
		q = `SELECT column_name || ' ' || lower(data_type) FROM information_schema.columns WHERE table_schema = 'public'
			AND table_name = '` + table + `' AND column_default IS NULL AND is_identity = 'NO' AND is_nullable = 'NO'`
	}
	ids = maps.Clone(ids)
	for _, r := range d.references(t, table) {
		want, ok := ids[r.column]
		if !ok {
			want = ids["user_id"]
		}
		ids[r.column] = d.referred(t, r, want)
	}
	var names, places []string
	var values []any
	for _, column := range d.texts(t, q) {
		name, kind, _ := strings.Cut(column, " ")
		names, places = append(names, name), append(places, fmt.Sprint("$", len(names)+1))
		if strings.HasPrefix(table, "reading_") && name == "id" {
			values = append(values, readingID())
			continue
		}
		values = append(values, value(name, kind, ids))
	}
	add := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ", "), strings.Join(places, ", "))
	_, err := d.ExecContext(t.Context(), add, values...)
	if err != nil {
		t.Errorf("fill the table %s: %v", table, err)
	}
}

// readingID is the key of what was measured in an hour far ahead, or on such a day.
func readingID() int64 { return time.Now().AddDate(1, 0, 0).Unix()/3600<<40 | 1<<8 }

func value(name, kind string, ids map[string]string) any {
	id, refers := ids[name]
	switch kind {
	case "blob", "bytea":
		return []byte("upgrade")
	case "boolean":
		return false
	case "array":
		return []int64{1}
	case "text":
		switch {
		case refers:
			return id
		case name == "desired" || name == "reported" || name == "errors":
			return "{}"
		}
		return "upgrade"
	}
	return time.Now().AddDate(1, 0, 0).UnixMicro()
}

func (d *database) texts(t *testing.T, q string) []string {
	t.Helper()
	rows, err := d.QueryContext(t.Context(), q)
	must(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		must(t, rows.Scan(&s))
		all = append(all, s)
	}
	must(t, rows.Err())
	return all
}
