package auth

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	avatarSize  = 256     // pixels, either way
	avatarBytes = 1 << 20 // of a picture of that size: never reached
	moveAgain   = time.Hour
)

// SetAvatar gives a user a picture: the middle of what they sent, made anew in
// our size, so that nothing else that was in the file is kept. No data takes the
// picture away.
func (s *Service) SetAvatar(ctx context.Context, user string, data []byte) (u domain.User, err error) {
	var hash string
	if len(data) > 0 {
		if hash, err = s.MakePicture(ctx, user, data); err != nil {
			return u, err
		}
	}
	if u, err = s.Store.SetAvatar(ctx, user, hash, s.Now()); err == nil {
		s.tell(ctx, u, true)
	}
	return u, err
}

// MakePicture keeps a picture that a user sent, as SetAvatar does, and returns the hash of its file.
func (s *Service) MakePicture(ctx context.Context, user string, data []byte) (hash string, err error) {
	if ok, wait := s.avatars.Allow(user, s.Now()); !ok {
		return "", domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"you changed pictures too often; try again later").After(wait)
	}
	made, err := s.pictures.Square(ctx, data, avatarSize)
	if err != nil {
		return "", err
	}
	file, err := s.Files.Put(ctx, bytes.NewReader(made), avatarBytes)
	return file.Hash, err
}

// picture returns the picture of the users and rooms whose Avatar is avatar.
func (s *Service) picture(ctx context.Context, avatar string) (domain.Picture, error) {
	if !domain.IsAvatar(avatar) {
		return domain.Picture{}, domain.NotFound.Errorf(domain.CodeNoAvatar, "there is no such picture")
	}
	p, err := s.Store.Avatar(ctx, avatar)
	if err != nil || p.Hash == "" {
		return p, err
	}
	r, _, err := s.Files.Open(ctx, p.Hash)
	if err != nil {
		return p, err
	}
	defer r.Close()
	p.Data, err = io.ReadAll(io.LimitReader(r, avatarBytes))
	return p, err
}

// RunAvatars makes files of the pictures that are rows of the database, of the version
// before there were files; again each hour, for what such a server adds beside this one.
func (s *Service) RunAvatars(ctx context.Context) error {
	tick := time.NewTicker(moveAgain)
	defer tick.Stop()
	for {
		if err := s.moveAvatars(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "make files of pictures; will try again", "err", err, "in", moveAgain)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// moveAvatars makes a file of each picture that is none. It may end anywhere, and be
// done twice at once.
func (s *Service) moveAvatars(ctx context.Context) error {
	if err := s.Store.ReleaseAvatars(ctx, s.Now()); err != nil {
		return err
	}
	after, moved := "", 0
	for {
		avatar, data, ok, err := s.Store.NextOldAvatar(ctx, after)
		if err != nil || !ok {
			if moved > 0 {
				s.Log.InfoContext(ctx, "made files of pictures", "pictures", moved)
			}
			return err
		}
		after = avatar
		file, err := s.Files.Put(ctx, bytes.NewReader(data), avatarBytes)
		if err != nil {
			return err
		}
		switch err := s.Store.MoveAvatar(ctx, avatar, file.Hash, s.Now()); {
		case domain.KindOf(err) == domain.Invalid: // it stays where it is
			s.Log.ErrorContext(ctx, "make a file of a picture", "picture", avatar, "err", err)
		case err != nil:
			return err
		default:
			moved++
		}
	}
}
