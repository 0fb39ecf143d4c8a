package packet

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func hexBytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decode reads one packet of any type, and encodes it again.
func decode(b []byte, v Version, limit int) (got any, again []byte, n int, err error) {
	h, body, n, _, err := Split(b, limit)
	if err != nil || n == 0 {
		return nil, nil, n, err
	}
	switch h.Type {
	case CONNECT:
		var p Connect
		p, err = ParseConnect(body)
		got, again = p, AppendConnect(nil, p)
	case CONNACK:
		var p Connack
		p, err = ParseConnack(body, v)
		got, again = p, AppendConnack(nil, v, p)
	case PUBLISH:
		var p Publish
		p, err = ParsePublish(h, body, v)
		again, _ = AppendPublish(nil, v, p)
		got = p
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		var p Ack
		p, err = ParseAck(h.Type, body, v)
		got, again = p, AppendAck(nil, h.Type, v, p)
	case SUBSCRIBE:
		var p Subscribe
		p, err = ParseSubscribe(body, v)
		got, again = p, AppendSubscribe(nil, v, p)
	case SUBACK, UNSUBACK:
		var p Suback
		p, err = ParseSuback(h.Type, body, v)
		got, again = p, AppendSuback(nil, h.Type, v, p)
	case UNSUBSCRIBE:
		var p Unsubscribe
		p, err = ParseUnsubscribe(body, v)
		got, again = p, AppendUnsubscribe(nil, v, p)
	case DISCONNECT, AUTH:
		var p Disconnect
		p, err = ParseDisconnect(h.Type, body, v)
		got, again = p, AppendDisconnect(nil, h.Type, v, p)
	default:
		again = b[:n]
	}
	return got, again, n, err
}

// samples are packets as others send them.
var samples = []struct {
	name string
	v    Version
	hex  string
}{
	{"connect 3.1.1", V311, "10 11 0004 4d515454 04 02 003c 0005 68656c6c6f"},
	{"connect 3.1", V31, "10 13 0006 4d5149736470 03 02 003c 0005 68656c6c6f"},
	{"connect 5, will, user, password", V5, "10 2e 0004 4d515454 05 ee 001e 05 11 0000003c 0002 6964 05 18 0000000f " +
		"0003 612f62 0002 6f66 0001 75 0001 70" + "" /* length is corrected below */},
	{"connack", V311, "20 02 00 00"},
	{"connack 5", V5, "20 0a 01 00 07 12 0004 61626364"},
	{"publish QoS 0", V311, "30 08 0003 612f62 323131"},
	{"publish QoS 1 of 5", V5, "32 10 0003 612f62 0007 05 02 0000000a 323131"},
	{"puback", V311, "40 02 0001"},
	{"puback 5", V5, "40 03 0001 87"},
	{"pubrec", V311, "50 02 0001"},
	{"pubrel", V311, "62 02 0001"},
	{"pubcomp 5, unknown", V5, "70 03 0001 92"},
	{"subscribe", V311, "82 08 0001 0003 612f62 01"},
	{"subscribe 5", V5, "82 0b 0001 02 0b 05 0003 612f23 2d"},
	{"suback", V311, "90 03 0001 80"},
	{"unsubscribe", V5, "a2 08 0001 00 0003 612f62"},
	{"unsuback 5", V5, "b0 04 0001 00 11"},
	{"unsuback", V311, "b0 02 0001"},
	{"ping", V311, "c0 00"},
	{"pong", V311, "d0 00"},
	{"disconnect", V311, "e0 00"},
	{"disconnect 5 with will", V5, "e0 01 04"},
	{"disconnect 5, expiry", V5, "e0 07 00 05 11 00000000"},
	{"auth", V5, "f0 06 18 04 15 0001 61"},
}

func sample(t testing.TB, i int) []byte {
	b := hexBytes(t, samples[i].hex)
	if b[0] == 0x10 {
		b[1] = byte(len(b) - 2)
	}
	return b
}

func TestSamplesSurviveDecodingAndEncoding(t *testing.T) {
	t.Parallel()
	for i, s := range samples {
		b := sample(t, i)
		_, again, n, err := decode(b, s.v, 1<<20)
		if err != nil || n != len(b) {
			t.Errorf("%s: %d of %d bytes, %v", s.name, n, len(b), err)
		} else if !bytes.Equal(b, again) {
			t.Errorf("%s: encoded as %x, was %x", s.name, again, b)
		}
		for cut := range b { // a packet that has not all arrived is waited for
			_, _, n, need, err := Split(b[:cut], 1<<20)
			if n != 0 || err != nil || need <= cut || need > len(b) {
				t.Errorf("%s: of %d bytes: n %d, need %d, %v", s.name, cut, n, need, err)
			}
		}
	}
}

