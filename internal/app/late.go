package app

import (
	"context"
	"errors"

	"github.com/unhidra/unhidra/internal/admin"
	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/backup"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mail"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/token"
)

// CheckLate reports, for a command beside the server that c describes, what the health page of
// administrators says of mails, the audit log and backups that are late. An error means that
// something could not be found out; the report has the rest.
func CheckLate(
	ctx context.Context, c config.Config, db *all.Store, keys *token.Keyring,
) (r domain.HealthReport, err error) {
	d := auditDeps(db, keys)
	if d.Sinks, err = auditSinks(c, ""); err != nil {
		return r, err
	}
	modules := []admin.HealthChecker{audit.New(d)}
	place, err := BackupPlace(c.Backup)
	if err != nil {
		return r, err
	}
	if place != nil {
		backups := backup.New(backup.Deps{Place: place, Every: c.Backup.Every})
		if err := backups.Look(ctx); err != nil {
			return r, err
		}
		modules = append(modules, backups)
	}
	if c.Mail.Enabled() {
		queue, err := mail.New(mailDeps(c, db, keys))
		if err != nil {
			return r, err
		}
		modules = append(modules, queue)
	}
	for _, m := range modules {
		err = errors.Join(err, m.CheckHealth(ctx, &r))
	}
	return r, err
}
