package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
)

const pageSize = 20 // lines of history

// typed executes a line: a message, or a command that begins with "/".
func (t *chatSession) typed(ctx context.Context, line string) error {
	name, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch name {
	case "/help":
		fmt.Fprintln(t.out, chatHelp)
		return t.listSlash(ctx)
	case "/rooms":
		return t.list(ctx)
	case "/open":
		return t.openRoom(ctx, rest)
	case "/join":
		return t.join(ctx, rest)
	case "/create":
		st, err := t.c.CreateRoom(ctx, client.NewRoom{Kind: "public", Name: rest})
		if err != nil {
			return err
		}
		return t.enter(ctx, st)
	case "/search":
		return t.search(ctx, rest)
	case "/block", "/unblock":
		return t.block(ctx, rest, name == "/block")
	}
	if line == "/saved" {
		return t.listSaved(ctx)
	}
	if t.open == "" {
		return errors.New("open a room first: /open NAME")
	}
	return t.inRoom(ctx, name, rest, line)
}

// inRoom executes a line that needs an open room.
func (t *chatSession) inRoom(ctx context.Context, name, rest, line string) error {
	own := t.mine[t.open]
	if (name == "/edit" || name == "/delete") && own == 0 {
		return errors.New("you have said nothing here since you opened the room")
	}
	room := t.open
	switch {
	case name == "/more":
		return t.more(ctx)
	case name == "/edit":
		return t.await(func() error { _, err := t.live.Edit(ctx, room, own, rest); return err })
	case name == "/delete":
		return t.await(func() error { _, err := t.live.Delete(ctx, room, own); return err })
	case name == "/send":
		return t.sendFile(ctx, room, rest)
	case name == "/save":
		return t.saveFile(ctx, rest)
	case strings.EqualFold(name, "/chart"):
		return t.chart(ctx, room, rest)
	case name == "/react" || name == "/unreact":
		return t.react(ctx, rest, name == "/unreact")
	case name == "/thread":
		return t.thread(ctx, room, rest)
	case name == "/unread":
		return t.unread(ctx, room, rest)
	case name == "/vote":
		return t.vote(ctx, room, rest)
	case name == "/pin" || name == "/unpin":
		return t.pin(ctx, room, rest, name == "/unpin")
	case name == "/report":
		return t.report(ctx, room, rest)
	case name == "/saved" || name == "/unsave":
		return t.keep(ctx, room, rest, name == "/saved")
	case name == "/forward":
		return t.forward(ctx, room, rest)
	case name == "/look":
		return t.look(ctx, room, rest)
	case name == "/text":
		return t.text(ctx, room, rest)
	case isOwn(name):
		return t.own(ctx, name, rest)
	case isCommand(line):
		return t.slash(ctx, name, rest)
	}
	if strings.HasPrefix(line, "//") {
		line = line[1:]
	}
	return t.send(ctx, client.Draft{Room: room, Text: line})
}

// slash has a program answer, by a slash command of the room.
func (t *chatSession) slash(ctx context.Context, name, text string) error {
	room := t.open
	var reply client.SlashReply
	err := t.await(func() (err error) {
		reply, err = t.c.RunSlashCommand(ctx, room, client.WrittenCommand{Command: name[1:], Text: text})
		return err
	})
	var refused *client.Error
	switch {
	case errors.As(err, &refused) && refused.Code == client.CodeNoSlash:
		return fmt.Errorf("there is no command %s; /help lists them, and // begins a message with a slash", name)
	case err != nil:
		return err
	case reply.Seq > 0 && t.piped:
		t.echo(ctx, room, reply.Seq)
	case reply.Seq == 0:
		t.answered(client.SlashAnswer{Command: name[1:], Text: reply.Text})
	}
	return nil
}

// listSlash lists the slash commands of the open room, and those of the server.
func (t *chatSession) listSlash(ctx context.Context) error {
	if t.open == "" {
		return nil
	}
	all, err := t.c.SlashCommands(ctx, t.open)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Off == "" {
			fmt.Fprintf(t.out, "%-18s %s\n", strings.TrimSpace("/"+c.Name+" "+plain(c.Hint)), plain(c.Description))
		}
	}
	return nil
}

// answered shows what a program answers to the user alone.
func (t *chatSession) answered(a client.SlashAnswer) {
	if a.Text == "" {
		a.Text = "done"
	}
	fmt.Fprintf(t.out, "* /%s, to you alone: %s\n", a.Command, plain(a.Text))
}

