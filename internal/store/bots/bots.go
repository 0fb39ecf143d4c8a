// Package bots has the SQL of accounts of programs, and of the tokens by which these come.
package bots

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// A Repository stores bots.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

const tokenColumns = `k.id, k.bot_id, b.owner_id, k.name, k.can_read, k.can_write, k.can_files,
	k.can_manage, k.rooms, k.created_at, k.used_at`

func scanToken(rows *sql.Rows) (k domain.BotToken, err error) {
	var rooms string
	var created, used int64
	err = rows.Scan(&k.ID, &k.Bot, &k.Owner, &k.Name, &k.Read, &k.Write, &k.Files, &k.Manage, &rooms, &created, &used)
	k.CreatedAt, k.UsedAt = store.Time(created), store.Time(used)
	if rooms != "" {
		k.Rooms = strings.Fields(rooms)
	}
	return k, err
}

func tokens(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.BotToken, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+tokenColumns+` FROM bot_tokens k JOIN bots b ON b.id = k.bot_id `+rest,
		args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanToken)
}

func oneToken(found []domain.BotToken, err error) (domain.BotToken, error) {
	if err != nil {
		return domain.BotToken{}, err
	}
	if len(found) == 0 {
		return domain.BotToken{}, errNoBot()
	}
	return found[0], nil
}

func errNoBot() error {
	return domain.NotFound.Errorf(domain.CodeNoBot, "there is no such bot or token, or it is not yours")
}

// CreateBot stores a bot of an owner with its first token. It fails with conflict if the owner has domain.MaxBots, and
// with not_found if the owner is disabled or deleted.
func (repo *Repository) CreateBot(
	ctx context.Context, b domain.Bot, k domain.BotToken, hash []byte, now time.Time,
) error {
	now = store.Trim(now)
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := lockOwner(ctx, t, b.Owner); err != nil {
			return err
		}
		u := domain.User{ID: b.User.ID, Kind: domain.KindBot, Role: domain.SystemUser, Username: b.User.Username,
			DisplayName: b.User.DisplayName}
		if err := accounts.Create(ctx, t, u, "", now); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO bots (id, owner_id, created_at) VALUES ($1, $2, $3)`, b.User.ID, b.Owner,
			store.Millis(now))
		if err != nil {
			return err
		}
		return insertToken(ctx, t, b.Owner, k, hash, now)
	})
	return accounts.NameTaken(err)
}

// lockOwner locks the row of an owner, so that concurrent requests cannot exceed the limit and nobody is deleted
// meanwhile. It fails if the owner has domain.MaxBots.
func lockOwner(ctx context.Context, t *store.Tx, owner string) error {
	var n int
	err := t.QueryRowContext(ctx, `SELECT 1 FROM users WHERE id = $1 AND NOT disabled`+t.ForUpdate(), owner).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return accounts.ErrNoUser()
	}
	if err != nil {
		return err
	}
	err = t.QueryRowContext(ctx, `SELECT count(*) FROM bots WHERE owner_id = $1`, owner).Scan(&n)
	if err == nil && n >= domain.MaxBots {
		err = domain.Conflict.Errorf(domain.CodeTooManyBots,
			"you have as many bots as one person may have (%d); delete one first", n)
	}
	return err
}

func insertToken(ctx context.Context, t *store.Tx, owner string, k domain.BotToken, hash []byte, now time.Time) error {
	for _, room := range k.Rooms {
		var n int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM members WHERE room_id = $1 AND user_id IN ($2, $3)`, room, owner,
			k.Bot).Scan(&n)
		if err == nil && n == 0 {
			err = domain.InvalidField("/token/rooms", "neither you nor the bot is in the room %s", room)
		}
		if err != nil {
			return err
		}
	}
	_, err := t.ExecContext(ctx, `INSERT INTO bot_tokens (id, bot_id, name, hash, can_read, can_write, rooms, created_at,
		can_files, can_manage) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, k.ID, k.Bot, k.Name, hash, k.Read, k.Write,
		strings.Join(k.Rooms, " "), store.Millis(now), k.Files, k.Manage)
	return err
}

// Bots returns the bots of an owner with their tokens, by id, which is the order in which they were made.
func (repo *Repository) Bots(ctx context.Context, owner string) ([]domain.Bot, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT b.created_at, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM bots b JOIN users u ON u.id = b.id WHERE b.owner_id = $1 ORDER BY b.id`, owner)
	if err != nil {
		return nil, err
	}
	all, err := store.Collect(rows, func(rows *sql.Rows) (b domain.Bot, err error) {
		var created int64
		var u accounts.RefRow
		err = rows.Scan(append([]any{&created}, u.Dest()...)...)
		return domain.Bot{User: u.Ref(), Owner: owner, CreatedAt: store.Time(created)}, err
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Tokens, err = tokens(ctx, repo.db, `WHERE k.bot_id = $1 ORDER BY k.id`, all[i].User.ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Own locks a bot and returns an error unless it is one of owner's.
func Own(ctx context.Context, t *store.Tx, owner, bot string) error {
	var id string
	err := t.QueryRowContext(ctx, `SELECT id FROM bots WHERE id = $1 AND owner_id = $2`+t.ForUpdate(), bot,
		owner).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoBot()
	}
	return err
}

// AddToken stores one more token of a bot of owner. It fails with conflict if the bot has domain.MaxBotTokens.
func (repo *Repository) AddToken(
	ctx context.Context, owner string, k domain.BotToken, hash []byte, now time.Time,
) error {
	now = store.Trim(now)
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := Own(ctx, t, owner, k.Bot); err != nil {
			return err
		}
		var n int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM bot_tokens WHERE bot_id = $1`, k.Bot).Scan(&n)
		if err != nil {
			return err
		}
		if n >= domain.MaxBotTokens {
			return domain.Conflict.Errorf(domain.CodeTooManyBots,
				"the bot has as many tokens as a bot may have (%d); revoke one first", n)
		}
		return insertToken(ctx, t, owner, k, hash, now)
	})
}

// RevokeToken deletes a token of a bot of owner.
func (repo *Repository) RevokeToken(ctx context.Context, owner, bot, id string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := Own(ctx, t, owner, bot); err != nil {
			return err
		}
		if _, err := oneToken(tokens(ctx, t, `WHERE k.id = $1 AND k.bot_id = $2`, id, bot)); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM bot_tokens WHERE id = $1`, id)
		return err
	})
}

