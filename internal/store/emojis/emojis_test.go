package emojis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// add has user i add an emoji whose picture is the file of a letter.
func add(t *testing.T, db *all.Store, i int, name, of string) (domain.CustomEmoji, error) {
	t.Helper()
	hash := strings.Repeat(of, 64)
	_, err := db.Blobs.AddBlob(t.Context(), domain.Blob{Hash: hash, Size: 1, Type: "image/png", Object: of}, time.Now())
	must(t, err)
	return db.Emoji.AddEmoji(t.Context(), domain.CustomEmoji{ID: domain.NewID(domain.EmojiPrefix), Name: name,
		By: domain.UserRef{ID: testkit.UserID(i)}}, hash, time.Now())
}

// referred are the files that anything refers to; each is served as a picture.
func referred(t *testing.T, db *all.Store) (has string) {
	t.Helper()
	must(t, db.Accounts.ReleaseAvatars(t.Context(), time.Now()))
	found, err := db.Blobs.ReferredBlobs(t.Context(), "", 10)
	must(t, err)
	for _, b := range found {
		has += b.Object
		if p, err := db.Accounts.Avatar(t.Context(), domain.AvatarOf(b.Hash)); err != nil || p.Hash != b.Hash {
			t.Errorf("the picture %s is not served: %v", b.Object, err)
		}
	}
	return has
}

// Two people add emoji and react with them. Once one is deleted, nobody can react with it any more, and its picture
// goes unless another emoji has it; the reactions stay, and are taken away one by one.
func TestEmojiComeAndGo(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, room := t.Context(), testkit.Room(t, db, 3)
		parrot, err := add(t, db, 0, "parrot", "a")
		must(t, err)
		if parrot.By.Username != "user0" || parrot.Picture != strings.Repeat("a", 32) || parrot.CreatedAt.IsZero() {
			t.Errorf("added: %+v", parrot)
		}
		twin, err := add(t, db, 1, "ara", "a")
		must(t, err)
		if _, err := add(t, db, 1, "parrot", "b"); domain.CodeOf(err) != domain.CodeEmojiTaken {
			t.Errorf("a second parrot: %v", err)
		}
		all, err := db.Emoji.CustomEmoji(ctx)
		if must(t, err); len(all) != 2 || all[0].Name != "ara" || all[1] != parrot {
			t.Errorf("there are %+v", all)
		}
		e, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(2), domain.Draft{Key: "1", Room: room, Text: "see"},
			nil, false, time.Now())
		must(t, err)
		react := func(i int, emoji string, remove bool) error {
			_, _, err := db.Messages.React(ctx, testkit.UserID(i), domain.Reacting{Room: room, Seq: e.Seq, Emoji: emoji,
				Remove: remove}, time.Now())
			return err
		}
		must(t, react(1, ":parrot:", false))
		if err := react(1, ":tukan:", false); domain.CodeOf(err) != domain.CodeNoEmoji {
			t.Errorf("a reaction by an emoji that there is not: %v", err)
		}
		must(t, db.Emoji.DeleteEmoji(ctx, parrot.ID, time.Now()))
		if has := referred(t, db); has != "a" {
			t.Errorf("the emoji that is left needs the files %q", has)
		}
		must(t, react(1, ":parrot:", false)) // it is so already
		if err := react(2, ":parrot:", false); domain.CodeOf(err) != domain.CodeNoEmoji {
			t.Errorf("a reaction by an emoji that was deleted: %v", err)
		}
		var reactions int
		must(t, db.QueryRowContext(ctx, `SELECT count(*) FROM reactions WHERE emoji = ':parrot:'`).Scan(&reactions))
		if reactions != 1 {
			t.Errorf("there are %d reactions by the emoji that was deleted", reactions)
		}
		must(t, react(1, ":parrot:", true))
		must(t, db.Emoji.DeleteEmoji(ctx, twin.ID, time.Now()))
		if has := referred(t, db); has != "" {
			t.Errorf("nothing needs the files %q", has)
		}
	})
}

// The emoji of somebody whose account is deleted stay, with an account that says so.
func TestEmojiOutliveTheirAuthors(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		testkit.Room(t, db, 2)
		_, err := add(t, db, 1, "parrot", "a")
		must(t, err)
		_, err = add(t, db, 0, "tukan", "a")
		must(t, err)
		n, err := db.Emoji.EachEmojiBy(ctx, testkit.UserID(1), func(e domain.CustomEmoji) error {
			if e.Name != "parrot" {
				t.Errorf("exported: %+v", e)
			}
			return nil
		})
		if must(t, err); n != 1 {
			t.Errorf("%d emoji are exported", n)
		}
		must(t, db.Departure.DeleteUser(ctx, testkit.UserID(1), time.Now()))
		e, err := db.Emoji.OneEmoji(ctx, "parrot")
		if must(t, err); e.By.DisplayName != "Deleted account" || referred(t, db) != "a" {
			t.Errorf("it is now %+v", e)
		}
	})
}

// Neither one person nor all of them add emoji without end.
func TestEmojiAreBounded(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		testkit.Room(t, db, 3)
		fill := func(i, from, to int) {
			must(t, db.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				for n := from; n < to; n++ {
					_, err := tx.ExecContext(ctx, `INSERT INTO custom_emoji (id, name, picture, user_id, created_at)
						VALUES ($1, $2, '', $3, 0)`, fmt.Sprint("emj_", n), fmt.Sprint("e", n), testkit.UserID(i))
					if err != nil {
						return err
					}
				}
				return nil
			}))
		}
		fill(0, 0, domain.MaxCustomEmojiOfUser-1)
		_, err := add(t, db, 0, "last", "a")
		must(t, err)
		if _, err := add(t, db, 0, "more", "a"); domain.CodeOf(err) != domain.CodeTooManyEmoji {
			t.Errorf("one more of one person: %v", err)
		}
		fill(2, domain.MaxCustomEmojiOfUser, domain.MaxCustomEmoji)
		if _, err := add(t, db, 1, "more", "a"); domain.CodeOf(err) != domain.CodeTooManyEmoji {
			t.Errorf("one more of the server: %v", err)
		}
	})
}
