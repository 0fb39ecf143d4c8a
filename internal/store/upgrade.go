package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// An Upgrade is what Open would do to a database that an older program uses.
type Upgrade struct {
	Server string // version of the database's program
	Has    int    // number of the schema's last step
	Knows  int    // that this program knows
	Steps  []Step // that it would take
	Bytes  int64  // of the database
}

// A Step is a change of the schema.
type Step struct {
	Name   string
	Oldest int // programs that know this step can use the schema afterwards
	Tables []TableUse
}

// A TableUse is what a step does to a table that is there already.
type TableUse struct {
	Table string
	Does  string // "reads", "rewrites", ...
	Rows  int64  // about
	Bytes int64  // about, with its indexes on PostgreSQL
	Scans bool   // it takes longer the more rows there are
}

// Survives reports whether programs that know the steps so far can go on beside this one
// after the upgrade, and be started again.
func (u Upgrade) Survives() bool {
	return !slices.ContainsFunc(u.Steps, func(s Step) bool { return s.Oldest > u.Has })
}

// ReadUpgrade looks at a database that a server may be using, and changes nothing. It fails if
// Open would refuse the database, and if it has no schema yet.
func ReadUpgrade(ctx context.Context, o Options) (u Upgrade, err error) {
	o.Tool = true
	db := newDB(o)
	defer func() { err = errors.Join(err, db.release()) }()
	if err := db.dialect.open(ctx, db, o); err != nil {
		return u, err
	}
	if u.Server, err = db.dialect.version(ctx, db); err != nil {
		return u, err
	}
	usage, err := db.Usage(ctx)
	if err != nil {
		return u, err
	}
	u.Bytes = usage.Bytes
	steps, err := db.dialect.migrations(db.schema)
	if err != nil {
		return u, err
	}
	u.Knows = len(steps)
	has, missing, err := db.missingMigrations(ctx, false)
	u.Has = has
	if err != nil {
		return u, err
	}
	for _, m := range missing {
		tables, err := db.tablesUsed(ctx, m.text)
		if err != nil {
			return u, fmt.Errorf("schema step %s: %w", m.name, err)
		}
		u.Steps = append(u.Steps, Step{Name: m.name, Oldest: m.oldest, Tables: tables})
	}
	return u, nil
}

// tablesUsed returns what the text of a step does to tables that are there.
func (db *DB) tablesUsed(ctx context.Context, text string) ([]TableUse, error) {
	var uses []TableUse
	for _, use := range parseStep(text) {
		var err error
		use.Rows, use.Bytes, err = db.dialect.tableSize(ctx, db, use.Table)
		if errors.Is(err, sql.ErrNoRows) {
			continue // the step, or one before it, makes the table
		} else if err != nil {
			return nil, err
		}
		uses = append(uses, use)
	}
	return uses, nil
}

var (
	// Comments, and what a trigger or a function will do later, are not done by the step.
	notDone    = regexp.MustCompile(`(?is)--[^\n]*|\$\$.*?\$\$|\bBEGIN\b.*?\bEND\b`)
	statements = []struct {
		does  string
		scans bool
		text  *regexp.Regexp
	}{
		{"adds a column to", false, regexp.MustCompile(`(?i)\bALTER TABLE (\w+) ADD COLUMN`)},
		{"indexes", true, regexp.MustCompile(`(?i)\bINDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?\w+ ON (\w+)`)},
		{"reads", true, regexp.MustCompile(`(?is)\bINSERT INTO [^;]*?\bFROM (\w+)`)},
		{"checks", true, regexp.MustCompile(`(?i)\bALTER TABLE (\w+) (?:ADD CONSTRAINT|ADD FOREIGN|VALIDATE)`)},
		{"rewrites", true, regexp.MustCompile(`(?i)\bUPDATE (\w+) SET`)},
		{"rewrites", true, regexp.MustCompile(`(?i)\bALTER TABLE (\w+) (?:ALTER|DROP) COLUMN`)},
		{"deletes from", true, regexp.MustCompile(`(?i)\bDELETE FROM (\w+)`)},
		{"drops", false, regexp.MustCompile(`(?i)\bDROP TABLE (?:IF EXISTS )?(\w+)`)},
		{"renames", false, regexp.MustCompile(`(?i)\bALTER TABLE (\w+) RENAME`)},
	}
)

// parseStep returns which tables the text of a step names, and what it does to each.
func parseStep(text string) []TableUse {
	text = notDone.ReplaceAllString(text, "")
	var uses []TableUse
	for _, s := range statements {
		for _, m := range s.text.FindAllStringSubmatch(text, -1) {
			use := TableUse{Table: m[1], Does: s.does, Scans: s.scans}
			if !slices.Contains(uses, use) {
				uses = append(uses, use)
			}
		}
	}
	return uses
}

func versionSQLite(ctx context.Context, db *DB) (v string, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&v)
	return v, err
}

func versionPostgres(ctx context.Context, db *DB) (v string, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT current_setting('server_version')`).Scan(&v)
	return v, err
}

func tableSizeSQLite(ctx context.Context, db *DB, table string) (rows, bytes int64, err error) {
	var name string
	exists := `SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1`
	err = db.read.QueryRowContext(ctx, exists, table).Scan(&name)
	if err == nil {
		err = db.read.QueryRowContext(ctx, `SELECT count(*) FROM `+name).Scan(&rows)
	}
	if err == nil {
		pages := `SELECT COALESCE(sum(pgsize), 0) FROM dbstat WHERE name = $1`
		err = db.read.QueryRowContext(ctx, pages, name).Scan(&bytes)
	}
	return rows, bytes, err
}

// countedBytes is up to which size the rows of a PostgreSQL table are counted. Those of a
// larger one are estimated, as counting would read all of it.
const countedBytes = 64 << 20

func tableSizePostgres(ctx context.Context, db *DB, table string) (rows, bytes int64, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT pg_total_relation_size(c.oid), c.reltuples::bigint
		FROM pg_class c WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p')`, table).Scan(&bytes, &rows)
	if err == nil && (bytes < countedBytes || rows < 0) {
		err = db.read.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&rows)
	}
	return rows, bytes, err
}
