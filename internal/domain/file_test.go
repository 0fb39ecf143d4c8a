package domain

import (
	"strings"
	"testing"
)

// A message has ten files, each once; nobody names what is no file.
func TestAttachmentsAreBounded(t *testing.T) {
	t.Parallel()
	ids := make([]string, MaxAttachments)
	for i := range ids {
		ids[i] = NewID(FilePrefix)
	}
	if err := CheckAttachments(ids); err != nil {
		t.Errorf("%d files: %v", len(ids), err)
	}
	for name, bad := range map[string][]string{
		"one more": append(ids[:len(ids):len(ids)], NewID(FilePrefix)), "one twice": {ids[0], ids[0]},
		"a room": {NewID(RoomPrefix)},
	} {
		if err := CheckAttachments(bad); KindOf(err) != Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a file is called is short, no path, and does not look like another type.
func TestNamesOfFilesAreTamed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", MaxFileName) + ".jpeg"
	for name, want := range map[string]string{
		"a.png": "a.png", "../../etc/passwd": "passwd", `C:\pictures\a.png`: "a.png", "a\x00\nb.txt": "ab.txt",
		"invoice\u202egpj.exe": "invoicegpj.exe", "\u2066a\u2069.png": "a.png", " a ": "a",
		long: strings.Repeat("ä", (MaxFileName-len(".jpeg"))/2) + ".jpeg",
	} {
		if is, err := CheckFileName(name); err != nil || is != want || len(is) > MaxFileName {
			t.Errorf("%q is called %q, not %q; %v", name, is, want, err)
		}
	}
	for _, bad := range []string{"", "..", "a/", "\u202e", "\xff"} {
		if is, err := CheckFileName(bad); err == nil {
			t.Errorf("%q is called %q", bad, is)
		}
	}
}
