package traffic

import (
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
)

// logOf returns the log of a room that somebody joined and wrote these messages into.
func logOf(keys ...string) (log []client.Event) {
	log = append(log, client.Event{Room: "r", Seq: 1})
	for i, key := range keys {
		log = append(log, client.Event{Room: "r", Seq: int64(i + 2), Message: &client.Message{Key: key}})
	}
	return log
}

// What is lost, doubled, moved or out of order is found, of the log and of what readers were shown.
func TestTheCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	acked := map[string]int64{"a": 2, "b": 3, "c": 4}
	good := logOf("a", "b", "c")
	for says, log := range map[string][]client.Event{
		"":                                 good,
		"c was acknowledged as 4 and is 0": logOf("a", "b"),
		"b was acknowledged as 3 and is 4": logOf("a", "c", "b"),
		"b is there twice: 3 and 5":        logOf("a", "b", "c", "b"),
		"event 3 of the log has number 4":  slices.Concat(good[:2], good[3:]),
	} {
		stored, err := byKey(log)
		if err == nil {
			err = Kept(acked, stored)
		}
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	for says, seen := range map[string][]client.Event{
		"": good, "was shown 3 events of 4": good[:3], "was shown 2 in place 3": slices.Concat(good[:2], good[1:]),
		"was shown 4 in place 3": slices.Concat(good[:2], good[3:]), "was shown 2 in place 2": logOf("x", "b", "c"),
	} {
		r := &reader{room: "r"}
		for _, e := range seen {
			r.add(e)
			r.add(client.Event{Room: "another", Seq: 1})
		}
		err := r.compare(good)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	other := slices.Concat(good[:1], []client.Event{{Room: "r", Seq: 2}}, good[2:]) // no message
	for _, c := range [][2][]client.Event{{good, other}, {other, good}} {
		if err := (&reader{room: "r", seen: c[0]}).compare(c[1]); err == nil {
			t.Errorf("%v is taken for %v", c[0], c[1])
		}
	}
}

// A test that ends before Stop leaves no sender behind, and fails for no message that it did not await.
func TestTrafficEndsWithItsTest(t *testing.T) {
	t.Parallel()
	longer := t.Context()
	var f *Traffic
	t.Run("ends early", func(t *testing.T) {
		nobody := client.New("http://127.0.0.1:1")
		f = Start(longer, t, []*client.Client{nobody}, "room", Options{Senders: 3})
	})
	select {
	case <-f.ctx.Done():
		f.senders.Wait()
	default:
		t.Error("people still write")
	}
}