// block has the user not hear of somebody any longer, or hear of them again.
func (t *chatSession) block(ctx context.Context, user string, block bool) error {
	if user = strings.TrimPrefix(user, "@"); user == "" {
		return errors.New("say whom, as in /block @eve")
	}
	do, done := t.c.Block, "blocked"
	if !block {
		do, done = t.c.Unblock, "blocked no longer"
	}
	err := t.await(func() error { return do(ctx, user) })
	if err == nil {
		fmt.Fprintf(t.out, "* @%s is %s\n", user, done)
	}
	return err
}

// send sends a message, and prints it before the next line of a pipe is read.
func (t *chatSession) send(ctx context.Context, d client.Draft) error {
	var sent client.Sent
	err := t.await(func() (err error) { sent, err = t.live.Send(ctx, d); return err })
	if err == nil && t.piped {
		t.echo(ctx, d.Room, sent.Seq)
	}
	return err
}

// text shows a message as it was written.
func (t *chatSession) text(ctx context.Context, room, number string) error {
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return errors.New("give the number of a message, as in /text 412")
	}
	m, err := t.c.Message(ctx, room, seq)
	if err == nil {
		fmt.Fprintln(t.out, "    "+plain(m.Text))
	}
	return err
}

// thread replies in the thread of a message, or shows it. rest is the number of the message, and the text.
func (t *chatSession) thread(ctx context.Context, room, rest string) error {
	number, text, _ := strings.Cut(rest, " ")
	root, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return errors.New("give the number of a message, and what you reply: /thread 412 TEXT")
	}
	if text = strings.TrimSpace(text); text != "" {
		return t.send(ctx, client.Draft{Room: room, Text: text, Thread: root})
	}
	p, err := t.c.Thread(ctx, room, root, "", pageSize)
	if err != nil {
		return err
	}
	if p.Thread.First != nil {
		fmt.Fprintln(t.out, t.line(client.Event{Type: string(domain.MessageCreated), At: p.Thread.First.At,
			Actor: p.Thread.First.Sender, Message: p.Thread.First}))
	}
	if p.Prev != "" {
		fmt.Fprintln(t.out, "* earlier replies are left out")
	}
	for _, ev := range p.Items {
		fmt.Fprintln(t.out, t.line(ev))
	}
	if len(p.Items) == 0 {
		return nil
	}
	last := p.Items[len(p.Items)-1].Seq
	return t.await(func() error { _, err := t.live.MarkThread(ctx, room, root, last); return err })
}

// react adds an emoji to a message of the open room, or takes it away. rest is the emoji, and the number of the
// message if it is not the last one.
func (t *chatSession) react(ctx context.Context, rest string, remove bool) error {
	room, seq := t.open, t.last[t.open]
	emoji, number, named := strings.Cut(rest, " ")
	if named {
		var err error
		if seq, err = strconv.ParseInt(strings.TrimSpace(number), 10, 64); err != nil {
			return errors.New("after the emoji, give the number of a message, as in /react 👍 412")
		}
	}
	switch {
	case emoji == "":
		return errors.New("say with what, as in /react 👍")
	case seq == 0:
		return errors.New("there is no message here yet")
	}
	do := t.live.React
	if remove {
		do = t.live.Unreact
	}
	var done client.Reacted
	err := t.await(func() (err error) { done, err = do(ctx, room, seq, emoji); return err })
	if err == nil && done.Seq == 0 {
		fmt.Fprintln(t.out, "* nothing to change")
	}
	return err
}

const echoTime = 2 * time.Second

