package devices

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/naming"
)

// FindDevices is Devices for those that a query describes, whose state is that of the time now.
func (repo *Repository) FindDevices(
	ctx context.Context, q domain.DeviceQuery, after string, limit int, now time.Time,
) ([]domain.Device, error) {
	f, err := filterOf(ctx, repo.db, q, now)
	if err != nil || f.none {
		return nil, err
	}
	f.add(`d.id > ?`, after)
	return devicesWhere(ctx, repo.db, f.sql()+` ORDER BY d.id `+f.number(`LIMIT ?`, limit), f.args...)
}

// filterOf returns the condition of a query, which may name a group.
func filterOf(ctx context.Context, db store.Queryer, q domain.DeviceQuery, now time.Time) (f filter, err error) {
	if q.Owner != "" {
		f.add(`d.owner_id = ?`, q.Owner)
	}
	f.query(q, now)
	if q.Group == "" {
		return f, nil
	}
	g, err := groupOf(ctx, db, q.Owner, q.Group)
	if err == nil {
		f.group(g, now)
	}
	return f, err
}

// A filter is a condition on devices, all of whose parts must be true.
type filter struct {
	parts []string
	args  []any
	none  bool // nothing can fulfil it
}

// add adds a condition with a ? for each argument.
func (f *filter) add(condition string, args ...any) {
	f.parts = append(f.parts, `(`+f.number(condition, args...)+`)`)
}

// number returns a piece of SQL with the numbers of its arguments.
func (f *filter) number(piece string, args ...any) string {
	for _, arg := range args {
		f.args = append(f.args, arg)
		piece = strings.Replace(piece, "?", "$"+strconv.Itoa(len(f.args)), 1)
	}
	return piece
}

func (f *filter) sql() string {
	if len(f.parts) == 0 {
		return `TRUE`
	}
	return strings.Join(f.parts, ` AND `)
}

// query adds what a query says, but for its owner and its group.
func (f *filter) query(q domain.DeviceQuery, now time.Time) {
	if q.Text != "" {
		like, some := naming.SubstringPattern(q.Text)
		f.none = f.none || !some
		plain := "%" + store.EscapeLike(strings.ToLower(q.Text)) + "%"
		f.add(`u.folded LIKE ? ESCAPE '\' OR lower(d.type) LIKE ? ESCAPE '\' OR lower(d.serial) LIKE ? ESCAPE '\' OR EXISTS
			(SELECT 1 FROM device_capabilities c WHERE c.device_id = d.id
			AND (lower(c.model) LIKE ? ESCAPE '\' OR lower(c.serial) LIKE ? ESCAPE '\'))`, like, plain, plain, plain, plain)
	}
	if q.Tag != "" {
		f.add(`d.tags LIKE ? ESCAPE '\'`, "% "+store.EscapeLike(q.Tag)+" %")
	}
	if q.Type != "" {
		f.add(`d.type = ?`, q.Type)
	}
	if q.Model != "" {
		f.add(`EXISTS (SELECT 1 FROM device_capabilities c WHERE c.device_id = d.id AND c.model = ?)`, q.Model)
	}
	if q.Product != "" {
		f.add(`EXISTS (SELECT 1 FROM device_firmware w WHERE w.device_id = d.id AND w.product = ?)`, q.Product)
	}
	if q.State != "" {
		f.add(`? = CASE WHEN d.revoked_at <> 0 OR d.expires_at <> 0 AND d.expires_at <= ? THEN 'ended'
			WHEN d.suspended_at <> 0 THEN 'suspended' WHEN ? = 'active' THEN 'active' WHEN s.online THEN 'online'
			WHEN d.away_until > ? THEN 'asleep' ELSE 'offline' END`, string(q.State), store.Millis(now), string(q.State),
			store.Millis(now))
	}
}

// group adds that devices are in a group.
func (f *filter) group(g domain.DeviceGroup, now time.Time) {
	f.add(`d.revoked_at = 0 AND (d.expires_at = 0 OR d.expires_at > ?)`, store.Millis(now))
	if g.Rule == nil {
		f.add(`EXISTS (SELECT 1 FROM device_group_members g WHERE g.device_id = d.id AND g.group_id = ?)`, g.ID)
		return
	}
	f.query(domain.DeviceQuery{Text: g.Rule.Text, Tag: g.Rule.Tag, Type: g.Rule.Type, Model: g.Rule.Model,
		State: g.Rule.State}, now)
}
