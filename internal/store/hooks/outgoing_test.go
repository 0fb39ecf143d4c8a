package hooks_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func createOut(t *testing.T, db *all.Store, room, actor string, programs bool) domain.OutHook {
	t.Helper()
	h, err := db.OutHooks.CreateOutHook(t.Context(), actor, domain.OutHook{ID: domain.NewID(domain.OutHookPrefix),
		Room: room, User: domain.UserRef{DisplayName: "Tickets"}, URL: "https://example.org/", Programs: programs,
		Types: []domain.EventType{domain.MessageCreated}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// claim returns the webhooks that are due at a time.
func claim(t *testing.T, db *all.Store, now time.Time, except ...string) []domain.OutHook {
	t.Helper()
	all, err := db.OutHooks.ClaimHooks(t.Context(), 10, except, time.Minute, now)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func enqueue(t *testing.T, db *all.Store, now time.Time, want int, events ...domain.Event) {
	t.Helper()
	if n, err := db.OutHooks.Enqueue(t.Context(), events, now); err != nil || n != want {
		t.Fatalf("%d deliveries are new, want %d: %v", n, want, err)
	}
}

// nextOut returns what a webhook sends next; one without an id: nothing.
func nextOut(t *testing.T, db *all.Store, hook string) (d domain.Delivery) {
	t.Helper()
	d, _, err := db.OutHooks.NextDelivery(t.Context(), hook)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func settle(t *testing.T, db *all.Store, d domain.Delivery, o domain.Outcome, now time.Time) {
	t.Helper()
	if err := db.OutHooks.Settle(t.Context(), d, o, now); err != nil {
		t.Fatal(err)
	}
}

// Events are stored once for each webhook that wants them, and are sent in their order by one node at a time.
func TestEachEventWaitsOnceForEachWebhookThatSendsIt(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, ann := testkit.Room(t, db, 2), testkit.UserID(0)
		before := testkit.Say(t, db, ann, room, "0", "before")
		h, all := createOut(t, db, room, ann, false), createOut(t, db, room, ann, true)
		in, err := create(t, db, room, "a")
		if err != nil {
			t.Fatal(err)
		}
		one, two := testkit.Say(t, db, ann, room, "1", "tea"), testkit.Say(t, db, ann, room, "2", "cake")
		posted, own := testkit.Say(t, db, in.ID, room, "3", "fire"), testkit.Say(t, db, all.ID, room, "4", "off")
		edited := one
		edited.Type, edited.Seq = domain.MessageEdited, own.Seq+1
		enqueue(t, db, now, 2, two) // a page that was handled before the one before it
		enqueue(t, db, now, 3, before, one, two, posted, own, edited)
		enqueue(t, db, now, 0, before, one, two, posted, own, edited)

		if claimed := claim(t, db, now, ann); len(claimed) != 0 {
			t.Errorf("of a maker who has enough: %+v", claimed)
		}
		claimed := claim(t, db, now)
		if len(claimed) != 2 || claimed[0].Waiting+claimed[1].Waiting != 5 || len(claim(t, db, now.Add(time.Second))) != 0 {
			t.Errorf("claimed are %+v", claimed)
		}
		for _, want := range []int64{one.Seq, two.Seq} {
			d := nextOut(t, db, h.ID)
			if d.Seq != want || d.ID != fmt.Sprintf("%s:%d", room, want) || d.At.IsZero() {
				t.Errorf("next is %+v, want %d", d, want)
			}
			settle(t, db, d, domain.Outcome{State: domain.DeliveryDone, Status: 204}, now)
		}
		if d := nextOut(t, db, h.ID); d.ID != "" {
			t.Errorf("it sends also %+v", d)
		}
		// The lease of a node that died ends; who is late cannot release what another one has.
		later := now.Add(2 * time.Minute)
		anew := claim(t, db, later)
		for _, c := range claimed {
			if err := db.OutHooks.Release(ctx, c, time.Time{}, later); err != nil {
				t.Fatal(err)
			}
		}
		if len(anew) != 2 || len(claim(t, db, later)) != 0 {
			t.Errorf("claimed anew are %+v", anew)
		}
		for _, c := range anew {
			if err := db.OutHooks.Release(ctx, c, time.Time{}, later); err != nil {
				t.Fatal(err)
			}
		}
		if due := claim(t, db, later); len(due) != 1 || due[0].ID != all.ID {
			t.Errorf("due are %+v", due)
		}
		if u, err := db.OutHooks.HookUsage(ctx, later); err != nil || u.Waiting != 3 || u.Late > time.Second ||
			u.Oldest < time.Minute || u.Oldest > later.Sub(now)+time.Millisecond || u.OldestFailed != 0 || u.FailingFor != 0 ||
			len(u.Off) != 0 {
			t.Errorf("%+v, %v", u, err)
		}
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// A webhook that fails is due later, says since when it fails, and is off with a reason; then only what somebody asks
// for is sent.
func TestAWebhookThatIsOffSendsOnlyWhatSomebodyAsksFor(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(time.Now().UnixMilli())
		room, ann := testkit.Room(t, db, 2), testkit.UserID(0)
		h := createOut(t, db, room, ann, false)
		tea := testkit.Say(t, db, ann, room, "1", "tea")
		enqueue(t, db, now, 1, tea)
		claimed, d := claim(t, db, now), nextOut(t, db, h.ID)
		settle(t, db, d, domain.Outcome{State: domain.DeliveryWaiting, Status: 500, Failure: "it answers 500"}, now)
		again := now.Add(time.Hour)
		if err := db.OutHooks.Release(ctx, claimed[0], again, now); err != nil {
			t.Fatal(err)
		}
		h, err := db.OutHooks.OutHook(ctx, room, h.ID)
		if err != nil || !h.FailedAt.Equal(now) || h.Failure != "it answers 500" || !h.DueAt.Equal(again) || h.Off != "" {
			t.Errorf("%+v, %v", h, err)
		}
		if u, err := db.OutHooks.HookUsage(ctx, again.Add(-time.Second)); err != nil || u.Failing != 1 || u.Late != 0 ||
			u.FailingFor != time.Hour-time.Second || u.Oldest != 0 || u.OldestFailed != again.Add(-time.Second).Sub(tea.At) {
			t.Errorf("%+v, %v", u, err)
		}
		if early := claim(t, db, again.Add(-time.Second)); len(early) != 0 {
			t.Errorf("too early: %+v", early)
		}
		if claimed = claim(t, db, again); len(claimed) != 1 || !claimed[0].FailedAt.Equal(now) {
			t.Fatalf("%+v", claimed)
		}
		settle(t, db, d, domain.Outcome{State: domain.DeliveryWaiting, Failure: "away", Off: domain.HookOffFailing}, again)
		if err := db.OutHooks.Release(ctx, claimed[0], again.Add(time.Second), again); err != nil {
			t.Fatal(err)
		}
		enqueue(t, db, again, 0, testkit.Say(t, db, ann, room, "2", "cake"))
		if late := claim(t, db, again.Add(time.Hour)); len(late) != 0 {
			t.Errorf("off, it is due: %+v", late)
		}
		if u, err := db.OutHooks.HookUsage(ctx, again); err != nil ||
			!maps.Equal(u.Off, map[domain.HookOff]int{domain.HookOffFailing: 1}) || u.Failing != 0 ||
			u.FailingFor != 0 || u.Waiting != 1 || u.OldestFailed != 0 || u.Oldest != 0 {
			t.Errorf("%+v, %v", u, err)
		}
		test := domain.Delivery{Hook: h.ID, ID: domain.NewID("test"), Type: domain.HookTest, At: again}
		if err := db.OutHooks.Ask(ctx, test, again); err != nil {
			t.Fatal(err)
		}
		err = db.OutHooks.Ask(ctx, domain.Delivery{Hook: h.ID, ID: d.ID}, again)
		if domain.CodeOf(err) != domain.CodeNoHook {
			t.Errorf("one that waits is asked for: %v", err)
		}
		if claimed = claim(t, db, again); len(claimed) != 1 {
			t.Fatal("what somebody asked for is not due")
		}
		if d := nextOut(t, db, h.ID); d.ID != test.ID || !d.Manual {
			t.Errorf("next is %+v", d)
		}
		settle(t, db, domain.Delivery{Hook: h.ID, ID: test.ID, Manual: true},
			domain.Outcome{State: domain.DeliveryFailed, Failure: "away"}, again)
		if d := nextOut(t, db, h.ID); d.ID != "" {
			t.Errorf("then comes %+v", d)
		}
		on := true
		h, err = db.OutHooks.ChangeOutHook(ctx, ann, h.Room, h.ID, asItIs, &on, again)
		if err != nil || h.Off != "" || !h.FailedAt.IsZero() || h.Failure != "" || nextOut(t, db, h.ID).ID != d.ID {
			t.Errorf("switched on it is %+v: %v", h, err)
		}
		settle(t, db, domain.Delivery{Hook: h.ID, ID: test.ID, Manual: true},
			domain.Outcome{State: domain.DeliveryFailed, Failure: "ended", Off: domain.HookOffGone}, again)
		if h, err = db.OutHooks.OutHook(ctx, room, h.ID); err != nil || h.Off != domain.HookOffGone {
			t.Errorf("a test to a receiver that has ended leaves it %+v: %v", h, err)
		}
	})
}

// What waits is bounded in number and in time, and so is what is kept of the past.
func TestOldDeliveriesAreForgotten(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, ann := testkit.Room(t, db, 2), testkit.UserID(0)
		h := createOut(t, db, room, ann, false)
		e := testkit.Say(t, db, ann, room, "1", "tea")
		events := make([]domain.Event, domain.MaxHookWaiting+10)
		for i := range events {
			events[i] = e
			events[i].Seq += int64(i)
		}
		for some := range slices.Chunk(events, 500) { // as many at once are not written in time on a slow machine
			enqueue(t, db, now, len(some), some...)
		}
		for range domain.MaxHookDelivered + 5 {
			settle(t, db, nextOut(t, db, h.ID), domain.Outcome{State: domain.DeliveryDone, Status: 200}, now)
		}
		extra := make([]domain.Event, domain.MaxHookDelivered+5)
		for i := range extra {
			extra[i] = e
			extra[i].Seq += int64(len(events) + i)
		}
		enqueue(t, db, now, len(extra), extra...)
		if n, err := db.OutHooks.PruneDeliveries(ctx, now); err != nil || n != 10 {
			t.Errorf("%d were too many: %v", n, err)
		}
		u, err := db.OutHooks.HookUsage(ctx, now)
		if err != nil || u.Waiting != domain.MaxHookWaiting {
			t.Errorf("%+v, %v", u, err)
		}
		kept, err := db.OutHooks.Deliveries(ctx, h.ID, domain.MaxHookWaiting+1000)
		if err != nil || len(kept) != domain.MaxHookWaiting+domain.MaxHookDelivered {
			t.Errorf("%d are kept: %v", len(kept), err)
		}
		if d := kept[len(kept)-1]; d.State == domain.DeliveryWaiting {
			t.Errorf("the oldest one is %+v", d)
		}
		if n, err := db.OutHooks.PruneDeliveries(ctx, now.Add(domain.HookWaitingKept+time.Hour)); err != nil ||
			n != domain.MaxHookWaiting {
			t.Errorf("%d waited for too long: %v", n, err)
		}
		if kept, err = db.OutHooks.Deliveries(ctx, h.ID, 1000); err != nil || len(kept) != 0 {
			t.Errorf("%d are kept: %v", len(kept), err)
		}
	})
}

// A webhook reads the room for whoever made it: it is off when they leave, and ends when they are banned.
func TestAWebhookIsOffWhenWhoMadeItLeaves(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, ann, bob := testkit.Room(t, db, 3), testkit.UserID(0), testkit.UserID(1)
		if _, err := db.Rooms.SetRole(ctx, ann, room, bob, domain.Admin, now); err != nil {
			t.Fatal(err)
		}
		mine, his, left := createOut(t, db, room, ann, false), createOut(t, db, room, bob, false),
			createOut(t, db, room, bob, false)
		if _, err := db.Departure.Leave(ctx, bob, room, now); err != nil {
			t.Fatal(err)
		}
		off := func(h domain.OutHook) domain.HookOff {
			h, err := db.OutHooks.OutHook(ctx, room, h.ID)
			if err != nil {
				return "gone from the room"
			}
			return h.Off
		}
		if off(mine) != "" || off(his) != domain.HookOffLeft || off(left) != domain.HookOffLeft {
			t.Errorf("after he left: %q, %q, %q", off(mine), off(his), off(left))
		}
		on := true
		h, err := db.OutHooks.ChangeOutHook(ctx, ann, his.Room, his.ID, asItIs, &on, now)
		if err != nil || h.CreatedBy.ID != ann {
			t.Errorf("switched on it is %+v: %v", h, err)
		}
		if _, err := db.OutHooks.ChangeOutHook(ctx, bob, left.Room, left.ID, asItIs, &on, now); err == nil {
			t.Error("who is not in the room switches one on")
		}
		if _, err := db.Departure.Ban(ctx, ann, room, bob, "", now); err != nil {
			t.Fatal(err)
		}
		if off(mine) != "" || off(his) != "" || off(left) != "gone from the room" {
			t.Errorf("after a ban: %q, %q, %q", off(mine), off(his), off(left))
		}
		enqueue(t, db, now, 2, testkit.Say(t, db, ann, room, "1", "tea"))
		if h, err := db.OutHooks.RemoveOutHook(ctx, ann, room, his.ID, now); err != nil || h.ID != his.ID {
			t.Errorf("%+v, %v", h, err)
		}
		if d := nextOut(t, db, his.ID); d.ID != "" {
			t.Errorf("after its end it sends %+v", d)
		}
		if _, err := db.Departure.Leave(ctx, testkit.UserID(2), room, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Departure.Leave(ctx, ann, room, now); err != nil {
			t.Fatal(err)
		}
		if all, err := db.OutHooks.OutHooks(ctx, room); err != nil || len(all) != 0 {
			t.Errorf("the room is empty, and has %+v: %v", all, err)
		}
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestARoomHasAtMostSoManyOutgoingWebhooks(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, room, ann := t.Context(), testkit.Room(t, db, 1), testkit.UserID(0)
		if yes, err := db.OutHooks.Any(ctx); err != nil || yes {
			t.Errorf("there is one: %v", err)
		}
		for range domain.MaxOutHooks {
			createOut(t, db, room, ann, false)
		}
		if yes, err := db.OutHooks.Any(ctx); err != nil || !yes {
			t.Errorf("there is none: %v", err)
		}
		_, err := db.OutHooks.CreateOutHook(ctx, ann, domain.OutHook{ID: domain.NewID(domain.OutHookPrefix), Room: room,
			Types: []domain.EventType{domain.MessageCreated}}, time.Now())
		if domain.CodeOf(err) != domain.CodeTooManyHooks {
			t.Errorf("one more: %v", err)
		}
		admins, err := db.OutHooks.Admins(ctx, room)
		if err != nil || len(admins) != 1 {
			t.Errorf("admins are %v: %v", admins, err)
		}
	})
}

// What is enqueued while a lease ends is sent: not even on two nodes does a webhook rest with something that waits.
func TestAWebhookDoesNotRestWhileAnythingWaits(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now()
		room, ann := testkit.Room(t, db, 2), testkit.UserID(0)
		h := createOut(t, db, room, ann, false)
		for i := range 10 {
			enqueue(t, db, now, 1, testkit.Say(t, db, ann, room, fmt.Sprint("a", i), "tea"))
			claimed := claim(t, db, now)
			if len(claimed) != 1 {
				t.Fatalf("round %d: %d webhooks are due", i, len(claimed))
			}
			settle(t, db, nextOut(t, db, h.ID), domain.Outcome{State: domain.DeliveryDone}, now)
			said := testkit.Say(t, db, ann, room, fmt.Sprint("b", i), "cake")
			var both sync.WaitGroup
			both.Go(func() {
				if _, err := db.OutHooks.Enqueue(t.Context(), []domain.Event{said}, now); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				if err := db.OutHooks.Release(t.Context(), claimed[0], time.Time{}, now); err != nil {
					t.Error(err)
				}
			})
			both.Wait()
			if claimed = claim(t, db, now); len(claimed) != 1 {
				t.Fatalf("round %d: the second event waits, and the webhook rests", i)
			}
			settle(t, db, nextOut(t, db, h.ID), domain.Outcome{State: domain.DeliveryDone}, now)
			if err := db.OutHooks.Release(t.Context(), claimed[0], time.Time{}, now); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func asItIs(*domain.OutHook) error { return nil }
