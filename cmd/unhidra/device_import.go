package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
)

const importProgress = 1000 // lines after which an import says how far it is

// importFile registers or changes a device for each line of a file. It reports lines that are refused
// by number and continues.
func (d *devices) importFile(ctx context.Context, owner, name string) (err error) {
	u, err := d.db.Accounts.UserByUsername(ctx, owner)
	if err != nil {
		return err
	}
	in := io.Reader(d.stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	out := d.stdout
	if d.keys != "" {
		f, err := os.OpenFile(d.keys, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	write, results, n := device.CSVWriter(out), make(map[domain.ImportResult]int), 0
	how := device.Import{By: domain.AuditActor{Kind: domain.ActorOperator}, NewKeys: d.newKeys}
	err = d.service.Import(ctx, u.ID, how, device.ReadRows(in), func(line device.Imported) error {
		if results[line.Result]++; line.Err != nil {
			fmt.Fprintf(d.stderr, "line %d: %v\n", line.Line, line.Err)
		}
		if n++; n%importProgress == 0 {
			fmt.Fprintf(d.stderr, "%d lines\n", n)
		}
		return write(line.Record(ctx))
	})
	fmt.Fprintf(d.stderr, "Registered %s; changed %d, gave another key to %d, left %d as they were.\n",
		count(results[domain.ImportCreated], "device"), results[domain.ImportUpdated], results[domain.ImportNewKey],
		results[domain.ImportUnchanged])
	if failed := results[domain.ImportFailed]; err == nil && failed > 0 {
		err = fmt.Errorf("skipped %s", count(failed, "line"))
	}
	return err
}
