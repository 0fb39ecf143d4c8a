package ws

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// raw is a frame of a client with every bit under the test's control.
type raw struct {
	fin     bool
	rsv     byte
	op      Opcode
	bare    bool // not masked
	payload string
	length  uint64 // said, if not that of the payload
}

func (r raw) bytes() []byte {
	h := Header{Fin: r.fin, RSV: r.rsv, Op: r.op, Masked: !r.bare, Mask: [4]byte{0xde, 0xad, 0xbe, 0xef},
		Length: uint64(len(r.payload))}
	if r.length != 0 {
		h.Length = r.length
	}
	b := AppendHeader(nil, h)
	at := len(b)
	b = append(b, r.payload...)
	if h.Masked {
		Cipher(b[at:], h.Mask)
	}
	return b
}

func fin(op Opcode, payload string) raw  { return raw{fin: true, op: op, payload: payload} }
func more(op Opcode, payload string) raw { return raw{op: op, payload: payload} }

// Cases are grouped like those of the Autobahn test suite.
var cases = []struct {
	name   string
	frames []raw
	want   string // messages as op:payload, and the close code of a breach
}{
	// 1 framing
	{"1.1.1 empty text", []raw{fin(Text, "")}, "1:"},
	{"1.1.2 text of 125", []raw{fin(Text, strings.Repeat("*", 125))}, "1:#125"},
	{"1.1.3 text of 126", []raw{fin(Text, strings.Repeat("*", 126))}, "1:#126"},
	{"1.1.4 text of 127", []raw{fin(Text, strings.Repeat("*", 127))}, "1:#127"},
	{"1.1.5 text of 128", []raw{fin(Text, strings.Repeat("*", 128))}, "1:#128"},
	{"1.1.6 text of 65535", []raw{fin(Text, strings.Repeat("*", 65535))}, "1:#65535"},
	{"1.1.7 text of 65536", []raw{fin(Text, strings.Repeat("*", 65536))}, "1:#65536"},
	{"1.1.8 text of 65537 is too big", []raw{fin(Text, strings.Repeat("*", 65537))}, "1009"},
	{"1.2.1 empty binary", []raw{fin(Binary, "")}, "2:"},
	{"1.2.6 binary of 65535", []raw{fin(Binary, strings.Repeat("\xfe", 65535))}, "2:#65535"},
	{"length beyond memory", []raw{{fin: true, op: Text, length: 1 << 62}}, "1009"},
	{"length with the highest bit", []raw{{fin: true, op: Text, length: 1 << 63}}, "1002"},
	// 2 pings and pongs
	{"2.1 empty ping", []raw{fin(Ping, "")}, "9:"},
	{"2.2 ping with text", []raw{fin(Ping, "hello")}, "9:hello"},
	{"2.3 ping with bytes that are not text", []raw{fin(Ping, "\x00\xff\xfe")}, "9:\x00\xff\xfe"},
	{"2.4 ping of 125", []raw{fin(Ping, strings.Repeat("*", 125))}, "9:#125"},
	{"2.5 ping of 126", []raw{fin(Ping, strings.Repeat("*", 126))}, "1002"},
	{"2.7 pong that nobody asked for", []raw{fin(Pong, "x")}, "10:x"},
	{"2.10 ten pings", []raw{fin(Ping, "1"), fin(Ping, "2"), fin(Ping, "3")}, "9:1 9:2 9:3"},
	// 3 reserved bits
	{"3.1 rsv 1", []raw{{fin: true, rsv: 1, op: Text, payload: "x"}}, "1002"},
	{"3.2 rsv 2 after a message", []raw{fin(Text, "a"), {fin: true, rsv: 2, op: Text, payload: "x"}}, "1:a 1002"},
	{"3.3 rsv 3 after a ping", []raw{fin(Ping, ""), {fin: true, rsv: 3, op: Text, payload: "x"}}, "9: 1002"},
	{"3.5 rsv 5 on binary", []raw{{fin: true, rsv: 5, op: Binary, payload: "x"}}, "1002"},
	{"3.6 rsv 6 on ping", []raw{{fin: true, rsv: 6, op: Ping, payload: "x"}}, "1002"},
	{"3.7 rsv 7 on close", []raw{{fin: true, rsv: 7, op: Close}}, "1002"},
	// 4 opcodes
	{"4.1.1 opcode 3", []raw{fin(3, "")}, "1002"},
	{"4.1.2 opcode 4", []raw{fin(4, "x")}, "1002"},
	{"4.1.3 opcode 5 after a message", []raw{fin(Text, "a"), fin(5, "")}, "1:a 1002"},
	{"4.1.4 opcode 6", []raw{fin(6, "x")}, "1002"},
	{"4.1.5 opcode 7", []raw{fin(7, "")}, "1002"},
	{"4.2.1 opcode 11", []raw{fin(11, "")}, "1002"},
	{"4.2.2 opcode 12", []raw{fin(12, "x")}, "1002"},
	{"4.2.3 opcode 13", []raw{fin(13, "")}, "1002"},
	{"4.2.4 opcode 14", []raw{fin(14, "x")}, "1002"},
	{"4.2.5 opcode 15", []raw{fin(15, "")}, "1002"},
	// 5 fragments
	{"5.1 ping in two", []raw{more(Ping, "a"), fin(Continuation, "b")}, "1002"},
	{"5.2 pong in two", []raw{more(Pong, "a"), fin(Continuation, "b")}, "1002"},
	{"5.3 text in two", []raw{more(Text, "a"), fin(Continuation, "b")}, "1:ab"},
	{"5.6 text in two, a ping between", []raw{more(Text, "a"), fin(Ping, "p"), fin(Continuation, "b")}, "9:p 1:ab"},
	{"5.9 continuation of nothing", []raw{fin(Continuation, "a"), fin(Text, "b")}, "1002"},
	{"5.10 continuation of nothing, unfinished", []raw{more(Continuation, "a")}, "1002"},
	{"5.14 continuation after a whole message", []raw{fin(Text, "a"), fin(Continuation, "b")}, "1:a 1002"},
	{"5.15 continuation after a fragmented message",
		[]raw{more(Text, "a"), fin(Continuation, "b"), more(Continuation, "c")}, "1:ab 1002"},
	{"5.18 text inside a text", []raw{more(Text, "a"), fin(Text, "b")}, "1002"},
	{"5.19 five fragments and two pings", []raw{
		more(Text, "1"), more(Continuation, "2"), fin(Ping, "p"), more(Continuation, "3"), more(Continuation, "4"),
		fin(Ping, "q"), fin(Continuation, "5"),
	}, "9:p 9:q 1:12345"},
	{"empty fragments", []raw{more(Text, ""), more(Continuation, ""), fin(Continuation, "")}, "1:"},
	{"binary in two", []raw{more(Binary, "\xff"), fin(Continuation, "\xfe")}, "2:\xff\xfe"},
	{"fragments too big together", []raw{more(Text, strings.Repeat("*", 40000)),
		fin(Continuation, strings.Repeat("*", 40000))}, "1009"},
	{"fragments just big enough", []raw{more(Text, strings.Repeat("*", 40000)),
		fin(Continuation, strings.Repeat("*", 25536))}, "1:#65536"},
	{"two messages in fragments", []raw{more(Text, "a"), fin(Continuation, "b"), more(Text, "c"), fin(Continuation, "d")},
		"1:ab 1:cd"},
	// 6 UTF-8
	{"6.1 valid, of all lengths", []raw{fin(Text, "aéあ𝄞")}, "1:aéあ𝄞"},
	{"6.2 a character over two fragments", []raw{more(Text, "\xc3"), fin(Continuation, "\xa9")}, "1:é"},
	{"6.3 a lone surrogate", []raw{fin(Text, "\xed\xa0\x80")}, "1007"},
	{"6.4 invalid in the second fragment", []raw{more(Text, "a"), fin(Continuation, "\xff")}, "1007"},
	{"6.6 cut off", []raw{fin(Text, "\xce")}, "1007"},
	{"6.12 overlong", []raw{fin(Text, "\xc0\xaf")}, "1007"},
	{"6.14 beyond Unicode", []raw{fin(Text, "\xf4\x90\x80\x80")}, "1007"},
	{"6.21 byte order mark", []raw{fin(Text, "\xef\xbb\xbf")}, "1:\xef\xbb\xbf"},
	{"6.22 noncharacters are valid", []raw{fin(Text, "\xef\xbf\xbf")}, "1:\xef\xbf\xbf"},
	{"binary needs no UTF-8", []raw{fin(Binary, "\xff\xff")}, "2:\xff\xff"},
	// 7 close
	{"7.3.1 empty close", []raw{fin(Close, "")}, "8:"},
	{"7.3.2 close of one byte", []raw{fin(Close, "\x03")}, "1002"},
	{"7.3.3 close 1000", []raw{fin(Close, "\x03\xe8")}, "8:\x03\xe8"},
	{"7.3.4 close with a reason", []raw{fin(Close, "\x03\xe8bye")}, "8:\x03\xe8bye"},
	{"7.3.5 close with the longest reason", []raw{fin(Close, "\x03\xe8"+strings.Repeat("*", 123))}, "8:#125"},
	{"7.3.6 close with too long a reason", []raw{fin(Close, "\x03\xe8"+strings.Repeat("*", 124))}, "1002"},
	{"7.5.1 close with bad UTF-8", []raw{fin(Close, "\x03\xe8\xff")}, "1007"},
	{"close in fragments", []raw{more(Close, "\x03\xe8")}, "1002"},
	// masks
	{"not masked", []raw{{fin: true, op: Text, bare: true, payload: "x"}}, "1002"},
	{"ping not masked", []raw{{fin: true, op: Ping, bare: true}}, "1002"},
}

