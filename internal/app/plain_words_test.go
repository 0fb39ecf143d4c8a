package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A refusal says what to do, and nothing of how the server is made.
func TestRefusalsOfDeviceRoutesSayWhatToDo(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx, ann := t.Context(), s.User("ann")
		var made struct {
			Device struct{ ID string }
			Key    string
		}
		must(t, ann.Do(ctx, "POST", "/devices", map[string]string{"name": "Pump"}, &made))
		err := ann.Do(ctx, "GET", "/devices/"+made.Device.ID+"/readings?series=a&from=2026-01-01", nil, nil)
		if err == nil || !strings.Contains(err.Error(), "write a time as 2026-01-01T00:00:00Z") {
			t.Errorf("a day instead of a time: %v", err)
		}
		must(t, ann.Do(ctx, "PUT", "/device-groups/pumps", map[string]any{"devices": []string{made.Device.ID}}, nil))
		if err := ann.Do(ctx, "PUT", "/device-groups/pumps", map[string]any{}, nil); codeOf(err) != client.CodeInvalidField {
			t.Errorf("a group without a rule and devices: %v", err)
		}
		must(t, ann.Do(ctx, "PUT", "/device-groups/pumps", map[string]any{"devices": []string{}}, nil))

		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/devices", nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+made.Key)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		must(t, err)
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(text), "the key of a device") {
			t.Errorf("%d %s", res.StatusCode, string(text))
		}
	})
}
