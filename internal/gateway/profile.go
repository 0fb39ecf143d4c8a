package gateway

import (
	"context"
	"maps"
	"slices"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/wire"
)

// onProfile tells those who share a room with somebody what they are called now,
// each connection once.
func (g *Service) onProfile(m bus.Message) {
	h, frame, err := wire.Unpack(m.Data)
	if err != nil {
		g.Logger.Error("bus message that is not understood", "subject", m.Subject, "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	here := make(map[string]bool)
	for _, c := range g.conns.all() {
		here[c.user.ID] = true
	}
	delete(here, h.Subject) // their own connections are told more
	for some := range slices.Chunk(slices.Collect(maps.Keys(here)), usersAtOnce) {
		sharing, err := g.Rooms.SharesRoom(ctx, h.Subject, some)
		if err != nil {
			g.Logger.Warn("cannot tell of a new name", "user", h.Subject, "error", err)
			return
		}
		for _, user := range sharing {
			g.tellUser(user, frame)
		}
	}
}

const usersAtOnce = 500 // in one question to the store