func TestConnectIsReadWhole(t *testing.T) {
	t.Parallel()
	got, _, _, err := decode(sample(t, 2), V5, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := Connect{
		Version: V5, CleanStart: true, KeepAlive: 30, ClientID: "id", User: "u", HasUser: true, Password: "p", HasPassword: true,
		Props: Properties{{ID: SessionExpiry, Num: 60}},
		Will: &Will{Topic: "a/b", Payload: []byte("of"), QoS: 1, Retain: true,
			Props: Properties{{ID: WillDelay, Num: 15}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestBreachesAreRefusedWithTheirCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		v    Version
		hex  string
		code Code
	}{
		{"type 0", V311, "00 00", Malformed},
		{"QoS 3", V311, "36 05 0001 61 0001", Malformed},
		{"duplicate of QoS 0", V311, "38 03 0001 61", Malformed},
		{"flags of SUBSCRIBE", V311, "80 06 0001 0001 61 00", Malformed},
		{"length of five bytes", V311, "30 80 80 80 80 01", Malformed},
		{"length longer than needed", V311, "30 83 00 0001 61", Malformed},
		{"too large", V311, "30 ff ff ff 7f", TooLarge},
		{"topic with a wildcard", V311, "30 05 0003 612f23", BadTopic},
		{"empty topic", V311, "30 02 0000", ProtocolError},
		{"null character", V311, "30 05 0003 610062", Malformed},
		{"surrogate", V311, "30 05 0003 eda080", Malformed},
		{"identifier 0", V311, "32 05 0001 61 0000", ProtocolError},
		{"SUBSCRIBE of nothing", V311, "82 02 0001", Malformed},
		{"subscription to QoS 3", V311, "82 06 0001 0001 61 03", Malformed},
		{"options of 5 in 3.1.1", V311, "82 06 0001 0001 61 04", Malformed},
		{"property twice", V5, "30 0e 0001 61 0a 02 00000001 02 00000001", ProtocolError},
		{"unknown property", V5, "30 06 0001 61 02 7f 00", Malformed},
		{"property of another packet", V5, "30 09 0001 61 05 11 00000001", ProtocolError},
		{"flag of 2", V5, "30 06 0001 61 02 01 02", ProtocolError},
		{"topic alias 0", V5, "30 06 0000 03 23 0000", BadAlias},
		{"subscription identifier 0", V5, "82 09 0001 02 0b 00 0001 61 00", ProtocolError},
		{"bytes after the end", V311, "40 03 0001 00", Malformed},
		{"field over the end", V311, "30 04 00ff 6161", Malformed},
		{"reserved flag", V311, "10 0d 0004 4d515454 04 03 003c 0001 61", Malformed},
		{"will flags without a will", V311, "10 0d 0004 4d515454 04 22 003c 0001 61", Malformed},
		{"password without a user in 3.1.1", V311, "10 10 0004 4d515454 04 42 003c 0001 61 0001 70", Malformed},
		{"unknown version", V311, "10 0d 0004 4d515454 07 02 003c 0001 61", BadVersion},
	} {
		_, _, _, err := decode(hexBytes(t, c.hex), c.v, 1<<20)
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want code 0x%02x", c.what, err, byte(c.code))
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/B", false}, {"a/+", "a/b", true}, {"a/+", "a/", true}, {"a/+", "a", false},
		{"a/+", "a/b/c", false}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"#", "a/b", true}, {"#", "$SYS/a", false},
		{"+/a", "$SYS/a", false}, {"$SYS/#", "$SYS/a", true}, {"+", "/a", false}, {"+/+", "/a", true}, {"/+", "/a", true},
		{"a/+/c", "a/b/c", true}, {"a/+/c", "a/b/d", false}, {"a/b/c", "a/b", false}, {"+/b/#", "a/b", true},
		{"/", "/", true}, {"a/", "a", false},
	} {
		if got := Match(c.filter, c.topic); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.filter, c.topic, got)
		}
	}
	for filter, good := range map[string]bool{
		"a": true, "#": true, "+": true, "a/#": true, "+/a/#": true, "/": true, "": false, "a#": false, "a/#/b": false,
		"a+": false, "a/+b": false, "##": false, "#/#": false,
	} {
		if err := CheckFilter(filter); (err == nil) != good {
			t.Errorf("CheckFilter(%q): %v", filter, err)
		}
	}
	for f, want := range map[string]bool{"$share/g/a": true, "$share/g": false, "$share//a": false, "$share/+/a": false,
		"$share/g/": false, "a/b": true} {
		if _, _, ok := SplitShare(f); ok != want {
			t.Errorf("SplitShare(%q): %v", f, ok)
		}
	}
}

func TestSetIDChangesTheIdentifierAlone(t *testing.T) {
	t.Parallel()
	for _, v := range []Version{V311, V5} {
		p := Publish{QoS: 1, Topic: strings.Repeat("t", 200), ID: 1, Payload: []byte("x")}
		b, at := AppendPublish(nil, v, p)
		SetID(b, at, 0xabcd, true)
		h, body, _, _, err := Split(b, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParsePublish(h, body, v)
		p.ID, p.Dup = 0xabcd, true
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

// FuzzDecode looks for packets that are decoded and encoded to others, and for lengths that make
// the codec allocate what is not there.
func FuzzDecode(f *testing.F) {
	for i, s := range samples {
		f.Add(byte(s.v), sample(f, i))
	}
	f.Add(byte(5), []byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, version byte, b []byte) {
		v := Version(version)
		if v != V31 && v != V311 {
			v = V5
		}
		got, again, n, err := decode(b, v, 1<<16)
		if err != nil || n == 0 {
			return
		}
		same, third, n, err := decode(again, v, 1<<16+64)
		if err != nil || n != len(again) {
			t.Fatalf("%x was decoded as %+v, and encoded as %x, which is refused: %v", b, got, again, err)
		}
		if !reflect.DeepEqual(got, same) || !bytes.Equal(again, third) {
			t.Fatalf("%+v became %+v", got, same)
		}
	})
}

func BenchmarkAppendPublish(b *testing.B) {
	p := Publish{QoS: 1, Topic: "uh/d/dev/up", ID: 7, Payload: make([]byte, 100)}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = AppendPublish(buf[:0], V311, p)
	}
}
