package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/unhidra/unhidra/internal/domain"
)

// connector says of a PostgreSQL that cannot be reached that it is away for now:
// to readers as well, who would otherwise take it for a fault of the server.
type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, away(err)
	}
	if pg, ok := conn.(*stdlib.Conn); ok {
		return awayConn{pg}, nil
	}
	return conn, nil
}

type awayConn struct{ *stdlib.Conn }

// QueryContext shadows the connection's.
func (c awayConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.QueryContext(ctx, query, args)
	return rows, away(err)
}

// ExecContext shadows the connection's.
func (c awayConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	res, err := c.Conn.ExecContext(ctx, query, args)
	return res, away(err)
}

// BeginTx shadows the connection's.
func (c awayConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, o)
	return tx, away(err)
}

// away classifies an error that says that the database is not there: a broken
// connection, or one that it ended or refused because it stops, starts or is full.
func away(err error) error {
	var network net.Error
	switch {
	case err == nil, errors.Is(err, driver.ErrBadConn), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, pgconn.ErrConnClosed),
		slices.Contains([]string{"57P01", "57P02", "57P03", "53300", "08006"}, postgresCode(err)):
		return domain.Unavailable.Errorf("store_unavailable", "the server cannot reach its database just now; try again").After(retryWrite).Because(err)
	}
	return err
}
