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
// administrators says of mails, the audit log and backups that are late, and of keys of firmware that end. An error
// means that something could not be found out; the report has the rest.
func CheckLate(
	ctx context.Context, c config.Config, db *all.Store, keys *token.Keyring,
) (r domain.HealthReport, err error) {
	d := auditDeps(db, keys)
	if d.Sinks, err = auditSinks(c, ""); err != nil {
		return r, err
	}
	backups, err := madeBackups(ctx, c.Backup)
	ends, keyErr := firmwareEnds(db, keys)
	if keyErr != nil {
		return r, errors.Join(err, keyErr)
	}
	modules := []admin.HealthChecker{audit.New(d), backups, ends}
	if c.Mail.Enabled() {
		queue, mailErr := mail.New(mailDeps(c, db, keys))
		if mailErr != nil {
			return r, errors.Join(err, mailErr)
		}
		modules = append(modules, queue)
	}
	for _, m := range modules {
		err = errors.Join(err, m.CheckHealth(ctx, &r))
	}
	return r, err
}

// madeBackups returns a service that knows which backups a server has made; nil: it makes none.
func madeBackups(ctx context.Context, b config.Backup) (*backup.Service, error) {
	place, err := BackupPlace(b)
	if err != nil || place == nil {
		return nil, err
	}
	s := backup.New(backup.Deps{Place: place, Every: b.Every})
	if err := s.Look(ctx); err != nil {
		return nil, err
	}
	return s, nil
}
