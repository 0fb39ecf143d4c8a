package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/simulate"
)

const simulateText = `simulate [flags]

Runs virtual devices against a server, over WebSocket and MQTT: greenhouses, weather
stations, meters and doors, which measure, obey commands, and have troubles of their
own. The same --seed has the same devices, values and faults. Ctrl-C ends it.

The devices are in a CSV file of keys with the columns device and key, such as an
import of devices gives it. On the server's machine, --owner registers those that
are missing there:

  unhidra simulate --owner ann --devices 20 --keys devices.csv
  unhidra simulate --keys devices.csv --server https://chat.example.org --mqtt ""

More than 100 devices need a server, and a registration, with higher limits, such as
UNHIDRA_DEVICES_PER_USER=10000. A server on another machine has to allow this one as
many connections: UNHIDRA_CONNECTIONS_PER_ADDR, RATE_LIMIT_USER_PER_MINUTE. On the
same machine, on Linux, each device comes from an address of its own.

--hostile devices attack the server. Use them only on one that is yours.

With --firmware and --root the devices are boards with flash and a bootloader, which
the server can update; "unhidra simulate image --help" says how to make images that
they run. Of 20 boards, 13 have revision 1, 6 have 2, and one has 3.
`

// simulation is what the flags of the command say.
type simulation struct {
	simulate.Options
	owner, keys string
	devices     int
	length      time.Duration
	plan        bool
	firmware    firmwareFlags
}

func runSimulate(ctx context.Context, e *env, args []string) error {
	if len(args) > 0 && args[0] == "image" {
		return runSimulateImage(ctx, e, args[1:])
	}
	fs := e.flags("simulate", simulateText)
	var s simulation
	fs.StringVar(&s.Server, "server", "http://127.0.0.1:9000", "`address` of the server; empty: MQTT only")
	fs.StringVar(&s.MQTT, "mqtt", "mqtt://127.0.0.1:1883",
		"`address` for MQTT, mqtt:// or mqtts://; empty: WebSocket only")
	fs.StringVar(&s.keys, "keys", "devices.csv", "`file` of the devices and their keys")
	fs.StringVar(&s.owner, "owner", "", "register missing devices for this `user`; needs the data folder")
	fs.IntVar(&s.devices, "devices", 10, "how many devices")
	kind := fs.String("kind", "", "greenhouse, weather, meter or door; empty: a mixture")
	fs.Uint64Var(&s.Seed, "seed", 1, "of everything that happens by chance")
	fs.DurationVar(&s.Every, "every", 10*time.Second, "between two measurements of a device")
	fs.DurationVar(&s.History, "history", 0, "the devices have buffered measurements of so long, and send them first")
	fs.DurationVar(&s.length, "for", 0, "how long to run; 0: until it is stopped")
	fs.IntVar(&s.Mix.Troubled, "troubled", 20, "percent of devices with outages, power cuts and clocks that forget")
	fs.IntVar(&s.Mix.Wrong, "wrong", 0, "percent of devices that measure what cannot be")
	fs.IntVar(&s.Mix.Hostile, "hostile", 0, "percent of devices that attack the server")
	fs.StringVar(&s.firmware.image, "firmware", "",
		"`file` of the image that the devices run; empty: they are not updated")
	fs.StringVar(&s.firmware.root, "root", "", "`file` of the first root of their product, which they trust")
	fs.IntVar(&s.firmware.slot, "slot", 256, "`KiB` that an image may have")
	fs.IntVar(&s.firmware.liars, "liars", 0, "percent of devices that say they run what they are offered, and do not")
	fs.BoolVar(&s.plan, "plan", false, "print what the devices are, and exit")
	flags := config.NewFlags(fs, storeFlags()...)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	s.Kind = simulate.Kind(*kind)
	if err := s.check(); err != nil {
		return err
	}
	var err error
	if s.Firmware, err = s.firmware.read(); err != nil {
		return err
	}
	if !s.plan {
		if err := s.identities(ctx, e, flags); err != nil {
			return err
		}
	} else {
		s.Devices = make([]simulate.Identity, s.devices)
	}
	s.Log = slog.New(slog.NewTextHandler(e.stderr, nil))
	if s.Firmware != nil {
		s.Firmware.Hear = func(h simulate.Happened) {
			s.Log.InfoContext(ctx, "firmware", "device", h.Device, "code", h.Code, "what", h.What, "err", h.Err)
		}
	}
	s.Dial = simulate.Spread()
	fleet, err := simulate.New(s.Options)
	if err != nil {
		return err
	}
	if s.plan {
		return printPlans(e.stdout, fleet)
	}
	return s.run(ctx, e.stdout, fleet)
}

