package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const userColumns = `u.id, u.kind, u.username, u.display_name, u.email, u.about, u.locale, u.time_zone, u.avatar, u.role, u.disabled, u.pending, u.epoch,
	u.status_mode, u.status_text, u.status_emoji, u.status_expires, u.created_at, u.last_seen_at`

func userDest(u *domain.User, times *[3]int64) []any {
	return []any{
		&u.ID, &u.Kind, &u.Username, &u.DisplayName, &u.Email, &u.About, &u.Locale, &u.TimeZone, &u.Avatar, &u.Role, &u.Disabled, &u.Pending, &u.Epoch,
		&u.Status.Mode, &u.Status.Text, &u.Status.Emoji, &times[0], &times[1], &times[2],
	}
}

func scanUser(rows *sql.Rows) (u domain.User, err error) {
	var times [3]int64
	err = rows.Scan(userDest(&u, &times)...)
	u.Status.Expires, u.CreatedAt, u.LastSeenAt = at(times[0]), at(times[1]), at(times[2])
	return u, err
}

func usersWhere(ctx context.Context, q querier, rest string, args ...any) ([]domain.User, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+userColumns+` FROM users u WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanUser)
}

func oneUser(users []domain.User, err error) (domain.User, error) {
	if err != nil {
		return domain.User{}, err
	}
	if len(users) == 0 {
		return domain.User{}, errNoUser()
	}
	return users[0], nil
}

// UsersByID returns those of ids that exist, in no particular order.
func (db *DB) UsersByID(ctx context.Context, ids []string) ([]domain.User, error) {
	var users []domain.User
	for part := range slices.Chunk(ids, 500) {
		found, err := usersWhere(ctx, db.read, `u.id IN (`+holders(1, len(part))+`)`, anys(part)...)
		if err != nil {
			return nil, err
		}
		users = append(users, found...)
	}
	return users, nil
}

// UserByUsername returns the user with this name, or not_found.
func (db *DB) UserByUsername(ctx context.Context, name string) (domain.User, error) {
	return oneUser(usersWhere(ctx, db.read, `u.username = $1`, strings.ToLower(name)))
}

// UserByEmail returns the user with this address, or not_found.
func (db *DB) UserByEmail(ctx context.Context, email string) (domain.User, error) {
	return oneUser(usersWhere(ctx, db.read, `u.email = $1 AND u.email <> ''`, strings.ToLower(email)))
}

// SearchUsers lists people who are not disabled by username, those whose names
// begin with q, or have a word that does. after is the username of the last one
// of the page before. Devices are not people.
func (db *DB) SearchUsers(ctx context.Context, q, after string, limit int) ([]domain.User, error) {
	like, some := likeName(q)
	if !some {
		return nil, nil
	}
	return usersWhere(ctx, db.read, `NOT u.disabled AND NOT u.pending AND u.kind <> 'device' AND u.username > $1
		AND u.folded LIKE $2 ESCAPE '\' ORDER BY u.username LIMIT $3`, after, like, limit)
}

// AllUsers lists every user by username, without devices, for the operator.
func (db *DB) AllUsers(ctx context.Context) ([]domain.User, error) {
	return usersWhere(ctx, db.read, `u.kind <> 'device' ORDER BY u.username`)
}

// Credentials returns the user whom someone signs in as, by username or e-mail
// address, and the password's record. Nobody of that name is not_found.
func (db *DB) Credentials(ctx context.Context, login string) (u domain.User, password string, err error) {
	var times [3]int64
	err = db.read.QueryRowContext(ctx, `SELECT `+userColumns+`, u.password FROM users u WHERE u.username = $1 OR (u.email <> '' AND u.email = $1)`,
		strings.ToLower(login)).Scan(append(userDest(&u, &times), &password)...)
	if errors.Is(err, sql.ErrNoRows) {
		return u, "", errNoUser()
	}
	u.Status.Expires, u.CreatedAt, u.LastSeenAt = at(times[0]), at(times[1]), at(times[2])
	return u, password, err
}

