package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// painted is a picture of one colour.
func painted(t *testing.T, c color.Color) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 2, 2))
	for i := range 4 {
		img.Set(i%2, i/2, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// seen says whether the picture of an account is there.
func (f *fixture) seen(t *testing.T, avatar string, want bool) []byte {
	t.Helper()
	p, err := f.picture(t.Context(), avatar)
	if want && (err != nil || p.Type != "image/jpeg" || len(p.Data) == 0) || !want &&
		domain.CodeOf(err) != domain.CodeNoAvatar {
		t.Errorf("the picture %q: %s, %d bytes, %v; there: want %v", avatar, p.Type, len(p.Data), err, want)
	}
	return p.Data
}

func TestAPictureIsAFileOfThoseWhoHaveIt(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		ann, bob := f.join(t, "ann").User.ID, f.join(t, "bob").User.ID
		set := func(user string, data []byte) string {
			t.Helper()
			u, err := f.SetAvatar(ctx, user, data)
			if err != nil {
				t.Fatal(err)
			}
			return u.Avatar
		}
		red, blue := painted(t, color.RGBA{R: 255, A: 255}), painted(t, color.RGBA{B: 255, A: 255})
		both := set(ann, red)
		sum := sha256.Sum256(f.seen(t, both, true))
		if both != hex.EncodeToString(sum[:16]) || set(bob, red) != both {
			t.Errorf("known as %s, of content %x", both, sum)
		}
		f.seen(t, both[:31], false)
		f.seen(t, "", false)
		f.seen(t, "zz"+both[2:], false)
		anns := set(ann, blue)
		f.seen(t, both, true) // bob's
		set(bob, nil)
		f.seen(t, both, false)
		if err := f.db.Departure.DeleteUser(ctx, ann, f.clock); err != nil {
			t.Fatal(err)
		}
		f.seen(t, anns, false)
		if left, err := f.db.Blobs.ReferredBlobs(ctx, "", 10); err != nil || len(left) != 0 {
			t.Errorf("referred to: %+v, %v", left, err)
		}
		file, err := f.Files.Put(ctx, bytes.NewReader([]byte("of a room")), 100)
		if err != nil {
			t.Fatal(err)
		}
		f.seen(t, domain.AvatarOf(file.Hash), false)
	})
}

// TestOldPicturesBecomeFiles: those that a server of the version before set, also while
// this one ran already; their addresses stay.
func TestOldPicturesBecomeFiles(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		ann, bob, cy := f.join(t, "ann").User.ID, f.join(t, "bob").User.ID, f.join(t, "cy").User.ID
		for _, user := range []string{ann, cy} {
			if _, err := f.SetAvatar(ctx, user, painted(t, color.Black)); err != nil {
				t.Fatal(err)
			}
		}
		data := []byte("\xff\xd8\xff\xe0 a JPEG")
		sum := sha256.Sum256(data)
		old := hex.EncodeToString(sum[:16])
		err := f.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			t.Invalidate()
			if _, err := t.ExecContext(ctx, `UPDATE users SET avatar = '' WHERE id = $1`, cy); err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, `INSERT INTO avatars (hash, mime, data) VALUES ($1, 'image/jpeg', $2)`, old,
				data); err != nil {
				return err
			}
			_, err := t.ExecContext(ctx, `UPDATE users SET avatar = $1 WHERE id IN ($2, $3)`, old, ann, bob)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := f.seen(t, old, true); !bytes.Equal(got, data) {
				t.Errorf("got %q", got)
			}
			if err := f.moveAvatars(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, ok, err := f.db.Accounts.NextOldAvatar(ctx, ""); ok || err != nil {
			t.Errorf("an old picture is left: %v, %v", ok, err)
		}
		if has, err := f.db.Blobs.ReferredBlobs(ctx, "", 10); err != nil || len(has) != 1 ||
			domain.AvatarOf(has[0].Hash) != old {
			t.Errorf("referred to: %+v, %v; want only the picture of ann and bob", has, err)
		}
	})
}