func (s *simulation) check() error {
	if s.devices < 1 || s.Every <= 0 || s.History < 0 || s.length < 0 {
		return usagef("--devices and --every must be more than 0, --history and --for not less")
	}
	if s.Kind != "" && !s.Kind.Known() {
		return usagef("--kind is greenhouse, weather, meter or door, not %q", s.Kind)
	}
	m := s.Mix
	if min(m.Troubled, m.Wrong, m.Hostile) < 0 || m.Troubled+m.Wrong+m.Hostile > 100 {
		return usagef("--troubled, --wrong and --hostile are parts of 100 percent together")
	}
	if s.Server == "" && s.MQTT == "" {
		return usagef("give an address with --server or --mqtt")
	}
	for _, a := range []struct {
		flag, address string
		schemes       []string
	}{{"server", s.Server, []string{"http", "https"}}, {"mqtt", s.MQTT, []string{"mqtt", "mqtts"}}} {
		u, err := url.Parse(a.address)
		if a.address != "" && (err != nil || u.Host == "" || !slices.Contains(a.schemes, u.Scheme)) {
			return usagef("--%s is an address with %s://, not %q", a.flag, strings.Join(a.schemes, ":// or "), a.address)
		}
	}
	return nil
}

// identities reads the devices' keys, and registers the devices that are missing.
func (s *simulation) identities(ctx context.Context, e *env, flags config.Flags) error {
	have, err := readKeys(s.keys)
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && s.owner != "") {
		return fmt.Errorf("read the devices' keys: %w; --owner registers devices, on the server's machine", err)
	}
	missing := s.devices - len(have)
	if missing > 0 && s.owner == "" {
		return fmt.Errorf("%s has %s; --owner registers more, on the server's machine", s.keys, count(len(have), "device"))
	}
	if missing > 0 {
		if have, err = s.register(ctx, e, flags, have); err != nil {
			return err
		}
	}
	s.Devices = have[:s.devices]
	return nil
}

// register registers devices, and adds each to the file.
func (s *simulation) register(
	ctx context.Context, e *env, flags config.Flags, have []simulate.Identity,
) ([]simulate.Identity, error) {
	c, err := e.load(flags)
	if err != nil {
		return nil, err
	}
	d, err := e.devices(ctx, c)
	if err != nil {
		return nil, err
	}
	defer d.db.Close()
	u, err := d.db.Accounts.UserByUsername(ctx, s.owner)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(s.keys, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	out := csv.NewWriter(file)
	if len(have) == 0 {
		err = out.Write([]string{"device", "name", "key"})
	}
	for i := len(have); i < s.devices && err == nil; i++ {
		var made device.Issued
		made, err = d.service.Register(ctx, u.ID, device.Registration{Name: fmt.Sprintf("sim-%04d", i+1), Type: "simulated",
			Tags: []string{"simulated"}, By: domain.AuditActor{Kind: domain.ActorOperator}})
		if err == nil {
			have = append(have, simulate.Identity{ID: made.Device.ID, Name: made.Device.Name, Key: made.Key})
			err = out.Write([]string{made.Device.ID, made.Device.Name, made.Key})
		}
	}
	out.Flush()
	if err = errors.Join(err, out.Error()); err != nil {
		return nil, fmt.Errorf("after %s: %w", count(len(have), "device"), err)
	}
	return have, nil
}

// readKeys reads a file of devices: CSV whose first line names the columns device, key and, if it likes, name,
// as importing devices gives it.
func readKeys(path string) (devices []simulate.Identity, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := csv.NewReader(file)
	names, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	id, name, key := slices.Index(names, "device"), slices.Index(names, "name"), slices.Index(names, "key")
	if id < 0 || key < 0 {
		return nil, fmt.Errorf("the first line of %s has to name the columns device and key", path)
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return devices, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if row[key] == "" {
			continue // of an import, a line that gave no device a key
		}
		d := simulate.Identity{ID: row[id], Key: row[key]}
		if name >= 0 {
			d.Name = row[name]
		}
		devices = append(devices, d)
	}
}

func printPlans(out io.Writer, f *simulate.Fleet) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range f.Plans() {
		fmt.Fprintf(w, "%d\t%v\n", p.Number+1, p)
	}
	return w.Flush()
}

const statsEvery = 10 * time.Second

// run runs the fleet, and says how it does. It fails if the server has acknowledged nothing.
func (s *simulation) run(ctx context.Context, out io.Writer, f *simulate.Fleet) error {
	if s.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.length)
		defer cancel()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	tick := time.NewTicker(statsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(out, "%s  %v\n", time.Now().Format(time.TimeOnly), f.Stats())
			continue
		case <-done:
		}
		break
	}
	last := f.Stats()
	fmt.Fprintf(out, "%s  %v\n", time.Now().Format(time.TimeOnly), last)
	if last.Acknowledged == 0 {
		return errors.New("the server has acknowledged nothing; are --server and --mqtt right, and are the keys its own?")
	}
	return nil
}
