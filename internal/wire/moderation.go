package wire

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// OwnReport is a report of a message that the user made.
type OwnReport struct {
	Room      string     `json:"room"`
	Seq       int64      `json:"seq" doc:"of the message"`
	Reason    string     `json:"reason" enum:"spam,harassment,dangerous,other"`
	Note      string     `json:"note,omitempty"`
	At        time.Time  `json:"at"`
	State     string     `json:"state" enum:"open,kept,removed" doc:"kept: the message stays; removed: it was deleted"`
	DecidedAt *time.Time `json:"decided_at,omitempty" doc:"absent: it is open"`
}

// MessageReport is a report of a message, for those who decide on it.
type MessageReport struct {
	By     *User     `json:"by,omitempty" doc:"absent: the account was deleted"`
	Reason string    `json:"reason" enum:"spam,harassment,dangerous,other,rough_language,looks_like_spam" doc:"the last two are of the server, which screened the message; by is absent then"`
	Note   string    `json:"note,omitempty"`
	Text   string    `json:"text,omitempty" doc:"of the message when it was reported"`
	At     time.Time `json:"at"`
}

// ReportedMessage is a message with its open reports, for moderators of its room.
type ReportedMessage struct {
	Message Message         `json:"message" doc:"as it is now"`
	Since   time.Time       `json:"since" doc:"the first report"`
	Count   int             `json:"count" doc:"reports"`
	Reports []MessageReport `json:"reports" nullable:"false" maxItems:"20" doc:"the oldest of them"`
}

// ReportChanged says that the queue of those who decide has changed, or tells who reported a message what became of it.
type ReportChanged struct {
	Room  string `json:"room" doc:"of the message"`
	Seq   int64  `json:"seq" doc:"of the message"`
	State string `json:"state" enum:"open,kept,removed"`
	As    string `json:"as" enum:"reporter,moderator,admin" doc:"what the user is told of it as"`
	Own   bool   `json:"own,omitempty" doc:"open: who decides has reported it themselves"`
}

// FromOwnReport is the wire's view of r for who made it.
func FromOwnReport(r domain.MessageReport) OwnReport {
	return OwnReport{Room: r.Room, Seq: r.Seq, Reason: string(r.Reason), Note: r.Note, At: r.At, State: string(r.State),
		DecidedAt: opt(r.DecidedAt)}
}

// FromReportedMessage is the wire's view of m.
func FromReportedMessage(m domain.ReportedMessage) ReportedMessage {
	v := ReportedMessage{Message: FromMessage(m.Message), Since: m.Since, Count: m.Count, Reports: []MessageReport{}}
	for _, r := range m.Reports {
		one := MessageReport{Reason: string(r.Reason), Note: r.Note, Text: r.Text, At: r.At}
		if r.By.ID != "" {
			u := FromUser(r.By)
			one.By = &u
		}
		v.Reports = append(v.Reports, one)
	}
	return v
}
