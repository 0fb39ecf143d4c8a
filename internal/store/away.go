package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unhidra/unhidra/internal/domain"
)

// awayCodes are what PostgreSQL says, while the server runs, when the database is not
// there for it just now: classes (two characters) and conditions of
// https://www.postgresql.org/docs/current/errcodes-appendix.html. None of them is the
// fault of whoever asked; most need an operator.
var awayCodes = []string{
	"08",    // connection exception
	"28",    // who the server is, is not accepted any more
	"3D",    // the database's name is gone
	"53",    // no room, memory or connection left
	"55",    // not in the state that is needed: it lets nobody in, it is locked
	"57",    // an operator intervened: it stops, starts, recovers
	"58",    // its system failed: input and output
	"25006", // it only reads: a standby, or one that is taken over
	"42501", // the right was taken away
	"42P01", // its tables are gone: restored by halves, or emptied
}

func awayCode(code string) bool {
	return len(code) == 5 && (slices.Contains(awayCodes, code) || slices.Contains(awayCodes, code[:2]))
}

func unavailable(cause error) error {
	return domain.Unavailable.Errorf("store_unavailable", "the server cannot reach its database just now; try again").
		After(retryWrite).Because(cause)
}

// away classifies an error of a statement, which says that the database is not there or
// not usable for now.
func away(err error) error {
	var network net.Error
	switch {
	case err == nil, errors.Is(err, driver.ErrBadConn),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, pgconn.ErrConnClosed),
		awayCode(postgresCode(err)):
		return unavailable(err)
	}
	return err
}

// permanent reports whether PostgreSQL refused a connection for a reason that waiting does
// not change: a wrong name or password.
func permanent(err error) bool {
	code := postgresCode(err)
	return len(code) == 5 && (code[:2] == "28" || code[:2] == "3D" || code == "42501")
}
