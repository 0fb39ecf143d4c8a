package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"image"
	_ "image/gif" // pictures that people have
	"image/jpeg"
	_ "image/png"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	avatarSize   = 256     // pixels, either way
	avatarBytes  = 1 << 20 // of an upload
	avatarPixels = 40 << 20
)

// UpdateProfile changes a user's own profile.
func (s *Service) UpdateProfile(ctx context.Context, user string, p domain.Profile) (domain.User, error) {
	p, err := domain.CheckProfile(p)
	if err != nil {
		return domain.User{}, err
	}
	return s.told(s.Store.UpdateProfile(ctx, user, p))
}

// SetStatus changes what a user shows of themselves.
func (s *Service) SetStatus(ctx context.Context, user string, st domain.Status) (domain.User, error) {
	st, err := domain.CheckStatus(st, s.Now())
	if err != nil {
		return domain.User{}, err
	}
	return s.told(s.Store.SetStatus(ctx, user, st))
}

// SetAvatar gives a user a picture: the middle of what they sent, made anew in
// our size, so that nothing else that was in the file is kept. No data takes the
// picture away.
func (s *Service) SetAvatar(ctx context.Context, user string, data []byte) (domain.User, error) {
	if len(data) == 0 {
		return s.told(s.Store.SetAvatar(ctx, user, "", "", nil))
	}
	made, err := avatar(data)
	if err != nil {
		return domain.User{}, err
	}
	sum := sha256.Sum256(made)
	return s.told(s.Store.SetAvatar(ctx, user, hex.EncodeToString(sum[:16]), "image/jpeg", made))
}

func avatar(data []byte) ([]byte, error) {
	bad := domain.Invalid.Errorf("bad_picture", "this is not a picture that can be read; send a PNG, JPEG, GIF or WebP of at most 1 MiB")
	if len(data) > avatarBytes {
		return nil, bad
	}
	head, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, bad.Because(err)
	}
	if head.Width <= 0 || head.Height <= 0 || head.Width*head.Height > avatarPixels {
		return nil, bad
	}
	src, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, bad.Because(err)
	}
	dst := image.NewRGBA(image.Rect(0, 0, avatarSize, avatarSize))
	draw.Draw(dst, dst.Bounds(), image.White, image.Point{}, draw.Src) // behind what is transparent
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, square(src.Bounds()), draw.Over, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, dst, &jpeg.Options{Quality: 88}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// square is the largest square in the middle of r.
func square(r image.Rectangle) image.Rectangle {
	side := min(r.Dx(), r.Dy())
	x, y := r.Min.X+(r.Dx()-side)/2, r.Min.Y+(r.Dy()-side)/2
	return image.Rect(x, y, x+side, y+side)
}

// told tells everyone who looks at u, and u's own connections, what is new.
func (s *Service) told(u domain.User, err error) (domain.User, error) {
	if err != nil {
		return u, err
	}
	packed, err := wire.PackUser(u)
	if err == nil {
		err = s.Bus.Publish(bus.PresenceSubject, packed)
	}
	if err != nil {
		s.Log.Warn("tell of a changed user", "user", u.ID, "err", err)
	}
	s.tellOwn(u)
	return u, nil
}

func (s *Service) tellOwn(u domain.User) {
	frame, err := wire.Encode(wire.Reply{Type: wire.TypeUser, Data: wire.FromMe(u)})
	if err == nil {
		frame, err = wire.Pack(wire.Header{Type: wire.TypeUser}, frame)
	}
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(u.ID), frame)
	}
	if err != nil {
		s.Log.Warn("tell a user of their own change", "user", u.ID, "err", err)
	}
}

// me returns the caller's own account.
func (s *Service) me(ctx context.Context, p domain.Principal) (domain.User, error) {
	users, err := s.Store.UsersByID(ctx, []string{p.ID})
	if err != nil {
		return domain.User{}, err
	}
	if len(users) == 0 {
		return domain.User{}, domain.Unauthorized.Errorf("signed_out", "this account is gone")
	}
	return users[0], nil
}
