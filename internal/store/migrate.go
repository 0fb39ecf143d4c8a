package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed sql
var migrations embed.FS

func serverSchema() fs.FS {
	f, err := fs.Sub(migrations, "sql")
	if err != nil {
		panic(err) // the folder is in the program
	}
	return f
}

// A migration is one step of the schema. Nodes are upgraded one by one, so older programs may
// run on a newer schema. The first line of a migration names the oldest schema version whose
// programs can work with it.
type migration struct {
	version int
	oldest  int // programs must know at least this version; if equal to version, all nodes must stop first
	name    string
	text    string
	sum     string
}

var oldestLine = regexp.MustCompile(`\A-- oldest: (\d+)\n`)

func (d *dialect) migrations(from fs.FS) ([]migration, error) {
	dir := d.name
	files, err := fs.ReadDir(from, dir)
	if err != nil {
		return nil, err
	}
	var ms []migration
	for i, f := range files {
		number, _, _ := strings.Cut(f.Name(), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s/%s: number %d expected", dir, f.Name(), i+1)
		}
		text, err := fs.ReadFile(from, dir+"/"+f.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		oldest := version
		if m := oldestLine.FindSubmatch(text); m != nil {
			oldest, _ = strconv.Atoi(string(m[1])) // the pattern allows digits only
		}
		ms = append(ms, migration{version, oldest, f.Name(), string(text), hex.EncodeToString(sum[:])})
	}
	return ms, nil
}

// migrate applies the missing migrations, each in a transaction of its own. With apply false
// it only checks whether any are missing.
func (db *DB) migrate(ctx context.Context, apply bool) error {
	has, missing, err := db.missingMigrations(ctx, apply)
	if err != nil {
		return err
	}
	for _, step := range missing {
		if !apply {
			return fmt.Errorf("this database has schema %d and this program needs %d; run `unhidra migrate`", has,
				has+len(missing))
		}
		if err := db.applyMigration(ctx, step); err != nil {
			return fmt.Errorf("schema step %s: %w", step.name, err)
		}
	}
	return nil
}

// missingMigrations returns how many steps the database has, and those that this program
// would add. It fails if the database has others than this program knows.
func (db *DB) missingMigrations(ctx context.Context, create bool) (has int, missing []migration, err error) {
	steps, err := db.dialect.migrations(db.schema)
	if err != nil {
		return 0, nil, err
	}
	done, err := db.appliedMigrations(ctx, create)
	if err != nil {
		return 0, nil, err
	}
	for version, sum := range done {
		if version > len(steps) {
			continue
		}
		if steps[version-1].sum != sum {
			return 0, nil, fmt.Errorf("schema step %s is not the one that this database was made with; run the Unhidra "+
				"release that made it", steps[version-1].name)
		}
	}
	if len(done) > len(steps) {
		return len(done), nil, db.checkNewerSchema(ctx, len(done), len(steps))
	}
	return len(done), steps[len(done):], nil
}

// checkNewerSchema decides whether this program can work with a schema that has more steps
// than it knows. It can if each unknown step is declared compatible with it.
func (db *DB) checkNewerSchema(ctx context.Context, has, knows int) error {
	var declared int
	err := db.writeDB.QueryRowContext(ctx, `SELECT count(*) FROM schema_compatible WHERE version > $1 AND oldest <= $1`,
		knows).Scan(&declared)
	if err == nil && declared == has-knows {
		db.log.InfoContext(ctx, "this database was used by a newer Unhidra, which says that this one can go on with it",
			"schema", has,
			"known", knows)
		return nil
	}
	if err == nil {
		return fmt.Errorf("this database was used by a newer Unhidra (schema %d, this program knows %d); run that version, "+
			"or restore a backup from before the upgrade", has, knows)
	}
	return fmt.Errorf("read which programs the schema is for: %w", err)
}

func (db *DB) appliedMigrations(ctx context.Context, create bool) (map[int]string, error) {
	if create {
		if err := db.createMigrationsTable(ctx); err != nil {
			return nil, fmt.Errorf("read the schema's version: %w", err)
		}
	}
	rows, err := db.writeDB.QueryContext(ctx, `SELECT version, sum FROM schema_migrations`)
	if err != nil {
		if _, _, missing := db.dialect.tableSize(ctx, db, "schema_migrations"); errors.Is(missing, sql.ErrNoRows) {
			return nil, errors.New("this database has no schema yet; run `unhidra migrate`")
		}
		return nil, fmt.Errorf("read the schema's version: %w", err)
	}
	defer func() { _ = rows.Close() }()
	done := make(map[int]string)
	for rows.Next() {
		var version int
		var sum string
		if err := rows.Scan(&version, &sum); err != nil {
			return nil, err
		}
		done[version] = sum
	}
	return done, rows.Err()
}

// createMigrationsTable creates the table of applied migrations if it does not exist.
func (db *DB) createMigrationsTable(ctx context.Context) error {
	tx, err := db.writeDB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if lock := db.dialect.createLock; lock != "" {
		if _, err := tx.ExecContext(ctx, lock); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (
		version BIGINT PRIMARY KEY, sum TEXT NOT NULL, at BIGINT NOT NULL)`)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// applyMigration applies one migration in a transaction, unless another server has applied it
// meanwhile. stepLock makes servers that start at the same time take turns.
func (db *DB) applyMigration(ctx context.Context, m migration) error {
	tx, err := db.writeDB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if lock := db.dialect.stepLock; lock != "" {
		if _, err := tx.ExecContext(ctx, lock); err != nil {
			return err
		}
	}
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM schema_migrations WHERE version = $1`,
		m.version).Scan(&n); err != nil || n > 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, m.text); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_migrations VALUES ($1, $2, $3)`, m.version, m.sum,
		Millis(time.Now())); err != nil {
		return err
	}
	if m.oldest < m.version {
		if _, err := tx.ExecContext(ctx, `INSERT INTO schema_compatible VALUES ($1, $2)`, m.version, m.oldest); err != nil {
			return err
		}
	}
	return tx.Commit()
}
