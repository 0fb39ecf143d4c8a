package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/provision"
)

const provisionText = `device provision [flags]

Brings a device that has no network yet into one, and lets it get its key. It needs no
access to the data folder. Join the network of the device first, whose name is on its
label; it has an access point of its own.

  1. on the server:        unhidra device claim <device>
  2. in its network:       unhidra device provision --label '{"ver":"v1",…}' --ssid Home \
                             --server wss://chat.example.org:443 --token dc_…

The password of the network comes from UNHIDRA_WIFI_PASSWORD, or is asked for. Without
--token, the device is given the network alone. With --scan, it lists what the device
sees.

With --serial, the device is set up by its cable: by Improv it is given the network, as
one with ESPHome. With --server and --token too, it must have our firmware, and waits on
its console to be set up. Nothing is encrypted on the cable.
`

// provisioning has the flags of device provision.
type provisioning struct {
	addr, label, proof, username string
	ssid, server, token, ca      string
	serial                       string
	plain, scan                  bool
	patience                     time.Duration
}

func provisionDevice(ctx context.Context, e *env, args []string) error {
	var o provisioning
	fs := e.flags("device provision", provisionText)
	fs.StringVar(&o.addr, "addr", "192.168.4.1:80", "`address` of the device in its own network")
	fs.StringVar(&o.label, "label", "", "the `text` of the QR code on its label")
	fs.StringVar(&o.proof, "pop", "", "instead: its proof of possession, or the password of Security 2")
	fs.StringVar(&o.username, "username", "", "of Security 2 (\""+provision.DefaultUsername+"\")")
	fs.StringVar(&o.ssid, "ssid", "", "`name` of the network that it is to join")
	fs.StringVar(&o.server, "server", "", "`address` of the server for the device: wss://HOST:PORT")
	fs.StringVar(&o.token, "token", "", "by which it gets its key: of unhidra device claim")
	fs.StringVar(&o.ca, "ca", "", "`file` in PEM with the authorities that the device trusts; empty: public ones")
	fs.StringVar(&o.serial, "serial", "", "instead: `device` file of the serial line that it is connected to")
	fs.BoolVar(&o.plain, "insecure", false, "take a device that encrypts nothing (Security 0)")
	fs.BoolVar(&o.scan, "scan", false, "list the networks that the device sees")
	fs.DurationVar(&o.patience, "timeout", 2*time.Minute, "give up after")
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return usagef("device provision takes flags alone: --help lists them")
	}
	target, err := o.target()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.patience, fmt.Errorf("the device has not joined within %s", o.patience))
	defer cancel()
	if o.serial != "" {
		return o.cable(ctx, e, target)
	}
	d, err := provision.Connect(ctx, provision.SoftAP{Addr: o.addr, Proof: o.proof, Username: o.username, Plain: o.plain})
	if err != nil {
		return err
	}
	if o.scan {
		return listNetworks(ctx, e, d)
	}
	if target.Password, err = networkPassword(e, o.ssid); err != nil {
		return err
	}
	ip, err := provision.Provision(ctx, d, target, provision.Pause)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "The device is in %s as %s.\n", plain(o.ssid), plain(ip))
	return err
}

// target reads what the device is given, and its label.
func (o *provisioning) target() (t provision.Target, err error) {
	t.SSID = o.ssid
	if o.serial != "" && (o.scan || o.label != "" || o.proof != "") {
		return t, usagef("--serial goes with --ssid, --server, --token and --ca alone: a cable needs no proof")
	}
	if o.label != "" {
		if err := o.readLabel(); err != nil {
			return t, err
		}
	}
	at, err := url.Parse("http://" + o.addr)
	switch {
	case err != nil || at.Host != o.addr || at.Hostname() == "":
		return t, usagef("--addr is the address alone, such as 192.168.4.1:80, and not %q", o.addr)
	case o.scan:
		return t, nil
	case o.ssid == "" || len(o.ssid) > 32:
		return t, usagef("--ssid names the network, in 1 to 32 bytes")
	case (o.server == "") != (o.token == ""):
		return t, usagef("--server and --token go together")
	case o.token == "" && o.ca != "":
		return t, usagef("--ca goes with --server and --token")
	case o.token == "":
		return t, nil
	case !strings.HasPrefix(o.token, domain.ClaimPrefix):
		return t, usagef("--token begins with %s: `unhidra device claim` prints it", domain.ClaimPrefix)
	case !strings.HasPrefix(o.server, "wss://") && !strings.HasPrefix(o.server, "ws://"):
		return t, usagef("--server begins with wss://, or ws:// where nothing is encrypted")
	}
	t.Claim = &provision.Claim{Server: o.server, Token: o.token}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return t, err
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return t, usagef("--ca: there is no certificate in PEM in %s", o.ca)
		}
		t.Claim.CA = string(pem)
	}
	return t, nil
}

func (o *provisioning) readLabel() error {
	l, err := provision.ReadLabel(o.label)
	switch {
	case err != nil:
		return usagef("--label: %v", err)
	case o.proof != "" || o.username != "":
		return usagef("--label has the proof of possession and the user: leave --pop and --username out")
	case l.Transport == "ble":
		return usagef("--label: %s is set up by Bluetooth: in the web client, by Devices, Add a board, or by Espressif's "+
			"apps for phones", l.Name)
	}
	o.proof, o.username = l.Proof, l.Username
	o.plain = o.plain && l.Security == 0
	return nil
}

func networkPassword(e *env, ssid string) (string, error) {
	if v, ok := e.getenv("UNHIDRA_WIFI_PASSWORD"); ok {
		return v, nil
	}
	fmt.Fprintf(e.stderr, "The network %s. ", plain(ssid))
	return askPassword(e, bufio.NewReader(e.stdin))
}

// cable sets up a device on a serial line: with a claim by its console, else by Improv.
func (o *provisioning) cable(ctx context.Context, e *env, t provision.Target) error {
	line, err := openSerial(o.serial)
	if err != nil {
		return fmt.Errorf("--serial: %w%s", err, serialHint(err))
	}
	defer func() { _ = line.Close() }()
	if t.Password, err = networkPassword(e, o.ssid); err != nil {
		return err
	}
	next := ""
	if t.Claim != nil {
		err = provision.Console(ctx, line, t)
	} else {
		next, err = provision.Improv(ctx, line, t.SSID, t.Password)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "The device is in %s.\n", plain(o.ssid))
	if next != "" {
		fmt.Fprintf(e.stdout, "It goes on at %s\n", plain(next))
	}
	return nil
}

func serialHint(err error) string {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "; is the cable in? `ls /dev/tty*` lists the lines"
	case errors.Is(err, os.ErrPermission):
		return "; the group of the file, often dialout, may open it"
	}
	return ""
}

func listNetworks(ctx context.Context, e *env, d *provision.Device) error {
	found, err := provision.Scan(ctx, d)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NETWORK\tCHANNEL\tdBm\tPASSWORD")
	for _, n := range found {
		password := "yes"
		if n.Open {
			password = "none"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", plain(n.SSID), n.Channel, n.RSSI, password)
	}
	return w.Flush()
}
