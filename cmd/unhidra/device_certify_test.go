package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// An operator makes a CA, issues certificates to a device, lists and revokes them. What is there is never replaced.
func TestDeviceCertificates(t *testing.T) {
	t.Parallel()
	o := testkit.SQLite(t)
	live.Start(t, o).User("ann")
	folder := filepath.Join(t.TempDir(), "ca")
	device := func(args ...string) (code int, out, errs string) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), &env{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: []string{
			"UNHIDRA_SERVER_KEY=the same key for every server of a test", "AUTH_DB_PATH=" + o.Path,
			"UNHIDRA_DATA_DIR=" + filepath.Dir(o.Path)}}, append([]string{"device"}, args...))
		return code, stdout.String(), stderr.String()
	}
	must := func(args ...string) string {
		t.Helper()
		code, out, errs := device(args...)
		if code != exitOK {
			t.Fatalf("%v: %d: %s%s", args, code, out, errs)
		}
		return out
	}
	id := regexp.MustCompile(`dev_\w+`).FindString(must("register", "ann", "Pump"))
	if code, _, errs := device("certify", id, folder); code == exitOK || !strings.Contains(errs, "unhidra device ca") {
		t.Errorf("without a CA: %d: %s", code, errs)
	}
	if out := must("ca", folder); !strings.Contains(out, "UNHIDRA_DEVICE_CA="+filepath.Join(folder, "ca.pem")) {
		t.Errorf("got %s", out)
	}
	before, _ := os.ReadFile(filepath.Join(folder, "ca-key.pem"))
	if code, _, _ := device("ca", folder); code == exitOK {
		t.Error("a CA was replaced")
	}
	if after, err := os.ReadFile(filepath.Join(folder, "ca-key.pem")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key of the CA is another one: %v", err)
	}
	if info, err := os.Stat(filepath.Join(folder, "ca-key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the key of the CA: %v, %v", info.Mode(), err)
	}
	out := must("certify", "--for", "24h", id, folder)
	name := regexp.MustCompile(`crt_\w+`).FindString(out)
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, name+".pem"), filepath.Join(folder, name+"-key.pem"))
	if err != nil || pair.Leaf.Subject.CommonName != id || pair.Leaf.Subject.SerialNumber != name || !strings.Contains(out,
		name+"-key.pem") {
		t.Errorf("%s: %v, %v", out, pair.Leaf, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	request := filepath.Join(t.TempDir(), "device.csr")
	for _, c := range []struct {
		der []byte
		ok  bool
	}{{der, true}, {append(bytes.Clone(der[:len(der)-1]), der[len(der)-1]^1), false}, {[]byte("x"), false}} {
		b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: c.der})
		if err := os.WriteFile(request, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := device("certify", "--csr", request, id, folder); (code == exitOK) != c.ok ||
			strings.Contains(out, "-key.pem") {
			t.Errorf("a request that is good (%v): %d: %s%s", c.ok, code, out, errs)
		}
	}
	must("revoke", id, name)
	revoked := regexp.MustCompile(name + `.*revoked`)
	if out := must("keys", id); strings.Count(out, "certificate") != 2 || !revoked.MatchString(out) {
		t.Errorf("the keys are\n%s", out)
	}
	if code, _, errs := device("certify", "dev_none", folder); code == exitOK {
		t.Errorf("a certificate of nobody: %s", errs)
	}
}
