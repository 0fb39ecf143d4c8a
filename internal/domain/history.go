package domain

import "time"

// PageQuery asks for a page of a room's timeline. At most one of Before,
// After, Around and At is set; none means the latest page.
type PageQuery struct {
	Before int64     // lines with lower numbers
	After  int64     // lines with higher numbers
	Around int64     // half of the page on either side of this number
	At     time.Time // the first line at or after this time, and those around it
	Limit  int
}

// Page is a stretch of a room's timeline in ascending order.
type Page struct {
	Events []Event
	Older  bool // there are lines before the first
	Newer  bool // there are lines after the last
}

// SearchOrder says which hits come first.
type SearchOrder string

// The orders of a search.
const (
	Newest    SearchOrder = "newest"
	Relevance SearchOrder = "relevance"
)

// SearchCursor is the place in a list of hits after which the next page
// begins. The zero cursor is the beginning.
type SearchCursor struct {
	Pos  int64 `json:"p,omitempty"` // Newest: the last hit's place in the log
	Skip int   `json:"s,omitempty"` // Relevance: hits shown so far
}

// Hit is one message that a search found.
type Hit struct {
	Message Message
	Pos     int64
}
