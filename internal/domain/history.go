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
	Fold   bool // a run of joins and departures is one line
	Main   bool // without replies in threads, except those that are lines of the room as well
}

// Page is a stretch of a room's timeline in ascending order.
type Page struct {
	Events []Event
	Older  bool           // there are lines before the first
	Newer  bool           // there are lines after the last
	Folds  map[int64]Fold // by the number of the event that stands for others
}

// Start is the number of the first event that the page covers, shown or folded.
// The page must not be empty.
func (p Page) Start() int64 {
	first := p.Events[0].Seq
	if f, ok := p.Folds[first]; ok {
		return f.From
	}
	return first
}

// Fold is a run of joins and departures of which only the last is shown.
type Fold struct {
	From  int64 // number of the first that is left out
	Count int   // how many are left out
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
	Pos  int64 `json:"p,omitempty"` // Newest: the last hit's place in the log; Relevance: all hits are before it
	Skip int   `json:"s,omitempty"` // Relevance: hits shown so far
}

// Hit is one message that a search found.
type Hit struct {
	Message   Message
	Pos       int64
	ByMeaning bool // it was found by its meaning alone
}

// A MessageText is a message that is to get a vector.
type MessageText struct {
	Pos, Room int64 // its position in the log, and the number of its room in the index of search
	Edits     int64 // of which this is the text
	Text      string
}

// A MessageVector is the vector of a message, a byte for each number.
type MessageVector struct {
	Pos, Room, Edits int64
	Code             []byte
}
