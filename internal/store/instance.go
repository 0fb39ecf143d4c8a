package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// The instance lock: every server holds an advisory lock of its PostgreSQL database, on a
// connection kept for that: shared if it hears of other servers, exclusive if it
// believes to be alone. PostgreSQL lets go of it when the connection ends, however
// the server ended.
const (
	instanceLock  = 0x756e6869647261 // "unhidra"
	instanceGrace = 3 * time.Second  // for the connection of a server that was killed a moment ago
	instanceCheck = 5 * time.Second
)

// Keepalives by which PostgreSQL notices in half a minute that the machine of a
// server is gone. They do nothing on a Unix socket.
const instanceKeepalive = `SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)`

var (
	errNotAlone = errors.New("another Unhidra server is using this PostgreSQL database, and without NATS_URL the two would not hear of each other; stop that one, or give all of them the same NATS_URL")
	errLoner    = errors.New("an Unhidra server without NATS_URL is using this PostgreSQL database, and would not hear of this one; stop it, and start it with the same NATS_URL")
)

func lockInstancePostgres(ctx context.Context, db *DB, others bool) error {
	deadline := time.Now().Add(instanceGrace)
	for {
		conn, err := db.takeInstanceLock(ctx, others)
		if err == nil {
			stop, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); db.keepInstanceLock(stop, conn, others) }()
			db.unlockInstance = func() { cancel(); <-done }
			return nil
		}
		if refusal := errors.Is(err, errNotAlone) || errors.Is(err, errLoner); !refusal || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// takeInstanceLock takes the lock on a connection of its own.
func (db *DB) takeInstanceLock(ctx context.Context, others bool) (*sql.Conn, error) {
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return nil, err
	}
	lock, refusal := `SELECT pg_try_advisory_lock($1)`, errNotAlone
	if others {
		lock, refusal = `SELECT pg_try_advisory_lock_shared($1)`, errLoner
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

// keepInstanceLock keeps the lock until ctx is done, and takes it again after PostgreSQL was
// away.
func (db *DB) keepInstanceLock(ctx context.Context, conn *sql.Conn, others bool) {
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
		if conn, err = db.takeInstanceLock(ctx, others); err != nil && ctx.Err() == nil {
			db.log.Error("cannot tell other servers of this database that this one is here; trying again", "err", err)
		}
	}
}
