package roomlog

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const sampled = 64 // messages of a room whose texts are measured

// RoomUsage returns how much of a room is kept. Texts are measured in a sample, so
// that a room of millions costs what a small one does.
func (repo *Repository) RoomUsage(ctx context.Context, r domain.Room) (u domain.RoomUsage, err error) {
	if u.Events = r.Head - r.Floor; u.Events == 0 {
		return u, nil
	}
	args := []any{r.ID}
	for i := range min(sampled, u.Events) {
		args = append(args, r.Floor+1+i*u.Events/min(sampled, u.Events))
	}
	var n, bytes int64
	err = repo.db.QueryRowContext(ctx,
		`SELECT count(*), COALESCE(sum(octet_length(text)), 0) FROM events WHERE room_id = $1 AND seq IN (`+
			store.Placeholders(2, len(args)-1)+`)`,
		args...).Scan(&n, &bytes)
	if n > 0 {
		u.Text = bytes * u.Events / n
	}
	return u, err
}
