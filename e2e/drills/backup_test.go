//go:build linux

package drills

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// A server with SQLite has lost its disk. Its last scheduled backup, which is encrypted, is restored
// to a new one. DRILL_MESSAGES makes it larger.
func TestRestoreABackup(t *testing.T) {
	t.Parallel()
	ctx := drill(t)
	bin := node.Build(t)
	key, identity := newIdentity(t)
	data, folder := t.TempDir(), t.TempDir()
	settings := []string{"UNHIDRA_DATA_DIR=" + data}
	files := populate(t, bin, settings, 1000, 200)
	s := serve(ctx, t, bin, settings...)
	people, room := traffic.Settle(ctx, t, 4, s.URL())
	messages := testkit.Setting(t, "DRILL_MESSAGES", 4000)
	f := traffic.Start(ctx, t, people, room, traffic.Options{Senders: 32})
	f.Await(int64(messages))
	f.Stop()
	const readings = 5000
	d := newCounter(ctx, t, people[0])
	d.report(ctx, t, s, 0, readings)
	s.Stop(patience)
	want := contents(t, settings)

	begin := time.Now()
	scheduled := append([]string{"UNHIDRA_BACKUP=" + folder, "UNHIDRA_BACKUP_RECIPIENT=" + key}, settings...)
	s = serve(ctx, t, bin, scheduled...)
	var backup string
	traffic.Wait(ctx, t, "there is a backup", func() bool {
		found, _ := filepath.Glob(filepath.Join(folder, "*.tar.age"))
		backup = strings.Join(found, "")
		return backup != ""
	})
	took(t, fmt.Sprintf("restore a backup: a backup of %d events, %d readings, %d accounts and %d files is made and "+
		"checked after", want.Events, readings, want.Users, len(files)), time.Since(begin))
	s.Kill()
	must(t, os.RemoveAll(data))

	begin = time.Now()
	command(t, bin, settings, "backup", "verify", "--identity", identity, backup)
	took(t, "restore a backup: it is verified after", time.Since(begin))
	begin = time.Now()
	command(t, bin, settings, "restore", "--identity", identity, backup)
	took(t, "restore a backup: it is restored after", time.Since(begin))
	same(t, want, contents(t, settings))
	sameFiles(t, settings, files)
	s = node.New(t, bin, t.Output(), scheduled...)
	took(t, "restore a backup: the server is ready after", start(ctx, t, s))
	again := client.New(s.URL())
	if people[0].Tokens().Access == "" || again.SignIn(ctx, "user0", traffic.Password) != nil {
		t.Error("people cannot sign in again")
	}
	holds(ctx, t, again, room, f.Acked())
	d.holds(ctx, t, again, readings)
	// The device does not know what came through, and sends the last of it again.
	if n := d.report(ctx, t, s, readings-10, readings+10); n != 10 {
		t.Errorf("%d reports are new, and not the 10 that it measured since", n)
	}
	d.holds(ctx, t, again, readings+10)
}

// populate imports accounts, and gives some of them pictures, which it returns by their hashes.
func populate(t *testing.T, bin string, settings []string, accounts, pictures int) map[string][]byte {
	t.Helper()
	const hash = "pbkdf2_sha256$1000$seasaltseasalt$azcoLfF4StH9vKcdV8IoZkTpXQuezWLxGUCJq9SvT9g="
	var lines strings.Builder
	for i := range accounts {
		fmt.Fprintf(&lines, "{\"username\": \"imported%d\", \"password_hash\": %q}\n", i, hash)
	}
	list := filepath.Join(t.TempDir(), "accounts")
	must(t, os.WriteFile(list, []byte(lines.String()), 0o600))
	command(t, bin, settings, "user", "import", list)
	files := make(map[string][]byte)
	opened(t, settings, func(c config.Config, db *all.Store) {
		store, err := app.OpenFiles(t.Context(), c, db, nil, nil)
		must(t, err)
		for i := range pictures {
			text := bytes.Repeat([]byte(fmt.Sprint("picture ", i, "\n")), 1000)
			b, err := store.Put(t.Context(), bytes.NewReader(text), int64(len(text)))
			must(t, err)
			u, err := db.Accounts.UserByUsername(t.Context(), fmt.Sprint("imported", i))
			must(t, err)
			_, err = db.Accounts.SetAvatar(t.Context(), u.ID, b.Hash, time.Now())
			must(t, err)
			files[b.Hash] = text
		}
	})
	return files
}

// opened opens the database of a server that does not run.
func opened(t *testing.T, settings []string, fn func(c config.Config, db *all.Store)) {
	t.Helper()
	c, err := config.Load(settings, nil)
	must(t, err)
	db, err := app.OpenStore(t.Context(), c, app.StoreOptions{Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	fn(c, db)
	must(t, db.Close())
}

func contents(t *testing.T, settings []string) (has domain.StoreContents) {
	t.Helper()
	opened(t, settings, func(_ config.Config, db *all.Store) {
		must(t, db.Check(t.Context()))
		var err error
		has, err = db.Contents(t.Context())
		must(t, err)
	})
	return has
}

// sameFiles fails unless a server that does not run has these files, by their hashes.
func sameFiles(t *testing.T, settings []string, files map[string][]byte) {
	t.Helper()
	opened(t, settings, func(c config.Config, db *all.Store) {
		store, err := app.OpenFiles(t.Context(), c, db, nil, nil)
		must(t, err)
		for hash, want := range files {
			r, _, err := store.Open(t.Context(), hash)
			must(t, err)
			has, err := io.ReadAll(r)
			must(t, errors.Join(err, r.Close()))
			if !bytes.Equal(has, want) {
				t.Errorf("the file %s has %d bytes, and had %d, or others", hash, len(has), len(want))
			}
		}
	})
}

func same(t *testing.T, want, has domain.StoreContents) {
	t.Helper()
	if want.Users != has.Users || want.Devices != has.Devices || want.Events != has.Events ||
		len(want.Heads) != len(has.Heads) {
		t.Errorf("it has %+v, and had %+v", has, want)
	}
	for room, head := range want.Heads {
		if has.Heads[room] != head {
			t.Errorf("the log of %s ends at %d, and ended at %d", room, has.Heads[room], head)
		}
	}
}

// holds fails unless a room's log has all messages that were acknowledged, under their numbers.
func holds(ctx context.Context, t *testing.T, c *client.Client, room string, acked map[string]int64) {
	t.Helper()
	_, stored := traffic.Log(ctx, t, c, room)
	must(t, traffic.Kept(acked, stored))
	t.Logf("%d messages acknowledged, and there", len(acked))
}

// newIdentity makes a key pair of age, and returns the public key and the file of the secret one.
func newIdentity(t *testing.T) (public, file string) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	must(t, err)
	file = filepath.Join(t.TempDir(), "backup-key.txt")
	must(t, os.WriteFile(file, []byte(key.String()+"\n"), 0o600))
	return key.Recipient().String(), file
}
