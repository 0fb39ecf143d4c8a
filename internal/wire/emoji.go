package wire

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// CustomEmoji is an emoji that people added to the server.
type CustomEmoji struct {
	Name      string    `json:"name" doc:"without colons; between colons it is the emoji, in texts and as a reaction"`
	Picture   string    `json:"picture" doc:"path of its picture, which never changes"`
	By        *User     `json:"by,omitempty" doc:"who added it; guests are not told"`
	CreatedAt time.Time `json:"created_at"`
}

// EmojiChanged says that an emoji was added to the server or deleted.
type EmojiChanged struct {
	Name    string `json:"name"`
	Picture string `json:"picture,omitempty" doc:"path of its picture; absent: it was deleted"`
}

// FromCustomEmoji is the wire's view of e. Guests are not told who added it.
func FromCustomEmoji(e domain.CustomEmoji, guest bool) CustomEmoji {
	v := CustomEmoji{Name: e.Name, Picture: AvatarPath(e.Picture), CreatedAt: e.CreatedAt}
	if !guest {
		by := FromUser(e.By)
		v.By = &by
	}
	return v
}
