package audit

import (
	"encoding/hex"
	"testing"
)

// The vectors are those of the format's description.
func TestLinkVectors(t *testing.T) {
	t.Parallel()
	var hash []byte
	for _, v := range []struct{ body, want string }{
		{`{"seq":1,"type":"auth.login.success"}`, "3dfec11483da9b31ccf8542d72eb300b61f232ba9d75211a3b99181ddeb4b1a9"},
		{`{"seq":2,"type":"auth.login.failure"}`, "94cfa28c47a70b62efd3e1b4b64694cdd6825c27e2b5c3e4c592b00efa410a42"},
	} {
		hash = link(hash, []byte(v.body))
		if got := hex.EncodeToString(hash); got != v.want {
			t.Errorf("hash of %s is %s, want %s", v.body, got, v.want)
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	o := object{"seq": int64(2), "b": "\r\n\t\x1b[31m\"\\</script>é\u2028\x00", "a": object{"z": true, "y": int64(-1)},
		"bad": "\xff"}
	const want = `{"a":{"y":-1,"z":true},"b":"\r\n\t\u001b[31m\"\\</script>é` + "\u2028" + `\u0000","bad":"` + "\uFFFD" +
		`","seq":2}`
	got := canonical(o)
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := parse(got); err != nil {
		t.Errorf("reading it back: %v", err)
	}
	for _, bad := range []string{`{"a":1.5}`, `{"a":1e3}`, `{ "a":1}`, `{"b":1,"a":2}`, `{"a":1,"a":1}`, `{"a":[1]}`,
		`{"a":1}x`, `{"a":"\u0041"}`, `[]`, `null`, ``} {
		if _, err := parse([]byte(bad)); err == nil {
			t.Errorf("%s was taken for canonical", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":"b","c":{"d":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parse(b)
		if err == nil && string(canonical(o)) != string(b) {
			t.Errorf("%q has a second form", b)
		}
	})
}
