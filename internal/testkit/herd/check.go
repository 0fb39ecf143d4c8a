package herd

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/wire"
)

// Check compares what the devices and their owner were told with what a server has. It waits until the
// commands have ended.
func (h *Herd) Check(ctx context.Context, server string) {
	h.t.Helper()
	owner := client.New(server)
	if err := owner.SignIn(ctx, h.o.Login, h.o.Password); err != nil {
		h.t.Fatal(err)
	}
	readings := 0
	plans := h.fleet.Plans()
	for i, d := range h.devices {
		n := h.stored(ctx, server, owner, d.ID)
		// A device that forgets without power may not hear that the server has stored a report.
		forgetful := plans[i].Conduct == simulate.Troubled && !plans[i].Flash
		if n < h.acked[d.ID] || n > h.acked[d.ID] && !forgetful {
			h.t.Errorf("%s: %d readings were acknowledged, and %d are stored", d.Name, h.acked[d.ID], n)
		}
		readings += n
	}
	commands := h.checkCommands(ctx, owner)
	alarms := h.checkAlarms(ctx, owner)
	h.t.Logf("devices: %d readings, %d commands, %d alarms; %v", readings, commands, alarms, h.fleet.Stats())
	if readings == 0 || commands == 0 || alarms == 0 {
		h.t.Error("that proves nothing of devices")
	}
}

// stored counts the readings of a device.
func (h *Herd) stored(ctx context.Context, server string, owner *client.Client, device string) (n int) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		server+"/api/v1/devices/"+device+"/readings/export?format=jsonl", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+owner.Tokens().Access)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		h.t.Fatalf("the readings of %s: %s", device, res.Status)
	}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		n++
	}
	return n
}

// checkCommands checks that each accepted command was carried out once, and answered.
func (h *Herd) checkCommands(ctx context.Context, owner *client.Client) int {
	h.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for id, device := range h.given {
		for {
			var c wire.Command
			if err := owner.Do(ctx, http.MethodGet, "/devices/"+device.ID+"/commands/"+id, nil, &c); err != nil {
				h.t.Fatal(err)
			}
			if c.State == "done" && h.executed[id] == 1 {
				break
			}
			if time.Now().After(deadline) || c.State == "failed" || c.State == "expired" {
				h.t.Errorf("a command to %s is %s (%s), and was carried out %d times", device.Name, c.State, c.Error,
					h.executed[id])
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	for id, times := range h.executed {
		if times > 1 {
			h.t.Errorf("the command %s was carried out %d times", id, times)
		}
	}
	return len(h.given)
}

// checkAlarms checks that the room has a line for the begin of each alarm, and one for its end. The last
// ones may be judged just now.
func (h *Herd) checkAlarms(ctx context.Context, owner *client.Client) int {
	h.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		alarms, wrong := h.compareAlarms(ctx, owner)
		if len(wrong) == 0 {
			return alarms
		}
		if time.Now().After(deadline) {
			h.t.Errorf("alarms and the room's lines differ: %v", wrong)
			return alarms
		}
	}
}

func (h *Herd) compareAlarms(ctx context.Context, owner *client.Client) (alarms int, wrong []string) {
	raised, cleared := h.alarmLines(ctx, owner)
	for _, d := range h.devices {
		for _, a := range h.alarms(ctx, owner, d.ID) {
			alarms++
			ends := 0
			if a.ClearedAt != nil {
				ends = 1
			}
			if raised[a.ID] != 1 || cleared[a.ID] != ends {
				wrong = append(wrong, fmt.Sprintf("%s of %s: begins %d times, ends %d times instead of %d", a.ID, d.Name,
					raised[a.ID],
					cleared[a.ID], ends))
			}
			delete(raised, a.ID)
		}
	}
	for id := range raised {
		wrong = append(wrong, id+" is no alarm of a device")
	}
	return alarms, wrong
}

// alarmLines counts the lines of the room that an alarm begins and ends with.
func (h *Herd) alarmLines(ctx context.Context, owner *client.Client) (raised, cleared map[string]int) {
	h.t.Helper()
	raised, cleared = map[string]int{}, map[string]int{}
	for after, more := int64(0), true; more; {
		var page struct {
			Events []wire.Event `json:"events"`
			More   bool         `json:"more"`
		}
		path := fmt.Sprintf("/rooms/%s/events?limit=500&after=%d", h.o.Room, after)
		if err := owner.Do(ctx, http.MethodGet, path, nil, &page); err != nil {
			h.t.Fatal(err)
		}
		for _, e := range page.Events {
			after = e.Seq
			switch {
			case e.Detail == nil || e.Detail.Alarm == nil:
			case e.Type == string(domain.AlarmRaised):
				raised[e.Detail.Alarm.ID]++
			case e.Type == string(domain.AlarmCleared):
				cleared[e.Detail.Alarm.ID]++
			}
		}
		more = page.More && len(page.Events) > 0
	}
	return raised, cleared
}

func (h *Herd) alarms(ctx context.Context, owner *client.Client, device string) (all []wire.Alarm) {
	h.t.Helper()
	for cursor := ""; ; {
		var page client.Page[wire.Alarm]
		path := "/devices/" + device + "/alarms?" + url.Values{"limit": {"200"}, "cursor": {cursor}}.Encode()
		if err := owner.Do(ctx, http.MethodGet, path, nil, &page); err != nil {
			h.t.Fatal(err)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}
