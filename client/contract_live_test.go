package client_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// TestEveryFrameIsKnown holds the same for each method of Live, and for the frames
// that the server sends by itself.
func TestEveryFrameIsKnown(t *testing.T) {
	t.Parallel()
	k := newContract(t, "UNHIDRA_ROOM_REQUESTS=strangers")
	heard := make(chan string, 256) // the types of what bob hears
	tell := func(what string) {
		select {
		case heard <- what:
		case <-t.Context().Done():
		}
	}
	bobs := k.bob.Live(t.Context(), client.LiveOptions{
		OnEvent:    func(e client.Event) { tell(e.Type) },
		OnHello:    func(h client.Hello) { tell("hello of " + h.Me.Username) },
		OnJoined:   func(st client.RoomState) { tell("joined " + st.Name) },
		OnLeft:     func(l client.Left) { tell("left, " + l.Reason) },
		OnAsked:    func(r client.RoomRequest) { tell("asked by " + r.By.Username) },
		OnTyping:   func(ty client.Typing) { tell(ty.User.Username + " types") },
		OnPresence: func(p client.Presence) { tell("is " + p.Is) },
		OnRead:     func(client.Mark) { tell("read") },
		OnThread:   func(s client.ThreadState) { tell(fmt.Sprint("thread, following ", s.Following, ", unread ", s.Unread)) },
		OnState: func(s client.State, err error) {
			if s == client.Waiting || s == client.Ended && t.Context().Err() == nil && !errors.Is(err, context.Canceled) {
				tell(s.String() + " " + err.Error())
			}
		},
	})
	defer bobs.Close()
	await := func(want string) {
		t.Helper()
		deadline := time.After(2 * time.Minute)
		for {
			select {
			case got := <-heard:
				if got == want {
					return
				}
			case <-deadline:
				t.Fatalf("bob never heard %q", want)
			}
		}
	}
	anns := k.ann.Live(t.Context(), client.LiveOptions{})
	defer anns.Close()
	await("hello of bob")
	k.called(anns.Ready(t.Context()), "Ready")
	k.meetLive(t.Context(), await)
	k.writeLive(t.Context(), anns, bobs, await)
	k.complete(reflect.TypeFor[*client.Live](), "Close", "State", "Err", "Positions")
}

// meetLive brings bob into a room of ann by an invitation, out of it, and in again.
func (k *contract) meetLive(ctx context.Context, await func(string)) {
	var err error
	k.room, err = k.ann.CreateRoom(ctx, client.NewRoom{Kind: "public", Name: "Kitchen"})
	k.must(err)
	bob, err := k.bob.Me(ctx)
	k.must(err)
	_, err = k.ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Den", Members: []string{bob.ID}})
	k.must(err)
	await("asked by ann")
	k.must(k.bob.Join(ctx, k.room.ID))
	await("joined Kitchen")
	k.must(k.ann.Kick(ctx, k.room.ID, "bob", ""))
	await("left, kicked")
	k.must(k.bob.Join(ctx, k.room.ID))
	await("joined Kitchen")
}

