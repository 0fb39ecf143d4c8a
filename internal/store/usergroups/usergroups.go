// Package usergroups has the SQL of user groups: people whom messages mention together.
package usergroups

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/naming"
)

// Repository stores user groups.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// UserGroups returns all groups by their handles, as user sees them. If circle is not empty, only those are returned
// with somebody who shares a room with that user, and only such people count.
func (repo *Repository) UserGroups(ctx context.Context, user, circle string) ([]domain.UserGroup, error) {
	return groupsWhere(ctx, repo.db, user, circle, seen+` ORDER BY g.handle`)
}

// UserGroup returns the group with an id or a handle, as user sees it, and who is in it by their usernames. It fails
// with not_found if there is none. circle is as of UserGroups.
func (repo *Repository) UserGroup(
	ctx context.Context, user, circle, which string,
) (g domain.UserGroup, members []domain.UserRef, err error) {
	if g, err = one(groupsWhere(ctx, repo.db, user, circle, seen+` AND (g.id = $3 OR g.handle = $3)`, which)); err != nil {
		return g, nil, err
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar
		FROM user_group_members p JOIN users u ON u.id = p.user_id WHERE p.group_id = $1 AND `+inCircle+`
		ORDER BY u.username`, g.ID, circle)
	if err != nil {
		return g, nil, err
	}
	members, err = store.Collect(rows, accounts.ScanRef)
	return g, members, err
}

// inCircle is the condition that p, of user_group_members, shares a room with $2, or that $2 is empty.
const inCircle = `($2 = '' OR p.user_id IN (SELECT b.user_id FROM members a JOIN members b ON b.room_id = a.room_id
	WHERE a.user_id = $2))`

// seen is the condition that there is somebody in the group g whom inCircle lets through, or that $2 is empty.
const seen = `($2 = '' OR EXISTS (SELECT 1 FROM user_group_members p WHERE p.group_id = g.id AND ` + inCircle + `))`

// CreateUserGroup stores a group with the people who have ids. It fails with conflict if the handle is taken or looks
// like a name that is, or if there are too many groups, and with invalid if one of the people does not exist.
func (repo *Repository) CreateUserGroup(ctx context.Context, g domain.UserGroup, people []string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := t.LockKey(ctx, "user groups"); err != nil {
			return err
		}
		var n int
		if err := t.QueryRowContext(ctx, `SELECT count(*) FROM user_groups`).Scan(&n); err != nil {
			return err
		}
		if n >= domain.MaxUserGroups {
			return domain.Conflict.Errorf(domain.CodeTooManyUserGroups,
				"this server has %d user groups, and may have no more; delete some that nobody needs", n)
		}
		if err := naming.CheckHandle(ctx, t, g.ID, g.Handle); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `INSERT INTO user_groups (id, handle, name, skeleton, created_at)
			VALUES ($1, $2, $3, $4, $5)`, g.ID, g.Handle, g.Name, names.Skeleton(g.Handle),
			store.Millis(g.CreatedAt)); err != nil {
			return err
		}
		return add(ctx, t, g.ID, people)
	})
}

// ChangeUserGroup gives a group another handle and name, where they are not nil. It fails as CreateUserGroup does.
func (repo *Repository) ChangeUserGroup(ctx context.Context, id string, handle, name *string) error {
	return repo.change(ctx, id, func(ctx context.Context, t *store.Tx) error {
		if handle != nil {
			if err := naming.CheckHandle(ctx, t, id, *handle); err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, `UPDATE user_groups SET handle = $2, skeleton = $3 WHERE id = $1`, id, *handle,
				names.Skeleton(*handle)); err != nil {
				return err
			}
		}
		_, err := t.ExecContext(ctx, `UPDATE user_groups SET name = COALESCE($2, name) WHERE id = $1`, id, name)
		return err
	})
}

// DeleteUserGroup deletes a group. Messages that named it stay as they are.
func (repo *Repository) DeleteUserGroup(ctx context.Context, id string) error {
	return repo.change(ctx, id, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM user_groups WHERE id = $1`, id)
		return err
	})
}

// AddToUserGroup has people be in a group, some of whom may be in it already. It fails with conflict if the group then
// has too many.
func (repo *Repository) AddToUserGroup(ctx context.Context, id string, people []string) error {
	return repo.change(ctx, id, func(ctx context.Context, t *store.Tx) error { return add(ctx, t, id, people) })
}

// RemoveFromUserGroup takes a person out of a group. Somebody who is not in it may be named.
func (repo *Repository) RemoveFromUserGroup(ctx context.Context, id, user string) error {
	return repo.change(ctx, id, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM user_group_members WHERE group_id = $1 AND user_id = $2`, id, user)
		return err
	})
}

// change locks a group and changes it by do.
func (repo *Repository) change(ctx context.Context, id string, do func(context.Context, *store.Tx) error) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := t.LockKey(ctx, id); err != nil {
			return err
		}
		if _, err := one(groupsWhere(ctx, t, "", "", seen+` AND g.id = $3`, id)); err != nil {
			return err
		}
		return do(ctx, t)
	})
}

// add has people be in a group.
func add(ctx context.Context, t *store.Tx, group string, people []string) error {
	for _, user := range people {
		res, err := t.ExecContext(ctx, `INSERT INTO user_group_members (group_id, user_id)
			SELECT CAST($1 AS TEXT), id FROM users WHERE id = $2 AND kind = $3 AND NOT disabled AND NOT pending`+
			t.ForUpdate()+` ON CONFLICT (group_id, user_id) DO UPDATE SET user_id = excluded.user_id`, group, user, domain.KindUser)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 {
			return domain.InvalidField("/members", "there is no person %q who may be in a group", user)
		}
	}
	var size int
	if err := t.QueryRowContext(ctx, `SELECT count(*) FROM user_group_members WHERE group_id = $1`,
		group).Scan(&size); err != nil {
		return err
	}
	if size > domain.MaxUserGroupSize {
		return domain.Conflict.Errorf(domain.CodeUserGroupFull,
			"a user group has at most %d people; remove some, or make another group", domain.MaxUserGroupSize)
	}
	return nil
}

// EraseUser takes a user out of all groups.
func EraseUser(ctx context.Context, t *store.Tx, user string) error {
	_, err := t.ExecContext(ctx, `DELETE FROM user_group_members WHERE user_id = $1`, user)
	return err
}

// groupsWhere reads groups g as user sees them, whose circle is $2. rest is what follows WHERE; its arguments begin
// with $3.
func groupsWhere(
	ctx context.Context, q store.Queryer, user, circle, rest string, args ...any,
) ([]domain.UserGroup, error) {
	rows, err := q.QueryContext(ctx, `SELECT g.id, g.handle, g.name, g.created_at,
			(SELECT count(*) FROM user_group_members p WHERE p.group_id = g.id AND `+inCircle+`),
			EXISTS (SELECT 1 FROM user_group_members WHERE group_id = g.id AND user_id = $1)
		FROM user_groups g WHERE `+rest, append([]any{user, circle}, args...)...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (g domain.UserGroup, err error) {
		var at int64
		err = rows.Scan(&g.ID, &g.Handle, &g.Name, &at, &g.Size, &g.Mine)
		g.CreatedAt = store.Time(at)
		return g, err
	})
}

// one returns the only group, or not_found.
func one(found []domain.UserGroup, err error) (domain.UserGroup, error) {
	if err != nil {
		return domain.UserGroup{}, err
	}
	if len(found) == 0 {
		return domain.UserGroup{}, domain.NotFound.Errorf(domain.CodeNoUserGroup, "there is no such user group")
	}
	return found[0], nil
}
