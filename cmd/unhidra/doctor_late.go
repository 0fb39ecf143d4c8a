package main

import (
	"context"
	"fmt"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
)

// late checks that mails, the audit log and backups are on time. They are late, too, after the
// server was stopped for a while: that is a warning.
func (d *diagnosis) late(ctx context.Context, c config.Config, db *all.Store, running bool) {
	keys, err := keyring(c)
	if err != nil {
		return // another check tells
	}
	r, err := app.CheckLate(ctx, c, db, keys)
	if err != nil {
		d.fail("queues", "%v", err)
	}
	for _, p := range r.Problems {
		say := d.warn
		if p.Failure && running {
			say = d.fail
		}
		what, text := lateText(p)
		say(what, "%s", text)
	}
	if err == nil && len(r.Problems) == 0 {
		d.ok("queues", "no mail, record of the audit log or backup is late, and no key of firmware ends")
	}
}

// lateText says what a problem of the health page is about, and what to do.
func lateText(p domain.HealthProblem) (what, text string) {
	switch p.Code {
	case "mail_waits":
		return "mail", "mails are not being delivered; see what the mail server says above, and the server's log"
	case "audit_unsigned":
		return "audit log", "it was not signed recently; start the server, or check its log"
	case "receiver_late":
		return "audit log", fmt.Sprintf("the receiver %s does not have the newest records; "+
			"see that it runs, and check the server's log", p.Subject)
	case "receiver_dropped":
		return "audit log", fmt.Sprintf("the receiver %s missed records, which were deleted before it got them; have "+
			"UNHIDRA_AUDIT_KEEP keep them for longer", p.Subject)
	case "backup_late":
		return "backup", "the last good one is too old; check the server's log, " +
			"and the folder or bucket of UNHIDRA_BACKUP"
	case "release_keys_end":
		return "firmware", "too few release keys for a release are left of the product " + p.Subject +
			"; its owner has to add a root with new ones"
	case "firmware_root_ends":
		return "firmware", "the root expires of the product " + p.Subject +
			"; its owner has to add one that expires later, before devices take no more updates"
	case "offer_key_ends":
		return "firmware", "this server's key ends in the root of the product " + p.Subject +
			"; its owner has to add a root that has it for longer, before devices take no more updates"
	}
	return "health", p.Code + " " + p.Subject
}
