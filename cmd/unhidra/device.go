package main

import (
	"context"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/all"
)

const deviceText = `device <action> [flags] [arguments]

Manages devices. It needs access to the data folder instead of a sign-in, and may
be used while the server runs; changes take effect within seconds.

  device register <owner> <name>   register a device of a user, and print its key; with --controller,
                                   a program that sees and commands all devices of the user by
                                   MQTT, such as Home Assistant or Node-RED; with --bridge, one
                                   that speaks for other devices, such as zigbee2mqtt
  device claim <device>            print a token by which the device gets a key of its own, once,
                                   within 15 minutes or --for; its keys before then end
  device import <owner> <file>     register or change many devices; - is the standard input
  device list [owner]              list all devices, or those of one user
  device keys <device>             list the keys and certificates of a device
  device revoke <device> [key]     revoke a device for good, or only one of its keys or certificates
  device revoke-keys <owner> <group>
                                   revoke all keys of the devices of a group, or with --product of
                                   those whose firmware is of a product; without --yes it counts them
  device ca <folder>               make the CA of devices' certificates, for UNHIDRA_DEVICE_CA
  device certify <device> <folder> issue a certificate by the CA in the folder, into new files there;
                                   with --csr for a key that never leaves the device

These need no access to the data folder, and have flags of their own:

  device provision                 bring a device into a network, and let it get its key
  device label <name>...           make the labels of devices, with QR codes

The key is printed on the last line. It cannot be shown again: the server stores
only a hash of it.

A file to import is CSV, whose first line names the columns, or has a JSON object in
each line: name, serial, type, tags, notes, expires. A device that is there already, by
its serial number or else its name, is changed. What became of each line is written as
CSV, with the keys of new devices, to the standard output or the file of --keys.
`

func deviceCommand() command {
	return command{"device", "register, set up, list and revoke devices", manageDevices}
}

// devices has what the actions of the command need.
type devices struct {
	*env
	db      *all.Store
	service *device.Service
	life    time.Duration // of a new device; 0: no expiry
	access  domain.DeviceAccess
	keys    string // the file that an import writes to; empty: the standard output
	newKeys bool   // an import gives another key to devices that have never connected, or have none left
}

func manageDevices(ctx context.Context, e *env, args []string) error {
	if len(args) > 0 && args[0] == "provision" {
		return provisionDevice(ctx, e, args[1:])
	}
	if len(args) > 0 && args[0] == "label" {
		return labelDevices(ctx, e, args[1:])
	}
	fs := e.flags("device", deviceText)
	life := fs.Duration("for", 0, "register, certify, claim: lifetime of the device, the certificate or the token; "+
		"0: it never expires, or after two years, or 15 minutes")
	request := fs.String("csr", "", "certify: `file` with the certificate signing request of a key")
	bridge := fs.Bool("bridge", false, "register: a program that speaks for other devices")
	controller := fs.Bool("controller", false, "register: a program that sees and commands all devices of the user")
	keys := fs.String("keys", "", "import: the new `file` that the answer, with the keys, is written to")
	newKeys := fs.Bool("new-keys", false,
		"import: give another key to devices that have never connected, or have none left")
	product := fs.Bool("product", false, "revoke-keys: the second word is a product, as devices report it, and no group")
	yes := fs.Bool("yes", false, "revoke-keys: do it")
	flags := config.NewFlags(fs, storeFlags()...)
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	actions := []action{
		{name: "register", names: []string{"<owner>", "<name>"}},
		{name: "claim", names: []string{"<device>"}},
		{name: "import", names: []string{"<owner>", "<file>"}},
		{name: "list", names: []string{"[owner]"}, optional: 1},
		{name: "keys", names: []string{"<device>"}},
		{name: "revoke", names: []string{"<device>", "[key]"}, optional: 1},
		{name: "revoke-keys", names: []string{"<owner>", "<group>"}},
		{name: "ca", names: []string{"<folder>"}},
		{name: "certify", names: []string{"<device>", "<folder>"}},
	}
	if err := checkAction("device", actions, words); err != nil {
		return err
	}
	if *life < 0 {
		return usagef("--for must not be negative")
	}
	if words[0] == "ca" { // which no server needs
		return makeDeviceCA(e, words[1])
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	d, err := e.devices(ctx, c)
	if err != nil {
		return err
	}
	defer d.db.Close()
	d.life, d.keys, d.newKeys = *life, *keys, *newKeys
	switch {
	case *controller && *bridge:
		return usagef("--controller and --bridge exclude each other")
	case *controller:
		d.access = domain.AccessController
	case *bridge:
		d.access = domain.AccessBridge
	}
	switch words[0] {
	case "register":
		return d.register(ctx, words[1], words[2])
	case "claim":
		return d.claim(ctx, words[1])
	case "import":
		return d.importFile(ctx, words[1], words[2])
	case "keys":
		return d.listKeys(ctx, words[1])
	case "certify":
		return d.certify(ctx, words[1], words[2], *request)
	case "revoke-keys":
		return d.revokeKeys(ctx, words[1], words[2], *product, *yes)
	case "revoke":
		return d.revoke(ctx, words[1], words[2:])
	}
	return d.list(ctx, words[1:])
}

// devices opens the store, whether a server is running or not.
func (e *env) devices(ctx context.Context, c config.Config) (*devices, error) {
	keys, err := keyring(c)
	if err != nil {
		return nil, err
	}
	log := obs.NewLogger(e.stderr, "warn", c.Log.Format)
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Log: log, Tool: true})
	if err != nil {
		return nil, err
	}
	return &devices{env: e, db: db, service: device.New(device.Deps{
		Store: db.Devices, Groups: db.Groups, Templates: db.Templates, Claims: db.Claims, Log: log, Max: c.DevicesPerUser,
		Audit: syncRecorder{app.Audit(db, keys), log}, Pepper: keys.Derive(app.DevicePepper),
	})}, nil
}

