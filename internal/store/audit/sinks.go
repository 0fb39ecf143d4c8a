package audit

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// ClaimAuditSink leases the receiver name to owner until a time, and returns the number of the last
// record that was sent to it. ok is false if another owner holds the lease. A new receiver starts
// with the oldest record.
func (repo *Repository) ClaimAuditSink(
	ctx context.Context, name, owner string, until, now time.Time,
) (seq int64, ok bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		err := t.QueryRowContext(ctx,
			`INSERT INTO audit_sinks (name, seq, dropped, owner, lease_until, updated_at) VALUES ($1, 0, 0, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
			WHERE audit_sinks.owner = excluded.owner OR audit_sinks.lease_until < $4 RETURNING seq`,
			name, owner, store.Millis(until), store.Millis(now)).Scan(&seq)
		ok = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return seq, ok, err
}

// AdvanceAuditSink stores that the receiver has all records up to seq, and that dropped further
// records were deleted before they could be sent. It extends the lease. ok is false if another
// owner has it.
func (repo *Repository) AdvanceAuditSink(
	ctx context.Context, name, owner string, seq, dropped int64, until, now time.Time,
) (ok bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx,
			`UPDATE audit_sinks SET seq = $3, dropped = dropped + $4, lease_until = $5, updated_at = $6 WHERE name = $1
				AND owner = $2`,
			name, owner, seq, dropped, store.Millis(until), store.Millis(now))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		ok = n == 1
		return err
	})
	return ok, err
}

// ReleaseAuditSink ends the lease, so that another node can claim the receiver at once.
func (repo *Repository) ReleaseAuditSink(ctx context.Context, name, owner string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE audit_sinks SET lease_until = 0 WHERE name = $1 AND owner = $2`, name, owner)
		return err
	})
}

// AuditReceivers returns the position of each receiver of the audit log.
func (repo *Repository) AuditReceivers(ctx context.Context) ([]domain.AuditReceiver, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT name, seq, dropped FROM audit_sinks ORDER BY name`)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.AuditReceiver, err error) {
		err = rows.Scan(&r.Name, &r.Seq, &r.Dropped)
		return r, err
	})
}
