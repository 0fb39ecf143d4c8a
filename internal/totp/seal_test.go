package totp

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func ring(t *testing.T, ids ...string) *Ring {
	t.Helper()
	var keys []Key
	for _, id := range ids {
		keys = append(keys, Key{ID: id, Bytes: bytes.Repeat([]byte(id[:1]), 32)})
	}
	r, err := NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCHK_MF_03_SecretsAreSealed(t *testing.T) {
	r, secret := ring(t, "a"), NewSecret()
	sealed := r.Seal("u_ann", secret)
	if strings.Contains(sealed, string(secret)) || strings.Contains(sealed, Text(secret)) ||
		r.Seal("u_ann", secret) == sealed {
		t.Errorf("%q", sealed)
	}
	if got, stale, err := r.Open("u_ann", sealed); !bytes.Equal(got, secret) || stale || err != nil {
		t.Errorf("%x, %v, %v", got, stale, err)
	}
	last := sealed[:len(sealed)-1] + string(sealed[len(sealed)-1]^1)
	for what, open := range map[string]func() error{
		"another user":  func() error { _, _, err := r.Open("u_eve", sealed); return err },
		"another key":   func() error { _, _, err := ring(t, "b").Open("u_ann", sealed); return err },
		"another id":    func() error { _, _, err := ring(t, "a", "b").Open("u_ann", "b"+sealed[1:]); return err },
		"a bit flipped": func() error { _, _, err := r.Open("u_ann", last); return err },
		"a short one":   func() error { _, _, err := r.Open("u_ann", "a.AAAA"); return err },
		"an empty one":  func() error { _, _, err := r.Open("u_ann", ""); return err },
		"no base64":     func() error { _, _, err := r.Open("u_ann", "a.!"); return err },
		"the same key, renamed": func() error {
			renamed, err := NewRing(Key{ID: "c", Bytes: bytes.Repeat([]byte("a"), 32)})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = renamed.Open("u_ann", "c"+sealed[1:])
			return err
		},
	} {
		if open() == nil {
			t.Errorf("%s opens it", what)
		}
	}
}

func TestKeysAreChangedWithoutLosingSecrets(t *testing.T) {
	secret := NewSecret()
	sealed := ring(t, "old").Seal("u_ann", secret)
	both := ring(t, "new", "old")
	got, stale, err := both.Open("u_ann", sealed)
	if !bytes.Equal(got, secret) || !stale || err != nil {
		t.Fatalf("%x, %v, %v", got, stale, err)
	}
	if got, stale, err = ring(t, "new").Open("u_ann", both.Seal("u_ann", got)); !bytes.Equal(got, secret) || stale ||
		err != nil {
		t.Errorf("%x, %v, %v", got, stale, err)
	}
}

func TestRingsThatAreRefused(t *testing.T) {
	good := Key{ID: "a", Bytes: make([]byte, 32)}
	for _, keys := range [][]Key{{}, {good, good}, {{ID: "a", Bytes: make([]byte, 16)}}, {{ID: "", Bytes: good.Bytes}},
		{{ID: "a.b", Bytes: good.Bytes}}} {
		if _, err := NewRing(keys...); err == nil {
			t.Errorf("%d keys are taken", len(keys))
		}
	}
}

func TestCHK_MF_03_RecoveryCodes(t *testing.T) {
	form := regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$`)
	codes, key := NewCodes(), []byte("key")
	seen := make(map[string]bool)
	for _, code := range codes {
		hash, ok := HashCode(key, "u_ann", code)
		if !form.MatchString(code) || !ok || len(hash) != 32 || !IsCode(code) || seen[string(hash)] {
			t.Errorf("%q: %x, %v", code, hash, ok)
		}
		seen[string(hash)] = true
	}
	if len(seen) != Codes {
		t.Errorf("%d codes", len(seen))
	}
	code := "01AB-CDEF-GHJK-MNPQ-RSTV-WXYZ"
	want, _ := HashCode(key, "u_ann", code)
	for _, typed := range []string{strings.ToLower(code), "  oiab cdef ghjk mnpq rstv wxyz ", "OLABCDEFGHJKMNPQRSTVWXYZ",
		"0l-ab-cdefghjkmnpqrs tv\twxyz\n"} {
		if got, ok := HashCode(key, "u_ann", typed); !ok || !bytes.Equal(got, want) {
			t.Errorf("%q is not taken for %s", typed, code)
		}
	}
	for _, bad := range []string{"", "123456", code + "0", code[1:], "U" + code[1:], strings.Replace(code, "A", "é", 1)} {
		if hash, ok := HashCode(key, "u_ann", bad); ok || hash != nil {
			t.Errorf("%q has a hash", bad)
		}
	}
	for what, other := range map[string][]byte{"user": hash(t, key, "u_eve", code),
		"key": hash(t, []byte("kez"), "u_ann", code)} {
		if bytes.Equal(other, want) {
			t.Errorf("another %s has the same hash", what)
		}
	}
}

func hash(t *testing.T, key []byte, user, code string) []byte {
	t.Helper()
	h, ok := HashCode(key, user, code)
	if !ok {
		t.Fatalf("%q has no hash", code)
	}
	return h
}
