package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed sql
var migrations embed.FS

// A migration is one step of the schema. Nodes are upgraded one by one, so that
// programs from before a step meet it: a step that they can live with names the
// oldest of them in its first line.
type migration struct {
	version int
	oldest  int // schema that a program must know; version itself: all nodes stop first
	name    string
	text    string
	sum     string
}

var oldestLine = regexp.MustCompile(`\A-- oldest: (\d+)\n`)

func (d *dialect) migrations() ([]migration, error) {
	dir := "sql/" + d.name
	files, err := fs.ReadDir(migrations, dir)
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
		text, err := fs.ReadFile(migrations, dir+"/"+f.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		oldest := version
		if m := oldestLine.FindSubmatch(text); m != nil {
			oldest, _ = strconv.Atoi(string(m[1])) // digits they are
		}
		ms = append(ms, migration{version, oldest, f.Name(), string(text), hex.EncodeToString(sum[:])})
	}
	return ms, nil
}

// migrate brings the schema to this program's version, each step in a
// transaction of its own. With apply false it only checks.
func (db *DB) migrate(ctx context.Context, apply bool) error {
	steps, err := db.dialect.migrations()
	if err != nil {
		return err
	}
	done, err := db.applied(ctx, apply)
	if err != nil {
		return err
	}
	for version, sum := range done {
		if version > len(steps) {
			continue
		}
		if steps[version-1].sum != sum {
			return fmt.Errorf("schema step %s is not the one that this database was made with; run the Unhidra release that made it", steps[version-1].name)
		}
	}
	if len(done) > len(steps) {
		return db.foretold(ctx, len(done), len(steps))
	}
	for _, step := range steps[len(done):] {
		if !apply {
			return fmt.Errorf("this database has schema %d and this program needs %d; run `unhidra migrate`", len(done), len(steps))
		}
		if err := db.step(ctx, step); err != nil {
			return fmt.Errorf("schema step %s: %w", step.name, err)
		}
	}
	return nil
}

// foretold decides whether this program can work with a schema that has more steps
// than it knows: a newer one has declared so of each of them, or it cannot.
func (db *DB) foretold(ctx context.Context, has, knows int) error {
	var declared int
	err := db.write1.QueryRowContext(ctx, `SELECT count(*) FROM schema_compatible WHERE version > $1 AND oldest <= $1`, knows).Scan(&declared)
	if err == nil && declared == has-knows {
		db.log.Info("this database was used by a newer Unhidra, which says that this one can go on with it", "schema", has, "known", knows)
		return nil
	}
	if err == nil {
		return fmt.Errorf("this database was used by a newer Unhidra (schema %d, this program knows %d); run that version, or restore a backup from before the upgrade", has, knows)
	}
	return fmt.Errorf("read which programs the schema is for: %w", err)
}

func (db *DB) applied(ctx context.Context, create bool) (map[int]string, error) {
	if create {
		if err := db.begin(ctx); err != nil {
			return nil, fmt.Errorf("read the schema's version: %w", err)
		}
	}
	rows, err := db.write1.QueryContext(ctx, `SELECT version, sum FROM schema_migrations`)
	if err != nil {
		if !create {
			return nil, fmt.Errorf("this database has no schema yet; run `unhidra migrate`: %w", err)
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

// begin makes the table of the steps that were taken, unless it is there.
func (db *DB) begin(ctx context.Context) error {
	tx, err := db.write1.BeginTx(ctx, nil)
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

// step applies one migration. Two servers that start at once both try; the one
// that comes second finds the row taken and its own work undone.
func (db *DB) step(ctx context.Context, m migration) error {
	tx, err := db.write1.BeginTx(ctx, nil)
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
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM schema_migrations WHERE version = $1`, m.version).Scan(&n); err != nil || n > 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, m.text); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_migrations VALUES ($1, $2, $3)`, m.version, m.sum, Millis(time.Now())); err != nil {
		return err
	}
	if m.oldest < m.version {
		if _, err := tx.ExecContext(ctx, `INSERT INTO schema_compatible VALUES ($1, $2)`, m.version, m.oldest); err != nil {
			return err
		}
	}
	return tx.Commit()
}
