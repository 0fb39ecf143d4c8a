package roomlog

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// FileColumns are read by FileRow. f is the file.
const FileColumns = `f.id, f.name, f.size, f.type, f.state, f.width, f.height, f.duration_ms,
	f.thumb_hash, f.thumb_width, f.thumb_height`

// A FileRow is what a message shows of a file.
type FileRow struct {
	f        domain.File
	duration int64
}

// Dest are the destinations of FileColumns.
func (r *FileRow) Dest() []any {
	return []any{&r.f.ID, &r.f.Name, &r.f.Size, &r.f.Type, &r.f.State, &r.f.Width, &r.f.Height, &r.duration,
		&r.f.Thumb.Hash, &r.f.Thumb.Width, &r.f.Thumb.Height}
}

// Value returns the file.
func (r *FileRow) Value() domain.File {
	r.f.Duration = time.Duration(r.duration) * time.Millisecond
	return r.f
}

// FillFiles reads the files of those messages that have some, with one query for each room.
func FillFiles(ctx context.Context, q store.Queryer, rows []Row) error {
	wanted := func(r Row, m *domain.Message) bool { return r.attached != 0 && m.DeletedAt.IsZero() }
	for room, messages := range byRoom(rows, wanted) {
		if err := fillFilesOf(ctx, q, room, messages); err != nil {
			return err
		}
	}
	return nil
}

func fillFilesOf(ctx context.Context, q store.Queryer, room string, messages map[int64][]*domain.Message) error {
	rows, err := q.QueryContext(ctx, `SELECT a.seq, `+FileColumns+` FROM attachments a JOIN files f ON f.id = a.file_id
		WHERE a.room_id = $1 AND a.seq IN (`+store.Placeholders(2, len(messages))+`) ORDER BY a.seq, a.n`,
		append([]any{room}, seqsOf(messages)...)...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq int64
		var r FileRow
		if err := rows.Scan(append([]any{&seq}, r.Dest()...)...); err != nil {
			return err
		}
		for _, m := range messages[seq] {
			m.Files = append(m.Files, r.Value())
		}
	}
	return rows.Err()
}
