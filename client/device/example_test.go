package device_test

import (
	"context"
	"log"
	"os"
	"time"

	"github.com/unhidra/unhidra/client/device"
)

// A greenhouse that reports its temperature each minute, and has a fan.
func Example() {
	d, err := device.Open(device.Options{
		Server: "https://chat.example.org", Key: os.Getenv("DEVICE_KEY"), Dir: "/var/lib/greenhouse",
		Capabilities: device.Capabilities{
			Model:     "Greenhouse 1",
			Sensors:   []device.Sensor{{Name: "temperature", Unit: "Cel", Kind: device.Number}},
			Actuators: []device.Actuator{{Name: "fan", Args: []device.Arg{{Name: "on", Kind: device.Bool, Required: true}}}},
		},
		Actions: map[string]device.Action{
			"fan": func(_ context.Context, args map[string]any) (any, error) { return nil, setFan(args["on"].(bool)) },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for range time.Tick(time.Minute) {
			if err := d.Report(map[string]any{"temperature": temperature()}); err != nil {
				log.Print(err)
			}
		}
	}()
	log.Fatal(d.Run(context.Background()))
}

func setFan(bool) error    { return nil }
func temperature() float64 { return 21.5 }