func TestParser(t *testing.T) {
	for _, c := range cases {
		var b []byte
		for _, f := range c.frames {
			b = append(b, f.bytes()...)
		}
		for _, chunk := range []int{len(b), 1, 3, 1000} {
			t.Run(fmt.Sprintf("%s by %d", c.name, chunk), func(t *testing.T) {
				if got := parse(t, b, chunk); got != c.want {
					t.Errorf("got %.100q, want %.100q", got, c.want)
				}
			})
		}
	}
}

// parse feeds b to a parser, chunk bytes at a time, and writes down what comes
// out.
func parse(t *testing.T, b []byte, chunk int) string {
	p := Parser{Max: 1 << 16}
	var out []string
	var buf []byte
	for len(b) > 0 {
		n := min(max(chunk, 1), len(b))
		buf, b = append(bytes.Clone(buf), b[:n]...), b[n:]
		for len(buf) > 0 {
			m, n, need, err := p.Next(buf)
			var e *Error
			if errors.As(err, &e) {
				return strings.Join(append(out, fmt.Sprint(e.Code)), " ")
			}
			if n == 0 {
				if need <= len(buf) {
					t.Fatalf("needs %d bytes and has %d", need, len(buf))
				}
				break
			}
			buf = buf[n:]
			if m.Op == Continuation {
				continue
			}
			s := string(m.Payload)
			if len(s) > 100 {
				s = fmt.Sprintf("#%d", len(s))
			}
			out = append(out, fmt.Sprintf("%d:%s", m.Op, s))
		}
	}
	if len(buf) == 0 && !p.Idle() {
		t.Error("the parser waits for more")
	}
	return strings.Join(out, " ")
}