// CreateUser keeps a new account, with the same commit that uses up what let it
// be made. It replaces one of the same address that nobody has proven.
func (db *DB) CreateUser(ctx context.Context, u domain.User, password string, by domain.Signup, now time.Time) error {
	err := db.write(ctx, func(ctx context.Context, t *tx) error {
		if by.Setup != nil {
			if err := t.claimSetup(ctx, by.Setup, now); err != nil {
				return err
			}
		}
		if by.Invite != nil {
			if err := t.claimSignupInvite(ctx, by.Invite, now); err != nil {
				return err
			}
		}
		return t.createUser(ctx, u, password, now)
	})
	return db.nameTaken(err)
}

// CreateLinkedUser keeps a new account that signs in by a provider, and has no
// password.
func (db *DB) CreateLinkedUser(ctx context.Context, u domain.User, i domain.Identity, now time.Time) error {
	err := db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.createUser(ctx, u, "", now); err != nil {
			return err
		}
		return t.linkIdentity(ctx, i)
	})
	return db.nameTaken(err)
}

func (t *tx) createUser(ctx context.Context, u domain.User, password string, now time.Time) error {
	if err := t.freeEmail(ctx, u.ID, u.Email, now); err != nil {
		return err
	}
	if err := t.freeUsername(ctx, u.Username, now); err != nil {
		return err
	}
	if err := t.freeLook(ctx, u.Username); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `INSERT INTO users (id, kind, username, display_name, email, role, pending, password, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		u.ID, u.Kind, u.Username, u.DisplayName, u.Email, u.Role, u.Pending, password, ms(now))
	if err != nil {
		return err
	}
	return t.foldUser(ctx, u.ID)
}

// nameTaken says what a new account collided with.
func (db *DB) nameTaken(err error) error {
	if unique, _ := db.dialect.conflict(err); unique {
		if strings.Contains(err.Error(), "users_email") || strings.Contains(err.Error(), "users.email") { // the index, or its column
			return errEmailTaken().Because(err)
		}
		e := domain.Conflict.Errorf("name_taken", "this username is taken; choose another, or sign in")
		e.Fields = []domain.Field{{Pointer: "/username", Detail: "taken"}}
		return e.Because(err)
	}
	return err
}

// UpdateProfile changes a user's own profile and returns the account as it is
// then.
func (db *DB) UpdateProfile(ctx context.Context, user string, p domain.Profile) (domain.User, error) {
	return db.changeUser(ctx, user, `display_name = COALESCE($2, display_name), about = COALESCE($3, about),
		locale = COALESCE($4, locale), time_zone = COALESCE($5, time_zone)`, p.DisplayName, p.About, p.Locale, p.TimeZone)
}

// SetStatus changes what a user shows of themselves.
func (db *DB) SetStatus(ctx context.Context, user string, s domain.Status) (domain.User, error) {
	return db.changeUser(ctx, user, `status_mode = $2, status_text = $3, status_emoji = $4, status_expires = $5`, s.Mode, s.Text, s.Emoji, ms(s.Expires))
}

// SetUserRole makes someone an administrator, or no longer one. Every access
// token of theirs ends. The last administrator stays one: conflict.
func (db *DB) SetUserRole(ctx context.Context, user string, role domain.SystemRole) (u domain.User, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if role != domain.SystemAdmin {
			if err := t.keepAdmin(ctx, user); err != nil {
				return err
			}
		}
		u, err = t.raiseEpoch(ctx, user, `role = $2`, role)
		return err
	})
	return u, err
}

// SetUserDisabled keeps someone out, or lets them in again. Keeping out ends
// every session. The last administrator is not kept out: conflict.
func (db *DB) SetUserDisabled(ctx context.Context, user string, disabled bool, now time.Time) (u domain.User, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if disabled {
			if err := t.keepAdmin(ctx, user); err != nil {
				return err
			}
		}
		if u, err = t.raiseEpoch(ctx, user, `disabled = $2`, disabled); err != nil || !disabled {
			return err
		}
		return t.revoke(ctx, `user_id = $3`, "disabled", now, user)
	})
	return u, err
}

// EndSessions ends every session and every token of a user.
func (db *DB) EndSessions(ctx context.Context, user, reason string, now time.Time) (u domain.User, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if u, err = t.raiseEpoch(ctx, user, ``); err != nil {
			return err
		}
		return t.revoke(ctx, `user_id = $3`, reason, now, user)
	})
	return u, err
}

// ReplacePassword gives a user another password: every session ends, and s is
// begun in place of old, which asked for it.
func (db *DB) ReplacePassword(ctx context.Context, user, password, old string, s domain.Session, refresh []byte, now time.Time) (u domain.User, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if u, err = t.raiseEpoch(ctx, user, `password = $2`, password); err != nil {
			return err
		}
		if old != "" { // a script's token has no session
			if _, _, err := t.liveSession(ctx, old, now); err != nil {
				return err
			}
		}
		if err := t.revoke(ctx, `id = $3`, RenewedReason, now, old); err != nil {
			return err
		}
		if err := t.revoke(ctx, `user_id = $3`, "password_changed", now, user); err != nil {
			return err
		}
		return t.createSession(ctx, s, refresh)
	})
	return u, err
}

// Accounts lists users for administrators, by username, after a given one; with
// q those of whom a name or the e-mail address begins with it.
func (db *DB) Accounts(ctx context.Context, q, after string, limit int) ([]domain.User, error) {
	like, some := likeName(q)
	if !some {
		return nil, nil
	}
	return usersWhere(ctx, db.read, `u.username > $1 AND (u.folded LIKE $2 ESCAPE '\' OR u.email LIKE $3 ESCAPE '\')
		ORDER BY u.username LIMIT $4`, after, like, escapeLike(strings.ToLower(q))+"%", limit)
}

// SetPassword replaces the password's record and ends every session.
func (db *DB) SetPassword(ctx context.Context, user, password string, now time.Time) (u domain.User, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if u, err = t.raiseEpoch(ctx, user, `password = $2`, password); err != nil {
			return err
		}
		return t.revoke(ctx, `user_id = $3`, "password_changed", now, user)
	})
	return u, err
}

// UpgradePassword replaces old by another record of the same password. If the
// user's record is not old any more, nothing is changed.
func (db *DB) UpgradePassword(ctx context.Context, user, old, password string) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `UPDATE users SET password = $3 WHERE id = $1 AND password = $2`, user, old, password)
		return err
	})
}

func (db *DB) changeUser(ctx context.Context, user, set string, args ...any) (u domain.User, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		u, err = t.changeUser(ctx, user, set, args...)
		return err
	})
	return u, err
}

func (t *tx) changeUser(ctx context.Context, user, set string, args ...any) (domain.User, error) {
	if _, err := t.ExecContext(ctx, `UPDATE users SET `+set+` WHERE id = $1`, append([]any{user}, args...)...); err != nil {
		return domain.User{}, err
	}
	if strings.Contains(set, "display_name") {
		if err := t.foldUser(ctx, user); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return domain.User{}, err
		}
	}
	return oneUser(usersWhere(ctx, t, `u.id = $1`, user))
}

// SetLastSeen keeps when users were last there.
func (db *DB) SetLastSeen(ctx context.Context, seen map[string]time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		for user, when := range seen {
			if _, err := t.ExecContext(ctx, `UPDATE users SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2`, user, ms(when)); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetAvatar gives a user a picture, known by its hash; an empty hash takes it
// away.
func (db *DB) SetAvatar(ctx context.Context, user, hash, mime string, data []byte) (u domain.User, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if hash != "" {
			_, err := t.ExecContext(ctx, `INSERT INTO avatars (hash, mime, data) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, hash, mime, data)
			if err != nil {
				return err
			}
		}
		var old string
		if err := t.QueryRowContext(ctx, `SELECT avatar FROM users WHERE id = $1`, user).Scan(&old); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `UPDATE users SET avatar = $2 WHERE id = $1`, user, hash); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM avatars WHERE hash = $1 AND NOT EXISTS (SELECT 1 FROM users WHERE avatar = $1)`, old)
		if err != nil {
			return err
		}
		u, err = oneUser(usersWhere(ctx, t, `u.id = $1`, user))
		return err
	})
	return u, err
}

// Avatar returns a picture by its hash.
func (db *DB) Avatar(ctx context.Context, hash string) (mime string, data []byte, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT mime, data FROM avatars WHERE hash = $1`, hash).Scan(&mime, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, domain.NotFound.Errorf("no_avatar", "there is no such picture")
	}
	return mime, data, err
}