// echo waits until the user's own line was received and printed, because the next line of a pipe
// may be for another room, and nothing is printed after the last one.
func (t *chatSession) echo(ctx context.Context, room string, seq int64) {
	timer := time.NewTimer(echoTime)
	defer timer.Stop()
	for t.heard[room] < seq {
		select {
		case heard := <-t.lines:
			heard()
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// await calls do, which waits for a response. Meanwhile it executes callbacks, because the
// connection waits for them.
func (t *chatSession) await(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	for {
		select {
		case err := <-done:
			return err
		case heard := <-t.lines:
			heard()
		}
	}
}

func (t *chatSession) list(ctx context.Context) error {
	rooms, err := t.c.Rooms(ctx)
	if err != nil {
		return err
	}
	if len(rooms) == 0 {
		fmt.Fprintln(t.out, "You are in no room yet. /join NAME joins a public one, /create NAME creates one.")
	}
	for _, st := range rooms {
		unread := ""
		if st.Unread > 0 {
			unread = fmt.Sprintf("  %d unread", st.Unread)
		}
		fmt.Fprintf(t.out, "%-8s %s%s\n", st.Kind, roomName(st), unread)
	}
	return nil
}

// openRoom opens a room: messages go to it from now on.
func (t *chatSession) openRoom(ctx context.Context, name string) error {
	if name == "" {
		return errors.New("say which room: /open NAME, or /open @USER for a conversation")
	}
	if user, ok := strings.CutPrefix(name, "@"); ok {
		p, err := t.c.User(ctx, user)
		if err != nil {
			return err
		}
		st, err := t.c.Direct(ctx, p.ID)
		if err != nil {
			return err
		}
		return t.enter(ctx, st)
	}
	st, err := t.ownRoom(ctx, name)
	if err != nil {
		return err
	}
	return t.enter(ctx, st)
}

// ownRoom returns a room of the user by its name or id.
func (t *chatSession) ownRoom(ctx context.Context, name string) (st client.RoomState, err error) {
	rooms, err := t.c.Rooms(ctx)
	if err != nil {
		return st, err
	}
	i := slices.IndexFunc(rooms, func(st client.RoomState) bool {
		return st.ID == name || strings.EqualFold(st.Name, strings.TrimPrefix(name, "#"))
	})
	if i < 0 {
		return st, fmt.Errorf("you are in no room %q; /rooms lists yours", name)
	}
	return rooms[i], nil
}

// enter shows the end of a room's history and opens the room.
func (t *chatSession) enter(ctx context.Context, st client.RoomState) error {
	t.rooms[st.ID] = st
	t.open, t.older = st.ID, ""
	fmt.Fprintf(t.out, "--- %s\n", roomName(st))
	if err := t.more(ctx); err != nil {
		return err
	}
	return t.await(func() error { _, err := t.live.MarkRead(ctx, st.ID, st.Head); return err })
}

// more shows the previous page of history.
func (t *chatSession) more(ctx context.Context) error {
	p, err := t.c.Timeline(ctx, t.open, t.older, pageSize)
	if err != nil {
		return err
	}
	for _, ev := range p.Items {
		t.seen(ev)
		fmt.Fprintln(t.out, t.line(ev))
	}
	if p.Prev != "" {
		t.older = p.Prev
	}
	return nil
}

func (t *chatSession) join(ctx context.Context, name string) error {
	name = strings.TrimPrefix(name, "#")
	if name == "" {
		return errors.New("say which room: /join NAME")
	}
	if domain.ValidID(domain.RoomPrefix, name) {
		return t.joinByID(ctx, name)
	}
	for cursor := ""; ; {
		p, err := t.c.PublicRooms(ctx, name, cursor)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(p.Items, func(r client.PublicRoom) bool { return strings.EqualFold(r.Name, name) })
		if i >= 0 {
			return t.joinByID(ctx, p.Items[i].ID)
		}
		if cursor = p.Next; cursor == "" {
			return fmt.Errorf("there is no public room %q", name)
		}
	}
}

// joinByID joins a room and opens it, also if the user is a member already.
func (t *chatSession) joinByID(ctx context.Context, room string) error {
	if err := t.c.Join(ctx, room); err != nil {
		return err
	}
	return t.openRoom(ctx, room)
}

func (t *chatSession) search(ctx context.Context, q string) error {
	p, err := t.c.Search(ctx, q, "newest", "")
	if err != nil {
		return err
	}
	if len(p.Items) == 0 && p.Meaning {
		if p, err = t.c.Search(ctx, q, "relevance", ""); err != nil {
			return err
		}
		if len(p.Items) > 0 {
			fmt.Fprintln(t.out, "Nothing has these words. Similar in meaning:")
		}
	}
	if len(p.Items) == 0 {
		fmt.Fprintln(t.out, "Nothing found.")
	}
	for _, h := range p.Items {
		name, err := t.nameOf(ctx, h.Message.Room)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.out, "[%s] %s %s: %s\n", name, h.Message.At.Local().Format("2006-01-02 15:04"),
			speaker(h.Message.Sender, h.Message.Face), plain(h.Snippet))
	}
	if p.Incomplete {
		fmt.Fprintln(t.out, "Older messages are still being indexed, and are not found yet.")
	}
	return nil
}

// nameOf returns the name of a room by its id.
func (t *chatSession) nameOf(ctx context.Context, room string) (string, error) {
	if st, ok := t.rooms[room]; ok {
		return roomName(st), nil
	}
	st, err := t.c.Room(ctx, room)
	if err != nil {
		return "", err
	}
	t.rooms[room] = st
	return roomName(st), nil
}

// unread has a message, whose number is rest, and those after it be unread again.
func (t *chatSession) unread(ctx context.Context, room, rest string) error {
	seq, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return errors.New("give the number of the first message that is to be unread: /unread 412")
	}
	return t.await(func() error { _, err := t.c.MarkUnread(ctx, room, seq); return err })
}
