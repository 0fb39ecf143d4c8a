package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/disk"
	"github.com/unhidra/unhidra/internal/store"
)

const upgradeText = `upgrade-check [flags]

Run this with the new version's binary and the settings of the server, while the old
version runs. It lists the pending schema migrations and the tables that they read or
change, and says whether nodes of the old version keep working and a rollback without a
backup is possible. It checks the settings, the free disk space, and the versions of
PostgreSQL and NATS. It changes nothing. Exit codes: 0 ready, 1 not ready.
`

func upgradeCheck(ctx context.Context, e *env, args []string) error {
	set := e.flags("upgrade-check", upgradeText)
	flags := config.NewFlags(set)
	if _, err := parse(set, args); err != nil {
		return err
	}
	d := &diagnosis{w: e.stdout}
	c, err := d.load(e.environ, flags)
	if err != nil {
		return err
	}
	d.upgrade(ctx, c)
	d.bus(c)
	if d.broken > 0 {
		return fmt.Errorf("not ready for version %s: %s", version(), count(d.broken, "problem"))
	}
	_, err = fmt.Fprintf(e.stdout, "Ready for version %s.\n", version())
	return err
}

func (d *diagnosis) upgrade(ctx context.Context, c config.Config) {
	if c.DatabaseURL == "" {
		if err := app.CheckLost(c); err != nil {
			d.fail("database", "%v", err)
			return
		}
		if _, err := os.Stat(c.Database()); errors.Is(err, fs.ErrNotExist) {
			d.fail("database", "there is none at %s; use the settings of the server that is to be upgraded "+
				"(UNHIDRA_DATA_DIR)", c.Database())
			return
		}
	}
	u, err := app.ReadUpgrade(ctx, c)
	if err != nil {
		d.fail("schema", "%v", err)
		return
	}
	if c.DatabaseURL != "" {
		d.supported("database", app.PostgreSQL(), u.Server, "")
	}
	d.steps(u)
	d.rollback(u)
	d.room(c, u)
}

// supported says whether the version of a service is supported.
func (d *diagnosis) supported(what string, s app.Service, version, before string) {
	if s.Supports(version) {
		d.ok(what, "%s%s %s", before, s.Name, version)
		return
	}
	d.warn(what, "%s%s %s; this version of Unhidra supports %s", before, s.Name, version, s.Range)
}

// steps lists the pending migrations. It gives no duration, since none was measured: it grows
// with the number of rows.
func (d *diagnosis) steps(u store.Upgrade) {
	switch {
	case u.Has > u.Knows:
		d.warn("schema", "a newer version has migrated it to %d; this version knows %d and can use it", u.Has, u.Knows)
		return
	case len(u.Steps) == 0:
		d.ok("schema", "%d, as this version needs it: no migration is pending", u.Has)
		return
	}
	d.ok("schema", "%d now; this version migrates it to %d", u.Has, u.Knows)
	for _, s := range u.Steps {
		var does []string
		for _, t := range s.Tables {
			does = append(does, fmt.Sprintf("%s %s (%s, %s)", t.Does, t.Table, count(t.Rows, "row"), disk.Size(t.Bytes)))
		}
		if len(does) == 0 {
			does = []string{"changes no existing table"}
		}
		d.say("todo", strings.TrimSuffix(s.Name, ".sql"), "%s", strings.Join(does, ", "))
	}
}

func (d *diagnosis) rollback(u store.Upgrade) {
	switch {
	case len(u.Steps) == 0:
	case u.Survives():
		d.ok("rollback", "nodes of the old version keep working after the migration, and you can go back to it")
	default:
		d.warn("rollback", "stop all nodes before you start this version: the old version cannot use the "+
			"migrated database, and only a backup from before the upgrade brings it back")
	}
}

// room compares the free disk space with what the migrations may write. PostgreSQL's disk
// cannot be seen from here.
func (d *diagnosis) room(c config.Config, u store.Upgrade) {
	need := stepBytes(u)
	if c.DatabaseURL != "" {
		if need > 0 {
			d.say("note", "disk", "the migrations write up to %s; check that PostgreSQL's disk has that much free space",
				disk.Size(need))
		}
		return
	}
	use, err := disk.Use(filepath.Dir(c.Database()))
	switch {
	case err != nil:
		d.warn("disk", "cannot read the free space; the migrations write up to %s: %v",
			disk.Size(need), err)
	case disk.Full(use) || use.Free < uint64(need):
		d.fail("disk", "%s are free, and the migrations write up to %s; free some space",
			disk.Size(int64(use.Free)), disk.Size(need))
	default:
		d.ok("disk", "%s are free; the migrations write up to %s, and a backup takes up to %s",
			disk.Size(int64(use.Free)), disk.Size(need), disk.Size(u.Bytes))
	}
}

// stepBytes is the most that the migrations write: each table that one goes through may be
// written anew, to the write-ahead log and to the database.
func stepBytes(u store.Upgrade) (n int64) {
	for _, s := range u.Steps {
		for _, t := range s.Tables {
			if t.Scans {
				n += 2 * t.Bytes
			}
		}
	}
	return n
}
