package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Improv over a serial line (improv-wifi.com/serial): a device that is connected by a cable is told the network.
// Nothing is encrypted on the line, and nothing but the network can be told.

const improvMark = "IMPROV"

const improvVersion = 1

// Kinds of packets, commands, and states of the device.
const (
	improvState  = 1
	improvError  = 2
	improvRPC    = 3
	improvResult = 4

	improvWiFi = 1
	improvAsk  = 2

	improvAuthorized  = 2
	improvProvisioned = 4
)

// improvErrors are what a device says that went wrong.
var improvErrors = map[byte]string{1: "it did not understand the packet", 2: "it does not know the command",
	3: "it cannot join the network: is the password right, and the network one of 2.4 GHz?", 4: "it asks for a button",
	5: "the name is none for a host"}

// improvPacket makes a packet: mark, version, kind, length, data, the sum of all that, and an end of line.
func improvPacket(kind byte, data []byte) []byte {
	b := append([]byte(improvMark), improvVersion, kind, byte(len(data)))
	b = append(b, data...)
	return append(b, checksum(b), '\n')
}

func checksum(b []byte) (sum byte) {
	for _, v := range b {
		sum += v
	}
	return sum
}

func improvCommand(command byte, texts ...string) []byte {
	var data []byte
	for _, t := range texts {
		data = append(append(data, byte(len(t))), t...)
	}
	return improvPacket(improvRPC, append([]byte{command, byte(len(data))}, data...))
}

// An improvReader finds packets among what a device says.
type improvReader struct {
	r io.ByteReader
	b []byte // what may be the beginning of a packet, with what follows it
}

// next returns the next packet that is whole. What the device logs between packets is skipped, and so are packets
// whose sum is wrong: another one may begin within these.
func (r *improvReader) next() (kind byte, data []byte, err error) {
	const head = len(improvMark) + 3
	for {
		for len(r.b) > 0 && !improvBegins(r.b) {
			r.b = r.b[1:]
		}
		if len(r.b) < head || len(r.b) < head+int(r.b[head-1])+1 {
			c, err := r.r.ReadByte()
			if err != nil {
				return 0, nil, err
			}
			r.b = append(r.b, c)
			continue
		}
		end := head + int(r.b[head-1])
		if checksum(r.b[:end]) == r.b[end] {
			kind, data = r.b[head-2], r.b[head:end:end]
			r.b = r.b[end+1:]
			return kind, data, nil
		}
		r.b = r.b[1:]
	}
}

// improvBegins says whether b may be the beginning of a packet. States and errors have one byte: so what only looks
// like one swallows nothing.
func improvBegins(b []byte) bool {
	n := min(len(b), len(improvMark))
	if string(b[:n]) != improvMark[:n] {
		return false
	}
	rest := b[n:]
	switch {
	case len(rest) == 0:
		return true
	case rest[0] != improvVersion, len(rest) > 1 && (rest[1] < improvState || rest[1] > improvResult):
		return false
	}
	return len(rest) < 3 || rest[1] > improvError || rest[2] == 1
}

func checkNetwork(ssid, password string) error {
	if len(ssid) == 0 || len(ssid) > 32 || len(password) > 64 {
		return errors.New("a network has a name of 1 to 32 bytes, and a password of at most 64")
	}
	return nil
}

// Improv tells a device on a serial line the network, and returns what address it names for going on, if any. When ctx
// ends, the line is closed.
func Improv(ctx context.Context, line io.ReadWriteCloser, ssid, password string) (next string, err error) {
	if err := checkNetwork(ssid, password); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = line.Close() })
	defer stop()
	told, next, err := improv(byteReader{line}, line, ssid, password)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
		if !told {
			err = fmt.Errorf("nothing on this line answers by Improv; is it that of the device? %w", err)
		}
	}
	return next, err
}

// improv says, too, whether the device has answered and was told the network.
func improv(r io.ByteReader, w io.Writer, ssid, password string) (told bool, next string, err error) {
	if _, err := w.Write(improvCommand(improvAsk)); err != nil {
		return false, "", err
	}
	packets := improvReader{r: r}
	for {
		kind, data, err := packets.next()
		switch {
		case err != nil:
			return told, "", err
		case kind == improvError && len(data) == 1 && data[0] != 0:
			return told, "", improvFailed(data[0])
		case kind == improvState && len(data) == 1 && !told:
			// Whether it is in a network already or not: it is told another one.
			if data[0] != improvAuthorized && data[0] != improvProvisioned {
				continue
			}
			told = true
			if _, err := w.Write(improvCommand(improvWiFi, ssid, password)); err != nil {
				return told, "", err
			}
		case kind == improvResult && told && len(data) >= 2 && data[0] == improvWiFi:
			return told, firstText(data[2:]), nil
		}
	}
}

func improvFailed(code byte) error {
	if text := improvErrors[code]; text != "" {
		return fmt.Errorf("the device says that %s", text)
	}
	return fmt.Errorf("the device says that something failed (%d)", code)
}

// firstText returns the first text of a result.
func firstText(b []byte) string {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return ""
	}
	return string(b[1 : 1+b[0]])
}

// A byteReader reads a byte at a time: what follows a packet stays on the line.
type byteReader struct{ r io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r.r, b[:])
	return b[0], err
}
