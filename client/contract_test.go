package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A contract is a server, and people who refuse every answer with a field that
// the client does not know.
type contract struct {
	*testing.T
	*live.Server
	ann, bob, eve *client.Client
	room          client.RoomState // of ann, with bob in it
	methods       map[string]bool  // that were called
}

func newContract(t *testing.T, settings ...string) *contract {
	s := live.Start(t, store.Options{Path: t.TempDir() + "/unhidra.db"}, settings...)
	k := &contract{T: t, Server: s, methods: make(map[string]bool)}
	person := func(name string) *client.Client {
		c := client.Strict(client.New(s.URL))
		k.must(c.Register(t.Context(), client.Registration{Username: name, Password: live.Password}))
		return c
	}
	k.ann, k.bob, k.eve = person("ann"), person("bob"), person("eve")
	return k
}

// must fails the test at an error.
func (k *contract) must(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// called notes methods that the test has called, and fails at an error.
func (k *contract) called(err error, names ...string) {
	k.Helper()
	for _, name := range names {
		k.methods[name] = true
	}
	if err != nil {
		k.Fatalf("%v: %v", names, err)
	}
}

// complete fails if a method of typ was not called and is not in others.
func (k *contract) complete(typ reflect.Type, others ...string) {
	k.Helper()
	for _, name := range others {
		k.methods[name] = true
	}
	for m := range typ.Methods() {
		if !k.methods[m.Name] {
			k.Errorf("no test decodes the answer to %v.%s", typ, m.Name)
		}
	}
}

// TestEveryAnswerIsKnown holds that each method of Client decodes what a real
// server answers, all of it, and that what matters of it arrives.
func TestEveryAnswerIsKnown(t *testing.T) {
	t.Parallel()
	// A proof of work is asked for, and strangers are asked before they are added.
	k := newContract(t, "UNHIDRA_CAPTCHA=pow", "UNHIDRA_ROOM_REQUESTS=strangers",
		"UNHIDRA_PRIVATE_NETWORKS=127.0.0.0/8")
	k.account(t.Context())
	k.rooms(t.Context())
	k.requests(t.Context())
	k.messages(t.Context())
	k.firmware(t.Context())
	k.files(t.Context())
	k.hooks(t.Context())
	k.userGroups(t.Context())
	k.emoji(t.Context())
	k.slash(t.Context())
	k.serverCommands(t.Context())
	k.guests(t.Context())
	k.called(k.bob.SignOut(t.Context()), "SignOut")
	k.complete(reflect.TypeFor[*client.Client](),
		"Register", "Factor", // newContract; TestSecondFactor
		"Trust", "Token", "Device", "Tokens", "SetTokens", "Live") // ask nothing, or have a test of their own
}

func (k *contract) account(ctx context.Context) {
	again := client.Strict(client.New(k.URL))
	k.called(again.SignIn(ctx, "ann", live.Password), "SignIn")
	if left := time.Until(again.Tokens().Expires); left <= 0 {
		k.Errorf("the token that one signs in with has ended %v ago", -left)
	}
	ended := again.Tokens()
	ended.Expires = time.Now()
	again.SetTokens(ended)
	me, err := again.Me(ctx) // with a new token
	k.called(err, "Me", "Do")
	if me.Username != "ann" || again.Tokens().Access == ended.Access {
		k.Errorf("after a refresh: %+v", me)
	}
	p, err := k.bob.User(ctx, "ann")
	k.called(err, "User")
	if p.ID != me.ID {
		k.Errorf("the profile of ann is %+v", p)
	}
	err = again.SignIn(ctx, "ann", "not the password")
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Kind != "unauthorized" || refused.Detail == "" {
		k.Errorf("a wrong password: %v", err)
	}
}

func (k *contract) rooms(ctx context.Context) {
	var err error
	k.room, err = k.ann.CreateRoom(ctx, client.NewRoom{Kind: "public", Name: "Kitchen", Topic: "what is cooked"})
	k.called(err, "CreateRoom")
	_, err = k.ann.Send(ctx, client.Draft{Room: k.room.ID, Text: "soup"})
	k.called(err, "Send")
	found, err := k.bob.PublicRooms(ctx, "kitchen", "")
	k.called(err, "PublicRooms")
	if len(found.Items) != 1 || found.Items[0].ID != k.room.ID || found.Items[0].Name != "Kitchen" ||
		found.Items[0].Joined || found.Items[0].Last == nil {
		k.Fatalf("the directory has %+v", found.Items)
	}
	k.called(k.bob.Join(ctx, found.Items[0].ID), "Join")
	members, err := k.ann.Members(ctx, k.room.ID, "")
	k.called(err, "Members")
	if len(members.Items) != 2 {
		k.Errorf("members are %+v", members.Items)
	}
	k.called(k.bob.Leave(ctx, k.room.ID), "Leave")
	k.called(k.ann.Add(ctx, k.room.ID, "bob"), "Add")
	link, err := k.ann.Invite(ctx, k.room.ID, 3600, 5)
	k.called(err, "Invite")
	in, err := k.eve.Accept(ctx, link.Code)
	k.called(err, "Accept")
	if in.ID != k.room.ID {
		k.Errorf("the invitation leads to %+v", in)
	}
	k.called(k.ann.Kick(ctx, k.room.ID, "eve", "too much salt"), "Kick")
	k.must(k.bob.Join(ctx, k.room.ID))
	rooms, err := k.bob.Rooms(ctx)
	k.called(err, "Rooms")
	if len(rooms) != 1 || rooms[0].Last == nil || rooms[0].Last.Text != "soup" {
		k.Errorf("bob is in %+v", rooms)
	}
	room, err := k.bob.Room(ctx, k.room.ID)
	k.called(err, "Room")
	if room.Topic != "what is cooked" || room.Role != "member" {
		k.Errorf("the room is %+v", room)
	}
	teal, pot := "teal", "🍲"
	e, err := k.ann.ChangeLook(ctx, k.room.ID, client.LookChange{Colour: &teal, Emoji: &pot})
	k.called(err, "ChangeLook")
	if l := e.Detail.Look; l == nil || *l != (client.RoomLook{Colour: teal, Emoji: pot}) {
		k.Errorf("the look is %+v", l)
	}
	gif := "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
	e, err = k.ann.SetRoomPicture(ctx, k.room.ID, []byte(gif))
	k.called(err, "SetRoomPicture")
	if l := e.Detail.Look; l == nil || l.Colour != teal || l.Emoji != "" || l.Avatar == "" {
		k.Errorf("the look is %+v", l)
	}
	_, err = k.ann.SetRoomPicture(ctx, k.room.ID, nil)
	k.must(err)
}

// requests are rooms with strangers.
func (k *contract) requests(ctx context.Context) {
	eve, err := k.eve.Me(ctx)
	k.must(err)
	for _, name := range []string{"Cellar", "Attic"} {
		_, err := k.bob.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: name, Members: []string{eve.ID}})
		k.must(err)
	}
	asked, err := k.eve.Requests(ctx)
	k.called(err, "Requests")
	if len(asked) != 2 || asked[0].By.Username != "bob" {
		k.Fatalf("eve is asked %+v", asked)
	}
	in, err := k.eve.AcceptRequest(ctx, asked[0].Room)
	k.called(err, "AcceptRequest")
	if in.ID != asked[0].Room || in.Name != asked[0].Name {
		k.Errorf("accepted %+v", in)
	}
	k.called(k.eve.DeclineRequest(ctx, asked[1].Room, true), "DeclineRequest")
	ann, err := k.ann.Me(ctx)
	k.must(err)
	direct, err := k.bob.Direct(ctx, ann.ID)
	k.called(err, "Direct")
	if len(direct.Peers) != 1 || direct.Peers[0].ID != ann.ID {
		k.Errorf("a conversation with %+v", direct.Peers)
	}
}

