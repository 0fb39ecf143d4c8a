package accounts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// refreshGrace is how long after its use a refresh token may be seen again without being taken for
// stolen: two tabs may have raced.
const refreshGrace = 20 * time.Second

const sessionColumns = `s.id, s.user_id, s.created_at, s.last_seen_at, s.idle_expires, s.expires_at, s.auth_at,
	s.amr, s.ip, s.user_agent`

func scanSession(rows *sql.Rows) (s domain.Session, err error) {
	var created, seen, idle, expires, auth int64
	var amr string
	err = rows.Scan(&s.ID, &s.User, &created, &seen, &idle, &expires, &auth, &amr, &s.IP, &s.UserAgent)
	s.CreatedAt, s.LastSeen, s.Idle, s.Expires, s.AuthTime = store.Time(created), store.Time(seen), store.Time(idle),
		store.Time(expires), store.Time(auth)
	s.AMR = strings.Fields(amr)
	return s, err
}

// BeginSession consumes the proof p and creates a session with the hash of its first refresh token.
// If the user is disabled or has another epoch, it fails with unauthorized.
func (repo *Sessions) BeginSession(
	ctx context.Context, s domain.Session, epoch int64, refresh []byte, p domain.Proof,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := standing(ctx, t, s.User, epoch); err != nil {
			return err
		}
		return begin(ctx, t, s, refresh, p)
	})
}

// begin consumes the proof of a user and creates the session.
func begin(ctx context.Context, t *store.Tx, s domain.Session, refresh []byte, p domain.Proof) error {
	if err := use(ctx, t, s.User, p, s.CreatedAt); err != nil {
		return err
	}
	return createSession(ctx, t, s, refresh)
}

