package domain

// Limits of faces.
const (
	MaxFaceName = 64  // characters
	FaceSide    = 128 // pixels of a picture, at most
	MaxFaces    = 100 // pictures of one webhook that are kept
)

// Face is under which name and with which picture a program wants one of its messages to be shown. The sender of the
// message stays the program, and is shown beside it. Its JSON is the stored form.
type Face struct {
	Name    string `json:"name,omitempty"`    // empty: that of the sender
	Emoji   string `json:"emoji,omitempty"`   // as in reactions, or the name of one of the server; empty: none
	Picture string `json:"picture,omitempty"` // path below /api/v1/; empty: the emoji, or that of the sender
}

// FaceOf returns f, or nil if it says nothing.
func FaceOf(f Face) *Face {
	if f == (Face{}) {
		return nil
	}
	return &f
}

// Called returns under which name what sender wrote with face f is told of in one line: the name that it chose, and
// then its own.
func Called(sender UserRef, f *Face) string {
	if f == nil || f.Name == "" {
		return sender.DisplayName
	}
	return f.Name + " (" + sender.DisplayName + ")"
}
