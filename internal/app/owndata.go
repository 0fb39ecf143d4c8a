package app

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/wire"
)

// otherData reads for the download of somebody's data what is neither of their account nor said or kept by them: what
// they reported, of what they are told, and what owndata has.
func otherData(db *all.Store) func(context.Context, string, func(string, any) error) (reports, others int, err error) {
	return func(ctx context.Context, user string, do func(kind string, v any) error) (reports, others int, err error) {
		reports, err = db.Moderation.EachReportBy(ctx, user, func(r domain.MessageReport) error {
			return do("report", wire.FromOwnReport(r))
		})
		if err != nil {
			return 0, 0, err
		}
		settings, choices, err := db.Notifications.Settings(ctx, user)
		if err != nil {
			return 0, 0, err
		}
		if err := do("notifications", wire.FromNotifySettings(settings, choices, time.Now())); err != nil {
			return 0, 0, err
		}
		d, next, address, err := db.Notifications.Digest(ctx, user)
		if err != nil {
			return 0, 0, err
		}
		if err := do("digest", wire.FromDigest(d, next, true, address).DigestSettings); err != nil {
			return 0, 0, err
		}
		others, err = db.OwnData.Each(ctx, user, func(kind string, v map[string]any) error { return do(kind, v) })
		return reports, others + 2, err
	}
}
