// Package rollouts has the SQL of rollouts of firmware, of devices in them, and of what devices say of their firmware.
// What is decided is decided by Rules, within the transaction that reads what it is decided by.
package rollouts

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// A Repository stores rollouts.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

const columns = `r.id, r.product_id, r.product, r.owner_id, r.release_id, r.code, r.version, r.room_id, r.line, r.plan,
	r.note, r.salt, r.reverts, r.state, r.stage, r.devices, r.stage_at, r.soak_at, r.forgiven_at, r.pause, r.scanned,
	r.idle, r.room, r.created_at, r.started_at, r.judged_at, r.revision,
	c.id, c.kind, c.username, c.display_name, c.avatar, a.id, a.kind, a.username, a.display_name, a.avatar`

const tables = ` FROM rollouts r LEFT JOIN users c ON c.id = r.created_by LEFT JOIN users a ON a.id = r.approved_by `

func scan(rows *sql.Rows) (r domain.Rollout, err error) {
	var plan, pause string
	var stageAt, soakAt, forgiven, created, started, judged int64
	var by, approved accounts.RefRow
	dest := []any{&r.ID, &r.Product, &r.Name, &r.Owner, &r.Release, &r.Code, &r.Version, &r.Posts, &r.Line, &plan,
		&r.Note, &r.Salt, &r.Reverts, &r.State, &r.Stage, &r.Devices, &stageAt, &soakAt, &forgiven, &pause, &r.Scanned,
		&r.Idle, &r.Room, &created, &started, &judged, &r.Revision}
	if err := rows.Scan(append(append(dest, by.Dest()...), approved.Dest()...)...); err != nil {
		return r, err
	}
	r.StageAt, r.SoakAt, r.Forgiven = store.Time(stageAt), store.Time(soakAt), store.Time(forgiven)
	r.CreatedAt, r.StartedAt, r.Judged = store.Time(created), store.Time(started), store.Time(judged)
	r.CreatedBy, r.Approved = by.Ref(), approved.Ref()
	if err := json.Unmarshal([]byte(plan), &r.Plan); err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(pause), &r.Pause)
}

func where(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.Rollout, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+columns+tables+`WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scan)
}

func one(ctx context.Context, q store.Queryer, id string) (domain.Rollout, error) {
	found, err := where(ctx, q, `r.id = $1`, id)
	if err == nil && len(found) == 0 {
		err = domain.ErrNoRollout()
	}
	if err != nil {
		return domain.Rollout{}, err
	}
	return found[0], nil
}

// Rollout returns a rollout.
func (repo *Repository) Rollout(ctx context.Context, id string) (domain.Rollout, error) {
	return one(ctx, repo.db, id)
}

// Rollouts returns the rollouts of a product, the newest first. before is the id of the last one of the page before.
func (repo *Repository) Rollouts(
	ctx context.Context, product, before string, limit int,
) ([]domain.Rollout, error) {
	return where(ctx, repo.db, `r.product_id = $1 AND ($2 = '' OR r.id < $2) ORDER BY r.id DESC LIMIT $3`, product, before,
		limit)
}

// offering are the states in which a rollout makes offers.
const offering = `('running', 'soaking', 'completed')`

// Live returns the rollouts that make offers to devices of an owner that report a product.
func (repo *Repository) Live(ctx context.Context, owner, product string) ([]domain.Rollout, error) {
	return live(ctx, repo.db, owner, product)
}

func live(ctx context.Context, q store.Queryer, owner, product string) ([]domain.Rollout, error) {
	return where(ctx, q, `r.owner_id = $1 AND r.product = $2 AND r.state IN `+offering+` ORDER BY r.id`, owner, product)
}

// lookAgain is how often a complete rollout is looked at for devices that come into their hours.
const lookAgain = 15 * time.Minute

// Undecided returns the ids of rollouts about which something may have to be decided at the time now: those that go
// on, those whose devices are in the middle of it, and complete ones that a device may wait for. The plan is JSON as
// asJSON writes it.
func (repo *Repository) Undecided(ctx context.Context, now time.Time) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT r.id FROM rollouts r WHERE r.state IN ('scheduled', 'running', 'soaking',
		'paused') OR EXISTS (SELECT 1 FROM rollout_updates u WHERE u.rollout_id = r.id AND u.due_at <> 0
		AND (u.due_at <= $1 OR u.state IN `+timed+`)) OR r.state = 'completed' AND (NOT r.idle OR r.judged_at <= $2
		AND r.plan LIKE '%"windows":[%' OR EXISTS (SELECT 1 FROM rollout_updates u WHERE u.rollout_id = r.id
		AND u.changed_at >= r.judged_at)) ORDER BY r.id`, store.Millis(now), store.Millis(now.Add(-lookAgain)))
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// Create adds a rollout.
func (repo *Repository) Create(ctx context.Context, r domain.Rollout, now time.Time) (domain.Rollout, error) {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return create(ctx, t, r, now) })
	if err != nil {
		return r, err
	}
	return repo.Rollout(ctx, r.ID)
}

