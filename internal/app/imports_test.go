package app

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/unhidra/unhidra/"

// floors says which packages of the project each package may import. Modules
// never import one another, nor the store: what they need of it they declare
// themselves, and package app joins them.
func floors() map[string][]string {
	ground := []string{"internal/domain", "internal/config", "internal/ratelimit", "internal/obs", "internal/trace"}
	kits := append([]string{"internal/password", "internal/totp", "internal/passkey", "internal/oidc", "internal/bus",
		"internal/httpx", "internal/wire", "internal/token", "internal/fulltext", "internal/names", "internal/ws",
		"internal/captcha", "internal/picture", "internal/feed", "internal/blob", "internal/attach",
		"internal/embed"}, ground...)
	// A part of the store stands on the engine, and on these other parts.
	part := func(others ...string) []string {
		may := append([]string{"internal/store"}, ground...)
		for _, other := range others {
			may = append(may, "internal/store/"+other)
		}
		return may
	}
	return map[string][]string{
		"internal/domain":    {},
		"internal/config":    {},
		"internal/ratelimit": {},
		"internal/obs":       {},
		"internal/sock":      {},
		"internal/trace":     {"internal/domain", "internal/ratelimit"},

		"internal/fulltext": {"internal/domain", "internal/language"},
		"internal/language": {},
		"internal/embed":    {},
		"internal/names":    {"internal/domain"},
		"internal/phrase":   {"internal/domain"},
		"internal/wire":     {"internal/domain"},
		"internal/ws":       {"internal/domain"},

		"internal/mqtt/packet":    {},
		"internal/mqtt/discovery": {"internal/domain"},

		"internal/bus":     ground,
		"internal/attach":  append([]string{"internal/bus"}, ground...),
		"internal/feed":    ground,
		"internal/hub":     append([]string{"internal/bus", "internal/wire"}, ground...),
		"internal/blob":    ground,
		"internal/natsbus": append([]string{"internal/bus"}, ground...),
		"internal/certs":   ground,
		"internal/token":   ground,
		"internal/mail":    ground,
		"internal/captcha": ground,
		"internal/picture": {"internal/domain"},
		"internal/chunk":   {"internal/domain"},
		"internal/senml":   {"internal/domain", "internal/wire"},

		"internal/manifest":  {"internal/wire"},
		"internal/espimage":  {"internal/domain"},
		"internal/delta":     {},
		"internal/symbols":   {},
		"internal/provision": {},
		"internal/updater":   {"internal/delta", "internal/domain", "internal/manifest", "internal/wire"},

		"internal/promql":      {},
		"internal/remotewrite": {},
		"internal/outbound":    {},
		"internal/webpush":     {},

		"internal/capacity":   {},
		"internal/proxyproto": ground,
		"internal/disk":       ground,

		"internal/httpx":    append([]string{"internal/wire"}, ground...),
		"internal/password": ground,
		"internal/totp":     ground,
		"internal/passkey":  ground,
		"internal/oidc":     ground,
		// The store's engine, and above it one package for each part of the data.
		"internal/store":            append([]string{"internal/store/fileaccess"}, ground...),
		"internal/store/fileaccess": {},
		"internal/store/accounts":   part("blobs", "naming"),
		"internal/store/emojis":     part("accounts"),
		"internal/store/audit":      part(),
		"internal/store/blobs":      append(part(), "internal/blob"),
		"internal/store/mails":      part(),
		"internal/store/mqtt":       part(),
		"internal/store/server":     part(),
		"internal/store/naming":     append(part(), "internal/fulltext", "internal/names"),
		"internal/store/devices":    part("accounts", "naming"),
		"internal/store/roomlog":    part("accounts"),
		"internal/store/readings":   append(part("readings/rollup"), "internal/chunk"),
		"internal/store/feedlog":    append(part("roomlog"), "internal/feed"),
		"internal/store/search": append(part("naming", "roomlog"), "internal/fulltext", "internal/embed",
			"internal/language"),
		"internal/store/rooms": part("accounts", "bots", "devices", "naming", "roomlog"),
		"internal/store/messages": part("accounts", "emojis", "files", "notifications", "personal", "previews", "rooms",
			"roomlog", "search"),
		"internal/store/alarms":     part("accounts", "devices", "rooms", "roomlog"),
		"internal/store/commands":   part("accounts", "rooms", "roomlog"),
		"internal/store/dashboards": part("accounts", "rooms", "roomlog"),
		"internal/store/bots":       part("accounts"),
		"internal/store/hooks":      part("accounts", "naming", "rooms", "roomlog"),
		"internal/store/firmware":   part("accounts", "blobs", "rooms"),
		"internal/store/files":      append(part("accounts", "blobs", "naming", "rooms", "roomlog"), "internal/fulltext"),
		"internal/store/rollouts":   part("accounts", "rooms", "roomlog"),
		// of notifications
		"internal/store/notifications": part("mails", "rooms", "roomlog"),
		"internal/store/personal":      part("notifications", "rooms", "roomlog"),
		"internal/store/previews":      part("blobs", "rooms", "roomlog"),
		"internal/store/moderation":    part("accounts", "messages", "rooms", "roomlog"),
		"internal/store/usergroups":    append(part("accounts", "naming"), "internal/names"),
		// where they cross
		"internal/store/departure": part("accounts", "alarms", "bots", "commands", "devices", "files", "firmware", "hooks",
			"messages", "moderation", "mqtt", "notifications", "personal", "rollouts", "rooms", "roomlog", "usergroups"),
		"internal/store/guests":  part("accounts", "rooms"),
		"internal/store/owndata": part(),
		"internal/store/all": part("accounts", "alarms", "audit", "blobs", "bots", "commands", "dashboards", "departure", "devices",
			"feedlog", "files", "firmware", "guests", "hooks", "mails", "messages", "moderation", "mqtt", "notifications", "owndata",
			"emojis", "personal", "previews", "rollouts", "rooms", "roomlog", "search", "server", "usergroups"),
		"internal/store/readings/rollup": {"internal/chunk", "internal/domain"}, // without SQL

		"internal/backup": ground,

		"internal/audit": kits,
		"internal/admin": kits,
		// The module of accounts has rooms; they know nothing of HTTP, nor of one another but report.
		"internal/auth": append([]string{"internal/auth/factor", "internal/auth/links", "internal/auth/lockout",
			"internal/auth/report", "internal/auth/sessions"}, kits...),
		"internal/auth/report":   ground,
		"internal/auth/sessions": append([]string{"internal/auth/report", "internal/bus", "internal/token"}, ground...),
		"internal/auth/lockout":  append([]string{"internal/auth/report", "internal/token"}, ground...),
		"internal/auth/links":    append([]string{"internal/auth/report", "internal/bus", "internal/token"}, ground...),
		"internal/auth/factor": append([]string{"internal/auth/report", "internal/names", "internal/oidc",
			"internal/passkey", "internal/token", "internal/totp"}, ground...),

		"internal/gateway":   append([]string{"internal/hub", "internal/sock"}, kits...),
		"internal/mqtt":      append([]string{"internal/mqtt/packet", "internal/mqtt/discovery", "internal/sock"}, kits...),
		"internal/chat":      kits,
		"internal/bot":       kits,
		"internal/emoji":     kits,
		"internal/guest":     kits,
		"internal/device":    kits,
		"internal/command":   kits,
		"internal/shadow":    kits,
		"internal/alarm":     kits,
		"internal/dashboard": kits,
		"internal/rollout":   kits,
		"internal/ota":       kits,
		"internal/firmware": append([]string{"internal/delta", "internal/espimage", "internal/manifest", "internal/symbols"},
			kits...),
		"internal/files":                 kits,
		"internal/history":               kits,
		"internal/presence":              kits,
		"internal/notify":                append([]string{"internal/outbound", "internal/webpush"}, kits...),
		"internal/personal":              kits,
		"internal/classifier":            {},
		"internal/moderation":            append([]string{"internal/classifier"}, kits...),
		"internal/usergroup":             kits,
		"internal/meaning":               kits,
		"internal/preview":               append([]string{"internal/outbound"}, kits...),
		"internal/webtrace":              kits,
		"internal/webhook":               append([]string{"internal/webhook/incoming"}, kits...),
		"internal/webhook/incoming":      {"internal/domain"},
		"internal/webhook/outgoing":      append([]string{"internal/outbound", "internal/webhook/incoming"}, kits...),
		"internal/ml":                    kits,
		"internal/inference":             {"internal/domain", "internal/inference/inferencepb", "internal/ml"},
		"internal/inference/inferencepb": {},
		"internal/assistant":             kits,
		"internal/telemetry": append([]string{"internal/chunk", "internal/promql", "internal/remotewrite", "internal/senml"},
			kits...),

		"internal/passkey/softkey":    {}, // for tests alone
		"internal/espimage/imagetest": {},
		"internal/blob/blobtest":      {"internal/blob", "internal/domain"},
		"internal/bus/bustest":        {"internal/bus", "internal/domain"},

		"web":    {},
		"worker": {},
		"client/device": {"client", "internal/chunk", "internal/manifest", "internal/updater",
			"internal/wire", "internal/domain"},

		// devices, not a server
		"internal/simulate": {"internal/domain", "internal/manifest", "internal/mqtt/packet", "internal/simulate/board",
			"internal/updater", "internal/wire", "internal/ws"},
		"internal/simulate/board": {"internal/domain", "internal/updater"},

		"client": {"internal/wire", "internal/ws", "internal/domain", "internal/captcha"},
	}
}

// free lists what may import anything: the composition root, the commands, and
// what only tests and measurements use.
var free = []string{"internal/app", "internal/testkit", "cmd/", "bench", "e2e"}

func TestFloors(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	allowed := floors()
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		if slices.ContainsFunc(free, func(f string) bool { return strings.HasPrefix(name, f) }) {
			continue
		}
		may, known := allowed[name]
		if !known {
			t.Errorf("%s has no floor; add it to the table", name)
		}
		for _, i := range p.Imports {
			if i, ok := strings.CutPrefix(i, module); ok && !slices.Contains(may, i) {
				t.Errorf("%s imports %s, which is not allowed on its floor", name, i)
			}
		}
	}
}
