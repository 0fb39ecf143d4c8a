package preview

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	facesAtOnce  = 4
	facesPerHour = 60      // new ones of one webhook
	faceKey      = "face " // before addresses in the cache; links have no spaces
)

// Face returns the path below /api/v1/ of a small picture of that at an address, for messages of user, a webhook, in
// room. It is loaded once and kept: another picture has another address. It is empty if there is none to be had: then
// the message goes without. Whoever posts it waits for that, but not long, and not in a queue.
func (s *Service) Face(ctx context.Context, room, user, address string) string {
	if !s.Faces || len(address) > domain.MaxPreviewAddress || strings.ContainsFunc(address, unprintable) {
		return ""
	}
	id, err := s.Store.FacePicture(ctx, user, address)
	if err == nil && id == "" {
		id, err = s.newFace(ctx, room, user, address)
	}
	if err != nil {
		s.Log.DebugContext(ctx, "load the picture of a message", "err", err)
	}
	if id == "" || err != nil {
		return ""
	}
	return "previews/" + id
}

func unprintable(r rune) bool { return r <= ' ' || r == 0x7f }

// newFace loads a picture and stores it, and returns its id. What failed is not tried again for a while.
func (s *Service) newFace(ctx context.Context, room, user, address string) (id string, err error) {
	if p, known := s.known.get(faceKey+address, s.Now()); known {
		if p.Image.Hash == "" {
			return "", nil
		}
		return s.addFace(ctx, room, user, address, p.Image)
	}
	if err := s.DiskFull(); err != nil {
		return "", err
	}
	if ok, _ := s.faces.Allow(user, s.Now()); !ok {
		return "", errors.New("a webhook with too many pictures")
	}
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	default:
		return "", errors.New("too many pictures of messages at once")
	}
	image, err := s.image(ctx, address, smallPatience, maxImage, domain.FaceSide)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	s.known.putImage(faceKey+address, image, s.Now())
	if err != nil {
		return "", err
	}
	return s.addFace(ctx, room, user, address, image)
}

func (s *Service) addFace(ctx context.Context, room, user, address string, i domain.PreviewImage) (string, error) {
	i.ID = rand.Text()
	return s.Store.AddFacePicture(ctx, room, user, address, i, s.Now())
}
