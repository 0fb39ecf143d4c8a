package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/config.md")

func TestDefaults(t *testing.T) {
	c, err := Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.GatewayPort != 9000 || c.AuthAddr != "" || c.OperatorAddr != "127.0.0.1:9010" ||
		c.Database() != filepath.Join("data", "unhidra.db") ||
		c.LoginPerMinute != 10 || c.RegisterPerHour != 30 || c.IPPerMinute != 60 || c.UserPerMinute != 30 ||
		c.MessagesPerSec != 50 || !c.Has(RoleAuth) ||
		c.URL() != "http://localhost:9000" || c.PasswordMin != 15 {
		t.Errorf("%+v", c)
	}
	for _, s := range c.Settings() {
		if s.Origin != "default" {
			t.Errorf("%+v", s)
		}
	}
}

func TestLaterWins(t *testing.T) {
	file := filepath.Join(t.TempDir(), "unhidra.conf")
	write(t, file, "# a comment\n\nGATEWAY_PORT=1\r\nUNHIDRA_NAME = \"A team\"\nUNHIDRA_LOG_LEVEL=warn\n")
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	flags := NewFlags(fs)
	if err := fs.Parse([]string{"--config", file, "--port", "3"}); err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{"GATEWAY_PORT=2", "UNHIDRA_LOG_LEVEL=debug", "UNHIDRA_DRAIN="}, flags)
	if err != nil {
		t.Fatal(err)
	}
	if c.GatewayPort != 3 || c.Name != "A team" || c.Log.Level != "debug" || c.Drain != 2*time.Second {
		t.Errorf("%+v", c)
	}
	want := map[string]string{"GATEWAY_PORT": "--port", "UNHIDRA_NAME": file + ":4", "UNHIDRA_LOG_LEVEL": "environment",
		"UNHIDRA_DRAIN": "default"}
	for _, s := range c.Settings() {
		if o, ok := want[s.Name]; ok && s.Origin != o {
			t.Errorf("%s is from %s, want %s", s.Name, s.Origin, o)
		}
	}
}

