package alarm

import (
	"context"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// oneRoom is read by everybody, and no other room is by anybody.
type oneRoom string

func (r oneRoom) MayRead(_ context.Context, _ domain.Principal, room string) error {
	if room != string(r) {
		return domain.ErrNoRoom()
	}
	return nil
}

func (r oneRoom) MayWrite(ctx context.Context, p domain.Principal, room string) error {
	return r.MayRead(ctx, p, room)
}

func TestOfAnAlarmOnlyTheLineInOnesOwnRoomIsShown(t *testing.T) {
	t.Parallel()
	s := &Service{Deps: Deps{Rooms: oneRoom("rom_mine")}}
	for _, c := range []struct {
		name string
		a    domain.Alarm
		room string
		seq  int64
	}{
		{"posted here", domain.Alarm{Room: "rom_mine", Seq: 1}, "rom_mine", 1},
		{"escalated from here", domain.Alarm{Room: "rom_mine", Seq: 1, EscalatedTo: "rom_other", EscalatedSeq: 2},
			"rom_mine", 1},
		{"escalated to here", domain.Alarm{Room: "rom_other", Seq: 1, EscalatedTo: "rom_mine", EscalatedSeq: 2},
			"rom_mine", 2},
		{"posted elsewhere", domain.Alarm{Room: "rom_other", Seq: 1}, "", 0},
		{"posted nowhere", domain.Alarm{}, "", 0},
	} {
		alarms := []domain.Alarm{c.a}
		if err := s.hideRooms(t.Context(), domain.Principal{ID: "usr_bob"}, alarms); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if a := alarms[0]; a.Room != c.room || a.Seq != c.seq {
			t.Errorf("%s: it is shown at %q %d, want %q %d", c.name, a.Room, a.Seq, c.room, c.seq)
		}
	}
}
