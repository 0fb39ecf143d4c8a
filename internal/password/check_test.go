package password

import (
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestCHK_PW_01_03_WhatAPasswordMayBe(t *testing.T) {
	t.Parallel()
	for _, good := range []string{passphrase, "aaaaaaaaaaaaaaaaaaaaaaa b", strings.Repeat("long ", 50),
		"пятнадцать знаков", " spaces count too ", "éèêëéèêëéèêëéèê"} {
		if err := Check(good, 15, "ann", "Ann Smith"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, why := range map[string]string{
		"": "at least 15", "fourteen chars": "at least 15", "aaaaaaaaaaaaaaaaaa": "one character",
		"éééééééééééééééééé": "one character", "password12345678": "too common",
		"ann smith unhidra": "your name", strings.Repeat("x y", 90): "at most 256", strings.Repeat("é", 600): "at most 256",
		"\xff" + passphrase: "UTF-8",
		// Fifteen characters as the keyboard sent them, fourteen as they are read.
		"fourteen chare\u0301": "at least 15",
	} {
		err := Check(bad, 15, "ann", "Ann Smith")
		if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %s", bad, err, why)
		}
	}
}

func TestCHK_PW_02_LongOnesAreWelcome(t *testing.T) {
	t.Parallel()
	for _, n := range []int{64, 128, 256} {
		if err := Check(strings.Repeat("éa1 ", n/4), 15); err != nil {
			t.Errorf("%d characters: %v", n, err)
		}
	}
	if err := Check(strings.Repeat("éa1 ", 64)+"x", 15); domain.KindOf(err) != domain.Invalid {
		t.Error("257 characters are accepted")
	}
}

func TestCHK_PW_04_WhatEverybodyTries(t *testing.T) {
	t.Parallel()
	if n := len(common) / digestLength; n < 10_000 || len(common)%digestLength != 0 {
		t.Errorf("the list has %d passwords", n)
	}
	for _, bad := range []string{"password", "PassWord", "12345678", "qwertyuiop", "1q2w3e4r5t6y7u8i9o0p",
		"Correct Horse Battery Staple", "iloveyou", "trustno1", "manchesterunited", "sunshinesunshinesunshine"} {
		if err := Check(bad, 8); err == nil || !strings.Contains(err.Error(), "too common") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// The list is of whole passwords, not of parts.
	for _, good := range []string{"my password is a secret", "x12345678y", passphrase} {
		if err := Check(good, 8); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestCHK_PW_05_NamesAreNoPasswords(t *testing.T) {
	t.Parallel()
	names := []string{"margarethe", "Margarethe Müller", "m.mueller", "chat.example.org"}
	for _, bad := range []string{"margarethe", "MARGARETHE1", "margarethe müller!", "Müller, Margarethe",
		"unhidraunhidra1", "chat.example.org", "m.mueller2026"} {
		if err := Check(bad, 8, names...); err == nil || !strings.Contains(err.Error(), "your name") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := Check("margarethe likes tea", 15, names...); err != nil {
		t.Error(err)
	}
}

func TestPeriod(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"": "", "a": "a", "aaa": "a", "ababab": "ab", "aba": "aba", "éé": "é",
		"abcabcab": "abcabcab"} {
		if got := period(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=49152,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA")
	f.Add("$scrypt$ln=10,r=8,p=1$57z3Xqv1PmdMCaEUAqAUwg$xyQtCrPZFPD+BOma2daUn7HgQU6MyQ07H6cWUE1TFWA")
	f.Add("pbkdf2_sha256$1000$seasaltseasalt$azcoLfF4StH9vKcdV8IoZkTpXQuezWLxGUCJq9SvT9g=")
	f.Add("$2b$05$8CAD7cmnV942OUNuaf3IM.2l5Wce1LlAYuKI0.WRmnzHGQGV9gcu.")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := parse(s); err == nil && r.memory() > maxMemory {
			t.Errorf("%q takes %d bytes", s, r.memory())
		}
	})
}
