package domain

import (
	"slices"
	"time"
)

// Limits of reports of messages.
const (
	MaxReportNote   = 500 // characters
	ReportsPerHour  = 10  // of one person
	ReportsPerDay   = 30
	MaxReportsShown = 20 // of one message: the oldest
	ReportContext   = 5  // messages before the reported one that administrators see, and as many after it

	// ReportPatience is how long the moderators of a room alone have a report.
	ReportPatience = 24 * time.Hour
)

// ReportReason says what is wrong with a message.
type ReportReason string

// Reasons.
const (
	ReportSpam       ReportReason = "spam"
	ReportHarassment ReportReason = "harassment"
	ReportDangerous  ReportReason = "dangerous" // or illegal
	ReportOther      ReportReason = "other"

	// Reasons of the server, which screens messages in rooms that ask for it.
	ReportRough  ReportReason = "rough_language"
	ReportScored ReportReason = "looks_like_spam"
)

// ReportState says what became of a report.
type ReportState string

// States.
const (
	ReportOpen    ReportState = "open"
	ReportKept    ReportState = "kept"    // the message stays
	ReportRemoved ReportState = "removed" // the message was deleted
)

// MessageReport tells those who moderate of a message. There is one of each person and message.
type MessageReport struct {
	ID        string
	Room      string
	Seq       int64
	By        UserRef // zero: the account was deleted, or the server screened the message
	Reason    ReportReason
	Note      string
	Text      string // of the message when it was reported
	At        time.Time
	State     ReportState
	DecidedAt time.Time // zero: it is open
}

// ReportedMessage is a message with its open reports.
type ReportedMessage struct {
	Message Message   // as it is now
	Since   time.Time // the first report
	Count   int
	Reports []MessageReport // the first MaxReportsShown, oldest first
}

// Reasons are those that the reports of m give.
func (m ReportedMessage) Reasons() (all []ReportReason) {
	for _, r := range m.Reports {
		if !slices.Contains(all, r.Reason) {
			all = append(all, r.Reason)
		}
	}
	return all
}

// ReportDesk is who decides on reports: a moderator on those of a room, or an administrator of the server on those that
// moderators cannot decide on, or have not in ReportPatience. Nobody decides on reports of their own messages.
type ReportDesk struct {
	User  string
	Admin bool
	Room  string // empty: all rooms; of a moderator it is never empty
	Now   time.Time
}

// ReportCursor is the place in a queue of reported messages after which the next page begins. The zero cursor is the
// beginning.
type ReportCursor struct {
	At   int64  `json:"a,omitempty"` // Unix milliseconds
	Room string `json:"r,omitempty"`
	Seq  int64  `json:"s,omitempty"`
}

// OwnReportCursor is that of one's own reports, the last of which comes first.
type OwnReportCursor struct {
	At int64  `json:"a,omitempty"` // Unix milliseconds
	ID string `json:"i,omitempty"`
}

// ReportDecision is what a decision on a message did.
type ReportDecision struct {
	State     ReportState
	Reporters []string // ids of those who reported it and still have an account
	Reports   int
}

// Moderates reports whether m moderates r: they hear of reports there.
func Moderates(r Room, m Member) bool {
	return r.Kind != DirectRoom && slices.Contains(matrix[DeleteAny].Roles, m.Role)
}

// MinScreening is the lowest score, in per cent, from which on a room can have messages flagged.
const MinScreening = 50

// Screening is from which scores on the server flags messages of a room for its moderators, in per cent; 0: never.
type Screening struct {
	Rough int `json:"rough_language,omitempty"`
	Spam  int `json:"spam,omitempty"`
}

// Check says what is wrong with s.
func (s Screening) Check() error {
	for field, limit := range map[string]int{"rough_language": s.Rough, "spam": s.Spam} {
		if limit != 0 && (limit < MinScreening || limit > 99) {
			return InvalidField("/screening/"+field, "a score to flag messages from is 50 to 99, or 0 for never")
		}
	}
	return nil
}

// Flags reports whether a message with the score of f is flagged.
func (s Screening) Flags(f Flag) bool {
	limit := s.Spam
	if f.Reason == ReportRough {
		limit = s.Rough
	}
	return limit > 0 && f.Score >= limit
}

// A Flag is on a message that the server thinks moderators should look at. It goes when they decide.
type Flag struct {
	Reason   ReportReason // ReportRough or ReportScored
	Score    int          // how sure the server is, in per cent
	Appealed bool         // the author asked for a decision
}

// CheckReport returns r with its note in the form in which it is stored, or says what is wrong with it.
func CheckReport(r MessageReport) (_ MessageReport, err error) {
	switch r.Reason {
	case ReportSpam, ReportHarassment, ReportDangerous, ReportOther:
	default:
		return r, InvalidField("/reason", "a reason is spam, harassment, dangerous or other")
	}
	r.Note, err = CheckProse("/note", r.Note, MaxReportNote)
	return r, err
}
