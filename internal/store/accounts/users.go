package accounts

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/naming"
)

const userColumns = `u.id, u.kind, u.username, u.display_name, u.email, u.about, u.locale, u.time_zone, u.avatar,
	u.role, u.disabled, u.pending, u.epoch, u.guest_until,
	u.status_mode, u.status_text, u.status_emoji, u.status_expires, u.created_at, u.last_seen_at`

func userDest(u *domain.User, times *[4]int64) []any {
	return []any{
		&u.ID, &u.Kind, &u.Username, &u.DisplayName, &u.Email, &u.About, &u.Locale, &u.TimeZone, &u.Avatar, &u.Role,
		&u.Disabled, &u.Pending, &u.Epoch, &times[3],
		&u.Status.Mode, &u.Status.Text, &u.Status.Emoji, &times[0], &times[1], &times[2],
	}
}

func scanUser(rows *sql.Rows) (u domain.User, err error) {
	var times [4]int64
	err = rows.Scan(userDest(&u, &times)...)
	setTimes(&u, times)
	return u, err
}

func setTimes(u *domain.User, times [4]int64) {
	u.Status.Expires, u.CreatedAt, u.LastSeenAt = store.Time(times[0]), store.Time(times[1]), store.Time(times[2])
	u.GuestUntil = store.Time(times[3])
}

func usersWhere(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.User, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+userColumns+` FROM users u WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanUser)
}

func oneUser(users []domain.User, err error) (domain.User, error) {
	if err != nil {
		return domain.User{}, err
	}
	if len(users) == 0 {
		return domain.User{}, ErrNoUser()
	}
	return users[0], nil
}

// UsersByID returns the users with ids, in no particular order. Those that do not exist are left
// out.
func (repo *Repository) UsersByID(ctx context.Context, ids []string) ([]domain.User, error) {
	return ByIDs(ctx, repo.db, ids)
}

// ByIDs is UsersByID on a database or a transaction.
func ByIDs(ctx context.Context, q store.Queryer, ids []string) ([]domain.User, error) {
	var users []domain.User
	for part := range slices.Chunk(ids, 500) {
		found, err := usersWhere(ctx, q, `u.id IN (`+store.Placeholders(1, len(part))+`)`, store.Args(part)...)
		if err != nil {
			return nil, err
		}
		users = append(users, found...)
	}
	return users, nil
}

// UserByUsername returns the user with this username, or not_found.
func (repo *Repository) UserByUsername(ctx context.Context, name string) (domain.User, error) {
	return oneUser(usersWhere(ctx, repo.db, `u.username = $1`, strings.ToLower(name)))
}

// UserByEmail returns the user with this address, or not_found.
func (repo *Repository) UserByEmail(ctx context.Context, email string) (domain.User, error) {
	return oneUser(usersWhere(ctx, repo.db, `u.email = $1 AND u.email <> ''`, strings.ToLower(email)))
}

// SearchUsers returns people by username, after the username after, whose name has a word that
// begins with q. Disabled and pending accounts, devices and webhooks are left out. If circle is not empty, only those
// are returned who share a room with that user.
func (repo *Repository) SearchUsers(ctx context.Context, q, circle, after string, limit int) ([]domain.User, error) {
	like, some := naming.PrefixPattern(q)
	if !some {
		return nil, nil
	}
	if circle == "" {
		return usersWhere(ctx, repo.db, `NOT u.disabled AND NOT u.pending AND u.username <> u.id AND u.username > $1
			AND u.folded LIKE $2 ESCAPE '\' ORDER BY u.username LIMIT $3`, after, like, limit)
	}
	return usersWhere(ctx, repo.db, `NOT u.disabled AND NOT u.pending AND u.username <> u.id AND u.username > $1
		AND u.folded LIKE $2 ESCAPE '\' AND u.id IN (SELECT b.user_id FROM members a JOIN members b ON b.room_id = a.room_id
		WHERE a.user_id = $4) ORDER BY u.username LIMIT $3`, after, like, limit, circle)
}

// AllUsers returns all users except devices and webhooks, by username. These have their ids for usernames.
func (repo *Repository) AllUsers(ctx context.Context) ([]domain.User, error) {
	return usersWhere(ctx, repo.db, `u.username <> u.id ORDER BY u.username`)
}

