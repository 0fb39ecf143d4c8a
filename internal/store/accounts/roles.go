package accounts

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// HasAdmin reports whether the server has an administrator who is not disabled.
func (repo *Repository) HasAdmin(ctx context.Context) (has bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND NOT disabled)`).Scan(
		&has)
	return has, err
}

// KeepAdmin fails if user is the last administrator. It locks all administrators, so that two of
// them cannot remove each other concurrently.
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