func (k *contract) messages(ctx context.Context) {
	first, err := k.bob.Send(ctx, client.Draft{Room: k.room.ID, Text: "is there more of the goulash?"})
	k.must(err)
	_, err = k.ann.Send(ctx, client.Draft{Room: k.room.ID, Text: "@bob no", ReplyTo: first.Message.Seq})
	k.must(err)
	m, err := k.ann.Message(ctx, k.room.ID, first.Message.Seq)
	k.called(err, "Message")
	_, err = k.ann.React(ctx, k.room.ID, first.Message.Seq, "👍")
	k.called(err, "React")
	who, err := k.ann.Reactors(ctx, k.room.ID, first.Message.Seq, "👍", "")
	if k.called(err, "Reactors"); len(who.Items) != 1 {
		k.Errorf("who reacted: %+v", who)
	}
	_, err = k.ann.Unreact(ctx, k.room.ID, first.Message.Seq, "👍")
	k.called(err, "Unreact")
	k.threads(ctx, first.Message.Seq)
	k.pins(ctx, first.Message.Seq)
	k.reports(ctx, first.Message.Seq)
	k.called(k.ann.RemovePreview(ctx, k.room.ID, first.Message.Seq, ""), "RemovePreview")
	k.personal(ctx, first.Message.Seq)
	if m.Text != first.Message.Text {
		k.Errorf("the message says %q", m.Text)
	}
	page, err := k.ann.Timeline(ctx, k.room.ID, "", 2)
	k.called(err, "Timeline")
	if len(page.Items) != 2 || page.Prev == "" || page.Items[1].Message.ReplyTo == nil {
		k.Errorf("the end of the timeline is %+v", page)
	}
	all, err := k.ann.Events(ctx, k.room.ID, 0, 0)
	k.called(err, "Events")
	if n := len(all.Events); n < 6 || all.Head != all.Events[n-1].Seq {
		k.Errorf("the log has %d events up to %d", n, all.Head)
	}
	mark, err := k.ann.MarkRead(ctx, k.room.ID, all.Head)
	k.called(err, "MarkRead")
	if mark.Seq != all.Head {
		k.Errorf("read up to %+v", mark)
	}
	back, err := k.ann.MarkUnread(ctx, k.room.ID, first.Message.Seq)
	k.called(err, "MarkUnread")
	if back.Seq != first.Message.Seq-1 || !back.Back {
		k.Errorf("unread again from %+v", back)
	}
	var found client.Found
	k.eventually(func() bool {
		found, err = k.ann.Search(ctx, "goulash", "newest", "")
		k.called(err, "Search")
		return len(found.Items) == 1
	})
	if hit := found.Items[0]; hit.Message.Room != k.room.ID || len(hit.Marks) != 1 || found.Incomplete {
		k.Errorf("found %+v", found)
	}
	k.later(ctx, first.Message.Seq)
	k.polls(ctx)
	k.forwards(ctx)
	k.called(k.ann.Block(ctx, "eve"), "Block")
	blocked, err := k.ann.Blocked(ctx)
	if k.called(err, "Blocked"); len(blocked) != 1 || blocked[0].Username != "eve" {
		k.Errorf("ann has blocked %+v", blocked)
	}
	k.called(k.ann.Unblock(ctx, "eve"), "Unblock")
}