func (k *contract) writeLive(ctx context.Context, anns, bobs *client.Live, await func(string)) {
	ann, err := k.ann.Me(ctx)
	k.must(err)
	seen, err := bobs.Watch(ctx, ann.ID)
	k.called(err, "Watch")
	if len(seen) != 1 || seen[0].User != ann.ID {
		k.Fatalf("presence of %+v", seen)
	}
	if seen[0].Is != "online" { // not heard of yet
		await("is online")
	}
	k.called(anns.SetActive(ctx, false), "SetActive")
	await("is away")
	k.must(anns.SetActive(ctx, true))
	k.called(nil, "Typing")
	anns.Typing(k.room.ID)
	await("ann types")
	sent, err := anns.Send(ctx, client.Draft{Room: k.room.ID, Text: "soup for @bob"})
	k.called(err, "Send")
	await("message.created")
	_, err = anns.Edit(ctx, k.room.ID, sent.Message.Seq, "no soup")
	k.called(err, "Edit")
	await("message.edited")
	_, err = bobs.React(ctx, k.room.ID, sent.Message.Seq, "👍")
	k.called(err, "React")
	await("reaction.added")
	_, err = bobs.Unreact(ctx, k.room.ID, sent.Message.Seq, "👍")
	k.called(err, "Unreact")
	await("reaction.removed")
	_, err = k.ann.Pin(ctx, k.room.ID, sent.Message.Seq)
	k.must(err)
	await("message.pinned")
	_, err = k.ann.Unpin(ctx, k.room.ID, sent.Message.Seq)
	k.must(err)
	await("message.unpinned")
	asked, err := k.ann.CreatePoll(ctx, client.NewPoll{Room: k.room.ID, Question: "Bread?",
		Choices: []string{"yes", "no"}})
	k.must(err)
	_, err = k.bob.Vote(ctx, k.room.ID, asked.Seq, 1)
	k.must(err)
	await("poll.changed")
	_, err = bobs.MarkRead(ctx, k.room.ID, sent.Seq)
	k.called(err, "MarkRead")
	await("read")
	answer, err := anns.Send(ctx, client.Draft{Room: k.room.ID, Text: "with bread, @bob", Thread: sent.Message.Seq})
	k.must(err)
	await("thread, following true, unread 1")
	_, err = bobs.MarkThread(ctx, k.room.ID, sent.Message.Seq, answer.Seq)
	k.called(err, "MarkThread")
	await("thread, following true, unread 0")
	_, err = anns.Delete(ctx, k.room.ID, sent.Message.Seq)
	k.called(err, "Delete")
	await("message.deleted")
	k.called(bobs.Ping(ctx), "Ping", "Request")
	if last := bobs.Positions()[k.room.ID]; last < answer.Seq+1 {
		k.Errorf("bob has the room up to %d", last)
	}
}

// TestMissedEventsAreKnown holds that the answer to sync is decoded: what was
// missed between two connections arrives, in order.
func TestMissedEventsAreKnown(t *testing.T) {
	t.Parallel()
	k := newContract(t)
	room, err := k.ann.CreateRoom(t.Context(), client.NewRoom{Kind: "public", Name: "Kitchen"})
	k.must(err)
	var want []int64
	for _, text := range []string{"one", "two", "three"} {
		sent, err := k.ann.Send(t.Context(), client.Draft{Room: room.ID, Text: text})
		k.must(err)
		want = append(want, sent.Seq)
	}
	events := make(chan int64, 8)
	l := k.ann.Live(t.Context(), client.LiveOptions{
		Rooms:   map[string]int64{room.ID: want[0] - 1},
		OnEvent: func(e client.Event) { events <- e.Seq },
	})
	defer l.Close()
	var got []int64
	for range want {
		select {
		case seq := <-events:
			got = append(got, seq)
		case <-time.After(2 * time.Minute):
			t.Fatalf("after %v nothing came: %v", got, l.Err())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestSecondFactor holds that a sign-in with a second factor is known as well.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	k := newContract(t)
	ctx := t.Context()
	var added, confirmed map[string]any
	k.must(k.ann.Do(ctx, "POST", "/me/totp", map[string]string{}, &added))
	code, err := totp.GenerateCode(added["secret"].(string), time.Now())
	k.must(err)
	k.must(k.ann.Do(ctx, "POST", "/me/totp/confirm", map[string]string{"code": code}, &confirmed))
	again := client.Strict(client.New(k.URL))
	var asked *client.Error
	if err := again.SignIn(ctx, "ann", live.Password); !errors.As(err, &asked) ||
		asked.Code != client.CodeSecondFactor {
		t.Fatalf("a sign-in with a password alone: %v", err)
	}
	k.must(again.Factor(ctx, confirmed["recovery_codes"].([]any)[0].(string)))
	if me, err := again.Me(ctx); err != nil || me.Username != "ann" {
		t.Errorf("signed in as %+v, %v", me, err)
	}
}
