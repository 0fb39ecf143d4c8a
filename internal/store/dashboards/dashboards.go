package dashboards

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Dashboard returns the dashboard of a room. One that nobody has arranged is empty, of version 0.
func (repo *Repository) Dashboard(ctx context.Context, room string) (domain.Dashboard, error) {
	return dashboard(ctx, repo.db, room)
}

func dashboard(ctx context.Context, q store.Queryer, room string) (domain.Dashboard, error) {
	d := domain.Dashboard{Room: room}
	var tiles string
	var changed int64
	var by accounts.RefRow
	err := q.QueryRowContext(ctx,
		`SELECT d.version, d.tiles, d.changed_at, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM dashboards d LEFT JOIN users u ON u.id = d.changed_by WHERE d.room_id = $1`, room).
		Scan(append([]any{&d.Version, &tiles, &changed}, by.Dest()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	d.ChangedBy, d.ChangedAt = by.Ref(), store.Time(changed)
	if err := json.Unmarshal([]byte(tiles), &d.Tiles); err != nil {
		return d, fmt.Errorf("tiles of the dashboard of %s: %w", room, err)
	}
	return d, nil
}

// PutDashboard stores the tiles of a room's dashboard in place of those of a version, and returns it. actor must be
// able to write in the room. If the version is another by now, it fails with CodeDashboardChanged.
func (repo *Repository) PutDashboard(
	ctx context.Context, actor string, d domain.Dashboard, now time.Time,
) (out domain.Dashboard, err error) {
	tiles, err := json.Marshal(d.Tiles)
	if err != nil {
		return d, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, _, err := rooms.LockAndAuthorize(ctx, t, d.Room, actor, domain.SendMessage, now); err != nil {
			return err
		}
		before, err := dashboard(ctx, t, d.Room)
		if err != nil {
			return err
		}
		if before.Version != d.Version {
			return domain.Conflict.Errorf(domain.CodeDashboardChanged, "somebody has changed the dashboard; load it again")
		}
		_, err = t.ExecContext(ctx, `INSERT INTO dashboards (room_id, version, tiles, changed_by, changed_at)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (room_id) DO UPDATE SET version = excluded.version, tiles = excluded.tiles,
			changed_by = excluded.changed_by, changed_at = excluded.changed_at`, d.Room, d.Version+1, string(tiles), actor,
			store.Millis(store.Trim(now)))
		if err != nil {
			return err
		}
		out, err = dashboard(ctx, t, d.Room)
		return err
	})
	return out, err
}
