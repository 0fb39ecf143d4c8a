package accounts

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// HasAdmin reports whether anybody administers this server.
func (repo *Repository) HasAdmin(ctx context.Context) (has bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND NOT disabled)`).Scan(
		&has)
	return has, err
}

// KeepAdmin refuses to take the last administrator away. It locks all of them, so
// that no two take away each other.
func KeepAdmin(ctx context.Context, t *store.Tx, user string) error {
	rows, err := t.QueryContext(ctx, `SELECT id FROM users WHERE role = 'admin' AND NOT disabled ORDER BY id`+
		t.ForUpdate())
	if err != nil {
		return err
	}
	admins, err := store.Collect(rows, store.ScanString)
	if err == nil && len(admins) == 1 && admins[0] == user {
		err = domain.Conflict.Errorf(domain.CodeLastAdmin,
			"this is the last administrator; make someone else one first")
	}
	return err
}
