package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/all"
)

const auditText = `audit <action> [flags]

Verifies or exports the audit log. It may be used while the server runs.

  audit verify            check the whole log for records that were changed, deleted,
                          exchanged or cut off at the end; exits with 1 if any were
  audit export            write records to standard output, one per line
  audit key               print the public key that verifies the checkpoints
  audit erase <user id>   erase the personal data of a user; the records stay

Whoever can write to the database can cut off the end of the log unnoticed. To
detect that, give the number and hash of a later record, from a receiver of the log
or from the last check, as --expect-seq and --expect-hash.
`

type auditFlags struct {
	expectSeq    int64
	expectHash   string
	publicKey    string
	format       string
	types, actor string
	from, to     string
	after        int64
}

func auditCommand() command {
	return command{"audit", "verify or export the audit log", manageAudit}
}

func manageAudit(ctx context.Context, e *env, args []string) error {
	var f auditFlags
	fs := e.flags("audit", auditText)
	f.register(fs)
	flags := config.NewFlags(fs, storeFlags("public-url")...)
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	actions := []action{{name: "verify"}, {name: "export"}, {name: "key"}, {name: "erase", names: []string{"<user id>"}}}
	if err := checkAction("audit", actions, words); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	db, log, err := e.auditLog(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	switch words[0] {
	case "export":
		return e.auditExport(ctx, c, db, log, f)
	case "key":
		_, err := fmt.Fprintln(e.stdout, log.PublicKeyHex())
		return err
	case "erase":
		return e.auditErase(ctx, log, words[1])
	}
	return e.auditVerify(ctx, db, log, f)
}

func (f *auditFlags) register(fs *flag.FlagSet) {
	fs.Int64Var(&f.expectSeq, "expect-seq", 0, "verify: `number` of a record that must be there")
	fs.StringVar(&f.expectHash, "expect-hash", "", "verify: `hash` of that record")
	fs.StringVar(&f.publicKey, "public-key", "", "verify: public `key` of the checkpoints, instead of this server's")
	fs.StringVar(&f.format, "format", "native", "export: native, ecs, ocsf or cef")
	fs.StringVar(&f.types, "type", "",
		"export: only these `types`, separated by commas; auth.* means all that start with auth.")
	fs.StringVar(&f.actor, "actor", "", "export: only records of the actor with this `id`")
	fs.StringVar(&f.from, "from", "", "export: only records from this `time` on (2026-01-31, or RFC 3339)")
	fs.StringVar(&f.to, "to", "", "export: only records before this `time`")
	fs.Int64Var(&f.after, "after", 0, "export: only records with a greater `number`")
}

func (f *auditFlags) check() error {
	if !slices.Contains(audit.Formats(), f.format) {
		return usagef("unknown format %q; use one of %s", f.format, strings.Join(audit.Formats(), ", "))
	}
	if b, err := hex.DecodeString(f.expectHash); err != nil || len(b) != 0 && len(b) != 32 {
		return usagef("--expect-hash needs 64 hexadecimal digits")
	}
	if f.expectHash != "" && f.expectSeq == 0 {
		return usagef("--expect-hash needs --expect-seq: the number of the record that has it")
	}
	if b, err := hex.DecodeString(f.publicKey); err != nil || len(b) != 0 && len(b) != ed25519.PublicKeySize {
		return usagef("--public-key needs 64 hexadecimal digits")
	}
	for _, s := range []string{f.from, f.to} {
		if _, err := when(s); err != nil {
			return usagef("%q is not a time like 2026-01-31 or 2026-01-31T12:00:00Z", s)
		}
	}
	return nil
}

func when(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}

// auditLog opens the audit log, whether a server is running or not.
func (e *env) auditLog(ctx context.Context, c config.Config) (*all.Store, *audit.Service, error) {
	keys, err := keyring(c)
	if err != nil {
		return nil, nil, err
	}
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Log: obs.NewLogger(e.stderr, "warn", c.Log.Format), Tool: true,
		NoMigrate: true})
	if err != nil {
		return nil, nil, err
	}
	return db, app.Audit(db, keys), nil
}

