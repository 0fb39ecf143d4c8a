package webhook

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/webhook/incoming"
)

// face returns the name and the picture that p asks for, as far as h may have them; nil: none. An emoji goes before a
// picture from elsewhere, as at Slack.
func (s *Service) face(ctx context.Context, h domain.Hook, p incoming.Post) (*domain.Face, error) {
	if !h.Faces {
		return nil, nil
	}
	var f domain.Face
	var err error
	if f.Name, err = s.faceName(ctx, h, p.Name); err != nil {
		return nil, err
	}
	if p.Emoji != "" {
		if f.Emoji, f.Picture, err = s.faceEmoji(ctx, p.Emoji); err != nil {
			return nil, err
		}
	}
	if f.Emoji == "" && p.Icon != "" {
		f.Picture = s.Faces.Face(ctx, h.Room, h.ID, p.Icon)
	}
	return domain.FaceOf(f), nil
}

// faceEmoji returns an emoji and, if it is one of the server, the path of its picture. Those go first.
func (s *Service) faceEmoji(ctx context.Context, word string) (emoji, picture string, err error) {
	name := incoming.EmojiName(word)
	if _, ok := domain.CustomEmojiName(":" + name + ":"); ok {
		switch e, err := s.Emoji.OneEmoji(ctx, name); {
		case err == nil:
			return ":" + e.Name + ":", "avatars/" + e.Picture, nil
		case domain.CodeOf(err) != domain.CodeNoEmoji:
			return "", "", err
		}
	}
	return incoming.Emoji(word), "", nil
}

// faceName returns the name that a message of h is to have; empty: none. Nobody may take it for a person: it is not,
// and does not look like, the username of one, nor the name of one in the room.
func (s *Service) faceName(ctx context.Context, h domain.Hook, asked string) (string, error) {
	name := names.Clean(asked, domain.MaxFaceName)
	form := likeness(name)
	if form == "" || form == likeness(h.User.DisplayName) {
		return "", nil
	}
	taken, err := s.Store.UsernameLike(ctx, form)
	if err != nil || taken {
		return "", err
	}
	people, err := s.people.of(h.Room, s.Now(), func() (map[string]bool, error) {
		called, err := s.Store.PeopleCalled(ctx, h.Room)
		forms := make(map[string]bool, len(called))
		for _, name := range called {
			forms[likeness(name)] = true
		}
		return forms, err
	})
	if err != nil || people[form] {
		return "", err
	}
	return name, nil
}

// likeness is the same for names that look alike.
func likeness(name string) string { return names.Skeleton(strings.ReplaceAll(name, " ", "")) }

const (
	keepNames = time.Minute
	mostNames = 64 // rooms
)

// nameCache remembers for a while what people in rooms are called. Its zero value is empty.
type nameCache struct {
	mu    sync.Mutex
	rooms map[string]knownNames
}

type knownNames struct {
	forms map[string]bool
	until time.Time
}

func (c *nameCache) of(room string, now time.Time, read func() (map[string]bool, error)) (map[string]bool, error) {
	c.mu.Lock()
	known, ok := c.rooms[room]
	c.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.forms, nil
	}
	forms, err := read()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for old := range c.rooms { // in no order
		if len(c.rooms) < mostNames {
			break
		}
		delete(c.rooms, old)
	}
	if c.rooms == nil {
		c.rooms = make(map[string]knownNames)
	}
	c.rooms[room] = knownNames{forms, now.Add(keepNames)}
	return forms, nil
}
