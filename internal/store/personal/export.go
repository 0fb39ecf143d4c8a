package personal

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// EachKept calls do for all that user keeps, saved messages by rooms, then drafts, scheduled messages, reminders and
// sections, and returns how many there are.
func (repo *Repository) EachKept(
	ctx context.Context, user string, do func(domain.Kept) error,
) (count int, err error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT s.room_id, s.seq, s.at`+saved+` ORDER BY s.room_id, s.seq`, user)
	if err != nil {
		return 0, err
	}
	all, err := store.Collect(rows, func(rows *sql.Rows) (domain.Kept, error) {
		var r domain.SavedRef
		var at int64
		err := rows.Scan(&r.Room, &r.Seq, &at)
		r.At = store.Time(at)
		return domain.Kept{Saved: &r}, err
	})
	if err != nil {
		return 0, err
	}
	drafts, err := repo.Drafts(ctx, user)
	if err != nil {
		return 0, err
	}
	for _, d := range drafts {
		all = append(all, domain.Kept{Draft: &d})
	}
	scheduled, err := repo.Scheduled(ctx, user)
	if err != nil {
		return 0, err
	}
	for _, m := range scheduled {
		all = append(all, domain.Kept{Scheduled: &m})
	}
	reminders, err := repo.Reminders(ctx, user)
	if err != nil {
		return 0, err
	}
	for _, r := range reminders {
		all = append(all, domain.Kept{Reminder: &r})
	}
	sections, err := repo.Sections(ctx, user)
	if err != nil {
		return 0, err
	}
	if sections.Version > 0 {
		all = append(all, domain.Kept{Sections: &sections})
	}
	for _, k := range all {
		if err := do(k); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}
