package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/simulate"
)

const demoText = `demo [flags]

Starts a server to look at: a room with two people who talk, and a greenhouse, a
weather station, a meter and a door that measure, obey and raise an alarm now and
then. It is reached from this machine only, and has nothing to do with the data of
another server. Ctrl-C ends it; the next start goes on with the same folder.
`

// demoPassword is that of both people. Everybody knows it: the server is for this machine only.
const demoPassword = "tomatoes need a warm night"

// demo is a server with people and devices of its own.
type demo struct {
	*env
	dir     string
	every   time.Duration
	config  config.Config
	ann     *client.Client
	ben     *client.Client
	room    string
	devices []simulate.Identity // as demoDevices has them
	fresh   bool                // the folder was empty
	fleet   *simulate.Fleet
}

var demoDevices = []struct {
	name string
	kind simulate.Kind
}{{"Greenhouse", simulate.Greenhouse}, {"Weather mast", simulate.Weather}, {"Main meter", simulate.Meter},
	{"Back door", simulate.Door}, {"Seedlings", simulate.Greenhouse}}

func runDemo(ctx context.Context, e *env, args []string) error {
	set := e.flags("demo", demoText)
	port := set.Int("port", 9000, "port of the web client")
	mqtt := set.Int("mqtt-port", 1883, "port of MQTT")
	d := demo{env: e}
	set.StringVar(&d.dir, "dir", "demo-data", "`folder` of the demo; made if it is not there")
	set.DurationVar(&d.every, "every", 5*time.Second, "between two measurements of a device")
	if _, err := parse(set, args); err != nil {
		return err
	}
	if d.every <= 0 {
		return usagef("--every must be more than 0")
	}
	var err error
	// Nothing of the environment: a demo must not write to a server's database.
	if d.config, err = config.Load([]string{"UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=" + strconv.Itoa(*port),
		"UNHIDRA_MQTT_ADDR=127.0.0.1:" + strconv.Itoa(*mqtt), "UNHIDRA_OPERATOR_ADDR=off", "UNHIDRA_DATA_DIR=" + d.dir,
		"UNHIDRA_CAPTCHA=off", "UNHIDRA_ROOM_REQUESTS=nobody", "UNHIDRA_LOG_LEVEL=warn"}, nil); err != nil {
		return usagef("%v", err)
	}
	return d.run(ctx)
}

// run runs the server until ctx ends, and what is alive in it.
func (d *demo) run(ctx context.Context) error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := obs.NewLogger(d.stderr, "warn", d.config.Log.Format)
	ready := make(chan app.Addrs, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Options{Config: d.config, Version: version(), Log: log,
			Ready: func(a app.Addrs) { ready <- a }})
	}()
	var at app.Addrs
	select {
	case err := <-ended:
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("a port of the demo is in use by another program; choose others by --port and --mqtt-port")
		}
		return err
	case at = <-ready:
	}
	err := d.live(ctx, at)
	cancel()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, <-ended)
}

// live has people and devices, and runs them.
func (d *demo) live(ctx context.Context, at app.Addrs) error {
	if err := d.furnish(ctx, at); err != nil {
		return fmt.Errorf("%w; if it stays so, delete %s for a new demo", err, d.dir)
	}
	o := simulate.Options{Server: "http://" + at.Public, MQTT: "mqtt://" + at.MQTT, Devices: d.devices, Seed: 1,
		Every: d.every, Log: slog.New(slog.DiscardHandler), Dial: simulate.Spread()}
	if d.fresh {
		o.History = 24 * time.Hour
	}
	var err error
	if d.fleet, err = simulate.New(o); err != nil {
		return err
	}
	running := make(chan struct{})
	go func() {
		defer close(running)
		d.fleet.Run(ctx)
	}()
	defer func() { <-running }()
	fmt.Fprintf(d.stdout, "Open %s and sign in as ann or as ben; the passphrase of both is\n\n    %s\n\n"+
		"The room Greenhouse has the devices: try /fan on there. Ctrl-C ends the demo.\n", at.URL, demoPassword)
	return d.talk(ctx)
}