// eventually waits until ok: the index follows the log by a moment.
func (k *contract) eventually(ok func() bool) {
	k.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			k.Fatal("it did not happen within 30 seconds")
		}
	}
}

// threads holds that what is said in a thread is known, and who has read it.
func (k *contract) threads(ctx context.Context, root int64) {
	sent, err := k.ann.Send(ctx, client.Draft{Room: k.room.ID, Text: "there is soup", Thread: root, Broadcast: true})
	k.must(err)
	if sent.Message.Thread != root || !sent.Message.Broadcast {
		k.Errorf("sent as %+v", sent.Message)
	}
	page, err := k.bob.Thread(ctx, k.room.ID, root, "", 10)
	if k.called(err, "Thread"); len(page.Items) != 1 || !page.Thread.Following || page.Thread.First.Replies.Count != 1 {
		k.Errorf("the thread is %+v", page)
	}
	list, err := k.bob.Threads(ctx, "", 10)
	if k.called(err, "Threads"); len(list.Items) != 1 || list.Items[0].Unread != 1 || list.Items[0].Last.Seq != sent.Seq {
		k.Errorf("bob follows %+v", list.Items)
	}
	state, err := k.bob.MarkThread(ctx, k.room.ID, root, sent.Seq)
	if k.called(err, "MarkThread"); state.Read < sent.Seq || state.Unread != 0 {
		k.Errorf("read: %+v", state)
	}
	state, err = k.bob.FollowThread(ctx, k.room.ID, root, false)
	if k.called(err, "FollowThread"); state.Following {
		k.Errorf("bob still follows: %+v", state)
	}
	k.called(k.bob.FollowThreads(ctx, k.room.ID, true), "FollowThreads")
}

