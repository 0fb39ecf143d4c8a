package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// A dialect is all that differs between the two databases. Queries are written
// once, with $1 placeholders and in the SQL that both understand.
type dialect struct {
	name       string
	forUpdate  string // ends a SELECT that locks its rows; SQLite has no row locks and needs none
	skipLocked string // the same, skipping rows that another transaction has locked
	// pairs is the table function that returns the keys and values of a JSON object.
	pairs string
	// contains is the condition that a column of bytes contains a byte string: "column"
	// stands for the column's name, and ? for the byte string.
	contains string
	// numbered says that placeholders in VALUES lists have numbers. SQLite gets ? alone: it
	// treats numbers as names, and looks each one up among all others.
	numbered bool
	// singleWriter says that every write of the process goes through one connection.
	singleWriter bool
	appenders    int // number of goroutines that write batches
	// createLock and stepLock are statements that keep two programs from changing the
	// schema at once. Each runs inside a transaction.
	createLock, stepLock string
	snapshot             sql.IsolationLevel // of which a transaction sees one moment
	lockKey              string             // serializes transactions with the same key
	// conflict says whether a driver's error is a unique or a foreign key violation.
	conflict func(err error) (unique, foreignKey bool)
	// retry reports whether a transaction that failed with err may run again.
	retry func(err error) bool

	open         func(ctx context.Context, db *DB, o Options) error
	lockInstance func(ctx context.Context, db *DB, others bool) error
	usage        func(ctx context.Context, db *DB) (domain.StoreUsage, error)
	compact      func(ctx context.Context, db *DB) (more bool, err error)
	backup       func(ctx context.Context, db *DB, path string) error
	integrity    func(ctx context.Context, db *DB) error
	version      func(ctx context.Context, db *DB) (string, error) // of the database's program
	// tableSize returns about how many rows and bytes a table has. It fails with
	// sql.ErrNoRows if there is no such table.
	tableSize func(ctx context.Context, db *DB, table string) (rows, bytes int64, err error)
}

// IsUnique reports whether err is a violation of a unique index.
func IsUnique(err error) bool {
	sqliteUnique, _ := sqliteConflict(err)
	postgresUnique, _ := postgresConflict(err)
	return sqliteUnique || postgresUnique
}

// IsForeignKey reports whether err is a violation of a foreign key.
func IsForeignKey(err error) bool {
	_, sqliteForeign := sqliteConflict(err)
	_, postgresForeign := postgresConflict(err)
	return sqliteForeign || postgresForeign
}

// JSONPairs returns SQL for a table of the keys and values of the JSON object arg.
func (db *DB) JSONPairs(arg string) string { return db.dialect.pairs + "(" + arg + ")" }

// SingleWriter reports whether this process is the only server of the database, so that its
// writes have one order. It is true on SQLite.
func (db *DB) SingleWriter() bool { return db.dialect.singleWriter }

// Contains returns the SQL condition that a column of bytes contains the byte string for
// which ? stands.
func (db *DB) Contains(column string) string {
	return strings.ReplaceAll(db.dialect.contains, "column", column)
}

func (d *dialect) valuesList(n, width int) string {
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
