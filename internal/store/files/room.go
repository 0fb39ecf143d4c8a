package files

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/naming"
)

// RoomFiles returns files of the messages of a room that v shows, the newest message first. It checks no permission. Of
// the oldest message of a page some files may be missing: ask with MaxAttachments more than are needed.
func (repo *Repository) RoomFiles(
	ctx context.Context, v domain.View, q domain.RoomFilesQuery,
) ([]domain.RoomFile, error) {
	pattern, some := naming.PrefixPattern(q.Words)
	if !some {
		return nil, nil
	}
	where, args := ``, []any{v.Room, domain.FileReady, q.Limit, v.Since}
	add := func(condition string, v any) {
		args = append(args, v)
		where += ` AND ` + condition + store.Placeholders(len(args), 1)
	}
	if q.Words != "" {
		args = append(args, pattern)
		where += ` AND f.folded LIKE ` + store.Placeholders(len(args), 1) + ` ESCAPE '\'`
	}
	if q.Kind != "" {
		add(`f.kind = `, q.Kind)
	}
	if q.Before > 0 {
		add(`a.seq < `, q.Before)
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT a.seq, e.at, u.id, u.kind, u.username, u.display_name, u.avatar, `+
		columns+` FROM attachments a JOIN files f ON f.id = a.file_id
		JOIN events e ON e.room_id = a.room_id AND e.seq = a.seq AND e.deleted_at = 0
		JOIN users u ON u.id = e.actor_id
		WHERE a.room_id = $1 AND f.state = $2 AND a.seq > $4`+where+` ORDER BY a.seq DESC, a.n LIMIT $3`, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.RoomFile, err error) {
		var at int64
		var sender accounts.RefRow
		r.File, err = scan(rows, append([]any{&r.Seq, &at}, sender.Dest()...)...)
		r.At, r.Sender = store.Time(at), sender.Ref()
		return r, err
	})
}
