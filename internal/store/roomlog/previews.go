package roomlog

import (
	"context"
	"database/sql"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// fillPreviews reads the previews of those messages that may have links, with one query for each room.
func fillPreviews(ctx context.Context, q store.Queryer, rows []Row) error {
	byRoom := make(map[string]map[int64][]*domain.Message)
	for _, r := range rows {
		m := r.Message
		if m == nil || !m.DeletedAt.IsZero() || !strings.Contains(m.Text, "://") {
			continue
		}
		if byRoom[m.Room] == nil {
			byRoom[m.Room] = make(map[int64][]*domain.Message)
		}
		byRoom[m.Room][m.Seq] = append(byRoom[m.Room][m.Seq], m) // an edit has the message as well
	}
	for room, messages := range byRoom {
		seqs := make([]any, 0, len(messages))
		for seq := range messages {
			seqs = append(seqs, seq)
		}
		found, err := q.QueryContext(ctx, `SELECT seq, url, title, description, site, image_id, width, height
			FROM link_previews WHERE room_id = $1 AND NOT removed AND seq IN (`+store.Placeholders(2, len(seqs))+`)
			ORDER BY seq, n`, append([]any{room}, seqs...)...)
		if err != nil {
			return err
		}
		if err := addPreviews(found, messages); err != nil {
			return err
		}
	}
	return nil
}

func addPreviews(rows *sql.Rows, messages map[int64][]*domain.Message) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq int64
		var p domain.LinkPreview
		err := rows.Scan(&seq, &p.URL, &p.Title, &p.Description, &p.Site, &p.Image.ID, &p.Image.Width, &p.Image.Height)
		if err != nil {
			return err
		}
		for _, m := range messages[seq] {
			m.Previews = append(m.Previews, p)
		}
	}
	return rows.Err()
}