// hooks holds that outgoing webhooks are known, and what they send. The receiver is in a network that is not allowed.
func (k *contract) hooks(ctx context.Context) {
	room := k.room.ID
	made, err := k.ann.CreateOutgoingHook(ctx, room, client.NewOutgoingHook{Name: "Tickets", URL: "https://10.0.0.1/"})
	if k.called(err, "CreateOutgoingHook"); made.Secret == "" || made.Events[0] != "message.created" || made.Programs {
		k.Errorf("the webhook is %+v", made)
	}
	on, programs, url := false, true, "https://10.0.0.2/"
	changed, err := k.ann.ChangeOutgoingHook(ctx, room, made.ID, client.HookChange{On: &on, Programs: &programs, URL: &url,
		Events: []string{"member.joined"}})
	if k.called(err, "ChangeOutgoingHook"); changed.Off != "admin" || !changed.Programs || changed.URL != url ||
		changed.Events[0] != "member.joined" || changed.Secret != "" {
		k.Errorf("changed it is %+v", changed)
	}
	renewed, err := k.ann.RotateOutgoingHook(ctx, room, made.ID)
	if k.called(err, "RotateOutgoingHook"); renewed.Secret == "" || renewed.Secret == made.Secret {
		k.Errorf("renewed it is %+v", renewed)
	}
	k.called(k.ann.TestOutgoingHook(ctx, room, made.ID), "TestOutgoingHook")
	var sent []client.HookDelivery
	for late := time.Now().Add(time.Minute); len(sent) == 0 || sent[0].State == "waiting"; {
		if time.Now().After(late) {
			k.Fatalf("nothing was tried: %+v", sent)
		}
		sent, err = k.ann.HookDeliveries(ctx, room, made.ID)
		k.called(err, "HookDeliveries")
	}
	if len(sent) != 1 || sent[0].State != "failed" || !strings.Contains(sent[0].Failure, "private network") {
		k.Errorf("the test is %+v", sent)
	}
	k.called(k.ann.Redeliver(ctx, room, made.ID, sent[0].ID), "Redeliver")
	all, err := k.ann.OutgoingHooks(ctx, room)
	if k.called(err, "OutgoingHooks"); len(all) != 1 || all[0].ID != made.ID || all[0].RotatedAt == nil {
		k.Errorf("the webhooks are %+v", all)
	}
	k.called(k.ann.DeleteOutgoingHook(ctx, room, made.ID), "DeleteOutgoingHook")
}

