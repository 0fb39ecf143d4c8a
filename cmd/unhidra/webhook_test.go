package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// The list names what fails, and why, without what addresses have that may be secret.
func TestWebhookListSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	m := testHost{t, filepath.Join(t.TempDir(), "data")}
	m.open(func(db *all.Store, _ *blob.Service) {
		ctx, now, ann := t.Context(), time.Now(), testkit.UserID(0)
		room := testkit.Room(t, db, 1)
		for _, name := range []string{"Tickets", "Wiki"} {
			h, err := db.OutHooks.CreateOutHook(ctx, ann, domain.OutHook{ID: domain.NewID(domain.OutHookPrefix), Room: room,
				User: domain.UserRef{DisplayName: name}, URL: "https://tickets.example.org/hidden",
				Types: []domain.EventType{domain.MessageCreated}}, now)
			if err != nil {
				t.Fatal(err)
			}
			if name == "Wiki" {
				continue
			}
			err = db.OutHooks.Settle(ctx, domain.Delivery{Hook: h.ID, ID: "x"}, domain.Outcome{State: domain.DeliveryWaiting,
				Failure: "the receiver answers 401"}, now)
			if err != nil {
				t.Fatal(err)
			}
		}
		c, err := db.Slash.CreateSlash(ctx, ann, domain.SlashCommand{ID: domain.NewID(domain.SlashPrefix), Room: room,
			Name: "deploy", URL: "https://ci.example.org/hidden"}, now)
		if err != nil {
			t.Fatal(err)
		}
		off := false
		_, err = db.Slash.ChangeSlash(ctx, ann, room, c.ID, func(*domain.SlashCommand) error { return nil }, &off, now)
		if err != nil {
			t.Fatal(err)
		}
	})
	all, code := m.run("webhook", "list")
	wrong, codeWrong := m.run("webhook", "list", "--wrong")
	if code != exitOK || codeWrong != exitOK || strings.Count(all, "\n") != 4 || strings.Count(wrong, "\n") != 3 {
		t.Fatalf("%d, %d:\n%s\n%s", code, codeWrong, all, wrong)
	}
	for text, there := range map[string]bool{"tickets.example.org": true, "the receiver answers 401": true,
		"on, failing since ": true, "/deploy": true, "ci.example.org": true, "off (admin)": true, "Wiki": false,
		"hidden": false} {
		if strings.Contains(wrong, text) != there {
			t.Errorf("%q is there: %t\n%s", text, !there, wrong)
		}
	}
	if !strings.Contains(all, "Wiki") || strings.Contains(all, "hidden") {
		t.Error(all)
	}
}
