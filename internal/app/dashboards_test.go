package app_test

import (
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// The members of a room arrange its dashboard. Whoever has not seen the last change does not undo it.
func TestMembersArrangeTheDashboardOfARoom(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		at := "/rooms/" + room.ID + "/dashboard"
		type tile struct {
			Kind, Device, Series string
			Span                 int
		}
		type dashboard struct {
			Version   int64
			Tiles     []tile
			ChangedBy struct{ Username string } `json:"changed_by"`
		}
		var got dashboard
		must(t, bob.Do(ctx, "GET", at, nil, &got))
		if got.Version != 0 || got.Tiles == nil || len(got.Tiles) != 0 {
			t.Errorf("a new dashboard is %+v", got)
		}
		dev := domain.NewID(domain.DevicePrefix)
		first := map[string]any{"version": 0, "tiles": []map[string]any{
			{"kind": "chart", "device": dev, "series": "temperature"}, {"kind": "alarms", "wide": true}}}
		must(t, bob.Do(ctx, "PUT", at, first, &got))
		if got.Version != 1 || len(got.Tiles) != 2 || got.Tiles[0].Span != 86400 || got.ChangedBy.Username != "bob" {
			t.Errorf("it is %+v", got)
		}
		if err := ann.Do(ctx, "PUT", at, first, nil); codeOf(err) != client.CodeDashboardChanged {
			t.Errorf("an old version replaces a newer one: %v", err)
		}
		must(t, ann.Do(ctx, "PUT", at, map[string]any{"version": 1, "tiles": []any{}}, &got))
		if got.Version != 2 || len(got.Tiles) != 0 {
			t.Errorf("it is %+v", got)
		}
		bad := map[string]any{"version": 2, "tiles": []map[string]any{{"kind": "value"}}}
		if err := ann.Do(ctx, "PUT", at, bad, nil); codeOf(err) != client.CodeInvalidField {
			t.Errorf("a tile of nothing: %v", err)
		}
		for _, method := range []string{"GET", "PUT"} {
			if err := eve.Do(ctx, method, at, first, nil); codeOf(err) != client.CodeNoRoom {
				t.Errorf("%s by a stranger: %v", method, err)
			}
		}
	})
}
