package roomlog

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// fillPreviews reads the previews of those messages that may have links, with one query for each room.
func fillPreviews(ctx context.Context, q store.Queryer, rows []Row) error {
	wanted := func(_ Row, m *domain.Message) bool { return m.DeletedAt.IsZero() && domain.MayLink(m.Text) }
	for room, messages := range byRoom(rows, wanted) {
		found, err := q.QueryContext(ctx, `SELECT seq, url, title, description, site, image_id, width, height,
			image_alt, icon_id
			FROM link_previews WHERE room_id = $1 AND NOT removed AND seq IN (`+store.Placeholders(2, len(messages))+`)
			ORDER BY seq, n`, append([]any{room}, seqsOf(messages)...)...)
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
		err := rows.Scan(&seq, &p.URL, &p.Title, &p.Description, &p.Site, &p.Image.ID, &p.Image.Width, &p.Image.Height,
			&p.Image.Alt, &p.Icon.ID)
		if err != nil {
			return err
		}
		for _, m := range messages[seq] {
			m.Previews = append(m.Previews, p)
		}
	}
	return rows.Err()
}