// slash holds that slash commands are known. The receiver is in a network that is not allowed.
func (k *contract) slash(ctx context.Context) {
	room := k.room.ID
	made, err := k.ann.CreateSlashCommand(ctx, room, client.NewSlashCommand{Name: "deploy", Description: "Deploys",
		Hint: "SERVICE", URL: "https://10.0.0.1/"})
	if k.called(err, "CreateSlashCommand"); made.Secret == "" || made.Name != "deploy" || made.CreatedBy == nil {
		k.Errorf("the command is %+v", made)
	}
	written := client.WrittenCommand{Command: "deploy", Text: "api"}
	var refused *client.Error
	if _, err = k.bob.RunSlashCommand(ctx, room, written); !errors.As(err, &refused) ||
		refused.Code != client.CodeSlashAway {
		k.Errorf("the receiver is reached: %v", err)
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.FormValue("user_name")+" asks for "+r.FormValue("text"))
	}))
	k.Cleanup(receiver.Close)
	_, err = k.ann.ChangeSlashCommand(ctx, room, made.ID, client.SlashChange{URL: &receiver.URL})
	k.must(err)
	reply, err := k.bob.RunSlashCommand(ctx, room, written)
	if k.called(err, "RunSlashCommand"); reply.Text != "bob asks for api" || reply.Seq != 0 {
		k.Errorf("the reply is %+v", reply)
	}
	off := false
	changed, err := k.ann.ChangeSlashCommand(ctx, room, made.ID, client.SlashChange{On: &off})
	if k.called(err, "ChangeSlashCommand"); changed.Off != "admin" || changed.UsedAt == nil {
		k.Errorf("changed it is %+v", changed)
	}
	renewed, err := k.ann.RotateSlashCommand(ctx, room, made.ID)
	if k.called(err, "RotateSlashCommand"); renewed.Secret == "" || renewed.Secret == made.Secret {
		k.Errorf("renewed it is %+v", renewed)
	}
	all, err := k.bob.SlashCommands(ctx, room)
	if k.called(err, "SlashCommands"); len(all) != 1 || all[0].URL != "" || all[0].CreatedBy != nil ||
		all[0].Description != "Deploys" {
		k.Errorf("a member sees %+v", all)
	}
	k.called(k.ann.DeleteSlashCommand(ctx, room, made.ID), "DeleteSlashCommand")
}

// serverCommands holds that those of the server are known, and are there beside those of rooms.
func (k *contract) serverCommands(ctx context.Context) {
	k.Helper()
	admin := client.Strict(client.New(k.URL))
	k.must(admin.SignIn(ctx, "root", live.Password)) // the administrator of userGroups
	made, err := admin.CreateServerCommand(ctx, client.NewServerCommand{Guests: true,
		NewSlashCommand: client.NewSlashCommand{Name: "oncall", Description: "Who is it?", URL: "https://10.0.0.1/"}})
	if k.called(err, "CreateServerCommand"); made.Secret == "" || !made.Server || !made.Guests || made.Rooms != "" {
		k.Errorf("the command is %+v", made)
	}
	kind := "private"
	changed, err := admin.ChangeServerCommand(ctx, "oncall", client.ServerCommandChange{Rooms: &kind})
	if k.called(err, "ChangeServerCommand"); changed.Rooms != kind || !changed.Guests || changed.ID != made.ID {
		k.Errorf("changed it is %+v", changed)
	}
	renewed, err := admin.RotateServerCommand(ctx, made.ID)
	if k.called(err, "RotateServerCommand"); renewed.Secret == "" || renewed.Secret == made.Secret {
		k.Errorf("renewed it is %+v", renewed)
	}
	kind = ""
	_, err = admin.ChangeServerCommand(ctx, "oncall", client.ServerCommandChange{Rooms: &kind})
	k.must(err)
	all, err := admin.ServerCommands(ctx)
	if k.called(err, "ServerCommands"); len(all) != 1 || all[0].URL == "" || all[0].RotatedAt == nil {
		k.Errorf("the server has %+v", all)
	}
	seen, err := k.bob.SlashCommands(ctx, k.room.ID)
	if k.must(err); len(seen) != 1 || !seen[0].Server || seen[0].URL != "" || seen[0].Guests {
		k.Errorf("a member sees %+v", seen)
	}
	k.called(admin.DeleteServerCommand(ctx, "oncall"), "DeleteServerCommand")
}

