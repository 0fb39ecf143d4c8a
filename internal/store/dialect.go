package store

import (
	"context"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// A dialect is all that differs between the two databases. Queries are written
// once, with $1 placeholders and in the SQL that both understand.
type dialect struct {
	name       string
	forUpdate  string // row lock in a SELECT; SQLite has none and needs none
	skipLocked string // the same, but for rows that somebody else has locked
	// pairs is the function that makes rows of a JSON object.
	pairs string
	// contains is true of a column of bytes that has some bytes in it; "column" stands
	// for its name, and ? for these.
	contains string
	// numbered placeholders in VALUES lists. SQLite gets unnumbered ones: it takes
	// numbers for names, and looks each up among all others.
	numbered bool
	// oneWriter: every write of the process goes through one connection.
	oneWriter bool
	appenders int // that carry out batches
	// createLock and stepLock keep two programs from changing the schema at once, each
	// inside a transaction.
	createLock, stepLock string
	lockKey              string // makes transactions with the same key come one by one
	// conflict says what a driver's error means.
	conflict func(err error) (unique, foreignKey bool)
	// retry reports whether a transaction that failed so may simply run again.
	retry func(err error) bool

	open         func(ctx context.Context, db *DB, o Options) error
	lockInstance func(ctx context.Context, db *DB, others bool) error
	use          func(ctx context.Context, db *DB) (domain.StoreUse, error)
	compact      func(ctx context.Context, db *DB) (more bool, err error)
	backup       func(ctx context.Context, db *DB, path string) error
	integrity    func(ctx context.Context, db *DB) error
}

// IsUnique reports whether err says that a row would break a unique index.
func IsUnique(err error) bool {
	sqliteUnique, _ := sqliteConflict(err)
	postgresUnique, _ := postgresConflict(err)
	return sqliteUnique || postgresUnique
}

// IsForeign reports whether err says that a row would be missing that another one
// refers to.
func IsForeign(err error) bool {
	_, sqliteForeign := sqliteConflict(err)
	_, postgresForeign := postgresConflict(err)
	return sqliteForeign || postgresForeign
}

// JSONPairs returns a table of the keys and values of the JSON object that is an
// argument.
func (db *DB) JSONPairs(arg string) string { return db.dialect.pairs + "(" + arg + ")" }

// Alone reports whether this process is the only server of the database, and its writes
// have one order: on SQLite.
func (db *DB) Alone() bool { return db.dialect.oneWriter }

// Contains returns the condition that a column of bytes has some bytes in it, for
// which ? stands.
func (db *DB) Contains(column string) string {
	return strings.ReplaceAll(db.dialect.contains, "column", column)
}

func (d *dialect) rowsOf(n, width int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		if d.numbered {
			b.WriteString(Placeholders(1+i*width, width))
		} else {
			b.WriteString("?" + strings.Repeat(",?", width-1))
		}
		b.WriteByte(')')
	}
	return b.String()
}
