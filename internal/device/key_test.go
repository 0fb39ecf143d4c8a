package device

import (
	"strings"
	"testing"
)

// TestKeyVector holds the checksum against a value worked out elsewhere.
func TestKeyVector(t *testing.T) {
	t.Parallel()
	const body = "dk_7Hq2LmX9Ra_aB3xaB3xaB3xaB3xaB3xaB3xaB3xaB3x"
	if got := checksum(body); got != "3c4LWi" {
		t.Errorf("checksum %q", got)
	}
	if id, ok := keyID(body + "3c4LWi"); !ok || id != "7Hq2LmX9Ra" {
		t.Errorf("id %q, %v", id, ok)
	}
}

func TestNewKeysAreGood(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 1000 {
		key, id := newKey()
		if got, ok := keyID(key); !ok || got != id {
			t.Fatalf("%s: id %q, %v", key, got, ok)
		}
		if seen[id] || seen[key] {
			t.Fatal("a key came twice")
		}
		seen[id], seen[key] = true, true
	}
}

// TestAnyChangeIsNoticed changes each character of a key.
func TestAnyChangeIsNoticed(t *testing.T) {
	t.Parallel()
	key, _ := newKey()
	for i := range key {
		for _, c := range []byte("aZ9_-") {
			if key[i] == c {
				continue
			}
			if _, ok := keyID(key[:i] + string(c) + key[i+1:]); ok {
				t.Errorf("character %d changed to %c, and the key still counts", i, c)
			}
		}
	}
	for _, bad := range []string{"", "dk_", key[:len(key)-1], key + "0", strings.ToUpper(key), " " + key,
		strings.Replace(key, "_", "-", 2)} {
		if _, ok := keyID(bad); ok {
			t.Errorf("%q counts as a key", bad)
		}
	}
}

func FuzzKeyID(f *testing.F) {
	key, _ := newKey()
	f.Add(key)
	f.Add("dk_7Hq2LmX9Ra_aB3xaB3xaB3xaB3xaB3xaB3xaB3xaB3x3c4LWi")
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := keyID(s); ok && s != "dk_"+id+s[13:46]+checksum(s[:46]) {
			t.Errorf("%q is taken for a key", s)
		}
	})
}