// polls asks ann's room something, for which bob votes.
func (k *contract) polls(ctx context.Context) {
	k.Helper()
	asked, err := k.ann.CreatePoll(ctx, client.NewPoll{Room: k.room.ID, Question: "Dumplings?",
		Choices: []string{"yes", "no"}, ClosesAt: time.Now().Add(time.Hour)})
	if k.called(err, "CreatePoll"); asked.Message.Poll == nil || asked.Message.Poll.ClosesAt == nil {
		k.Errorf("asked: %+v", asked.Message)
	}
	now, err := k.bob.Vote(ctx, k.room.ID, asked.Seq, 2)
	if k.called(err, "Vote"); now.Seq == 0 || now.Poll.Choices[1].Votes != 1 {
		k.Errorf("bob voted: %+v", now)
	}
	who, err := k.ann.Voters(ctx, k.room.ID, asked.Seq, 2, "")
	if k.called(err, "Voters"); len(who.Items) != 1 || who.Items[0].User.Username != "bob" {
		k.Errorf("who voted: %+v", who)
	}
	now, err = k.ann.ClosePoll(ctx, k.room.ID, asked.Seq)
	if k.called(err, "ClosePoll"); now.Poll.ClosedAt == nil {
		k.Errorf("closed: %+v", now)
	}
}

// forwards forwards a message of bob within ann's room.
func (k *contract) forwards(ctx context.Context) {
	k.Helper()
	said, err := k.bob.Send(ctx, client.Draft{Room: k.room.ID, Text: "there is cake"})
	k.must(err)
	sent, err := k.ann.Forward(ctx, client.NewForward{Room: k.room.ID, From: k.room.ID, Seq: said.Seq, Text: "see"})
	if k.called(err, "Forward"); sent.Message.Forward == nil || sent.Message.Forward.Text != "there is cake" ||
		sent.Message.Forward.Sender.Username != "bob" {
		k.Errorf("forwarded: %+v", sent.Message)
	}
}

// pins pins a message of ann's room, and takes the pin off again.
func (k *contract) pins(ctx context.Context, seq int64) {
	k.Helper()
	done, err := k.ann.Pin(ctx, k.room.ID, seq)
	k.called(err, "Pin")
	pins, err := k.ann.Pins(ctx, k.room.ID)
	if k.called(err, "Pins"); len(pins) != 1 || pins[0].Message.Seq != seq || pins[0].By.Username != "ann" ||
		pins[0].Seq != done.Seq {
		k.Errorf("pinned messages: %+v", pins)
	}
	_, err = k.ann.Unpin(ctx, k.room.ID, seq)
	k.called(err, "Unpin")
}

// reports has ann report a message of bob in her room, and keep it.
func (k *contract) reports(ctx context.Context, seq int64) {
	k.Helper()
	r, err := k.ann.Report(ctx, k.room.ID, seq, "other", "no goulash")
	if k.called(err, "Report"); r.State != "open" || r.Reason != "other" {
		k.Errorf("reported: %+v", r)
	}
	queue, err := k.ann.RoomReports(ctx, k.room.ID, "")
	if k.called(err, "RoomReports"); queue.Waiting != 1 || queue.Items[0].Message.Seq != seq ||
		queue.Items[0].Reports[0].Note != "no goulash" {
		k.Errorf("the queue is %+v", queue)
	}
	k.called(k.ann.DecideReport(ctx, k.room.ID, seq, "kept"), "DecideReport")
	own, err := k.ann.OwnReports(ctx, "")
	if k.called(err, "OwnReports"); len(own.Items) != 1 || own.Items[0].State != "kept" || own.Items[0].DecidedAt == nil {
		k.Errorf("ann's reports are %+v", own)
	}
}

