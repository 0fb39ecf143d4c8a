package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// Emoji of the server are in a backup with their pictures, and the doctor misses a picture that is gone. Once an emoji
// is deleted nothing holds its picture.
func TestEmojiSurviveBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := testHost{t, filepath.Join(dir, "first")}, testHost{t, filepath.Join(dir, "second")}
	var e domain.CustomEmoji
	var picture domain.Blob
	first.open(func(db *all.Store, files *blob.Service) {
		testkit.Room(t, db, 1)
		var err error
		if picture, err = files.Put(t.Context(), strings.NewReader("a picture"), 100); err != nil {
			t.Fatal(err)
		}
		e, err = db.Emoji.AddEmoji(t.Context(), domain.CustomEmoji{ID: domain.NewID(domain.EmojiPrefix), Name: "parrot",
			By: domain.UserRef{ID: testkit.UserID(0)}}, picture.Hash, time.Now())
		if err != nil {
			t.Fatal(err)
		}
	})
	whole := filepath.Join(dir, "whole.tar")
	if said := first.must("backup", whole); strings.Contains(said, "Not in the backup") {
		t.Error(said)
	}
	second.must("restore", whole)
	if got, err := second.read(picture.Hash); err != nil || string(got) != "a picture" {
		t.Errorf("restored %q, %v", got, err)
	}
	second.open(func(db *all.Store, _ *blob.Service) {
		found, err := db.Emoji.CustomEmoji(t.Context())
		if err != nil || len(found) != 1 || found[0].ID != e.ID || found[0].Picture != e.Picture ||
			found[0].Name != "parrot" {
			t.Errorf("restored are %+v, %v", found, err)
		}
	})
	if said := second.must("doctor"); strings.Contains(said, "superfluous") {
		t.Error(said)
	}
	path := filepath.Join(second.dir, "files", filepath.FromSlash(picture.Object))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if said, code := second.run("doctor"); code == exitOK || !strings.Contains(said, "1 file that the database has") {
		t.Errorf("without the picture: %d\n%s", code, said)
	}
	held := func(want int) {
		first.open(func(db *all.Store, _ *blob.Service) {
			if held, err := db.Blobs.ReferredBlobs(t.Context(), "", 10); err != nil || len(held) != want {
				t.Errorf("%d pictures are held, %v", len(held), err)
			}
		})
	}
	held(1)
	first.open(func(db *all.Store, _ *blob.Service) {
		if err := db.Emoji.DeleteEmoji(t.Context(), e.ID, time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	held(0)
}
