package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// SlashCommand is a word that people write after a slash, and an address that is asked then. Only admins of the room
// get URL and what follows.
type SlashCommand struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"` // without the slash
	Description string     `json:"description,omitempty"`
	Hint        string     `json:"hint,omitempty"` // what is written after the name
	Off         string     `json:"off,omitempty"`  // why it asks nobody: admin, left
	URL         string     `json:"url,omitempty"`
	Secret      string     `json:"secret,omitempty"` // only when it was made or replaced
	CreatedBy   *User      `json:"created_by,omitempty"`
	CreatedAt   *time.Time `json:"created_at,omitempty"`
	RotatedAt   *time.Time `json:"rotated_at,omitempty"`
	UsedAt      *time.Time `json:"used_at,omitempty"`   // when the receiver last answered
	FailedAt    *time.Time `json:"failed_at,omitempty"` // when it last failed
	Failure     string     `json:"failure,omitempty"`
	Server      bool       `json:"server,omitempty"` // of the server, beside those of the room
	Rooms       string     `json:"rooms,omitempty"`  // which have one of the server: public, private; empty: both
	Guests      bool       `json:"guests,omitempty"` // guests may use one of the server
}

// NewSlashCommand describes a slash command to be made.
type NewSlashCommand struct {
	Name        string `json:"name"` // small letters, digits, _ and -
	Description string `json:"description,omitempty"`
	Hint        string `json:"hint,omitempty"`
	URL         string `json:"url"`
}

// SlashChange is what changes of a slash command; nil leaves as it is.
type SlashChange struct {
	Description *string `json:"description,omitempty"`
	Hint        *string `json:"hint,omitempty"`
	URL         *string `json:"url,omitempty"`
	On          *bool   `json:"on,omitempty"`
}

// WrittenCommand is a slash command that the user writes.
type WrittenCommand struct {
	Command string `json:"command"`          // its name
	Text    string `json:"text,omitempty"`   // what follows it
	Thread  int64  `json:"thread,omitempty"` // in which it is written; 0: in none
}

// SlashReply is the first answer to a slash command: Text for the user alone, or Seq of the message in the room.
type SlashReply struct {
	Text string `json:"text,omitempty"`
	Seq  int64  `json:"seq,omitempty"`
}

// SlashAnswer is a later answer to a slash command, for the user alone.
type SlashAnswer = wire.SlashAnswer

// SlashCommands returns the slash commands that the user has in a room, by name: those of the room, and those of the
// server.
func (c *Client) SlashCommands(ctx context.Context, room string) ([]SlashCommand, error) {
	var p Page[SlashCommand]
	err := c.into(ctx, slashPath(room), &p)
	return p.Items, err
}

// CreateSlashCommand makes a slash command. Its Secret is told this once.
func (c *Client) CreateSlashCommand(ctx context.Context, room string, n NewSlashCommand) (s SlashCommand, err error) {
	err = c.Do(ctx, http.MethodPost, slashPath(room), n, &s)
	return s, err
}

// ChangeSlashCommand changes what a slash command says of itself and whom it asks, or switches it on or off.
func (c *Client) ChangeSlashCommand(
	ctx context.Context, room, id string, n SlashChange,
) (s SlashCommand, err error) {
	err = c.Do(ctx, http.MethodPatch, slashPath(room, id), n, &s)
	return s, err
}

// RotateSlashCommand replaces the secret of a slash command. What it sends is signed by both for a day.
func (c *Client) RotateSlashCommand(ctx context.Context, room, id string) (s SlashCommand, err error) {
	err = c.Do(ctx, http.MethodPost, slashPath(room, id, "secret"), nil, &s)
	return s, err
}

// DeleteSlashCommand ends a slash command. What it wrote stays.
func (c *Client) DeleteSlashCommand(ctx context.Context, room, id string) error {
	return c.Do(ctx, http.MethodDelete, slashPath(room, id), nil, nil)
}

// RunSlashCommand writes a slash command, and returns its first answer, for which it waits a few seconds. The receiver
// is asked once: after CodeSlashLate it may have done what it was asked for.
func (c *Client) RunSlashCommand(ctx context.Context, room string, w WrittenCommand) (r SlashReply, err error) {
	err = c.Do(ctx, http.MethodPost, slashPath(room, "run"), w, &r)
	return r, err
}

func slashPath(room string, rest ...string) string {
	path := roomPath(room) + "/slash-commands"
	for _, part := range rest {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// NewServerCommand describes a slash command of the server to be made.
type NewServerCommand struct {
	NewSlashCommand
	Rooms  string `json:"rooms,omitempty"` // public, private; empty: both
	Guests bool   `json:"guests,omitempty"`
}

// ServerCommandChange is what changes of a slash command of the server; nil leaves as it is.
type ServerCommandChange struct {
	SlashChange
	Rooms  *string `json:"rooms,omitempty"` // public, private; empty: both
	Guests *bool   `json:"guests,omitempty"`
}

const serverCommandsPath = "/admin/slash-commands"

// ServerCommands returns the slash commands of the server, by name, for administrators.
func (c *Client) ServerCommands(ctx context.Context) ([]SlashCommand, error) {
	var p Page[SlashCommand]
	err := c.into(ctx, serverCommandsPath, &p)
	return p.Items, err
}

// CreateServerCommand makes a slash command of the server. Its Secret is told this once.
func (c *Client) CreateServerCommand(ctx context.Context, n NewServerCommand) (s SlashCommand, err error) {
	err = c.Do(ctx, http.MethodPost, serverCommandsPath, n, &s)
	return s, err
}

// ChangeServerCommand changes a slash command of the server, by its id or name, or switches it on or off.
func (c *Client) ChangeServerCommand(
	ctx context.Context, command string, n ServerCommandChange,
) (s SlashCommand, err error) {
	err = c.Do(ctx, http.MethodPatch, serverCommandsPath+"/"+url.PathEscape(command), n, &s)
	return s, err
}

// RotateServerCommand replaces the secret of a slash command of the server. What it sends is signed by both for a day.
func (c *Client) RotateServerCommand(ctx context.Context, command string) (s SlashCommand, err error) {
	err = c.Do(ctx, http.MethodPost, serverCommandsPath+"/"+url.PathEscape(command)+"/secret", nil, &s)
	return s, err
}

// DeleteServerCommand ends a slash command of the server. What it wrote stays.
func (c *Client) DeleteServerCommand(ctx context.Context, command string) error {
	return c.Do(ctx, http.MethodDelete, serverCommandsPath+"/"+url.PathEscape(command), nil, nil)
}
