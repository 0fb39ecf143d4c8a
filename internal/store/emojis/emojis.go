// Package emojis has the SQL of emoji that people add to the server.
package emojis

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// Repository stores emoji. The picture of one is a file that is referred to as the avatar of its id, so that it is
// served as avatars are.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// SettingWho is the name of the setting that says who may add emoji, and ByAdmins its value if administrators alone
// may.
const (
	SettingWho = "custom_emoji"
	ByAdmins   = "admins"
)

// CustomEmoji returns all emoji by their names.
func (repo *Repository) CustomEmoji(ctx context.Context) ([]domain.CustomEmoji, error) {
	return emojiWhere(ctx, repo.db, `TRUE ORDER BY e.name`)
}

// OneEmoji returns the emoji with a name. It fails with not_found if there is none.
func (repo *Repository) OneEmoji(ctx context.Context, name string) (domain.CustomEmoji, error) {
	return one(ctx, repo.db, name)
}

// EmojiByAdmins reports whether administrators alone may add emoji.
func (repo *Repository) EmojiByAdmins(ctx context.Context) (bool, error) {
	var value string
	err := repo.db.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, SettingWho).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return value == ByAdmins, err
}

// AddEmoji stores e, whose picture is the file with a hash, and returns it. It fails with conflict if there is one of
// this name, or if the server has too many, or too many of who adds it.
func (repo *Repository) AddEmoji(
	ctx context.Context, e domain.CustomEmoji, hash string, now time.Time,
) (added domain.CustomEmoji, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := t.LockKey(ctx, "custom emoji"); err != nil {
			return err
		}
		var all, own, taken int
		if err := t.QueryRowContext(ctx, `SELECT count(*), count(CASE WHEN user_id = $1 THEN 1 END),
			count(CASE WHEN name = $2 THEN 1 END) FROM custom_emoji`, e.By.ID, e.Name).Scan(&all, &own, &taken); err != nil {
			return err
		}
		switch {
		case taken > 0:
			return domain.ErrEmojiTaken(e.Name)
		case all >= domain.MaxCustomEmoji:
			return domain.Conflict.Errorf(domain.CodeTooManyEmoji,
				"this server has %d emoji of its own, and may have no more; delete some that nobody uses", all)
		case own >= domain.MaxCustomEmojiOfUser:
			return domain.Conflict.Errorf(domain.CodeTooManyEmoji,
				"you have added %d emoji, as many as one person may; delete some that nobody uses", own)
		}
		if err := accounts.ReferAvatar(ctx, t, e.ID, hash, now); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `INSERT INTO custom_emoji (id, name, picture, user_id, created_at)
			VALUES ($1, $2, $3, $4, $5)`, e.ID, e.Name, domain.AvatarOf(hash), e.By.ID, store.Millis(now)); err != nil {
			return err
		}
		added, err = one(ctx, t, e.Name)
		return err
	})
	return added, err
}

// DeleteEmoji deletes the emoji with an id. Messages and reactions keep its name.
func (repo *Repository) DeleteEmoji(ctx context.Context, id string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := accounts.ReferAvatar(ctx, t, id, "", now); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM custom_emoji WHERE id = $1`, id)
		return err
	})
}

// EachEmojiBy calls do for each emoji that user added, and returns how many there are.
func (repo *Repository) EachEmojiBy(
	ctx context.Context, user string, do func(domain.CustomEmoji) error,
) (count int, err error) {
	found, err := emojiWhere(ctx, repo.db, `e.user_id = $1 ORDER BY e.name`, user)
	for _, e := range found {
		if err := do(e); err != nil {
			return count, err
		}
		count++
	}
	return count, err
}

// Require fails with not_found if reaction is by an emoji that people add, and there is none of this name.
func Require(ctx context.Context, t *store.Tx, reaction string) error {
	name, ok := domain.CustomEmojiName(reaction)
	if !ok {
		return nil
	}
	_, err := one(ctx, t, name)
	return err
}

func one(ctx context.Context, q store.Queryer, name string) (domain.CustomEmoji, error) {
	found, err := emojiWhere(ctx, q, `e.name = $1`, name)
	if err != nil {
		return domain.CustomEmoji{}, err
	}
	if len(found) == 0 {
		return domain.CustomEmoji{}, domain.ErrNoEmoji(name)
	}
	return found[0], nil
}

func emojiWhere(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.CustomEmoji, error) {
	rows, err := q.QueryContext(ctx, `SELECT e.id, e.name, e.picture, e.created_at, u.id, u.kind, u.username,
		u.display_name, u.avatar FROM custom_emoji e JOIN users u ON u.id = e.user_id WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (e domain.CustomEmoji, err error) {
		var at int64
		var by accounts.RefRow
		err = rows.Scan(append([]any{&e.ID, &e.Name, &e.Picture, &at}, by.Dest()...)...)
		e.CreatedAt, e.By = store.Time(at), by.Ref()
		return e, err
	})
}
