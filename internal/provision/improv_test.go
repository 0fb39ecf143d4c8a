package provision

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// line is a device on a serial line, which logs between its packets.
func line(t *testing.T, answer func(command string) []string) io.ReadWriteCloser {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _ = here.Close(); _ = there.Close() })
	says := make(chan string, 64) // a line has a buffer
	go func() {
		for text := range says {
			if _, err := io.WriteString(there, text); err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(says)
		for {
			head := make([]byte, 9)
			if _, err := io.ReadFull(there, head); err != nil {
				return
			}
			rest := make([]byte, int(head[8])+2)
			if _, err := io.ReadFull(there, rest); err != nil {
				return
			}
			for _, text := range answer(hex.EncodeToString(append(head, rest...))) {
				says <- text
			}
		}
	}()
	return here
}

// packet is "IMPROV", version 1, kind, length, data, and the sum, written by hand.
func packet(kind byte, data string) string {
	b := "IMPROV\x01" + string([]byte{kind, byte(len(data))}) + data
	var sum byte
	for i := range len(b) {
		sum += b[i]
	}
	return b + string([]byte{sum}) + "\n"
}

// askState is mark, version, kind, length, command, length, sum, end of line.
const askState = "494d50524f560103020200" + "e5" + "0a"

// A device on a cable is told the network, whatever it logs meanwhile, and names where to go on.
func TestImprov(t *testing.T) {
	t.Parallel()
	told := ""
	l := line(t, func(command string) []string {
		if command == askState {
			return []string{"boot: IMPROVIMPR", "I (32) wifi: IMPROV\x01\x01", packet(1, "\x02")[:9], packet(1, "\x02")}
		}
		told = command
		broken := []byte(packet(2, "\x03"))
		broken[len(broken)-2]++
		return []string{packet(1, "\x03"), "log\n", string(broken), packet(1, "\x04"),
			packet(4, "\x01\x14\x13http://192.0.2.9/go")}
	})
	next, err := Improv(t.Context(), l, "Home", "secret home1")
	if err != nil || next != "http://192.0.2.9/go" {
		t.Fatalf("%q, %v", next, err)
	}
	want := packet(3, "\x01\x12\x04Home\x0csecret home1")
	if told != hex.EncodeToString([]byte(want)) {
		t.Errorf("it was told %s, want %x", told, want)
	}
}

// What a device refuses is said in words; one that says nothing is given up.
func TestImprovRefuses(t *testing.T) {
	t.Parallel()
	l := line(t, func(command string) []string {
		if command == askState {
			return []string{packet(1, "\x02"), packet(2, "\x00")}
		}
		return []string{packet(1, "\x03"), packet(2, "\x03"), packet(1, "\x02")}
	})
	if _, err := Improv(t.Context(), l, "Home", "wrong"); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("a wrong password: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("too late")
	silent := line(t, func(string) []string { cancel(late); return nil })
	if _, err := Improv(ctx, silent, "Home", ""); !errors.Is(err, late) ||
		!strings.Contains(err.Error(), "Improv") {
		t.Errorf("a silent device: %v", err)
	}
	for _, ssid := range []string{"", strings.Repeat("x", 33)} {
		if _, err := Improv(t.Context(), l, ssid, ""); err == nil {
			t.Errorf("%q is taken", ssid)
		}
	}
}

// Whatever stands before a packet, it is found.
func FuzzImprov(f *testing.F) {
	f.Add([]byte("IMPROV\x01\x01\x05IMPROV"))
	f.Add([]byte("IMPIMPROV\x01"))
	f.Add([]byte("IMPROV\x01\x04\x20"))
	f.Fuzz(func(t *testing.T, noise []byte) {
		r := improvReader{r: bytes.NewReader(append(noise, []byte(strings.Repeat(packet(1, "\x02"), 60))...))}
		for {
			kind, data, err := r.next()
			if err != nil {
				t.Fatal("no packet after noise")
			}
			if kind == 1 && string(data) == "\x02" {
				return
			}
		}
	})
}
