package domain

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	for range 10_000 {
		id := NewID(RoomPrefix)
		if !ValidID(RoomPrefix, id) || seen[id] {
			t.Fatalf("%q: bad or twice", id)
		}
		seen[id] = true
		b, err := idEncoding.DecodeString(strings.TrimPrefix(id, "room_"))
		if err != nil || b[6]>>4 != 7 || b[8]>>6 != 2 {
			t.Fatalf("%q is no UUIDv7", id)
		}
	}
}

func TestLaterIDsSortLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := NewID(UserPrefix)
		for range 3000 {
			time.Sleep(time.Microsecond)
			next := NewID(UserPrefix)
			if next <= last {
				t.Fatalf("%s after %s", next, last)
			}
			last = next
		}
	})
}

func TestValidID(t *testing.T) {
	good := NewID(RoomPrefix)
	for _, bad := range []string{
		"", "room", "room_", good[:len(good)-1], good + "0", strings.ToUpper(good), "usr" + good[4:],
		"room_" + strings.Repeat("u", 26), "room_" + strings.Repeat("é", 13), "room_../../../../../../etc/pw",
	} {
		if ValidID(RoomPrefix, bad) {
			t.Errorf("%q is valid", bad)
		}
	}
}