func (e *env) auditVerify(ctx context.Context, db *all.Store, log *audit.Service, f auditFlags) error {
	var expect *audit.Expect
	if f.expectSeq > 0 {
		expect = &audit.Expect{Seq: f.expectSeq}
		if f.expectHash != "" {
			expect.Hash, _ = hex.DecodeString(f.expectHash)
		}
	}
	key := log.PublicKey()
	if f.publicKey != "" {
		b, _ := hex.DecodeString(f.publicKey)
		key = ed25519.PublicKey(b)
	}
	r, err := audit.Verify(ctx, db.Audit, key, expect)
	if err != nil {
		return err
	}
	for _, p := range r.Problems {
		fmt.Fprintln(e.stdout, p)
	}
	if r.More {
		fmt.Fprintln(e.stdout, "and more problems")
	}
	fmt.Fprintf(e.stdout, "%s (%d to %d), %s (the last at record %d), %s deleted by retention, "+
		"%s with personal data erased\n", count(r.Records, "record"), r.First, r.Last,
		count(r.Checkpoints, "checkpoint"), r.Checked, count(r.Segments, "day"), count(r.Erased, "record"))
	if !r.Intact() {
		err = fmt.Errorf("the audit log was changed: %s", count(len(r.Problems), "problem"))
	} else {
		fmt.Fprintf(e.stdout, "The log is intact. To detect a cut-off end next time, add: --expect-seq %d --expect-hash "+
			"%x\n", r.Last, r.Hash)
	}
	event := operatorEvent(domain.AuditVerify)
	event.Details = map[string]string{"last": strconv.FormatInt(r.Last, 10), "problems": strconv.Itoa(len(r.Problems))}
	if !r.Intact() {
		event.Outcome, event.Severity = domain.AuditFailure, domain.AuditCritical
	}
	return errors.Join(err, log.RecordSync(ctx, event))
}

func (e *env) auditExport(ctx context.Context, c config.Config, db *all.Store, log *audit.Service, f auditFlags) error {
	filter := domain.AuditFilter{Actor: f.actor, After: f.after, Oldest: true, Limit: 1000}
	if f.types != "" {
		filter.Types = strings.Split(f.types, ",")
	}
	filter.From, _ = when(f.from)
	filter.To, _ = when(f.to)
	// The export is recorded before anything is written.
	event := operatorEvent(domain.AuditExport)
	event.Details = map[string]string{"format": f.format, "types": f.types, "actor": f.actor, "from": f.from, "to": f.to,
		"after": strconv.FormatInt(f.after, 10)}
	if err := log.RecordSync(ctx, event); err != nil {
		return err
	}
	head, err := db.Audit.AuditHead(ctx)
	if err != nil {
		return err
	}
	filter.Before = head.Seq + 1 // later records are left for the next export
	format := audit.NewFormat(f.format, version(), app.Host(c))
	w := bufio.NewWriter(e.stdout)
	for {
		records, err := db.Audit.AuditRecords(ctx, filter)
		if err != nil {
			return err
		}
		for _, r := range records {
			_, _ = w.Write(format.Line(r))
			if err := w.WriteByte('\n'); err != nil {
				return err
			}
			filter.After = r.Seq
		}
		if len(records) < filter.Limit {
			return w.Flush()
		}
	}
}

func (e *env) auditErase(ctx context.Context, log *audit.Service, user string) error {
	if !domain.ValidID(domain.UserPrefix, user) {
		return usagef("%q is not the id of a user", user)
	}
	n, err := log.Erase(ctx, user, "operator")
	if err == nil {
		_, err = fmt.Fprintf(e.stdout, "Erased personal data in %s.\n", count(n, "record"))
	}
	return err
}

// operatorEvent returns an event for an action of the operator on this machine.
func operatorEvent(t domain.AuditType) domain.AuditEvent {
	return domain.AuditEvent{Type: t, Actor: domain.AuditActor{Kind: domain.ActorOperator, Name: os.Getenv("USER")}}
}
