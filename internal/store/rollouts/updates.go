package rollouts

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// What changes without the device stands in columns alone, and the version in the rollout; all else is in data.
const updateColumns = `u.data, u.state, u.excluded, u.changed_at, u.due_at,
	(SELECT r.version FROM rollouts r WHERE r.id = u.rollout_id)`

func scanUpdate(rows *sql.Rows) (domain.Update, error) { return scanUpdateWith(rows) }

func scanUpdateWith(rows *sql.Rows, rest ...any) (u domain.Update, err error) {
	var data, version string
	var state domain.UpdateState
	var excluded bool
	var changed, due int64
	if err := rows.Scan(append([]any{&data, &state, &excluded, &changed, &due, &version}, rest...)...); err != nil {
		return u, err
	}
	err = json.Unmarshal([]byte(data), &u)
	u.State, u.Excluded, u.ChangedAt, u.Due = state, excluded, store.Time(changed), store.Time(due)
	u.Version = version
	return u, err
}

func updates(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.Update, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+updateColumns+` FROM rollout_updates u WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanUpdate)
}

// Updates returns the devices of a rollout that are in one of some states, or in any, by the ids of their updates:
// after the id after.
func (repo *Repository) Updates(
	ctx context.Context, rollout string, state domain.UpdateState, after string, limit int,
) ([]domain.Update, error) {
	return updates(ctx, repo.db, `u.rollout_id = $1 AND ($2 = '' OR u.state = $2) AND u.id > $3 ORDER BY u.id LIMIT $4`,
		rollout, state, after, limit)
}

// Update returns an update.
func (repo *Repository) Update(ctx context.Context, id string) (domain.Update, error) {
	return oneUpdate(ctx, repo.db, `u.id = $1`, id)
}

func oneUpdate(ctx context.Context, q store.Queryer, rest string, args ...any) (domain.Update, error) {
	found, err := updates(ctx, q, rest, args...)
	if err == nil && len(found) == 0 {
		err = domain.ErrNoUpdate()
	}
	if err != nil {
		return domain.Update{}, err
	}
	return found[0], nil
}

// DeviceUpdates returns the updates of a device, the newest first.
func (repo *Repository) DeviceUpdates(ctx context.Context, device string, limit int) ([]domain.Update, error) {
	return updates(ctx, repo.db, `u.device_id = $1 ORDER BY u.id DESC LIMIT $2`, device, limit)
}

// Offered returns the updates of devices that were offered one since a moment, and have not answered.
func (repo *Repository) Offered(ctx context.Context, since time.Time, limit int) ([]domain.Update, error) {
	return updates(ctx, repo.db, `u.state = 'offered' AND u.offered_at >= $1 ORDER BY u.offered_at LIMIT $2`,
		store.Millis(since), limit)
}

func saveUpdate(ctx context.Context, t *store.Tx, u domain.Update) error {
	data, err := json.Marshal(u)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO rollout_updates (id, rollout_id, device_id, state, stage, chip, revision,
		image, why, excluded, offered_at, ended_at, changed_at, due_at, crashes_before, ran_before, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, stage = excluded.stage, chip = excluded.chip,
		revision = excluded.revision, image = excluded.image, why = excluded.why, excluded = excluded.excluded,
		offered_at = excluded.offered_at, ended_at = excluded.ended_at, changed_at = excluded.changed_at,
		due_at = excluded.due_at, crashes_before = excluded.crashes_before, ran_before = excluded.ran_before,
		data = excluded.data`, u.ID, u.Rollout, u.Device, u.State, u.Stage, u.Hardware.Chip, u.Hardware.Revision, u.Image,
		u.Why(), u.Excluded, store.Millis(u.OfferedAt), store.Millis(u.EndedAt), store.Millis(u.ChangedAt),
		store.Millis(u.Due), u.Crashes, u.Ran.Milliseconds(), string(data))
	return err
}

// Counts returns what a rollout is judged by.
func (repo *Repository) Counts(ctx context.Context, r domain.Rollout, now time.Time) (domain.RolloutCounts, error) {
	return counts(ctx, repo.db, r, now)
}

