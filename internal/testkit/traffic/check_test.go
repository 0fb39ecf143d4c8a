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
}
