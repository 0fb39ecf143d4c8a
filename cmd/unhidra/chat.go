package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/unhidra/unhidra/client"
)

const chatText = `chat [flags]

Chats in a terminal. Each line you type goes to the open room, and messages of
others appear as they arrive; after a lost connection, the missed ones follow.
Without a terminal, lines are read from standard input, and the command exits once
all are acknowledged:

  echo "backup done" | unhidra chat --login robot --room Operations

A line that the server refuses is reported on standard error, the others are still
sent, and the exit code is 1.

The password is read from UNHIDRA_PASSWORD, or asked for. UNHIDRA_TOKEN, an access
token of unhidra token issue, replaces username and password. Type /help for the
commands.
`

const chatHelp = `/me TEXT           say what you do
/poll Q | A | B    ask the room something, with choices
/vote N 1 3        vote for choices of the poll N; without choices, take it back
/topic TEXT        set the topic of the room; without a text, show it
/look COLOUR 🔧     give the room a colour, an emoji or both; without, show them
/invite @NAME      add somebody to the room
/leave             leave the room
/mute              turn off notifications of the room
/unmute            turn them on again
/shrug TEXT        say something, with a shrug
/remind WHEN TEXT  be reminded: in 20 minutes, tomorrow at 9, every weekday at 9:30
/rooms             list your rooms
/open NAME         open a room: by name, by id, or @user for a conversation
/join ROOM         join a public room and open it
/create NAME       create a public room and open it
/more              show earlier messages
/text N            show message N as it was written, with marks and spoilers
/search WORDS      search all your rooms
/edit TEXT         change your last message here
/delete            delete your last message here
/chart DEVICE 24h  post a chart of a device in the room; values may be named
/react EMOJI       react to the last message here; with a number after it, to the
                   message with that number
/send PATH         post a file of this computer here
/save FILE PATH    save a file that somebody posted, named by its fil_…, as PATH
/unreact EMOJI     take your reaction away, in the same way
/thread N TEXT     reply in the thread of message N; without a text, show the thread
/pin N             pin message N; without a number, list the pinned messages
/unpin N           take message N off the pinned ones
/report N REASON   report message N, for spam, harassment, dangerous or other, with a note if you like
/saved N           save message N for yourself; without a number, list what you saved
/unsave N          take message N off the saved ones
/forward N ROOM    forward message N to another room of yours
/block @USER       fold what somebody writes, and hear nothing of them
/unblock @USER     hear of them again
/unread N          have message N and those after it be unread again
/NAME TEXT         ask a program, by a slash command of the room or the server; /help
                   lists those of the open room
/quit              exit`

func chatCommand() command {
	return command{"chat", "chat in a terminal", chat}
}

func chat(ctx context.Context, e *env, args []string) error {
	fs := e.flags("chat", chatText)
	server := fs.String("server", "http://localhost:9000", "`address` of the server, with http:// or https://")
	login := fs.String("login", "", "username or e-mail address")
	room := fs.String("room", "", "room to open: name, id, or @user")
	list := fs.Bool("list", false, "list your rooms and exit")
	follow := fs.Bool("follow", false, "print messages of all rooms until interrupted; read no input")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := client.Valid(*server); err != nil {
		return usagef("--server: %v", err)
	}
	t := &chatSession{
		c: client.New(*server), out: e.stdout, errs: e.stderr, rooms: make(map[string]client.RoomState),
		blocked: make(map[string]bool),
		mine:    make(map[string]int64), heard: make(map[string]int64), last: make(map[string]int64), follow: *follow,
		piped: !terminal(e.stdin), answers: make(map[string]int),
	}
	t.tz, _ = e.getenv("TZ")
	in := bufio.NewReader(e.stdin)
	err := signIn(ctx, e, t.c, in, *login)
	switch {
	case err != nil:
	case *list:
		err = t.list(ctx)
	default:
		err = t.run(ctx, in, *room)
	}
	return unreachable(err, *server)
}