func create(ctx context.Context, t *store.Tx, r domain.Rollout, now time.Time) error {
	if err := lock(ctx, t, r); err != nil {
		return err
	}
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM rollouts WHERE product_id = $1`, r.Product).Scan(&n)
	if err == nil && n >= domain.MaxRollouts {
		err = domain.Conflict.Errorf(domain.CodeTooManyRollouts, "a product has at most %d rollouts", domain.MaxRollouts)
	}
	if err == nil {
		err = alone(ctx, t, r)
	}
	if err != nil {
		return err
	}
	if err := insert(ctx, t, r); err != nil {
		return err
	}
	if r.State == domain.RolloutAwaiting {
		if err := tell(ctx, t, &r, r.CreatedBy.ID, r.Note, now); err != nil {
			return err
		}
	}
	return note(ctx, t, domain.RolloutEntry{Rollout: r.ID, At: now, By: r.CreatedBy, What: "created", State: r.State})
}

// alone refuses a second open rollout of a release: the failures of one would not hold the other. One that takes
// another back is for other devices.
func alone(ctx context.Context, t *store.Tx, r domain.Rollout) error {
	if r.Reverts != "" {
		return nil
	}
	var open string
	err := t.QueryRowContext(ctx, `SELECT COALESCE(min(id), '') FROM rollouts WHERE product_id = $1 AND release_id = $2
		AND reverts = '' AND state IN ('awaiting_approval', 'scheduled', 'running', 'soaking', 'paused')`, r.Product,
		r.Release).Scan(&open)
	if err == nil && open != "" {
		err = domain.Conflict.Errorf(domain.CodeRolloutOpen,
			"release %s has an open rollout already, %s; go on with that, or abort it first", r.Version, open)
	}
	return err
}

// lock has others wait that decide about rollouts to the same devices.
func lock(ctx context.Context, t *store.Tx, r domain.Rollout) error {
	return lockOf(ctx, t, r.Owner, r.Name)
}

func lockOf(ctx context.Context, t *store.Tx, owner, product string) error {
	return t.LockKey(ctx, "rollouts/"+owner+"/"+product)
}

func insert(ctx context.Context, t *store.Tx, r domain.Rollout) error {
	plan, pause, err := asJSON(r)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO rollouts (id, product_id, product, owner_id, release_id, code, version, room_id,
		line, plan, note, salt, reverts, state, stage, devices, stage_at, soak_at, forgiven_at, pause, scanned, idle, room,
		created_by, created_at, approved_by, started_at, judged_at, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9,
		$10, $11, $12, $13, 0, 0, 0, 0, 0, $14, '', $15, 0, $16, $17, '', 0, 0, 1)`, r.ID, r.Product, r.Name, r.Owner,
		r.Release, r.Code, r.Version, r.Posts, plan, r.Note, r.Salt, r.Reverts, r.State, pause, false, r.CreatedBy.ID,
		store.Millis(r.CreatedAt))
	return err
}

func asJSON(r domain.Rollout) (plan, pause string, err error) {
	p, err := json.Marshal(r.Plan)
	if err != nil {
		return "", "", err
	}
	why, err := json.Marshal(r.Pause)
	return string(p), string(why), err
}

func save(ctx context.Context, t *store.Tx, r domain.Rollout) error {
	plan, pause, err := asJSON(r)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE rollouts SET line = $2, plan = $3, note = $4, state = $5, stage = $6, devices = $7,
		stage_at = $8, soak_at = $9, forgiven_at = $10, pause = $11, scanned = $12, idle = $13, room = $14, approved_by = $15,
		started_at = $16, judged_at = $17, revision = $18, salt = $19 WHERE id = $1`, r.ID, r.Line, plan, r.Note, r.State,
		r.Stage, r.Devices, store.Millis(r.StageAt), store.Millis(r.SoakAt), store.Millis(r.Forgiven), pause, r.Scanned,
		r.Idle, r.Room, r.Approved.ID, store.Millis(r.StartedAt), store.Millis(r.Judged), r.Revision, r.Salt)
	return err
}

// note adds to the log of a rollout.
func note(ctx context.Context, t *store.Tx, e domain.RolloutEntry) error {
	details, err := json.Marshal(e.Details)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO rollout_log (rollout_id, seq, at, actor, what, stage, state, details, note)
		VALUES ($1, (SELECT COALESCE(max(seq), 0) + 1 FROM rollout_log WHERE rollout_id = $1), $2, $3, $4, $5, $6, $7, $8)`,
		e.Rollout, store.Millis(e.At), e.By.ID, e.What, e.Stage, e.State, string(details), e.Note)
	return err
}

// Entries returns the log of a rollout, the newest entries first.
func (repo *Repository) Entries(ctx context.Context, id string, limit int) ([]domain.RolloutEntry, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT l.rollout_id, l.seq, l.at, l.what, l.stage, l.state, l.details,
		l.note, u.id, u.kind, u.username, u.display_name, u.avatar FROM rollout_log l LEFT JOIN users u ON u.id = l.actor
		WHERE l.rollout_id = $1 ORDER BY l.seq DESC LIMIT $2`, id, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (e domain.RolloutEntry, err error) {
		var at int64
		var details string
		var by accounts.RefRow
		dest := []any{&e.Rollout, &e.Seq, &at, &e.What, &e.Stage, &e.State, &details, &e.Note}
		if err = rows.Scan(append(dest, by.Dest()...)...); err != nil {
			return e, err
		}
		e.At, e.By = store.Time(at), by.Ref()
		return e, json.Unmarshal([]byte(details), &e.Details)
	})
}

// PausedBy returns who paused a rollout last; the zero value: nobody did, or the account is gone.
func (repo *Repository) PausedBy(ctx context.Context, id string) (domain.UserRef, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar FROM users u
		JOIN rollout_log l ON u.id = l.actor WHERE l.rollout_id = $1 AND l.what = 'pause' ORDER BY l.seq DESC LIMIT 1`, id)
	if err != nil {
		return domain.UserRef{}, err
	}
	found, err := store.Collect(rows, accounts.ScanRef)
	if err != nil || len(found) == 0 {
		return domain.UserRef{}, err
	}
	return found[0], nil
}