// Every complaint is told at once, names its setting, and repeats no secret.
func TestComplaints(t *testing.T) {
	file := filepath.Join(t.TempDir(), "unhidra.conf")
	write(t, file, "GATEWAY_PROT=9\nhunter2\nUNHIDRA_NAME=a\nUNHIDRA_NAME=b\n")
	_, err := Load([]string{
		"UNHIDRA_CONFIG=" + file, "GATEWAY_PORT=99999", "RATE_LIMIT_LOGIN_PER_MINUTE=ten", "JWT_SECRET=hunter2",
		"UNHIDRA_REGISTRATIN=open",
		"DATABASE_URL=postgres://me:hunter2@[bad/x", "NATS_URL=nats:x", "ALLOWED_ORIGINS=*",
		"UNHIDRA_TRUSTED_PROXIES=10.0.0.0/40",
		"UNHIDRA_ROLES=auth,cook", "UNHIDRA_LOG_FORMAT=xml", "UNHIDRA_DRAIN=5", "UNHIDRA_PUBLIC_URL=chat.example.org",
		"AUTH_BIND_ADDR=9200",
		"UNHIDRA_BIND_ADDR=127.0.0.1:9000", "UNHIDRA_TEST_POSTGRES=x", "HOME=/",
	}, nil)
	if err == nil {
		t.Fatal("no complaint")
	}
	for _, want := range []string{
		"did you mean GATEWAY_PORT?", ":2: not of the form", "set in line 3 already", "99999 is not in",
		"\"ten\" is not a whole number", "JWT_SECRET (environment): has 7 bytes",
		"did you mean UNHIDRA_REGISTRATION?", "DATABASE_URL", "NATS_URL", "ALLOWED_ORIGINS", "UNHIDRA_TRUSTED_PROXIES",
		"\"cook\" is no role",
		"UNHIDRA_LOG_FORMAT", "UNHIDRA_DRAIN", "UNHIDRA_PUBLIC_URL", "AUTH_BIND_ADDR", "UNHIDRA_BIND_ADDR",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "UNHIDRA_TEST") {
		t.Errorf("%v", err)
	}
	if _, err := Load([]string{"UNHIDRA_CONFIG=/nowhere"}, nil); err == nil {
		t.Error("a missing file is no complaint")
	}
	if _, err := Load([]string{"UNHIDRA_DRAIN=20s"}, nil); err == nil {
		t.Error("a drain longer than the shutdown is no complaint")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	file := filepath.Join(t.TempDir(), "key")
	write(t, file, secret+"\n")
	c, err := Load([]string{"JWT_SECRET_FILE=" + file, "DATABASE_URL=postgres://me:" + secret + "@h/d"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.JWTSecret.Reveal() != secret {
		t.Errorf("got %q", c.JWTSecret.Reveal())
	}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %x %q %v", c, c, c, c.JWTSecret, c.JWTSecret, c.JWTSecret, c.Settings()) + string(j)
	if strings.Contains(all, secret) || strings.Contains(all, fmt.Sprintf("%x", secret)) {
		t.Errorf("printed: %s", all)
	}
	if _, err := Load([]string{"JWT_SECRET_FILE=" + file, "JWT_SECRET=" + secret}, nil); err == nil {
		t.Error("two values for one secret are no complaint")
	}
	if _, err := Load([]string{"JWT_SECRET_FILE=/nowhere"}, nil); err == nil {
		t.Error("a missing secret file is no complaint")
	}
}

func TestRolesAlone(t *testing.T) {
	c, err := Load([]string{"UNHIDRA_ROLES=auth"}, nil)
	if err != nil || c.AuthAddr != "0.0.0.0:9200" || c.Has(RoleGateway) {
		t.Errorf("%+v %v", c, err)
	}
}

// docs/config.md is what `unhidra config --docs` prints; -update writes it.
func TestDocs(t *testing.T) {
	var b bytes.Buffer
	if err := WriteDocs(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "docs", "config.md")
	if *update {
		write(t, path, b.String())
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error("docs/config.md differs from the table of options; run: go test ./internal/config -update")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCHK_TK_09_SampleKeysAreRefused(t *testing.T) {
	for _, key := range []string{
		"your-secret-key-your-secret-key-1234", "changeme-changeme-changeme-0123456789", strings.Repeat("a1", 20), "short",
	} {
		if _, err := Load([]string{"JWT_SECRET=" + key}, nil); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	c, err := Load([]string{"JWT_SECRETS_OLD=0123456789abcdef0123456789abcdef, fedcba9876543210fedcba9876543210"}, nil)
	if err != nil || len(c.JWTSecretsOld) != 2 {
		t.Error(c.JWTSecretsOld, err)
	}
}

func TestMailAndCaptcha(t *testing.T) {
	for name, env := range map[string][]string{
		"UNHIDRA_MAIL_FROM":        {"UNHIDRA_SMTP_URL=smtps://a:hunter2@host"},
		"UNHIDRA_SMTP_URL":         {"UNHIDRA_MAIL_FROM=a@example.org"},
		"smtps://":                 {"UNHIDRA_SMTP_URL=https://a:hunter2@host", "UNHIDRA_MAIL_FROM=a@example.org"},
		"is not a sender":          {"UNHIDRA_SMTP_URL=smtps://a:hunter2@host", "UNHIDRA_MAIL_FROM=a b"},
		"UNHIDRA_CAPTCHA_SITE_KEY": {"UNHIDRA_CAPTCHA=turnstile", "UNHIDRA_CAPTCHA_SECRET=hunter2"},
		"takes no site key":        {"UNHIDRA_CAPTCHA_SECRET=hunter2"},
		"none of pow":              {"UNHIDRA_CAPTCHA=none"},
	} {
		if _, err := Load(env, nil); err == nil || !strings.Contains(err.Error(), name) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v", env, err)
		}
	}
	c, err := Load([]string{"UNHIDRA_SMTP_URL=smtps://a:hunter2@host", "UNHIDRA_MAIL_FROM=Team <a@example.org>",
		"UNHIDRA_CAPTCHA=off"}, nil)
	if err != nil || !c.Mail.Enabled() || c.Captcha.Kind != "off" {
		t.Errorf("%+v, %v", c.Mail, err)
	}
	if strings.Contains(fmt.Sprintf("%v %+v", c.Mail, c.Settings()), "hunter2") {
		t.Error("the mail server's password prints itself")
	}
	if c, err := Load(nil, nil); err != nil || c.Mail.Enabled() || c.Captcha.Kind != "pow" {
		t.Errorf("by default: %+v, %v", c, err)
	}
}

// TestAFileMayBeginWithAByteOrderMark: as editors of Windows write it.
func TestAFileMayBeginWithAByteOrderMark(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "unhidra.conf")
	if err := os.WriteFile(file, []byte("\ufeffUNHIDRA_NAME=Home\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load([]string{"UNHIDRA_CONFIG=" + file}, nil); err != nil || c.Name != "Home" {
		t.Errorf("%q, %v", c.Name, err)
	}
}
