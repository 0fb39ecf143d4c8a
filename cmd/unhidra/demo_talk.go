package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/unhidra/unhidra/client"
)

// spoken is something that one of the two says, or has a device do.
type spoken struct {
	after  time.Duration
	ben    bool
	text   string
	device int // for an action: its place in demoDevices
	action string
	args   map[string]any
	chart  []string // posts a chart of these sensors
}

// opening is what was said when somebody opens the demo, and conversation what follows.
var (
	opening = []spoken{
		{text: "Morning! The seedlings are in, and everything that measures is in this room now."},
		{ben: true, text: "Nice. Is that the new temperature sensor, or still the one by the door?"},
		{text: "The new one. It sends every few seconds; the chart has all of yesterday."},
		{chart: []string{"temperature", "soil"}},
		{ben: true, text: "It got warm in there at noon. I set the target a bit lower."},
		{ben: true, action: "target", args: map[string]any{"value": 23}},
	}
	conversation = []spoken{
		{after: 4 * time.Second, text: "Thanks. Somebody should water the seedlings before lunch."},
		{after: 8 * time.Second, ben: true, text: "On it."},
		{after: 2 * time.Second, ben: true, device: 4, action: "pump", args: map[string]any{"on": true}},
		{after: 20 * time.Second, text: "Soil moisture is rising. I let the fan run for a while as well."},
		{after: 3 * time.Second, action: "fan", args: map[string]any{"on": true}},
		{after: 40 * time.Second, ben: true, text: "And if that is the back door again: I am carrying pots."},
	}
)

// talk has the two people talk, and then switch the fan now and then, until ctx ends.
func (d *demo) talk(ctx context.Context) error {
	lines := conversation
	if d.fresh {
		if err := d.awaitDevices(ctx); err != nil {
			return err
		}
		lines = append(append([]spoken(nil), opening...), conversation...)
	}
	for i := 0; ; i++ {
		next := spoken{after: 5 * time.Minute, ben: i%2 == 0, action: "fan", args: map[string]any{"on": i%2 == 0}}
		if i < len(lines) {
			next = lines[i]
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(next.after):
		}
		if err := d.say(ctx, next); err != nil {
			return err
		}
	}
}

// say says a line. What the server refuses, such as a command to a device that somebody has
// removed, is left unsaid: people try things in a demo.
func (d *demo) say(ctx context.Context, s spoken) error {
	c := d.ann
	if s.ben {
		c = d.ben
	}
	key, device := time.Now().Format(time.RFC3339Nano), d.devices[s.device].ID
	var err error
	switch {
	case s.chart != nil:
		err = c.Do(ctx, http.MethodPost, "/rooms/"+d.room+"/charts",
			map[string]any{"key": key, "device": device, "series": s.chart}, nil)
	case s.action != "":
		err = c.Do(ctx, http.MethodPost, "/devices/"+device+"/commands",
			map[string]any{"key": key, "room": d.room, "action": s.action, "args": s.args}, nil)
	default:
		_, err = c.Send(ctx, client.Draft{Room: d.room, Text: s.text})
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(d.stderr, "a line of the demo was refused: %v\n", err)
	}
	return ctx.Err()
}

// awaitDevices waits until all devices have said what they can do, and sent what they had kept.
func (d *demo) awaitDevices(ctx context.Context) error {
	for {
		var page struct {
			Items []struct {
				Capabilities struct {
					Sensors []struct{ Name string } `json:"sensors"`
				} `json:"capabilities"`
			} `json:"items"`
		}
		if err := d.ann.Do(ctx, http.MethodGet, "/devices", nil, &page); err != nil {
			return err
		}
		described := 0
		for _, each := range page.Items {
			if len(each.Capabilities.Sensors) > 0 {
				described++
			}
		}
		if described >= len(demoDevices) && d.fleet.Stats().Waiting == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
