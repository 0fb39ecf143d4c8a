package incoming

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// alerts is what Alertmanager sends to webhooks (version 4), and Grafana with some more.
type alerts struct {
	Status            string            `json:"status"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Truncated         int               `json:"truncatedAlerts"`
	Alerts            []alert           `json:"alerts"`
	Title             string            `json:"title"`
	Message           string            `json:"message"`
}

type alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	GeneratorURL string            `json:"generatorURL"`
	DashboardURL string            `json:"dashboardURL"`
	PanelURL     string            `json:"panelURL"`
	SilenceURL   string            `json:"silenceURL"`
	ImageURL     string            `json:"imageURL"`
}

const shownAlerts = 10

func alertmanager(data []byte) (string, error) {
	var a alerts
	if err := json.Unmarshal(data, &a); err != nil {
		return "", err
	}
	if len(a.Alerts) == 0 {
		return "", Refused{"no_text", "the list \"alerts\" is empty"}
	}
	name := cmp.Or(a.CommonLabels["alertname"], joined(" ", slices.Sorted(maps.Values(a.GroupLabels))...))
	return a.markdown(a.heading(name)), nil
}

func grafana(data []byte) (string, error) {
	var a alerts
	if err := json.Unmarshal(data, &a); err != nil {
		return "", err
	}
	title := cmp.Or(plain(a.Title), a.heading(a.CommonLabels["alertname"]))
	text := a.markdown(title)
	// The message that Grafana writes by itself says the same as the alerts.
	if m := strings.TrimSpace(a.Message); m != "" && !strings.HasPrefix(m, "**Firing**") &&
		!strings.HasPrefix(m, "**Resolved**") {
		text = joined("\n\n", text, m)
	}
	return text, nil
}

// heading is "[FIRING:2] DiskFull".
func (a alerts) heading(name string) string {
	n := 0
	for _, one := range a.Alerts {
		if one.Status == "firing" {
			n++
		}
	}
	what := strings.ToUpper(a.Status)
	if what == "FIRING" {
		what = fmt.Sprintf("FIRING:%d", n)
	}
	return joined(" ", plain("["+what+"]"), plain(name))
}

func (a alerts) markdown(title string) string {
	lines := []string{mark(a.Status) + " " + bold(link(title, a.ExternalURL))}
	shown := a.Alerts[:min(len(a.Alerts), shownAlerts)]
	for _, one := range shown {
		lines = append(lines, "- "+one.markdown(a.CommonLabels))
	}
	if more := len(a.Alerts) - len(shown) + max(a.Truncated, 0); more > 0 {
		lines = append(lines, fmt.Sprintf("- … and %d more", more))
	}
	return strings.Join(lines, "\n")
}

func mark(status string) string {
	if status == "resolved" {
		return "✅"
	}
	return "🔥"
}

// markdown is what is wrong, of what, and where to look. Labels that all alerts share are in the title or no news,
// unless the alert has no other.
func (a alert) markdown(common map[string]string) string {
	what := cmp.Or(a.Annotations["summary"], a.Annotations["message"], a.Labels["alertname"])
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		if _, shared := common[name]; (!shared || name == "instance" || name == "severity") && name != "alertname" {
			labels = append(labels, name+"="+a.Labels[name])
		}
	}
	var links []string
	for _, to := range []struct{ name, at string }{{"source", a.GeneratorURL}, {"dashboard", a.DashboardURL},
		{"panel", a.PanelURL}, {"runbook", a.Annotations["runbook_url"]}, {"silence", a.SilenceURL},
		{"picture", a.ImageURL}} {
		if web(to.at) != "" {
			links = append(links, link(to.name, to.at))
		}
	}
	text := joined(" — ", plain(short(what, 500)), plain(short(a.Annotations["description"], 500)))
	if len(labels) > 0 {
		text += " (" + plain(short(strings.Join(labels, ", "), 300)) + ")"
	}
	return mark(a.Status) + " " + joined(" · ", append([]string{text}, links...)...)
}

// kuma is what Uptime Kuma sends to webhooks. A test of the notification has neither monitor nor heartbeat.
func kuma(data []byte) (string, error) {
	var b struct {
		Msg     string `json:"msg"`
		Monitor *struct {
			Name word `json:"name"`
			URL  word `json:"url"`
		} `json:"monitor"`
		Heartbeat *struct {
			Status word `json:"status"`
			Msg    word `json:"msg"`
		} `json:"heartbeat"`
	}
	if err := json.Unmarshal(data, &b); err != nil {
		return "", err
	}
	if b.Monitor == nil || b.Heartbeat == nil {
		return plain(b.Msg), nil
	}
	states := map[word]string{"0": "🔴 down", "1": "✅ up", "2": "🟡 pending", "3": "🔧 in maintenance"}
	state := cmp.Or(states[b.Heartbeat.Status], "ℹ️")
	return joined(": ", joined(" ", bold(link(plain(string(b.Monitor.Name)), string(b.Monitor.URL))), state),
		plain(string(b.Heartbeat.Msg))), nil
}
