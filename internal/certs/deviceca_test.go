package certs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// A server lets in clients of CAs alone that its operator names; what else is in the file is an error that says so.
func TestClientAuthoritiesAreCertificatesOfCAs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, err := MakeDeviceCA(filepath.Join(dir, "ca"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	leaf, key := tlstest.NewAuthority(t).Issue(time.Hour)
	for name, c := range map[string]struct {
		content string
		ok      bool
	}{
		"one": {string(ca), true}, "two": {string(ca) + string(tlstest.NewAuthority(t).PEM), true},
		"a leaf": {string(leaf), false}, "a key": {string(ca) + string(key), false}, "nothing": {"", false},
		"no PEM": {"hello", false},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", ""))
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ClientAuthorities(file); (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(),
			"UNHIDRA_DEVICE_CA") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A certificate ends with its CA at the latest, and none is issued by one that has ended.
func TestDeviceCertificatesEndWithTheirCA(t *testing.T) {
	t.Parallel()
	folder, now := filepath.Join(t.TempDir(), "ca"), time.Now()
	if _, err := MakeDeviceCA(folder, now); err != nil {
		t.Fatal(err)
	}
	ca, err := OpenDeviceCA(folder)
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewDeviceKey()
	if err != nil {
		t.Fatal(err)
	}
	c, err := ca.Issue("dev_1", "crt_1", key.Public(), now, now.Add(2*caLife))
	if err != nil || !c.NotAfter.Equal(ca.Cert.NotAfter) || c.IsCA {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := ca.Issue("dev_1", "crt_1", key.Public(), now.Add(2*caLife), now.Add(3*caLife)); err == nil {
		t.Error("a CA that has ended issues certificates")
	}
}