// userGroups has an administrator make a group of ann, who looks at it.
func (k *contract) userGroups(ctx context.Context) {
	k.Helper()
	admin := client.New(k.URL)
	_, setup, _ := strings.Cut(k.Setup, "#token=")
	k.must(admin.Register(ctx, client.Registration{Username: "root", Password: live.Password, SetupToken: setup}))
	me, err := k.ann.Me(ctx)
	k.must(err)
	k.must(admin.Do(ctx, "POST", "/admin/user-groups", map[string]any{"handle": "Cooks", "members": []string{me.ID}}, nil))
	all, err := k.ann.UserGroups(ctx)
	if k.called(err, "UserGroups"); len(all) != 1 || all[0].Handle != "cooks" || all[0].Size != 1 || !all[0].Mine {
		k.Errorf("user groups: %+v", all)
	}
	g, err := k.bob.UserGroup(ctx, "cooks")
	if k.called(err, "UserGroup"); g.Group.Mine || len(g.Members) != 1 || g.Members[0].Username != "ann" {
		k.Errorf("the user group is %+v", g)
	}
}

// emoji has ann add an emoji and react with it, which bob sees.
func (k *contract) emoji(ctx context.Context) {
	k.Helper()
	gif := "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
	made, err := k.ann.AddEmoji(ctx, "parrot", []byte(gif))
	if k.called(err, "AddEmoji"); made.Name != "parrot" || made.Picture == "" || made.By.Username != "ann" {
		k.Errorf("added: %+v", made)
	}
	all, err := k.bob.CustomEmoji(ctx)
	if k.called(err, "CustomEmoji"); len(all) != 1 || all[0].Picture != made.Picture {
		k.Errorf("emoji of the server: %+v", all)
	}
	k.called(k.ann.DeleteEmoji(ctx, "parrot"), "DeleteEmoji")
}

// guests has the administrator of userGroups invite a guest, and end their access.
func (k *contract) guests(ctx context.Context) {
	k.Helper()
	admin := client.Strict(client.New(k.URL))
	k.must(admin.SignIn(ctx, "root", live.Password))
	room, err := admin.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Fair"})
	k.must(err)
	i, err := admin.InviteGuest(ctx, client.GuestInvite{Days: 14, Rooms: []string{room.ID}, Note: "Gus"})
	k.called(err, "InviteGuest")
	_, code, _ := strings.Cut(i.Link, "#invite=")
	gus := client.Strict(client.New(k.URL))
	k.must(gus.Register(ctx, client.Registration{Username: "gus", Password: live.Password, Invite: code}))
	me, err := gus.Me(ctx)
	k.must(err)
	rooms, err := gus.Rooms(ctx)
	k.must(err)
	if me.Role != "guest" || me.GuestUntil == nil || !me.Guest || len(rooms) != 1 || rooms[0].Guests != 1 {
		k.Errorf("the guest is %+v, in %+v", me, rooms)
	}
	k.called(admin.SetGuest(ctx, me.ID, time.Now()), "SetGuest")
	var refused *client.Error
	if err := gus.SignIn(ctx, "gus", live.Password); !errors.As(err, &refused) || refused.Code != client.CodeGuestEnded {
		k.Errorf("a guest whose access ended: %v", err)
	}
}

// personal saves a message of ann's room, keeps a draft there, and takes both back.
func (k *contract) personal(ctx context.Context, seq int64) {
	k.Helper()
	k.called(k.ann.Save(ctx, k.room.ID, seq), "Save")
	saved, next, err := k.ann.Saved(ctx, "")
	if k.called(err, "Saved"); len(saved) != 1 || saved[0].Message.Seq != seq || saved[0].At.IsZero() || next != "" {
		k.Errorf("saved messages: %+v, then %q", saved, next)
	}
	numbers, err := k.ann.SavedIn(ctx, k.room.ID)
	if k.called(err, "SavedIn"); len(numbers) != 1 || numbers[0] != seq {
		k.Errorf("saved in the room: %v", numbers)
	}
	k.called(k.ann.Unsave(ctx, k.room.ID, seq), "Unsave")
	kept, err := k.ann.PutDraft(ctx, client.StoredDraft{Room: k.room.ID, Text: "to be"})
	k.called(err, "PutDraft")
	drafts, err := k.ann.Drafts(ctx)
	if k.called(err, "Drafts"); len(drafts) != 1 || drafts[0] != kept || kept.Text != "to be" || kept.Version == 0 {
		k.Errorf("kept is %+v of %+v", kept, drafts)
	}
	_, err = k.ann.PutDraft(ctx, client.StoredDraft{Room: k.room.ID, Version: kept.Version})
	k.must(err)
	arranged, err := k.ann.PutSections(ctx, client.RoomSections{Sections: []client.RoomSection{
		{Name: "Kitchen", Closed: true, Rooms: []string{k.room.ID}}}})
	k.called(err, "PutSections")
	found, err := k.ann.Sections(ctx)
	if k.called(err, "Sections"); !reflect.DeepEqual(found, arranged) || found.Sections[0].Rooms[0] != k.room.ID {
		k.Errorf("arranged is %+v, found %+v", arranged, found)
	}
}

