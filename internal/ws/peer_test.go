package ws

import (
	"bytes"
	"testing"

	gobwas "github.com/gobwas/ws"
)

// The codec is held against an independent one, by what both make of the same
// frames, and by what that costs:
//
//	go test -run '^$' -bench . ./internal/ws

func TestAgainstAnotherCodec(t *testing.T) {
	mask := [4]byte{0xde, 0xad, 0xbe, 0xef}
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 70000} {
		payload := bytes.Repeat([]byte("é"), n)[:n/2*2]
		var theirs bytes.Buffer
		if err := gobwas.WriteFrame(&theirs, gobwas.MaskFrameWith(gobwas.NewTextFrame(bytes.Clone(payload)),
			mask)); err != nil {
			t.Fatal(err)
		}
		if ours := AppendMasked(nil, Text, payload, mask); !bytes.Equal(ours, theirs.Bytes()) {
			t.Errorf("%d bytes: masked frames differ", n)
		}
		p := Parser{Max: 1 << 20}
		m, _, _, err := p.Next(bytes.Clone(theirs.Bytes()))
		if err != nil || !bytes.Equal(m.Payload, payload) {
			t.Errorf("%d bytes: we cannot read what the other wrote: %v", n, err)
		}
		//lint:ignore SA1019 the peer here is this test, which sends small frames
		f, err := gobwas.ReadFrame(bytes.NewReader(AppendFrame(nil, Text, payload)))
		if err != nil || !bytes.Equal(f.Payload, payload) || f.Header.OpCode != gobwas.OpText {
			t.Errorf("%d bytes: the other cannot read what we wrote: %v", n, err)
		}
	}
}

func BenchmarkReadFrame(b *testing.B) {
	frame := AppendMasked(nil, Text, bytes.Repeat([]byte("x"), 200), [4]byte{1, 2, 3, 4})
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		p := Parser{Max: 1 << 16}
		for b.Loop() {
			if _, n, _, err := p.Next(frame); n == 0 || err != nil {
				b.Fatal(err)
			}
			Cipher(frame[8:], [4]byte{1, 2, 3, 4}) // masked again for the next round
		}
	})
	b.Run("gobwas", func(b *testing.B) {
		b.ReportAllocs()
		r := bytes.NewReader(frame)
		for b.Loop() {
			r.Reset(frame)
			//lint:ignore SA1019 the peer here is this test, which sends small frames
			f, err := gobwas.ReadFrame(r)
			if err != nil {
				b.Fatal(err)
			}
			gobwas.UnmaskFrameInPlace(f)
			gobwas.Cipher(f.Payload, [4]byte{1, 2, 3, 4}, 0)
		}
	})
}
