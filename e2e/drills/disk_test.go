//go:build linux

package drills

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/disktest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// Something else fills the disk of the data folder; room is made, and nothing is started again.
func TestFillTheDisk(t *testing.T) {
	t.Parallel()
	ctx := drill(t)
	dir := disktest.Mount(t, 80)
	s := serve(ctx, t, node.Build(t), "UNHIDRA_DATA_DIR="+dir, "UNHIDRA_DISK_RESERVE=16")
	people, room := traffic.Settle(ctx, t, 4, s.URL())
	f := traffic.Start(ctx, t, people, room, usual)
	f.AwaitAll()
	traffic.Wait(ctx, t, "the server has its reserve", func() bool {
		_, err := os.Stat(filepath.Join(dir, "unhidra.db.reserve"))
		return err == nil
	})

	end := disktest.Fill(t, dir)
	begin := time.Now()
	traffic.Wait(ctx, t, "messages are refused", func() bool {
		_, err := people[0].Send(ctx, client.Draft{Room: room, Key: "refused", Text: "refused"})
		var refused *client.Error
		return errors.As(err, &refused) && refused.Code == domain.CodeDiskFull
	})
	took(t, "fill the disk: messages are refused after", time.Since(begin))
	if r, err := people[1].Events(ctx, room, 0, 10); err != nil || len(r.Events) == 0 {
		t.Errorf("reading meanwhile: %d events, %v", len(r.Events), err)
	}
	again := client.New(s.URL())
	traffic.Wait(ctx, t, "people can sign in", func() bool { return again.SignIn(ctx, "user2", traffic.Password) == nil })
	took(t, "fill the disk: people can sign in after", time.Since(begin))

	end()
	begin = time.Now()
	traffic.Wait(ctx, t, "messages are taken again", func() bool {
		_, err := again.Send(ctx, client.Draft{Room: room, Key: "again", Text: "again"})
		return err == nil
	})
	took(t, "fill the disk: with room again, messages are taken after", time.Since(begin))
	f.AwaitAll()
	took(t, "fill the disk: with room again, everybody's client has tried again after", time.Since(begin))
	f.Stop()
	f.Check(people[0])
}
