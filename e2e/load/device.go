package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/client/device"
)

// greenhouse is a device of ann's: it reports, raises alarms that end again, and obeys ann.
func greenhouse(ctx context.Context, url string, trust *tls.Config, ann *client.Client) error {
	var made struct {
		Device struct{ ID string }
		Key    string
	}
	if err := ann.Do(ctx, http.MethodPost, "/devices", map[string]string{"name": "greenhouse"}, &made); err != nil {
		return err
	}
	path := "/devices/" + made.Device.ID
	rule := map[string]any{"name": "Too warm", "kind": "threshold", "sensor": "temperature", "above": 30}
	if err := ann.Do(ctx, http.MethodPost, path+"/alarm-rules", rule, nil); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "unhidra-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c := client.New(url)
	c.Trust(trust)
	c.Device(made.Key)
	d, err := device.Open(device.Options{
		Client: c, Dir: dir,
		Capabilities: device.Capabilities{
			Sensors:   []device.Sensor{{Name: "temperature", Unit: "Cel", Kind: device.Number}},
			Actuators: []device.Actuator{{Name: "fan", Args: []device.Arg{{Name: "on", Kind: device.Bool, Required: true}}}},
		},
		Actions: map[string]device.Action{"fan": func(context.Context, map[string]any) (any, error) { return nil, nil }},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	err = live(ctx, d, ann, path)
	cancel()
	return errors.Join(err, <-ended)
}

// live reports five values above the limit and five below in turns, and switches the fan now and then.
func live(ctx context.Context, d *device.Device, ann *client.Client, path string) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := d.Report(map[string]any{"temperature": 25 + 10*float64(i/5%2)}); err != nil {
			return err
		}
		if i%5 != 4 { // the device has described itself by then
			continue
		}
		order := map[string]any{"key": fmt.Sprint("c", i), "action": "fan", "args": map[string]any{"on": i%2 == 0}}
		if err := ann.Do(ctx, http.MethodPost, path+"/commands", order, nil); refused(err) != nil {
			return err
		}
	}
}