func createSession(ctx context.Context, t *store.Tx, s domain.Session, refresh []byte) error {
	_, err := t.ExecContext(ctx,
		`INSERT INTO sessions (id, user_id, created_at, last_seen_at, idle_expires, expires_at, auth_at, amr, ip, user_agent)
		VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9)`,
		s.ID, s.User, store.Millis(s.CreatedAt), store.Millis(s.Idle), store.Millis(s.Expires), store.Millis(s.AuthTime),
		strings.Join(s.AMR, " "), s.IP, s.UserAgent)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO refresh_tokens (hash, session_id, created_at) VALUES ($1, $2, $3)`, refresh,
		s.ID, store.Millis(s.CreatedAt))
	return err
}

// ClaimRefresh replaces the refresh token hash by next. next must be derived from the token, so
// that a retry passes the same one. Until next is used, the same call succeeds again, because the
// answer to the first may have been lost; this also holds for the answer of RenewSession. If a
// token is seen after next was used, one of the two holders stole it: ClaimRefresh ends the
// session, sets Reused and fails. Within 20 s after its use it fails with the conflict
// refresh_raced instead, because tabs may race.
func (repo *Sessions) ClaimRefresh(
	ctx context.Context, hash, next []byte, idle time.Duration, now time.Time,
) (r domain.Refreshed, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r = domain.Refreshed{}
		var session string
		err := t.QueryRowContext(ctx,
			`UPDATE refresh_tokens SET used_at = $2 WHERE hash = $1 AND used_at = 0 RETURNING session_id`, hash,
			store.Millis(now)).Scan(&session)
		if errors.Is(err, sql.ErrNoRows) {
			return reused(ctx, t, hash, next, &r, now)
		}
		if err != nil {
			return err
		}
		if r.Session, r.User, err = liveSession(ctx, t, session, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO refresh_tokens (hash, session_id, created_at) VALUES ($1, $2, $3)`, next,
			session, store.Millis(now))
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE sessions SET last_seen_at = $2, idle_expires = $3 WHERE id = $1`, session,
			store.Millis(now), store.Millis(now.Add(idle)))
		return err
	})
	if err == nil && r.Reused {
		err = errSignedOut()
	}
	return r, err
}

// reused handles a token that was used before, by a refresh or by RenewSession.
func reused(ctx context.Context, t *store.Tx, hash, next []byte, r *domain.Refreshed, now time.Time) error {
	var before domain.Session
	var used, revoked int64
	var reason string
	err := t.QueryRowContext(ctx, `SELECT r.session_id, r.used_at, s.user_id, s.revoked_at, s.reason FROM refresh_tokens r
		JOIN sessions s ON s.id = r.session_id WHERE r.hash =
		$1`, hash).Scan(&before.ID, &used, &before.User, &revoked, &reason)
	if err == nil && revoked != 0 && reason == domain.EndedGuest {
		return ended(ctx, t, before.ID, now)
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && revoked != 0 && reason != RenewedReason {
		return errSignedOut()
	}
	if err != nil {
		return err
	}
	after, unused := before, false
	err = t.QueryRowContext(ctx, `SELECT r.session_id, r.used_at = 0, s.revoked_at FROM refresh_tokens r
		JOIN sessions s ON s.id = r.session_id WHERE r.hash = $1`, next).Scan(&after.ID, &unused, &revoked)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	switch {
	case revoked != 0:
		return ended(ctx, t, after.ID, now)
	case unused:
		return lostAnswer(ctx, t, before.ID, after.ID, r, now)
	case now.Sub(store.Time(used)) < refreshGrace:
		return errRaced()
	}
	r.Reused, r.Session.ID, r.Session.User = true, after.ID, before.User
	return revoke(ctx, t, `id = $3`, "refresh_reused", now, after.ID)
}

// lostAnswer returns the session after to the holder of the token before its own. If RenewSession
// replaced the session before by after, then after takes over the authentication time and methods
// of before: the token alone has not proven more.
func lostAnswer(
	ctx context.Context, t *store.Tx, before, after string, r *domain.Refreshed, now time.Time,
) (err error) {
	if before != after {
		_, err = t.ExecContext(ctx, `UPDATE sessions SET auth_at = (SELECT auth_at FROM sessions WHERE id = $2),
			amr = (SELECT amr FROM sessions WHERE id = $2) WHERE id = $1`, after, before)
		if err != nil {
			return err
		}
	}
	r.Session, r.User, err = liveSession(ctx, t, after, now)
	return err
}

func liveSession(
	ctx context.Context, t *store.Tx, id string, now time.Time,
) (s domain.Session, u domain.User, err error) {
	rows, err := t.QueryContext(ctx, `SELECT `+sessionColumns+
		` FROM sessions s WHERE s.id = $1 AND s.revoked_at = 0 AND s.idle_expires > $2 AND s.expires_at > $2`, id,
		store.Millis(now))
	if err != nil {
		return s, u, err
	}
	found, err := store.Collect(rows, scanSession)
	if err != nil {
		return s, u, err
	}
	if len(found) == 0 {
		return s, u, ended(ctx, t, id, now)
	}
	if u, err = oneUser(usersWhere(ctx, t, `u.id = $1`, found[0].User)); err != nil {
		return s, u, err
	}
	if u.GuestEnded(now) {
		return s, u, domain.ErrGuestEnded(u.GuestUntil)
	}
	if u.Disabled || u.Pending {
		return s, u, errSignedOut()
	}
	return found[0], u, nil
}

// ended returns the error for a session that is not alive. If it was renewed within refreshGrace, a
// tab has not seen its new tokens yet, and the error is refresh_raced.
func ended(ctx context.Context, t *store.Tx, id string, now time.Time) error {
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM sessions WHERE id = $1 AND reason = $2 AND revoked_at > $3`, id,
		RenewedReason, store.Millis(now.Add(-refreshGrace))).Scan(&n)
	if err == nil && n > 0 {
		return errRaced()
	}
	if err != nil {
		return err
	}
	users, err := usersWhere(ctx, t, `u.id = (SELECT user_id FROM sessions WHERE id = $1)`, id)
	if err == nil && len(users) > 0 && users[0].GuestEnded(now) {
		return domain.ErrGuestEnded(users[0].GuestUntil)
	}
	return errors.Join(err, errSignedOut())
}

func errRaced() error {
	return domain.Conflict.Errorf(domain.CodeRefreshRaced,
		"this token was renewed just now by another tab; use the new one")
}

func errSignedOut() error {
	return domain.Unauthorized.Errorf(domain.CodeSignedOut, "this session has ended; sign in again")
}

// SessionOf returns the session and user of a refresh token, used or not. Both are empty if there
// is no such token.
func (repo *Sessions) SessionOf(ctx context.Context, refresh []byte) (session, user string, err error) {
	err = repo.db.QueryRowContext(ctx,
		`SELECT s.id, s.user_id FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id WHERE r.hash = $1`,
		refresh).Scan(&session, &user)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return session, user, err
}

// Sessions returns a user's sessions that are alive, last used first.
func (repo *Sessions) Sessions(ctx context.Context, user string, now time.Time) ([]domain.Session, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+sessionColumns+
		` FROM sessions s WHERE s.user_id = $1 AND s.revoked_at = 0 AND s.idle_expires > $2 AND s.expires_at > $2
		ORDER BY s.last_seen_at DESC, s.id`, user, store.Millis(now))
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanSession)
}

