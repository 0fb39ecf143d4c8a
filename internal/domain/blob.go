package domain

import "time"

// A Blob is a file that is kept by its content.
type Blob struct {
	Hash    string // SHA-256, in hex
	Size    int64  // bytes
	Type    string // what its first bytes look like: a media type, perhaps with a charset
	Object  string // where its bytes lie
	Created time.Time
}
