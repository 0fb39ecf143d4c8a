package app

import (
	"testing"

	"github.com/unhidra/unhidra/internal/config"
)

// Calls that are refused for who makes them count as well. So what a room's moderators
// and members need is not counted by room, where strangers could use it up.
func TestStrangersKeepNobodyFromModerating(t *testing.T) {
	t.Parallel()
	limits := writeLimits(config.Config{UserPerMinute: 60, MessagesPerSec: 10})
	for _, op := range []string{"leave-room", "update-room", "update-member", "remove-member", "ban", "unban"} {
		if l := limits[op]; l == nil || l.Room != nil || l.User == nil {
			t.Errorf("%s: %+v", op, l)
		}
	}
	if l := limits["join-room"]; l == nil || l.Room == nil {
		t.Errorf("joins of a room have no limit: %+v", l)
	}
}
