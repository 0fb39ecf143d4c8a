package app_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// importFile sends a file of devices, whose answer the caller closes.
func importFile(t *testing.T, s *live.Server, c *client.Client, query, file string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/devices/import"+query,
		strings.NewReader(file))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+c.Tokens().Access)
	req.Header.Set("Content-Type", "text/csv")
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// An import is answered line by line; its keys connect devices; wrong lines are told by their fields.
func TestDevicesAreImported(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		const file = "name,serial,tags\nPump,A-1,wet\nDoor,=A-2,Not!\n"
		lines := json.NewDecoder(importFile(t, s, ann, "", file).Body)
		var pump, door struct {
			Line                      int
			Result, Device, Key, Code string
			Errors                    []struct{ Pointer string }
		}
		must(t, lines.Decode(&pump))
		must(t, lines.Decode(&door))
		if pump.Result != "created" || pump.Line != 2 || lines.More() {
			t.Errorf("%+v, and more: %v", pump, lines.More())
		}
		if door.Result != "failed" || door.Line != 3 || len(door.Errors) != 1 || door.Errors[0].Pointer != "/tags/0" {
			t.Errorf("%+v", door)
		}
		device, _ := connectDevice(t, s, pump.Key, client.LiveOptions{})
		if device == nil {
			t.Fatal("the key opens no connection")
		}

		res := importFile(t, s, ann, "?format=csv", file)
		table, err := csv.NewReader(res.Body).ReadAll()
		must(t, err)
		if len(table) != 3 || table[1][1] != "unchanged" || table[1][4] != pump.Device || table[1][5] != "" ||
			table[2][3] != "'=A-2" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q with %v", table, res.Header)
		}
		for _, bad := range []string{"", "colour\nred\n", "\xff\xfen"} {
			if res := importFile(t, s, ann, "", bad); res.StatusCode != http.StatusBadRequest {
				t.Errorf("%q: %s", bad, res.Status)
			}
		}
	})
}
