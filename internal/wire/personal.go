package wire

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Saved is a message that the user saved.
type Saved struct {
	Message Message   `json:"message"`
	At      time.Time `json:"at" doc:"when it was saved"`
}

// SavedChanged says of a message whether the user has saved it.
type SavedChanged struct {
	Room  string `json:"room"`
	Seq   int64  `json:"seq"`
	Saved bool   `json:"saved"`
}

// Draft is what the user has begun to write in a room or thread.
type Draft struct {
	Room    string `json:"room"`
	Thread  int64  `json:"thread,omitempty" doc:"seq of its first message; absent: of the room"`
	Text    string `json:"text,omitempty" doc:"absent: there is none any more"`
	Version int64  `json:"version" doc:"higher with each change of this draft"`
}

// Kept is a saved message or a draft in the download of one's data.
type Kept struct {
	Saved *SavedRef `json:"saved,omitempty"`
	Draft *Draft    `json:"draft,omitempty"`
}

// SavedRef is a saved message in the download of one's data. Most are of others: their texts are left out.
type SavedRef struct {
	Room string    `json:"room"`
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
}

// FromKept is the wire's view of k.
func FromKept(k domain.Kept) Kept { return Kept{Saved: (*SavedRef)(k.Saved), Draft: (*Draft)(k.Draft)} }

// FromSaved is the wire's view of s.
func FromSaved(s domain.Saved) Saved { return Saved{Message: FromMessage(s.Message), At: s.At} }