// unreachable says of an error of the network how to name another server.
func unreachable(err error, server string) error {
	var network *url.Error
	if errors.As(err, &network) {
		return fmt.Errorf("no server answers at %s (%w); give its address with --server", server, network.Err)
	}
	return err
}

// terminal reports whether stream, an input or output, is a terminal.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// chatSession is a session of `unhidra chat`.
type chatSession struct {
	c      *client.Client
	live   *client.Live
	follow bool
	piped  bool // the input is not a terminal
	me     string
	tz     string // TZ: name of the time zone; empty: that of the system

	out   io.Writer
	errs  io.Writer
	lines chan func() // callbacks of the connection, for the goroutine that prints

	rooms   map[string]client.RoomState
	open    string           // id of the room that messages go to
	mine    map[string]int64 // number of the user's last message, by room
	blocked map[string]bool  // ids of those whom the user has blocked
	heard   map[string]int64 // number of the user's last line of any kind that came, by room
	last    map[string]int64 // number of the last message, by room
	older   string           // cursor of the page before the ones shown
	answers map[string]int   // bytes that are printed of what assistants wrote, by room and number
}

// signIn authenticates with a token or a password.
func signIn(ctx context.Context, e *env, c *client.Client, in *bufio.Reader, login string) error {
	if token, ok := e.getenv("UNHIDRA_TOKEN"); ok && token != "" {
		c.Token(token)
		return nil
	}
	if login == "" {
		fmt.Fprint(e.stderr, "Username: ")
		line, err := in.ReadString('\n')
		if login = strings.TrimSpace(line); login == "" {
			return errors.Join(usagef("give your username with --login"), ignoreEOF(err))
		}
	}
	password, ok := e.getenv("UNHIDRA_PASSWORD")
	if !ok {
		var err error
		if password, err = askPassword(e, in); err != nil {
			return err
		}
	}
	return askFactor(ctx, c.SignIn(ctx, login, password), c, e, in)
}

// askFactor continues a sign-in that requires a second factor.
func askFactor(ctx context.Context, err error, c *client.Client, e *env, in *bufio.Reader) error {
	for range 3 {
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Code != client.CodeSecondFactor &&
			refused.Code != client.CodeWrongCode {
			return err
		}
		fmt.Fprint(e.stderr, "Code of your authenticator app, or a recovery code: ")
		code, readErr := in.ReadString('\n')
		if readErr := ignoreEOF(readErr); readErr != nil {
			return readErr
		}
		err = c.Factor(ctx, strings.TrimSpace(code))
	}
	return err
}

// askPassword reads a password. A terminal does not show it.
func askPassword(e *env, in *bufio.Reader) (string, error) {
	fmt.Fprint(e.stderr, "Password: ")
	if terminal(e.stdin) {
		b, err := term.ReadPassword(int(e.stdin.(*os.File).Fd()))
		fmt.Fprintln(e.stderr)
		return string(b), err
	}
	line, err := in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), ignoreEOF(err)
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// run connects and runs until the input or ctx ends.
func (t *chatSession) run(ctx context.Context, in *bufio.Reader, room string) error {
	me, err := t.c.Me(ctx) // fails at once, where a Live would retry
	if err != nil {
		return err
	}
	t.me = me.ID
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.lines = make(chan func(), 64)
	t.live = t.c.Live(ctx, t.hear(ctx))
	defer t.live.Close()
	defer cancel() // before Close: nobody receives further callbacks
	if err := t.await(func() error { return t.live.Ready(ctx) }); err != nil {
		return err
	}
	t.pending()
	if room != "" {
		if err := t.openRoom(ctx, room); err != nil {
			return err
		}
	} else if !t.follow {
		fmt.Fprintln(t.out, "Signed in as "+me.Username+". /rooms lists your rooms, /help all commands.")
	}
	return t.loop(ctx, t.input(ctx, in))
}

