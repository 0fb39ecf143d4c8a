package client

import (
	"context"
	"net/url"
	"time"
)

// NewScheduled is a message that is to be sent later.
type NewScheduled struct {
	Key    string    `json:"key"` // empty: a fresh one is chosen
	Room   string    `json:"room"`
	Thread int64     `json:"thread,omitempty"` // number of its first message; 0: a line of the room
	Text   string    `json:"text"`
	At     time.Time `json:"at,omitzero"`      // at most 366 days from now; of one that repeats, from when on, or zero
	Repeat *Repeat   `json:"repeat,omitempty"` // nil: it is sent once
}

// Schedule has a message sent later. With the key of one that is there already it returns that one. The server sends a
// message at most once, or keeps its text, with the code of what was refused.
func (c *Client) Schedule(ctx context.Context, n NewScheduled) (m Scheduled, err error) {
	if n.Key == "" {
		n.Key = newKey()
	}
	err = c.Do(ctx, "POST", "/me/scheduled", n, &m)
	return m, err
}

// Scheduled returns the messages that the user sends later, the next one first.
func (c *Client) Scheduled(ctx context.Context) ([]Scheduled, error) {
	var list struct {
		Items []Scheduled `json:"items"`
	}
	err := c.into(ctx, "/me/scheduled", &list)
	return list.Items, err
}

// ScheduledChange is what a scheduled message becomes.
type ScheduledChange struct {
	Text   string    `json:"text"`
	At     time.Time `json:"at,omitzero"`      // of one that repeats, from when on, or zero
	Repeat *Repeat   `json:"repeat,omitempty"` // nil: it is sent once
	Paused bool      `json:"paused,omitempty"` // it repeats, but not for now
}

// ChangeScheduled changes a scheduled message. One that has failed waits again.
func (c *Client) ChangeScheduled(ctx context.Context, id string, to ScheduledChange) (m Scheduled, err error) {
	err = c.Do(ctx, "PUT", "/me/scheduled/"+url.PathEscape(id), to, &m)
	return m, err
}

// SkipScheduled leaves out a time at which a scheduled message that repeats is sent next. Repeating it changes nothing.
func (c *Client) SkipScheduled(ctx context.Context, id string, at time.Time) (m Scheduled, err error) {
	body := struct {
		At time.Time `json:"at"`
	}{at}
	err = c.Do(ctx, "POST", "/me/scheduled/"+url.PathEscape(id)+"/skip", body, &m)
	return m, err
}

// Reschedule changes the text and time of a scheduled message, which is then sent once. One that has failed waits
// again.
func (c *Client) Reschedule(ctx context.Context, id, text string, at time.Time) (Scheduled, error) {
	return c.ChangeScheduled(ctx, id, ScheduledChange{Text: text, At: at})
}

// SendScheduled sends a scheduled message now, and returns its number.
func (c *Client) SendScheduled(ctx context.Context, id string) (seq int64, err error) {
	var s Sent
	err = c.Do(ctx, "POST", "/me/scheduled/"+url.PathEscape(id)+"/send", nil, &s)
	return s.Seq, err
}

// Unschedule deletes a scheduled message.
func (c *Client) Unschedule(ctx context.Context, id string) error {
	return c.Do(ctx, "DELETE", "/me/scheduled/"+url.PathEscape(id), nil, nil)
}

// NewReminder is what the user wants to be reminded of: a message, a text, or a message with a note.
type NewReminder struct {
	Key    string     `json:"key"` // empty: a fresh one is chosen
	Room   string     `json:"room,omitempty"`
	Seq    int64      `json:"seq,omitempty"`
	Text   string     `json:"text,omitempty"`
	At     *time.Time `json:"at,omitempty"` // of one that repeats, from when on, or nil
	Repeat *Repeat    `json:"repeat,omitempty"`
}

// Remind reminds the user later. With the key of a reminder that is there already it returns that one.
func (c *Client) Remind(ctx context.Context, n NewReminder) (r Reminder, err error) {
	if n.Key == "" {
		n.Key = newKey()
	}
	err = c.Do(ctx, "POST", "/me/reminders", n, &r)
	return r, err
}

// Reminders returns the user's reminders: those that came and are not done, and then those that come next.
func (c *Client) Reminders(ctx context.Context) ([]Reminder, error) {
	var list struct {
		Items []Reminder `json:"items"`
	}
	err := c.into(ctx, "/me/reminders", &list)
	return list.Items, err
}

// Postpone has a reminder come at another time, also one that came.
func (c *Client) Postpone(ctx context.Context, id string, at time.Time) (r Reminder, err error) {
	body := struct {
		At time.Time `json:"at"`
	}{at}
	err = c.Do(ctx, "PUT", "/me/reminders/"+url.PathEscape(id), body, &r)
	return r, err
}

// Done says that the user has seen to a reminder. One that repeats comes again, another is gone.
func (c *Client) Done(ctx context.Context, id string) error {
	return c.Do(ctx, "POST", "/me/reminders/"+url.PathEscape(id)+"/done", nil, nil)
}

// DeleteReminder deletes a reminder, with all times at which it would come again.
func (c *Client) DeleteReminder(ctx context.Context, id string) error {
	return c.Do(ctx, "DELETE", "/me/reminders/"+url.PathEscape(id), nil, nil)
}
