package devices

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/store"
)

// SeenBy returns those of devices that belong to user, are user, or share a room with user.
func (repo *Repository) SeenBy(ctx context.Context, user string, devices []string) ([]string, error) {
	if len(devices) == 0 {
		return nil, nil
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT d.id FROM devices d WHERE d.id IN (`+
		store.Placeholders(2, len(devices))+`) AND (d.owner_id = $1 OR d.id = $1 OR EXISTS (
		SELECT 1 FROM members a JOIN members b ON b.room_id = a.room_id WHERE a.user_id = $1 AND b.user_id = d.id))
		ORDER BY d.id`, append([]any{user}, store.Args(devices)...)...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// ErasedDevices returns the devices whose owners' accounts were deleted since a time.
func (repo *Repository) ErasedDevices(ctx context.Context, since time.Time) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT d.id FROM devices d JOIN users u ON u.id = d.id
		WHERE u.disabled AND u.folded = '' AND u.display_name = $1 AND u.last_seen_at >= $2 ORDER BY d.id`,
		erasedName, store.Millis(since))
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}
