package accounts

import (
	"context"
	"database/sql"
	"errors"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// RefRow scans a user from a LEFT JOIN that may not have found one.
type RefRow struct{ id, kind, username, display, avatar sql.NullString }

// Dest returns the destinations for the columns id, kind, username, display_name and avatar.
func (n *RefRow) Dest() []any {
	return []any{&n.id, &n.kind, &n.username, &n.display, &n.avatar}
}

// Valid reports whether the user was found.
func (n *RefRow) Valid() bool { return n.id.Valid }

// Ref returns the user, or the zero UserRef.
func (n *RefRow) Ref() domain.UserRef {
	return domain.UserRef{ID: n.id.String, Kind: domain.PrincipalKind(n.kind.String), Username: n.username.String,
		DisplayName: n.display.String, Avatar: n.avatar.String}
}

// Refs returns the users with ids, except those who are disabled or pending.
func Refs(ctx context.Context, t *store.Tx, ids []string) (map[string]domain.UserRef, error) {
	rows, err := t.QueryContext(ctx, `SELECT id, kind, username, display_name, avatar FROM users
		WHERE NOT disabled AND NOT pending AND id IN (`+store.Placeholders(1, len(ids))+`)`, store.Args(ids)...)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, ScanRef)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]domain.UserRef, len(found))
	for _, u := range found {
		byID[u.ID] = u
	}
	return byID, nil
}

// Ref returns a user as others see them, also if disabled.
func Ref(ctx context.Context, q store.Queryer, id string) (domain.UserRef, error) {
	var n RefRow
	err := q.QueryRowContext(ctx, `SELECT id, kind, username, display_name, avatar FROM users WHERE id = $1`,
		id).Scan(n.Dest()...)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.UserRef{}, ErrNoUser()
	}
	return n.Ref(), err
}

// ErrNoUser returns the not_found error for users.
func ErrNoUser() error {
	return domain.NotFound.Errorf(domain.CodeNoUser, "there is no such user")
}

// ScanRef scans a row of the columns of RefRow.Dest.
func ScanRef(rows *sql.Rows) (domain.UserRef, error) {
	var n RefRow
	err := rows.Scan(n.Dest()...)
	return n.Ref(), err
}