func TestCloseCodes(t *testing.T) {
	valid := map[int]bool{1000: true, 1001: true, 1002: true, 1003: true, 1007: true, 1008: true, 1009: true, 1010: true,
		1011: true, 1012: true, 1013: true, 1014: true, 3000: true, 3999: true, 4000: true, 4999: true}
	for _, code := range []int{0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
		1014, 1015, 1016, 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65535} {
		_, _, err := ParseClose(ClosePayload(code, ""))
		if (err == nil) != valid[code] {
			t.Errorf("close code %d: %v", code, err)
		}
	}
}

func TestLengthMustBeShort(t *testing.T) {
	for _, b := range []string{"\x81\xfe\x00\x7d", "\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff"} {
		if got := parse(t, []byte(b+"\x00\x00\x00\x00"), len(b)+4); got != "1002" {
			t.Errorf("%x: got %q, want 1002", b, got)
		}
	}
}

func TestTooManyFragments(t *testing.T) {
	var b []byte
	b = append(b, more(Text, "").bytes()...)
	for range maxFragments + 1 {
		b = append(b, more(Continuation, "").bytes()...)
	}
	if got := parse(t, b, len(b)); got != "1009" {
		t.Errorf("got %q, want 1009", got)
	}
}

func TestClientRefusesMasks(t *testing.T) {
	p := Parser{Client: true, Max: 100}
	if _, _, _, err := p.Next(fin(Text, "x").bytes()); err == nil {
		t.Error("a masked frame from the server was taken")
	}
	m, _, _, err := p.Next(AppendFrame(nil, Text, []byte("x")))
	if err != nil || string(m.Payload) != "x" {
		t.Errorf("got %q, %v", m.Payload, err)
	}
}

func TestCipher(t *testing.T) {
	mask := [4]byte{1, 2, 3, 4}
	for n := range 70 {
		b := bytes.Repeat([]byte{0x55}, n)
		Cipher(b, mask)
		for i := range b {
			if b[i] != 0x55^mask[i%4] {
				t.Fatalf("length %d: byte %d is wrong", n, i)
			}
		}
	}
}

// FuzzParser holds that no bytes make the parser panic, take more than it was
// given, hold more than its limit, or depend on how the bytes were cut.
func FuzzParser(f *testing.F) {
	for _, c := range cases {
		var b []byte
		for _, fr := range c.frames {
			b = append(b, fr.bytes()...)
		}
		if len(b) < 1000 {
			f.Add(b, 3)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, chunk int) {
		whole := fuzzed(t, bytes.Clone(b), len(b))
		cut := fuzzed(t, bytes.Clone(b), chunk&0xff)
		if whole != cut {
			t.Fatalf("whole: %.200q, cut: %.200q", whole, cut)
		}
	})
}

func fuzzed(t *testing.T, b []byte, chunk int) string {
	p := Parser{Max: 300}
	var out strings.Builder
	var buf []byte
	for len(b) > 0 {
		n := min(max(chunk, 1), len(b))
		buf, b = append(bytes.Clone(buf), b[:n]...), b[n:]
		for {
			m, n, need, err := p.Next(buf)
			if err != nil {
				fmt.Fprintf(&out, " %v", err)
				return out.String()
			}
			if n == 0 {
				if need <= len(buf) {
					t.Fatalf("needs %d bytes and has %d", need, len(buf))
				}
				break
			}
			if n > len(buf) || len(m.Payload) > 300 || len(p.msg) > 300 {
				t.Fatalf("took %d of %d bytes, payload of %d, holds %d", n, len(buf), len(m.Payload), len(p.msg))
			}
			buf = buf[n:]
			fmt.Fprintf(&out, " %d:%x", m.Op, m.Payload)
		}
	}
	return out.String()
}