// later schedules a message and makes a reminder, changes both, and ends both.
func (k *contract) later(ctx context.Context, seq int64) {
	k.Helper()
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	m, err := k.ann.Schedule(ctx, client.NewScheduled{Room: k.room.ID, Text: "good morning", At: at})
	k.called(err, "Schedule")
	m, err = k.ann.Reschedule(ctx, m.ID, "good evening", at.Add(time.Minute))
	k.called(err, "Reschedule")
	all, err := k.ann.Scheduled(ctx)
	if k.called(err, "Scheduled"); len(all) != 1 || !reflect.DeepEqual(all[0], m) || m.Text != "good evening" ||
		m.State != "waiting" {
		k.Errorf("scheduled is %+v of %+v", m, all)
	}
	other, err := k.ann.Schedule(ctx, client.NewScheduled{Room: k.room.ID, Text: "good night", At: at})
	k.must(err)
	k.called(k.ann.Unschedule(ctx, other.ID), "Unschedule")
	monthly := &client.Repeat{Zone: "Europe/Berlin", Time: "09:00", MonthDay: 31}
	other, err = k.ann.Schedule(ctx, client.NewScheduled{Room: k.room.ID, Text: "report", Repeat: monthly})
	k.must(err)
	next, err := k.ann.SkipScheduled(ctx, other.ID, other.At)
	if k.called(err, "SkipScheduled"); !next.At.After(other.At) || !reflect.DeepEqual(next.Repeat, monthly) {
		k.Errorf("after %s it is sent at %s, %+v", other.At, next.At, next.Repeat)
	}
	next, err = k.ann.ChangeScheduled(ctx, other.ID, client.ScheduledChange{Text: "report", Repeat: monthly, Paused: true})
	if k.called(err, "ChangeScheduled"); !next.Paused {
		k.Errorf("paused is %+v", next)
	}
	k.must(k.ann.Unschedule(ctx, other.ID))
	said, err := k.ann.SendScheduled(ctx, m.ID)
	if k.called(err, "SendScheduled"); said <= seq {
		k.Errorf("sent as %d, after %d", said, seq)
	}
	r, err := k.ann.Remind(ctx, client.NewReminder{Room: k.room.ID, Seq: seq, At: &at})
	k.called(err, "Remind")
	_, err = k.ann.Postpone(ctx, r.ID, at.Add(time.Minute))
	k.called(err, "Postpone")
	reminders, err := k.ann.Reminders(ctx)
	if k.called(err, "Reminders"); len(reminders) != 1 || reminders[0].Message == nil || reminders[0].At.Equal(at) {
		k.Errorf("reminders are %+v", reminders)
	}
	k.called(k.ann.Done(ctx, r.ID), "Done")
	r, err = k.ann.Remind(ctx, client.NewReminder{Text: "tea",
		Repeat: &client.Repeat{Zone: "Europe/Berlin", Time: "16:00", Weekdays: []int{1}}})
	k.must(err)
	k.called(k.ann.DeleteReminder(ctx, r.ID), "DeleteReminder")
}
