package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Report reports a message to those who moderate, for a reason: spam, harassment, dangerous (or illegal) or other. The
// note may be empty. To report it again changes nothing, and returns what was reported first. The error has the code
// CodeTooManyReports if one has reported too many lately.
func (c *Client) Report(ctx context.Context, room string, seq int64, reason, note string) (r OwnReport, err error) {
	err = c.Do(ctx, http.MethodPut, fmt.Sprint("/rooms/", url.PathEscape(room), "/messages/", seq, "/report"),
		map[string]string{"reason": reason, "note": note}, &r)
	return r, err
}

// OwnReports returns a page of one's own reports with what became of them, the last first.
func (c *Client) OwnReports(ctx context.Context, cursor string) (p Page[OwnReport], err error) {
	err = c.into(ctx, "/me/reports?"+query("cursor", cursor), &p)
	return p, err
}

// ReportQueue is a page of messages of a room with open reports, those that wait longest first.
type ReportQueue struct {
	Items   []ReportedMessage `json:"items"`
	Next    string            `json:"next,omitempty"` // cursor of the next page; empty on the last
	Waiting int               `json:"waiting"`        // messages in the queue, those of all pages
}

// RoomReports returns a page of the queue of a room that one moderates.
func (c *Client) RoomReports(ctx context.Context, room, cursor string) (q ReportQueue, err error) {
	err = c.into(ctx, "/rooms/"+url.PathEscape(room)+"/reports?"+query("cursor", cursor), &q)
	return q, err
}

// DecideReport closes the reports of a message of a room that one moderates: "kept" leaves the message, "removed"
// deletes it. The error has the code CodeReportDecided if somebody has decided already.
func (c *Client) DecideReport(ctx context.Context, room string, seq int64, decision string) error {
	return c.Do(ctx, http.MethodPost, fmt.Sprint("/rooms/", url.PathEscape(room), "/reports/", seq),
		map[string]string{"decision": decision}, nil)
}
