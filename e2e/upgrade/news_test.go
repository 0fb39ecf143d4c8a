//go:build unix

package upgrade

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

// What people do at the new version that the one before may not know, in a room that both serve, breaks nothing at the
// one before: its people hear all of it, read it back, and are refused at most what it does not know.
func TestTheVersionBeforeGoesOnBesideWhatIsNew(t *testing.T) {
	t.Parallel()
	before, _ := previous(t)
	now := node.Build(t)
	var oldLog, newLog testkit.Buffer
	settings := []string{"DATABASE_URL=" + pgtest.Database(t, nil), "NATS_URL=" + natstest.Start(t).URL(), key,
		"UNHIDRA_DRAIN=200ms", "UNHIDRA_PRIVATE_NETWORKS=127.0.0.0/8"}
	older, newer := node.New(t, before, &oldLog, settings...), node.New(t, now, &newLog, settings...)
	older.Start()
	ready(t, older, &oldLog)
	newer.Start()
	ready(t, newer, &newLog)

	ctx := t.Context()
	ann, bob := client.New(older.URL()), client.New(newer.URL())
	must(t, ann.Register(ctx, client.Registration{Username: "ann", Password: live.Password}))
	must(t, bob.Register(ctx, client.Registration{Username: "bob", Password: live.Password}))
	role := exec.CommandContext(ctx, now, "user", "set-role", "bob", "admin")
	role.Env = append(settings, "UNHIDRA_DATA_DIR="+t.TempDir())
	if out, err := role.CombinedOutput(); err != nil {
		t.Fatalf("make bob an administrator: %v\n%s", err, out)
	}
	must(t, bob.SignIn(ctx, "bob", live.Password))
	r, err := bob.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Upgrade"})
	must(t, err)
	me, err := ann.Me(ctx)
	must(t, err)
	must(t, bob.Add(ctx, r.ID, me.ID))
	a, b := listen(t, ann), listen(t, bob)
	heard := func(what string, seq int64) {
		t.Helper()
		await(t, "everybody to hear "+what, func() bool { return a.last() >= seq && b.last() >= seq })
	}

	// Emoji of the server.
	var file bytes.Buffer
	must(t, png.Encode(&file, image.NewNRGBA(image.Rect(0, 0, 8, 8))))
	parrot, err := bob.AddEmoji(ctx, "parrot", file.Bytes())
	must(t, err)
	said, err := ann.Send(ctx, client.Draft{Room: r.ID, Text: "look :parrot:"})
	must(t, err)
	heard("its name", said.Seq)
	reacted, err := bob.React(ctx, r.ID, said.Seq, ":parrot:")
	must(t, err)
	heard("a reaction by an emoji of the server", reacted.Seq)
	knows(t, "a reaction by it", func() error { _, err := ann.React(ctx, r.ID, said.Seq, ":parrot:"); return err })
	knows(t, "to take it back", func() error { _, err := ann.Unreact(ctx, r.ID, said.Seq, ":parrot:"); return err })
	if res, err := http.Get(older.URL() + parrot.Picture); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("its picture: %v, %v", res, err)
	} else {
		_ = res.Body.Close()
	}

	// A slash command of the server.
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"response_type": "in_channel", "text": "Ann is on call"}`)
	}))
	t.Cleanup(program.Close)
	_, err = bob.CreateServerCommand(ctx, client.NewServerCommand{
		NewSlashCommand: client.NewSlashCommand{Name: "oncall", URL: program.URL}})
	must(t, err)
	reply, err := bob.RunSlashCommand(ctx, r.ID, client.WrittenCommand{Command: "oncall"})
	must(t, err)
	heard("the answer of a command", reply.Seq)
	knows(t, "the command", func() error {
		_, err := ann.RunSlashCommand(ctx, r.ID, client.WrittenCommand{Command: "oncall"})
		return err
	})

	// A report from the one before.
	_, err = ann.Report(ctx, r.ID, reply.Seq, "spam", "look")
	must(t, err)
	if reports, err := bob.RoomReports(ctx, r.ID, ""); err != nil || len(reports.Items) != 1 {
		t.Errorf("the reports are %+v, %v", reports, err)
	}

	// All that is read back at the one before, also after it came back.
	older.Stop(patience)
	older.Start()
	ready(t, older, &oldLog)
	for _, path := range []string{"/rooms/" + r.ID + "/timeline", "/rooms/" + r.ID + "/members", "/rooms",
		"/notifications"} {
		if err := ann.Do(ctx, "GET", path, nil, nil); err != nil {
			t.Errorf("%s at the version before: %v", path, err)
		}
	}
	last, err := ann.Send(ctx, client.Draft{Room: r.ID, Text: "good bye"})
	must(t, err)
	heard("the last word", last.Seq)
	a.whole(t, "ann, at the old one")
	b.whole(t, "bob, at the new one")
}

// knows checks that the version before does something, or refuses it as what it does not know.
func knows(t *testing.T, what string, do func() error) {
	t.Helper()
	err := do()
	var refused *client.Error
	if err != nil && (!errors.As(err, &refused) || refused.Status < 400 || refused.Status >= 500) {
		t.Errorf("%s at the version before: %v", what, err)
	}
	t.Logf("%s at the version before: %v", what, err)
}