// Credentials returns the user with this username or e-mail address, and the password record. If
// there is none, it fails with not_found.
func (repo *Repository) Credentials(ctx context.Context, login string) (u domain.User, password string, err error) {
	var times [4]int64
	err = repo.db.QueryRowContext(ctx, `SELECT `+userColumns+
		`, u.password FROM users u WHERE u.username = $1 OR (u.email <> '' AND u.email = $1)`,
		strings.ToLower(login)).Scan(append(userDest(&u, &times), &password)...)
	if errors.Is(err, sql.ErrNoRows) {
		return u, "", ErrNoUser()
	}
	setTimes(&u, times)
	return u, password, err
}

// CreateUser creates an account. The same commit claims the setup link or invitation in by, and
// deletes a pending account with the same address.
func (repo *Repository) CreateUser(
	ctx context.Context, u domain.User, password string, by domain.Signup, now time.Time,
) error {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, _, err := SignUp(ctx, t, u, password, by, now)
		return err
	})
	return NameTaken(err)
}

// SignUp is CreateUser in a transaction, and its error is for NameTaken. It returns the account, which is that of a
// guest if the invitation is for guests, and the invitation.
func SignUp(
	ctx context.Context, t *store.Tx, u domain.User, password string, by domain.Signup, now time.Time,
) (domain.User, domain.SignupInvite, error) {
	var i domain.SignupInvite
	if by.Setup != nil {
		if err := claimSetup(ctx, t, by.Setup, now); err != nil {
			return u, i, err
		}
	}
	if by.Invite != nil {
		var err error
		if i, err = claimSignupInvite(ctx, t, by.Invite, now); err != nil {
			return u, i, err
		}
	}
	if i.GuestDays > 0 {
		u.Role, u.GuestUntil = domain.SystemGuest, store.Trim(now.AddDate(0, 0, i.GuestDays))
	}
	return u, i, Create(ctx, t, u, password, now)
}

