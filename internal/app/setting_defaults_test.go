package app_test

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Defaults of settings are those of a group made by hand, changed one by one, and of a template.
func TestGroupsAndTemplatesHaveDefaultsOfSettings(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann := s.User("ann")
		id := registerDevice(t, ann, "Pump").Device.ID
		must(t, ann.Do(ctx, "PUT", "/device-groups/wet", map[string]any{"devices": []string{id},
			"settings": map[string]any{"interval": 60, "mode": "eco"}}, nil))
		var g struct{ Settings map[string]any }
		must(t, ann.Do(ctx, "PATCH", "/device-groups/wet", map[string]any{"settings": map[string]any{"mode": nil}}, &g))
		if len(g.Settings) != 1 || g.Settings["interval"] != 60.0 {
			t.Errorf("the group has %v", g.Settings)
		}
		g.Settings = nil
		must(t, ann.Do(ctx, "PUT", "/device-groups/wet", map[string]any{"devices": []string{}}, &g))
		if g.Settings["interval"] != 60.0 {
			t.Errorf("replaced without settings, the group has %v", g.Settings)
		}
		must(t, ann.Do(ctx, "PUT", "/device-templates/pump", map[string]any{"settings": map[string]any{"interval": 30}}, nil))
		var list struct {
			Items []struct{ Settings map[string]any }
		}
		must(t, ann.Do(ctx, "GET", "/device-templates", nil, &list))
		if len(list.Items) != 1 || list.Items[0].Settings["interval"] != 30.0 {
			t.Errorf("the template has %+v", list.Items)
		}
		for what, bad := range map[string]map[string]any{
			"by a rule": {"rule": map[string]any{"tag": "wet"}, "settings": map[string]any{"interval": 1}},
			"a list":    {"devices": []string{}, "settings": map[string]any{"interval": []int{1}}},
			"a name":    {"devices": []string{}, "settings": map[string]any{"no name!": 1}},
		} {
			if err := ann.Do(ctx, "PUT", "/device-groups/wet", bad, nil); codeOf(err) != domain.CodeInvalidField {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
