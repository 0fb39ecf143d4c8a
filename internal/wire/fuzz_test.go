package wire

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// FuzzRequest holds that no bytes make the decoding of a frame panic, and that
// what is decoded survives another round.
func FuzzRequest(f *testing.F) {
	files, err := filepath.Glob("testdata/golden/client.*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		if err := Decode(b, &r); err != nil {
			return
		}
		for _, data := range []any{&Send{}, &Edit{}, &Target{}, &Mark{}, &InRoom{}, &Sync{}, &Watch{}, &Activity{},
			&Refresh{}} {
			if err := Decode(r.Data, data); err != nil {
				continue
			}
			again, err := Encode(data)
			if err != nil {
				t.Fatalf("%T was decoded and cannot be encoded: %v", data, err)
			}
			second := reflect.New(reflect.TypeOf(data).Elem()).Interface()
			if err := Decode(again, second); err != nil {
				t.Fatalf("%T is encoded as %s, which is refused: %v", data, again, err)
			}
			third, err := Encode(second)
			if err != nil || !bytes.Equal(again, third) {
				t.Fatalf("%T: first %s, then %s (%v)", data, again, third, err)
			}
		}
	})
}

// FuzzUnpack holds that what Pack joins, Unpack splits, and that nothing on
// the bus makes it panic.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("{\"type\":\"event\"}\n{}"))
	f.Add([]byte("{}\n\n"))
	f.Add([]byte("no header"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, frame, err := Unpack(b)
		if err != nil {
			return
		}
		packed, err := Pack(h, frame)
		if err != nil {
			t.Fatal(err)
		}
		h2, frame2, err := Unpack(packed)
		if err != nil || h2 != h || !bytes.Equal(frame, frame2) {
			t.Fatalf("got %+v %q, %v; want %+v %q", h2, frame2, err, h, frame)
		}
	})
}
