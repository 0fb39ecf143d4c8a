package gateway

import (
	"testing"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

func TestANewNameIsToldOnceToWhoeverSharesARoom(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	for _, room := range []string{"r1", "r2"} {
		n.join("ada", room)
		n.join("lin", room)
	}
	n.join("bob", "r3")
	lin, _ := n.enter(t, "lin")
	bob, _ := n.enter(t, "bob")
	packed, err := wire.PackUser(domain.User{ID: "ada", Kind: domain.KindUser, DisplayName: "Ada King"})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.bus.Publish(bus.ProfileSubject, packed); err != nil {
		t.Fatal(err)
	}
	var u wire.Profile
	lin.expect(wire.TypeUser, &u)
	if u.DisplayName != "Ada King" {
		t.Errorf("told of %+v", u)
	}
	for _, p := range []*peer{lin, bob} { // nothing more, and nothing at all
		id := p.request(wire.TypePing, nil)
		if f := p.frame(); f.ID != id {
			t.Errorf("also told of %+v", f)
		}
	}
}