// furnish makes what is missing: people, a room, devices and rules of alarms.
func (d *demo) furnish(ctx context.Context, at app.Addrs) error {
	keys := filepath.Join(d.dir, "devices.csv")
	have, err := readKeys(keys)
	d.fresh = errors.Is(err, os.ErrNotExist)
	if err != nil && !d.fresh {
		return err
	}
	if d.fresh {
		if have, err = d.register(ctx); err != nil {
			return err
		}
	}
	d.ann, d.ben = client.New("http://"+at.Public), client.New("http://"+at.Public)
	if err := errors.Join(d.ann.SignIn(ctx, "ann", demoPassword), d.ben.SignIn(ctx, "ben", demoPassword)); err != nil {
		return err
	}
	for i := range min(len(have), len(demoDevices)) {
		have[i].Kind = demoDevices[i].kind
	}
	d.devices = have
	if !d.fresh {
		return d.findRoom(ctx)
	}
	if err := d.makeRoom(ctx); err != nil {
		return err
	}
	return writeKeys(keys, have) // last: the demo is complete
}

// register makes the accounts and the devices, by the store, as an operator does.
func (d *demo) register(ctx context.Context) (have []simulate.Identity, err error) {
	operator, db, err := d.operator(ctx, d.config)
	if err != nil {
		return nil, err
	}
	_, err = operator.Create(ctx, auth.Registration{Username: "ann", DisplayName: "Ann Smith", Password: demoPassword},
		domain.SystemAdmin)
	if err == nil {
		_, err = operator.Create(ctx, auth.Registration{Username: "ben", DisplayName: "Ben Okafor", Password: demoPassword},
			domain.SystemUser)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	tool, err := d.env.devices(ctx, d.config)
	if err != nil {
		return nil, err
	}
	defer tool.db.Close()
	owner, err := tool.db.Accounts.UserByUsername(ctx, "ann")
	for _, wanted := range demoDevices {
		var made device.Issued
		if err == nil {
			made, err = tool.service.Register(ctx, owner.ID, device.Registration{Name: wanted.name, Type: string(wanted.kind),
				By: domain.AuditActor{Kind: domain.ActorOperator}})
			have = append(have, simulate.Identity{ID: made.Device.ID, Name: made.Device.Name, Key: made.Key})
		}
	}
	return have, err
}

func writeKeys(path string, devices []simulate.Identity) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	out := csv.NewWriter(file)
	err = out.Write([]string{"device", "name", "key"})
	for _, d := range devices {
		err = errors.Join(err, out.Write([]string{d.ID, d.Name, d.Key}))
	}
	out.Flush()
	return errors.Join(err, out.Error(), file.Close())
}

func (d *demo) makeRoom(ctx context.Context) error {
	ben, err := d.ben.Me(ctx)
	if err != nil {
		return err
	}
	room, err := d.ann.CreateRoom(ctx, client.NewRoom{Kind: "public", Name: "Greenhouse",
		Topic: "What grows, and who waters it", Members: []string{ben.ID}})
	if err != nil {
		return err
	}
	d.room = room.ID
	for _, each := range d.devices {
		err = errors.Join(err, d.ann.Add(ctx, d.room, each.ID))
	}
	door := map[string]any{"name": "Back door is open", "kind": "threshold", "sensor": "open", "above": 0.5,
		"for": 20, "severity": "warning", "room": d.room}
	warm := map[string]any{"name": "Too warm", "kind": "threshold", "sensor": "temperature", "above": 26,
		"hysteresis": 1, "for": 60, "severity": "critical", "room": d.room}
	return errors.Join(err, d.rule(ctx, 3, door), d.rule(ctx, 0, warm))
}

func (d *demo) rule(ctx context.Context, number int, rule map[string]any) error {
	return d.ann.Do(ctx, http.MethodPost, "/devices/"+d.devices[number].ID+"/alarm-rules", rule, nil)
}

func (d *demo) findRoom(ctx context.Context) error {
	rooms, err := d.ann.Rooms(ctx)
	if err != nil {
		return err
	}
	for _, r := range rooms {
		if r.Room.Name == "Greenhouse" {
			d.room = r.Room.ID
			return nil
		}
	}
	return errors.New("the room Greenhouse is gone")
}
