package chat_test

import (
	"slices"
	"testing"

	"github.com/unhidra/unhidra/internal/chat"
	"github.com/unhidra/unhidra/internal/domain"
)

// The service itself bounds whom a new room begins with, whatever let the request in.
func TestANewRoomBeginsWithAHundredPeopleAtMost(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]string{domain.NewID(domain.UserPrefix)}, domain.MaxFirst+1)
	for _, kind := range []domain.RoomKind{domain.PublicRoom, domain.PrivateRoom, domain.DirectRoom} {
		n := domain.NewRoom{Kind: kind, Name: "Den", Members: many}
		if kind == domain.DirectRoom {
			n.Name = ""
		}
		_, err := new(chat.Service).CreateRoom(t.Context(), domain.Principal{}, n) // it has no store to get to
		if domain.CodeOf(err) != domain.CodeInvalidField {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