func counts(ctx context.Context, q store.Queryer, r domain.Rollout, now time.Time) (domain.RolloutCounts, error) {
	c := domain.RolloutCounts{States: make(map[domain.UpdateState]int)}
	rows, err := q.QueryContext(ctx, `SELECT state, stage, chip, revision, why, ended_at > $2 OR $2 = 0, count(*),
		SUM(CASE WHEN offered_at > $3 THEN 1 ELSE 0 END),
		SUM(CASE WHEN state = 'offered' AND offered_at <= $4 THEN 1 ELSE 0 END)
		FROM rollout_updates WHERE rollout_id = $1 AND NOT excluded GROUP BY 1, 2, 3, 4, 5, 6`, r.ID,
		store.Millis(r.Forgiven), store.Millis(now.Add(-time.Minute)), store.Millis(now.Add(-domain.OfferPatience)))
	if err != nil {
		return c, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var g domain.EndedGroup
		var stage, lately, unheard int
		var fresh bool
		if err := rows.Scan(&g.State, &stage, &g.Hardware.Chip, &g.Hardware.Revision, &g.Why, &fresh, &g.Count, &lately,
			&unheard); err != nil {
			return c, err
		}
		add(&c, g, stage == r.Stage, fresh)
		c.Lately += lately
		c.Unheard += unheard
	}
	if err := rows.Err(); err != nil {
		return c, err
	}
	return c, health(ctx, q, r, &c.Health, now)
}

func add(c *domain.RolloutCounts, g domain.EndedGroup, inStage, fresh bool) {
	c.States[g.State] += g.Count
	open := g.State.Open()
	if inStage && (g.State.Active() || !open) {
		c.Contacted += g.Count
	}
	if inStage && !open {
		c.Reported += g.Count
	}
	if !open && fresh {
		c.Ended = append(c.Ended, g)
	}
}

// watched are the devices that count for or against flapping: that flap, or are there and run what they run for some
// time. $1 is since when a device flaps, and $2 until when the others have what they run.
const (
	flaps   = `f.flapped_at > $1`
	watched = `(` + flaps + ` OR s.online AND f.since <= $2)`
)

func health(ctx context.Context, q store.Queryer, r domain.Rollout, h *domain.RolloutHealth, now time.Time) error {
	var ran, before int64
	since := max(store.Millis(now.Add(-domain.FlapWithin)), store.Millis(r.Forgiven)) // what was before is forgiven
	until := store.Millis(now.Add(-domain.FlapAfter))
	err := q.QueryRowContext(ctx, `SELECT COALESCE(SUM(f.crashes), 0), COALESCE(SUM(CASE WHEN f.crashes > 0 THEN 1 ELSE 0
		END), 0), COALESCE(SUM($3 - f.since), 0), COALESCE(SUM(u.crashes_before), 0), COALESCE(SUM(u.ran_before), 0),
		COALESCE(SUM(CASE WHEN `+flaps+` THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN `+watched+` THEN 1 ELSE 0 END), 0)
		FROM rollout_updates u JOIN device_firmware f ON f.device_id = u.device_id AND f.sha256 = u.image
		JOIN devices d ON d.id = u.device_id LEFT JOIN device_states s ON s.device_id = u.device_id`+withJoin+`
		WHERE (d.owner_id = $5 OR j.product_id = $6)
		AND u.rollout_id = $7 AND NOT u.excluded AND u.state IN ('testing', 'succeeded')
		AND (u.ended_at = 0 OR u.ended_at > $4)`, since, until, store.Millis(now), store.Millis(r.Forgiven), r.Owner,
		r.Product, r.ID).Scan(&h.Crashes, &h.Devices, &ran, &h.CrashesBefore, &before, &h.Flapping.With, &h.Flapping.WithOf)
	h.Ran, h.RanBefore = time.Duration(max(ran, 0))*time.Millisecond, time.Duration(before)*time.Millisecond
	if err != nil || !h.Flapping.Suspect(r.Plan.Judge) {
		return err
	}
	return q.QueryRowContext(ctx, `SELECT COALESCE(SUM(CASE WHEN `+flaps+` THEN 1 ELSE 0 END), 0), count(*)
		FROM device_firmware f JOIN devices d ON d.id = f.device_id LEFT JOIN device_states s ON s.device_id = f.device_id`+
		withJoin+`WHERE f.product = $3 AND `+publisher+` = $4 AND d.revoked_at = 0 AND `+watched+`
		AND NOT EXISTS (SELECT 1 FROM rollout_updates u WHERE u.rollout_id = $5 AND u.device_id = f.device_id
			AND u.image = f.sha256)`, since, until, r.Name, r.Owner, r.ID).Scan(&h.Flapping.Without, &h.Flapping.WithoutOf)
}
