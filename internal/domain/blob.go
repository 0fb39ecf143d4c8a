package domain

import (
	"strings"
	"time"
)

// A Blob is a file that is kept by its content.
type Blob struct {
	Hash    string // SHA-256, in hex
	Size    int64  // bytes
	Type    string // what its first bytes look like: a media type, perhaps with a charset
	Object  string // where its bytes lie
	Created time.Time
}

// avatarLength is how much of its file's hash names a picture: 128 bits, in hex.
const avatarLength = 32

// AvatarOf returns what a user's Avatar is whose picture is the file with a hash; empty: no
// picture.
func AvatarOf(hash string) string { return hash[:min(avatarLength, len(hash))] }

// IsAvatar reports whether s can be the Avatar of a user with a picture.
func IsAvatar(s string) bool {
	return len(s) == avatarLength && strings.Trim(s, "0123456789abcdef") == ""
}

// A Picture is a file, or for one that was set before there were files, its bytes.
type Picture struct {
	Hash string // of the file; empty: Data has the picture
	Type string
	Data []byte
}
