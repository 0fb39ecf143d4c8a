package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// The instance lock is an advisory lock in PostgreSQL that every server holds, on a connection
// of its own. A server with NATS holds it shared, one without holds it exclusively. PostgreSQL
// releases the lock when the connection ends, however the server ended.
const (
	instanceLock  = 0x756e6869647261 // "unhidra"
	instanceGrace = 3 * time.Second  // until PostgreSQL has noticed that a killed server is gone
	instanceCheck = 5 * time.Second
)

// instanceKeepalive sets TCP keepalives, by which PostgreSQL notices within half a minute that
// a server's machine is gone. They have no effect on a Unix socket.
const instanceKeepalive = `SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval',
	'5', false), set_config('tcp_keepalives_count', '3', false)`

var (
	errOtherServer = errors.New(
		"another Unhidra server is using this PostgreSQL database, and without NATS_URL the two would not hear of each " +
			"other; stop that one, or give all of them the same NATS_URL")
	errStandaloneServer = errors.New(
		"an Unhidra server without NATS_URL is using this PostgreSQL database, and would not hear of this one; stop it, " +
			"and start it with the same NATS_URL")
)

func lockInstancePostgres(ctx context.Context, db *DB, others bool) error {
	deadline := time.Now().Add(instanceGrace)
	for {
		conn, err := db.acquireInstanceLock(ctx, others)
		if err == nil {
			stop, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); db.holdInstanceLock(stop, conn, others) }()
			db.unlockInstance = func() { cancel(); <-done }
			return nil
		}
		if refusal := errors.Is(err, errOtherServer) || errors.Is(err, errStandaloneServer); !refusal ||
			time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// acquireInstanceLock takes the lock on a new connection and returns that connection.
func (db *DB) acquireInstanceLock(ctx context.Context, others bool) (*sql.Conn, error) {
	conn, err := db.pool.conn(ctx)
	if err != nil {
		return nil, err
	}
	lock, refusal := `SELECT pg_try_advisory_lock($1)`, errOtherServer
	if others {
		lock, refusal = `SELECT pg_try_advisory_lock_shared($1)`, errStandaloneServer
	}
	var ok bool
	if _, err = conn.ExecContext(ctx, instanceKeepalive); err == nil {
		err = conn.QueryRowContext(ctx, lock, int64(instanceLock)).Scan(&ok)
	}
	if err == nil && !ok {
		err = refusal
	}
	if err != nil {
		_ = conn.Close() // holds no lock
		return nil, err
	}
	return conn, nil
}

// holdInstanceLock holds the lock until ctx is done. If the connection breaks, it acquires the
// lock again.
func (db *DB) holdInstanceLock(ctx context.Context, conn *sql.Conn, others bool) {
	tick := time.NewTicker(instanceCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if conn != nil {
				// The pool may live on for a moment; the lock should not.
				_, _ = conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock_all()`)
				_ = conn.Close()
			}
			return
		case <-tick.C:
		}
		if conn != nil {
			if conn.PingContext(ctx) == nil {
				continue
			}
			_ = conn.Close() // it is lost
		}
		var err error
		if conn, err = db.acquireInstanceLock(ctx, others); err != nil && ctx.Err() == nil {
			db.log.ErrorContext(ctx, "cannot acquire the instance lock in PostgreSQL; trying again", "err", err)
		}
	}
}