// Create creates an account in a transaction. Its error is for NameTaken.
func Create(ctx context.Context, t *store.Tx, u domain.User, password string, now time.Time) error {
	if err := freeEmail(ctx, t, u.ID, u.Email, now); err != nil {
		return err
	}
	if err := freeUsername(ctx, t, u.Username, now); err != nil {
		return err
	}
	if err := naming.CheckLookalikes(ctx, t, u.Username); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx,
		`INSERT INTO users (id, kind, username, display_name, email, role, pending, password, created_at, guest_until)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		u.ID, u.Kind, u.Username, u.DisplayName, u.Email, u.Role, u.Pending, password, store.Millis(now),
		store.Millis(u.GuestUntil))
	if err != nil {
		return err
	}
	return naming.FoldUser(ctx, t, u.ID)
}

// NameTaken turns a unique violation into the error for the username or address that is taken.
func NameTaken(err error) error {
	if store.IsUnique(err) {
		// the name of the index (PostgreSQL) or of the column (SQLite)
		if strings.Contains(err.Error(), "users_email") || strings.Contains(err.Error(), "users.email") {
			return errEmailTaken().Because(err)
		}
		e := domain.Conflict.Errorf(domain.CodeNameTaken, "this username is already taken; choose another, or sign in")
		e.Fields = []domain.Field{{Pointer: "/username", Detail: "already taken"}}
		return e.Because(err)
	}
	return err
}

// UpdateProfile changes a user's profile and returns the user after the change.
func (repo *Repository) UpdateProfile(ctx context.Context, user string, p domain.Profile) (domain.User, error) {
	return repo.changeUser(ctx, user, `display_name = COALESCE($2, display_name), about = COALESCE($3, about),
		locale = COALESCE($4, locale), time_zone = COALESCE($5, time_zone)`, p.DisplayName, p.About, p.Locale, p.TimeZone)
}

// SetStatus changes a user's status.
func (repo *Repository) SetStatus(ctx context.Context, user string, s domain.Status) (domain.User, error) {
	return repo.changeUser(ctx, user, `status_mode = $2, status_text = $3, status_emoji = $4, status_expires = $5`, s.Mode,
		s.Text, s.Emoji, store.Millis(s.Expires))
}

// SetUserRole makes a user an administrator, or ends that, and ends their access tokens. A guest becomes a regular
// user, also one whose access has ended. It fails with conflict for the last administrator.
func (repo *Repository) SetUserRole(
	ctx context.Context, user string, role domain.SystemRole,
) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if role != domain.SystemAdmin {
			if err := KeepAdmin(ctx, t, user); err != nil {
				return err
			}
		}
		before, err := lockUser(ctx, t, user)
		if err != nil {
			return err
		}
		u, err = raiseEpoch(ctx, t, user, `role = $2, disabled = $3, guest_until = 0, guest_invite = ''`, role,
			before.Disabled && !before.GuestEnded(time.Now()))
		return err
	})
	return u, err
}

// SetUserDisabled disables or enables a user. Disabling ends every session. It fails with conflict
// for the last administrator, and for enabling a guest whose access has ended.
func (repo *Repository) SetUserDisabled(
	ctx context.Context, user string, disabled bool, now time.Time,
) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if disabled {
			if err := KeepAdmin(ctx, t, user); err != nil {
				return err
			}
		} else if u, err = lockUser(ctx, t, user); err == nil && u.GuestEnded(now) {
			return domain.Conflict.Errorf(domain.CodeGuestEnded, "the access of this guest has ended; extend it instead")
		}
		if u, err = raiseEpoch(ctx, t, user, `disabled = $2`, disabled); err != nil || !disabled {
			return err
		}
		return revoke(ctx, t, `user_id = $3`, "disabled", now, user)
	})
	return u, err
}

// ReplacePassword sets the password of a user, ends every session, and creates s in place of old,
// the session that asked for it.
func (repo *Repository) ReplacePassword(
	ctx context.Context, user, password, old string, s domain.Session, refresh []byte, now time.Time,
) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if u, err = raiseEpoch(ctx, t, user, `password = $2`, password); err != nil {
			return err
		}
		if old != "" { // a token made for a script has no session
			if _, _, err := liveSession(ctx, t, old, now); err != nil {
				return err
			}
		}
		if err := revoke(ctx, t, `id = $3`, RenewedReason, now, old); err != nil {
			return err
		}
		if err := revoke(ctx, t, `user_id = $3`, "password_changed", now, user); err != nil {
			return err
		}
		return createSession(ctx, t, s, refresh)
	})
	return u, err
}

// Accounts returns people for administrators, by username, after the username after; devices and bots
// are their owners'. If q is not empty, a name has a word that begins with q, or the e-mail address begins with q. If
// role is not empty, they have it.
func (repo *Repository) Accounts(
	ctx context.Context, q string, role domain.SystemRole, after string, limit int,
) ([]domain.User, error) {
	like, some := naming.PrefixPattern(q)
	if !some {
		return nil, nil
	}
	return usersWhere(ctx, repo.db, `u.kind = $1 AND u.username > $2
		AND (u.folded LIKE $3 ESCAPE '\' OR u.email LIKE $4 ESCAPE '\') AND ($6 = '' OR u.role = $6)
		ORDER BY u.username LIMIT $5`, domain.KindUser, after, like, store.EscapeLike(strings.ToLower(q))+"%", limit, role)
}

// SetPassword replaces the password record and ends every session.
func (repo *Repository) SetPassword(
	ctx context.Context, user, password string, now time.Time,
) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if u, err = raiseEpoch(ctx, t, user, `password = $2`, password); err != nil {
			return err
		}
		return revoke(ctx, t, `user_id = $3`, "password_changed", now, user)
	})
	return u, err
}

// VoidPassword deletes the password and ends every session. Until the user sets another one, they
// sign in only by a link or another method.
func (repo *Repository) VoidPassword(
	ctx context.Context, user, reason string, now time.Time,
) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if u, err = raiseEpoch(ctx, t, user, `password = ''`); err != nil {
			return err
		}
		return revoke(ctx, t, `user_id = $3`, reason, now, user)
	})
	return u, err
}

// UpgradePassword replaces the record old by another one of the same password. If the stored record
// is not old any more, it changes nothing.
func (repo *Repository) UpgradePassword(ctx context.Context, user, old, password string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE users SET password = $3 WHERE id = $1 AND password = $2`, user, old, password)
		return err
	})
}

func (repo *Repository) changeUser(ctx context.Context, user, set string, args ...any) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		u, err = changeUser(ctx, t, user, set, args...)
		return err
	})
	return u, err
}

func changeUser(ctx context.Context, t *store.Tx, user, set string, args ...any) (domain.User, error) {
	t.Invalidate()
	if _, err := t.ExecContext(ctx, `UPDATE users SET `+set+` WHERE id = $1`,
		append([]any{user}, args...)...); err != nil {
		return domain.User{}, err
	}
	if strings.Contains(set, "display_name") {
		if err := naming.FoldUser(ctx, t, user); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return domain.User{}, err
		}
	}
	return oneUser(usersWhere(ctx, t, `u.id = $1`, user))
}

// SetLastSeen stores when users were last online. A time never moves back.
func (repo *Repository) SetLastSeen(ctx context.Context, seen map[string]time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for user, when := range seen {
			if _, err := t.ExecContext(ctx, `UPDATE users SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2`, user,
				store.Millis(when)); err != nil {
				return err
			}
		}
		return nil
	})
}
