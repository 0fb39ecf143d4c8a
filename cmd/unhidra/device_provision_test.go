package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/provision"
	"github.com/unhidra/unhidra/internal/testkit/provtest"
	"github.com/unhidra/unhidra/internal/totp"
)

// Labels are made, and by the text of one a device is set up; by another's it is not.
func TestDeviceProvision(t *testing.T) {
	t.Parallel()
	device := func(args ...string) (code int, out, errs string) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), &env{stdin: strings.NewReader("secret of home\n"), stdout: &stdout, stderr: &stderr},
			append([]string{"device"}, args...))
		return code, stdout.String(), stderr.String()
	}
	dir := t.TempDir()
	code, out, errs := device("label", "--out", dir, "--sheet", filepath.Join(dir, "sheet.html"), "PROV_A1", "PROV_A2")
	labels := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitOK || len(labels) != 2 {
		t.Fatal(code, out, errs)
	}
	if info, err := os.Stat(filepath.Join(dir, "PROV_A2.csv")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if code, _, errs := device("label", "--out", dir, "PROV_A1"); code == exitOK || !strings.Contains(errs, "exists") {
		t.Errorf("a label was replaced: %d: %s", code, errs)
	}
	l, err := provision.ReadLabel(labels[0])
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := os.ReadFile(filepath.Join(dir, "sheet.html"))
	picture, drawn := totp.Draw(labels[0])
	if err != nil || drawn != nil || strings.Count(string(sheet), "<figure>") != 2 ||
		!strings.Contains(string(sheet), `<path d="`+picture.Path+`"/>`) ||
		!strings.Contains(string(sheet), "<code>"+l.Proof+"</code>") {
		t.Errorf("the sheet is %.2000s, %v, %v", sheet, err, drawn)
	}
	var given provision.Claim
	d := &provtest.Device{Security: 2, Patch: 1, User: l.Username, Salt: []byte("sixteen of salt!"),
		Networks: []string{"Home"}, Password: "secret of home", Custom: map[string]func([]byte) []byte{
			provision.Endpoint: func(b []byte) []byte { _ = json.Unmarshal(b, &given); return []byte(`{"ok":true}`) }}}
	d.Verifier = provtest.Verifier(l.Username, l.Proof, d.Salt)
	addr := d.Start(t)
	to := []string{"provision", "--addr", addr, "--ssid", "Home", "--server", "wss://chat.example.org:443",
		"--token", "dc_x"}
	if code, _, errs := device(append(to, "--label", labels[1])...); code == exitOK || !strings.Contains(errs, "label") {
		t.Errorf("by another's label: %d: %s", code, errs)
	}
	if code, out, errs = device("provision", "--addr", addr, "--label", labels[0], "--scan"); code != exitOK ||
		!strings.Contains(out, "Home     1        -50  yes") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	code, out, errs = device(append(to, "--label", labels[0])...)
	if code != exitOK || out != "The device is in Home as 192.0.2.9.\n" || given.Token != "dc_x" {
		t.Errorf("%d: %s%s; it was given %+v", code, out, errs, given)
	}
	to = []string{"provision", "--ssid", "Home", "--server", "wss://chat.example.org:443", "--token", "dc_x"}
	ble := strings.Replace(labels[0], "softap", "ble", 1)
	for _, wrong := range []struct {
		args []string
		says string
	}{
		{[]string{"label"}, "name the devices"},
		{[]string{"label", "--out", dir, "PROV_A3", "PROV_A3"}, "twice"},
		{[]string{"provision"}, "--ssid"},
		{[]string{"provision", "--ssid", "x", "--token", "dc_x"}, "go together"},
		{[]string{"provision", "--ssid", "x", "--ca", "x"}, "--ca goes with"},
		{append(to[:len(to):len(to)], "--server", "https://x"), "wss://"},
		{append(to[:len(to):len(to)], "--token", "dk_x"), "unhidra device claim"},
		{append(to[:len(to):len(to)], "--ca", filepath.Join(dir, "sheet.html")), "no certificate"},
		{append(to[:len(to):len(to)], "--addr", "http://192.168.4.1"), "192.168.4.1:80"},
		{append(to[:len(to):len(to)], "--addr", ""), "192.168.4.1:80"},
		{append(to[:len(to):len(to)], "--label", "x"), "no label"},
		{append(to[:len(to):len(to)], "--label", labels[0], "--pop", "x"), "leave --pop"},
		{append(to[:len(to):len(to)], "--label", ble), "Bluetooth"},
	} {
		if code, _, errs := device(wrong.args...); code != exitUsage || !strings.Contains(errs, wrong.says) {
			t.Errorf("%q: %d: %s", wrong.args, code, errs)
		}
	}
}