// RenewSession replaces the session old by s after the user has proven their identity again, and
// consumes that proof. Both happen in one commit, and s expires when old would have. next is given
// the hash of old's current refresh token, which is consumed, and returns the hash of the new one.
// If the answer is lost, ClaimRefresh finds the new session by it. next may be called more than
// once.
func (repo *Sessions) RenewSession(
	ctx context.Context, old string, s domain.Session, next func(current []byte) []byte, p domain.Proof, now time.Time,
) (domain.Session, error) {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := lockUser(ctx, t, s.User); err != nil {
			return err
		}
		before, _, err := liveSession(ctx, t, old, now)
		if err != nil {
			return err
		}
		if before.User != s.User {
			return errSignedOut()
		}
		if err := use(ctx, t, s.User, p, now); err != nil {
			return err
		}
		s.Expires, s.CreatedAt = before.Expires, before.CreatedAt
		if err := revoke(ctx, t, `id = $3`, RenewedReason, now, old); err != nil {
			return err
		}
		var current []byte
		err = t.QueryRowContext(ctx,
			`UPDATE refresh_tokens SET used_at = $2 WHERE session_id = $1 AND used_at = 0 RETURNING hash`, old,
			store.Millis(now)).
			Scan(&current)
		if err != nil {
			return err
		}
		if err := createSession(ctx, t, s, next(current)); err != nil {
			return err
		}
		// The same browser goes on to get pushes.
		_, err = t.ExecContext(ctx, `UPDATE push_subscriptions SET session_id = $2 WHERE session_id = $1`, old, s.ID)
		return err
	})
	return s, err
}

// RenewedReason is the end reason of sessions that were replaced by RenewSession.
const RenewedReason = "renewed"

// RevokeOthers ends every session of user except keep, and returns their ids. It also ends flows
// and tickets, and forgets the remembered browsers.
func (repo *Sessions) RevokeOthers(
	ctx context.Context, user, keep, reason string, now time.Time,
) (ended []string, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := lockUser(ctx, t, user); err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx,
			`UPDATE sessions SET revoked_at = $1, reason = $2 WHERE revoked_at = 0 AND user_id = $3 AND id <> $4 RETURNING id`,
			store.Millis(now), reason, user, keep)
		if err != nil {
			return err
		}
		if ended, err = store.Collect(rows, store.ScanString); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM remembered WHERE user_id = $1`, user); err != nil {
			return err
		}
		return endBegun(ctx, t, user)
	})
	return ended, err
}

// RevokeSessionOf ends a session of user, or fails with not_found. It also ends the user's flows
// and tickets, because that session may have begun them.
func (repo *Sessions) RevokeSessionOf(ctx context.Context, user, id, reason string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx,
			`UPDATE sessions SET revoked_at = $1, reason = $2 WHERE revoked_at = 0 AND user_id = $3 AND id = $4`,
			store.Millis(now), reason, user, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.NotFound.Errorf(domain.CodeNoSession,
				"there is no such session, or it has ended"))
		}
		return endBegun(ctx, t, user)
	})
}

func (repo *Sessions) RevokeSession(ctx context.Context, id, reason string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		return revoke(ctx, t, `id = $3`, reason, now, id)
	})
}

func revoke(ctx context.Context, t *store.Tx, which, reason string, now time.Time, arg string) error {
	_, err := t.ExecContext(ctx, `UPDATE sessions SET revoked_at = $1, reason = $2 WHERE revoked_at = 0 AND `+which,
		store.Millis(now), reason, arg)
	return err
}

// Revocations returns the sessions that any server or command has revoked since a time. A server
// calls it to learn of what the bus did not deliver.
func (repo *Sessions) Revocations(ctx context.Context, since time.Time) ([]domain.Revocation, error) {
	rows, err := repo.db.QueryContext(ctx,
		`SELECT s.user_id, s.id, u.epoch, s.reason FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.revoked_at >= $1`,
		store.Millis(since))
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.Revocation, err error) {
		err = rows.Scan(&r.User, &r.Session, &r.Epoch, &r.Reason)
		return r, err
	})
}

// EpochsAbove returns the epochs of users that are higher than the known ones. Disabling a user,
// for example, raises the epoch above that of all their tokens. It looks up each known user, and
// allocates only for those returned.
func (repo *Sessions) EpochsAbove(ctx context.Context, known map[string]int64) (map[string]int64, error) {
	b, err := json.Marshal(known)
	if err != nil {
		return nil, err
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT k.key, COALESCE(u.epoch, $2) FROM `+repo.db.JSONPairs("$1")+
		` k LEFT JOIN users u ON u.id = k.key
		WHERE u.epoch IS NULL OR u.epoch > CAST(k.value AS BIGINT)`, string(b), domain.NoEpoch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	risen := make(map[string]int64)
	for rows.Next() {
		var user string
		var epoch int64
		if err := rows.Scan(&user, &epoch); err != nil {
			return nil, err
		}
		risen[user] = epoch
	}
	return risen, rows.Err()
}

// EndSessions ends every session and access token of a user.
func (repo *Sessions) EndSessions(ctx context.Context, user, reason string, now time.Time) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if u, err = raiseEpoch(ctx, t, user, ``); err != nil {
			return err
		}
		return revoke(ctx, t, `user_id = $3`, reason, now, user)
	})
	return u, err
}
