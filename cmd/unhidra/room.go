package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/wire"
)

const roomText = `room <action> [flags] [arguments]

Lists or exports rooms. It needs access to the data folder instead of a sign-in,
and may be used while the server runs. Every export is recorded in the audit log
before anything is written.

  room list           list all rooms except direct conversations, with their ids
  room export <id>    write everything stored of a room, or of a direct conversation,
                      to standard output, one JSON object per line

Lines of an export, in this order:

  {"export": ...}     the room, its last event, and the time of the export
  {"event": ...}      an event of the room, with its message as it is now
  {"earlier": ...}    after a message: its text before an edit, or before it was
                      deleted under a legal hold, then with who deleted it and when
  {"end": ...}        the number of events and earlier texts; without this line the
                      export is incomplete

docs/retention.md explains every field.
`

func roomCommand() command {
	return command{"room", "list rooms, or export one", manageRooms}
}

func manageRooms(ctx context.Context, e *env, args []string) error {
	fs := e.flags("room", roomText)
	flags := config.NewFlags(fs, storeFlags("public-url")...)
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	actions := []action{{name: "list"}, {name: "export", names: []string{"<id>"}}}
	if err := checkAction("room", actions, words); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	db, log, err := e.auditLog(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	if words[0] == "list" {
		return e.listRooms(ctx, db)
	}
	return e.exportRoom(ctx, c, db, log, words[1])
}

const roomPage = 200

func (e *env) listRooms(ctx context.Context, db *all.Store) error {
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ROOM\tNAME\tKIND\tOWNER\tLAST ACTIVE\tHELD SINCE")
	for after := ""; ; {
		page, err := db.Rooms.AllRooms(ctx, "", domain.RoomsByName, after, roomPage)
		if err != nil {
			return err
		}
		for _, r := range page {
			after = r.ID
			held := "-"
			if !r.HeldAt.IsZero() {
				held = r.HeldAt.Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, plain(r.Name), r.Kind, r.Owner.Username,
				r.LastAt.Format(time.DateTime), held)
		}
		if len(page) < roomPage {
			return w.Flush()
		}
	}
}

func (e *env) exportRoom(ctx context.Context, c config.Config, db *all.Store, log *audit.Service, id string) error {
	r, err := db.Rooms.Room(ctx, id)
	if domain.KindOf(err) == domain.NotFound {
		return fmt.Errorf("there is no room %q; `unhidra room list` shows the ids", id)
	}
	if err != nil {
		return err
	}
	// The export is recorded before anything is written.
	event := operatorEvent(domain.AuditAdminRoom)
	event.Target = domain.AuditTarget{Kind: "room", ID: r.ID}
	event.Details = map[string]string{"change": "export"}
	if err := log.RecordSync(ctx, event); err != nil {
		return err
	}
	w := bufio.NewWriter(e.stdout)
	x := newRoomExport(db, w)
	if err := x.room(ctx, r, exportHead{Program: "unhidra " + version(), Server: app.Host(c),
		At: time.Now().UTC()}); err != nil {
		return err
	}
	return w.Flush()
}

// A roomExport writes a room's log page by page, so that a long log needs no more memory than a
// short one. It holds no transaction open between pages.
type roomExport struct {
	db  *all.Store
	to  *json.Encoder
	end exportEnd
}

// exportFormat is the version of the export format. Adding fields does not change it; any other
// change increments it.
const exportFormat = 1

// exportHead is the first line of an export.
type exportHead struct {
	Format    int        `json:"format"`
	Program   string     `json:"program"`
	Server    string     `json:"server"`
	At        time.Time  `json:"exported_at"`
	Room      wire.Room  `json:"room"`
	HeldSince *time.Time `json:"held_since,omitempty"`
}

// exportEarlier is an earlier text of a message.
type exportEarlier struct {
	Seq       int64      `json:"seq"` // of the message
	Version   int        `json:"version"`
	Text      string     `json:"text"`
	At        time.Time  `json:"at"`
	DeletedBy *wire.User `json:"deleted_by,omitempty"`
	DeletedAt *time.Time `json:"deleted_at,omitempty"`
}

// exportEvent is an event as clients receive it. For events of a newer server it has the payload as
// stored.
type exportEvent struct {
	wire.Event
	Stored json.RawMessage `json:"stored,omitempty"`
}

func newExportEvent(e domain.Event) exportEvent {
	v := exportEvent{Event: wire.FromEvent(e)}
	if p, ok := e.Payload.(domain.UnknownPayload); ok {
		v.Stored = json.RawMessage(p.Stored)
	}
	return v
}

// exportEnd is the last line of an export.
type exportEnd struct {
	Events  int `json:"events"`
	Earlier int `json:"earlier"`
}

func newRoomExport(db *all.Store, w io.Writer) *roomExport {
	to := json.NewEncoder(obs.JSONLines(w))
	to.SetEscapeHTML(false) // for people who read the file
	return &roomExport{db: db, to: to}
}

// room writes the log of r up to its present head.
func (x *roomExport) room(ctx context.Context, r domain.Room, head exportHead) error {
	head.Format, head.Room = exportFormat, wire.FromRoom(r)
	if !r.HeldAt.IsZero() {
		head.HeldSince = &r.HeldAt
	}
	if err := x.line("export", head); err != nil {
		return err
	}
	for after := r.Floor; after < r.Head; {
		events, err := x.db.Log.Replay(ctx, domain.WholeLog(r.ID), after, roomPage)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Seq > r.Head {
				break // appended since
			}
			if err := x.event(ctx, e); err != nil {
				return err
			}
		}
		if len(events) == 0 {
			break // purged since
		}
		after = events[len(events)-1].Seq
	}
	return x.line("end", x.end)
}

func (x *roomExport) event(ctx context.Context, e domain.Event) error {
	x.end.Events++
	spec, _ := e.Type.Spec()
	if err := x.line("event", newExportEvent(e)); err != nil || spec.Message != domain.NewMessage {
		return err
	}
	if e.Message.Edits == 0 && e.Message.DeletedAt.IsZero() {
		return nil
	}
	for after := -1; ; {
		texts, err := x.db.Log.EarlierTexts(ctx, e.Room, e.Seq, after, roomPage)
		if err != nil {
			return err
		}
		for _, t := range texts {
			if err := x.earlier(e.Seq, t); err != nil {
				return err
			}
			after = t.Version
		}
		if len(texts) < roomPage {
			return nil
		}
	}
}

func (x *roomExport) earlier(seq int64, t domain.EarlierText) error {
	x.end.Earlier++
	v := exportEarlier{Seq: seq, Version: t.Version, Text: t.Text, At: t.At}
	if !t.DeletedAt.IsZero() {
		by := wire.FromUser(t.DeletedBy)
		v.DeletedBy, v.DeletedAt = &by, &t.DeletedAt
	}
	return x.line("earlier", v)
}

func (x *roomExport) line(what string, v any) error {
	return x.to.Encode(map[string]any{what: v})
}