// TokenByHash returns the token with a hash, unless its bot or the owner of this is disabled.
func (repo *Repository) TokenByHash(ctx context.Context, hash []byte) (domain.BotToken, error) {
	return oneToken(tokens(ctx, repo.db, able+`WHERE k.hash = $1`, hash))
}

// TokenByID is TokenByHash by the token's id.
func (repo *Repository) TokenByID(ctx context.Context, id string) (domain.BotToken, error) {
	return oneToken(tokens(ctx, repo.db, able+`WHERE k.id = $1`, id))
}

const able = `JOIN users u ON u.id = b.id AND NOT u.disabled
	JOIN users o ON o.id = b.owner_id AND NOT o.disabled `

// NoteToken stores that a token was used.
func (repo *Repository) NoteToken(ctx context.Context, id string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE bot_tokens SET used_at = $2 WHERE id = $1`, id, store.Millis(now))
		return err
	})
}

// BotRooms returns the rooms that a bot is in, by id. Whoever is new in a room has read it up to their arrival, and
// bots mark nothing as read.
func (repo *Repository) BotRooms(ctx context.Context, bot string) ([]domain.BotRoom, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT m.room_id, m.read_seq, m.since, r.head FROM members m
		JOIN rooms r ON r.id = m.room_id WHERE m.user_id = $1 ORDER BY m.room_id`, bot)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.BotRoom, err error) {
		err = rows.Scan(&r.ID, &r.Joined, &r.Since, &r.Head)
		return r, err
	})
}

// InRoom returns those bots of owner that are in room.
func InRoom(ctx context.Context, t *store.Tx, room, owner string) ([]domain.UserRef, error) {
	rows, err := t.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar FROM bots b
		JOIN members m ON m.user_id = b.id AND m.room_id = $1 JOIN users u ON u.id = b.id WHERE b.owner_id = $2
		ORDER BY b.id`, room, owner)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, accounts.ScanRef)
}

// Of returns the ids of the bots of owner.
func Of(ctx context.Context, t *store.Tx, owner string) ([]string, error) {
	rows, err := t.QueryContext(ctx, `SELECT id FROM bots WHERE owner_id = $1 ORDER BY id`, owner)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// Erase deletes what makes a user a bot, if it is one: its owner and its tokens; and what they asked assistants, but an
// answer that is being written.
func Erase(ctx context.Context, t *store.Tx, user string) error {
	for _, what := range []string{`bots WHERE id = $1`, `assistant_answers WHERE asker_id = $1 AND state <> 'running'`} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+what, user); err != nil {
			return err
		}
	}
	return nil
}