// syncRecorder waits until records are durable, because a command exits afterwards.
type syncRecorder struct {
	audit *audit.Service
	log   *slog.Logger
}

// Record implements device.Recorder.
func (r syncRecorder) Record(ctx context.Context, e domain.AuditEvent) {
	if err := r.audit.RecordSync(ctx, e); err != nil {
		r.log.ErrorContext(ctx, "could not write to the audit log", "type", e.Type, "err", err)
	}
}

func (d *devices) register(ctx context.Context, owner, name string) error {
	u, err := d.db.Accounts.UserByUsername(ctx, owner)
	if err != nil {
		return err
	}
	r := device.Registration{Name: name, By: domain.AuditActor{Kind: domain.ActorOperator}, Access: d.access}
	if d.life > 0 {
		r.Expires = time.Now().Add(d.life)
	}
	made, err := d.service.Register(ctx, u.ID, r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.stdout, "%s is %s of %s. Its key, which cannot be shown again:\n%s\n", made.Device.ID,
		plain(made.Device.Name), u.Username, made.Key)
	return err
}

func (d *devices) claim(ctx context.Context, id string) error {
	v, err := d.db.Devices.DeviceByID(ctx, id)
	if err != nil {
		return err
	}
	by := domain.AuditActor{Kind: domain.ActorOperator}
	token, expires, err := d.service.LetClaim(ctx, by, v.Owner.ID, v.ID, d.life)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.stdout, "By this token %s (%s of %s) gets a key of its own, once, until %s:\n%s\n", v.ID,
		plain(v.Name), v.Owner.Username, expires.Format(time.DateTime), token)
	return err
}

func (d *devices) revoke(ctx context.Context, id string, key []string) error {
	found, err := d.db.Devices.DeviceByID(ctx, id)
	if err != nil {
		return err
	}
	one := ""
	if len(key) == 1 {
		one = key[0]
	}
	if err := d.service.Revoke(ctx, domain.AuditActor{Kind: domain.ActorOperator}, id, one); err != nil {
		return err
	}
	what := "the device"
	if one != "" {
		what = "the key " + one
	}
	_, err = fmt.Fprintf(d.stdout, "%s (%s of %s): %s is revoked\n", id, plain(found.Name), found.Owner.Username, what)
	return err
}

const devicePage = 200

func (d *devices) list(ctx context.Context, owner []string) error {
	id := ""
	if len(owner) == 1 {
		u, err := d.db.Accounts.UserByUsername(ctx, owner[0])
		if err != nil {
			return err
		}
		id = u.ID
	}
	w := tabwriter.NewWriter(d.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "DEVICE\tNAME\tOWNER\tSTATE\tKEYS\tLAST USED\tFROM")
	for after := ""; ; {
		page, err := d.db.Devices.Devices(ctx, id, after, devicePage)
		if err != nil {
			return err
		}
		for _, v := range page {
			after = v.ID
			used := "never"
			if !v.LastUsed.IsZero() {
				used = v.LastUsed.Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", v.ID, plain(v.Name), v.Owner.Username, deviceState(v), goodKeys(v),
				used, v.LastIP)
		}
		if len(page) < devicePage {
			return w.Flush()
		}
	}
}

func deviceState(d domain.Device) string {
	switch {
	case !d.RevokedAt.IsZero():
		return "revoked"
	case d.Ended(time.Now()):
		return "expired"
	}
	return "active"
}

func goodKeys(d domain.Device) (n int) {
	for _, k := range d.Keys {
		if !k.Ended(time.Now()) && !d.Ended(time.Now()) {
			n++
		}
	}
	return n
}
