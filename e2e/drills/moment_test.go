//go:build linux

package drills

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// Somebody has done what cannot be undone: the database goes back to the moment before.
func TestRestoreToAMoment(t *testing.T) {
	t.Parallel()
	ctx := drill(t)
	bin := node.Build(t)
	pg := pgtest.Start(t, node.Port(t), "")
	archive, data := pg.Archive(), t.TempDir()
	s := serve(ctx, t, bin, "UNHIDRA_DATA_DIR="+data, "DATABASE_URL="+pg.URL())
	people, room := traffic.Settle(ctx, t, 4, s.URL())
	f := traffic.Start(ctx, t, people, room, usual)
	f.AwaitAll()
	base := pgtest.Folder(t)
	const before, measured = 2000, 3000
	d := newCounter(ctx, t, people[0])
	d.report(ctx, t, s, 0, before)
	pg.BaseBackup(base)
	f.AwaitAll()
	f.Stop()
	d.report(ctx, t, s, before, measured)
	kept := f.Acked()

	moment := pg.Ask("SELECT clock_timestamp()::text")
	after, err := people[0].Send(ctx, client.Draft{Room: room, Key: "mistake", Text: "a mistake"})
	must(t, err)
	d.report(ctx, t, s, measured, measured+100)
	segment := pg.Ask("SELECT pg_walfile_name(pg_switch_wal())")
	traffic.Wait(ctx, t, "the archive to have "+segment, func() bool {
		_, err := os.Stat(filepath.Join(archive, segment))
		return err == nil
	})

	begin := time.Now()
	s.Stop(patience)
	pg.Crash()
	pgtest.Recover(t, base, fmt.Sprintf("restore_command = 'cp %s/%%f %%p'\nrecovery_target_time = '%s'\n"+
		"recovery_target_action = promote\n", archive, moment))
	back := pgtest.Start(t, node.Port(t), base)
	back.AwaitPrimary()
	took(t, "restore to a moment: the database is back after", time.Since(begin))
	settings := []string{"UNHIDRA_DATA_DIR=" + data, "DATABASE_URL=" + back.URL()}
	command(t, bin, settings, "user", "end-sessions", "--all")
	s = serve(ctx, t, bin, settings...)
	took(t, "restore to a moment: the server is ready after", time.Since(begin))

	ann := client.New(s.URL())
	must(t, ann.SignIn(ctx, "user0", traffic.Password))
	holds(ctx, t, ann, room, kept)
	d.holds(ctx, t, ann, measured)
	d.report(ctx, t, s, measured-100, measured+100) // what is lost here comes from its memory
	d.holds(ctx, t, ann, measured+100)
	again, err := ann.Send(ctx, client.Draft{Room: room, Key: "on", Text: "and on"})
	if err != nil || again.Seq != after.Seq {
		t.Errorf("the log goes on with %d, and not with %d in place of the mistake; %v", again.Seq, after.Seq, err)
	}
}

// The secret key that opens backups has leaked: the next is made for another, and those that it
// opens are deleted.
func TestLeakTheBackupsKey(t *testing.T) {
	t.Parallel()
	ctx := drill(t)
	bin := node.Build(t)
	leaked, leakedFile := newIdentity(t)
	fresh, freshFile := newIdentity(t)
	data, folder := t.TempDir(), t.TempDir()
	settings := []string{"UNHIDRA_DATA_DIR=" + data}
	s := serve(ctx, t, bin, settings...)
	people, room := traffic.Settle(ctx, t, 2, s.URL())
	_, err := people[0].Send(ctx, client.Draft{Room: room, Key: "k", Text: "in every backup"})
	must(t, err)
	old := filepath.Join(folder, "old.tar.age")
	command(t, bin, settings, "backup", "--recipient", leaked, old)

	begin := time.Now()
	next := filepath.Join(folder, "new.tar.age")
	command(t, bin, settings, "backup", "--recipient", fresh, next)
	command(t, bin, settings, "backup", "verify", "--identity", freshFile, next)
	must(t, os.Remove(old))
	took(t, "leak a key: there is a backup for another key after", time.Since(begin))
	verify := exec.CommandContext(ctx, bin, "backup", "verify", "--identity", leakedFile, next)
	if out, err := verify.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("another key")) {
		t.Errorf("the leaked key opens it: %v\n%s", err, out)
	}
}