// input reads lines until the input ends. With --follow it reads none.
func (t *chatSession) input(ctx context.Context, in *bufio.Reader) <-chan string {
	typed := make(chan string)
	if t.follow {
		return typed
	}
	go func() {
		defer close(typed)
		for {
			line, err := in.ReadString('\n')
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				select {
				case typed <- line:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return typed
}

// loop executes lines and prints events. On a terminal it reports errors and continues; with a pipe
// they determine the exit code.
func (t *chatSession) loop(ctx context.Context, typed <-chan string) error {
	for refused := 0; ; {
		select {
		case do := <-t.lines:
			do()
		case line, ok := <-typed:
			if !ok || line == "/quit" {
				t.pending()
				if refused > 0 && t.piped {
					return fmt.Errorf("lines that were refused: %d", refused)
				}
				return nil
			}
			if err := t.typed(ctx, line); err != nil {
				refused++
				t.refuse(line, err)
			}
		case <-ctx.Done():
			return t.interrupted()
		}
		if err := t.live.Err(); err != nil {
			return err
		}
	}
}

// refuse reports why a line failed. If the line was to open a room, later lines of a pipe must not
// go to the previous room.
func (t *chatSession) refuse(line string, err error) {
	if !t.piped {
		fmt.Fprintln(t.out, "! "+err.Error())
		return
	}
	shown := line
	if len(line) > shownOfLine {
		shown = strings.ToValidUTF8(line[:shownOfLine], "") + "…"
	}
	fmt.Fprintf(t.errs, "unhidra chat: %q: %v\n", shown, err)
	name, _, _ := strings.Cut(line, " ")
	if name == "/open" || name == "/join" || name == "/create" {
		t.open = ""
	}
}

const shownOfLine = 60 // bytes

// interrupted returns the result of the command after a signal: nil, unless lines of a pipe may be
// left.
func (t *chatSession) interrupted() error {
	if t.piped && !t.follow {
		return errors.New("interrupted before the end of the input")
	}
	return nil
}

// pending executes the callbacks received so far.
func (t *chatSession) pending() {
	for {
		select {
		case do := <-t.lines:
			do()
		default:
			return
		}
	}
}

// hear returns options that pass callbacks to the goroutine that prints.
func (t *chatSession) hear(ctx context.Context) client.LiveOptions {
	post := func(do func()) {
		select {
		case t.lines <- do:
		case <-ctx.Done():
		}
	}
	return client.LiveOptions{
		OnHello: func(h client.Hello) {
			post(func() {
				for _, st := range h.Rooms {
					t.rooms[st.ID] = st
				}
				t.blocked = make(map[string]bool)
				for _, id := range h.Blocked {
					t.blocked[id] = true
				}
			})
		},
		OnJoined: func(st client.RoomState) {
			post(func() {
				t.rooms[st.ID] = st
				fmt.Fprintln(t.out, "* you are now in "+roomName(st))
			})
		},
		OnLeft: func(l client.Left) {
			post(func() {
				fmt.Fprintf(t.out, "* you are no longer in %s (%s)\n", roomName(t.rooms[l.Room]), l.Reason)
				delete(t.rooms, l.Room)
			})
		},
		OnReport:  func(r client.ReportChanged) { post(func() { t.reported(r) }) },
		OnSlash:   func(a client.SlashAnswer) { post(func() { t.answered(a) }) },
		OnBlocked: func(b client.Blocking) { post(func() { t.blocked[b.User] = b.Blocked }) },
		OnEvent:   func(ev client.Event) { post(func() { t.event(ev) }) },
		OnState: func(s client.State, err error) {
			if s == client.Waiting {
				post(func() { fmt.Fprintln(t.out, "* no connection; trying again") })
			}
			if s == client.Ended && ctx.Err() == nil {
				post(func() {}) // wakes the loop, which checks the reason
			}
		},
	}
}
