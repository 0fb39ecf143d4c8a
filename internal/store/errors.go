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

// unavailableCodes are the SQLSTATE classes (two characters) and codes that mean, while
// the server runs, that the database cannot be used at the moment:
// https://www.postgresql.org/docs/current/errcodes-appendix.html. The caller's request
// caused none of them; most need an operator.
var unavailableCodes = []string{
	"08",    // connection exception
	"28",    // invalid authorization: the server's login is no longer accepted
	"3D",    // the database does not exist
	"53",    // insufficient resources: disk, memory or connections
	"55",    // object not in the required state: no connections allowed, locked
	"57",    // operator intervention: PostgreSQL stops, starts or recovers
	"58",    // system error: input and output
	"25006", // read-only: a standby, or a primary during a failover
	"42501", // insufficient privilege
	"42P01", // undefined table: an incomplete restore, or a dropped schema
}

func isUnavailableCode(code string) bool {
	return len(code) == 5 && (slices.Contains(unavailableCodes, code) || slices.Contains(unavailableCodes, code[:2]))
}

func errUnavailable(cause error) error {
	return domain.Unavailable.Errorf(domain.CodeStoreUnavailable,
		"the server cannot reach its database just now; try again").
		After(retryWrite).Because(cause)
}

// classify returns an unavailable error if err, from a statement, means that the database
// cannot be reached or used at the moment. It returns other errors unchanged.
func classify(err error) error {
	var network net.Error
	switch {
	case err == nil, errors.Is(err, driver.ErrBadConn),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, pgconn.ErrConnClosed),
		isUnavailableCode(postgresCode(err)):
		return errUnavailable(err)
	}
	return err
}

// isPermanent reports whether PostgreSQL refused a connection for a reason that waiting does
// not change: a wrong user, password or database, or a missing privilege.
func isPermanent(err error) bool {
	code := postgresCode(err)
	return len(code) == 5 && (code[:2] == "28" || code[:2] == "3D" || code == "42501")
}
