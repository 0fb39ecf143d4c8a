package provision

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// A message is one of protocol buffers: its fields, in their order. The messages of provisioning have only numbers,
// bytes and other messages.
type message []field

type field struct {
	num   int
	n     uint64
	bytes []byte // nil: n
}

var errMessage = errors.New("the device answers what is no message of its protocol")

// parse reads a message. Fields of other kinds are left out.
func parse(b []byte) (m message, err error) {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, errMessage
		}
		b = b[n:]
		f := field{num: int(num)}
		switch kind {
		case protowire.VarintType:
			f.n, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
			f.bytes = append([]byte{}, f.bytes...)
		default:
			n = protowire.ConsumeFieldValue(num, kind, b)
			f.num = 0
		}
		if n < 0 {
			return nil, errMessage
		}
		if b = b[n:]; f.num != 0 {
			m = append(m, f)
		}
	}
	return m, nil
}

// with adds a number. Zero is left out, as proto3 does.
func (m message) with(num int, v uint64) message {
	if v == 0 {
		return m
	}
	return append(m, field{num: num, n: v})
}

// bytes adds bytes, or a message.
func (m message) bytes(num int, v []byte) message {
	return append(m, field{num: num, bytes: append([]byte{}, v...)})
}

func (m message) encode() (b []byte) {
	for _, f := range m {
		if f.bytes == nil {
			b = protowire.AppendTag(b, protowire.Number(f.num), protowire.VarintType)
			b = protowire.AppendVarint(b, f.n)
			continue
		}
		b = protowire.AppendTag(b, protowire.Number(f.num), protowire.BytesType)
		b = protowire.AppendBytes(b, f.bytes)
	}
	return b
}

// last returns the last field of a number, which counts.
func (m message) last(num int) (f field, ok bool) {
	for _, v := range m {
		if v.num == num {
			f, ok = v, true
		}
	}
	return f, ok
}

func (m message) number(num int) uint64 {
	f, _ := m.last(num)
	return f.n
}

func (m message) get(num int) []byte {
	f, _ := m.last(num)
	return f.bytes
}

func (m message) all(num int) (all [][]byte) {
	for _, f := range m {
		if f.num == num {
			all = append(all, f.bytes)
		}
	}
	return all
}

// message returns the message in a field, which must be there.
func (m message) message(num int) (message, error) {
	f, ok := m.last(num)
	if !ok || f.bytes == nil {
		return nil, errMessage
	}
	return parse(f.bytes)
}

// Numbers of fields, and of kinds of messages, as protocomm and network_provisioning have them.
const (
	fieldSecVer = 2
	fieldMsg    = 1
	fieldStatus = 1

	fieldSSID         = 1
	fieldPassphrase   = 2
	fieldStationState = 2
	fieldFailReason   = 10
	fieldConnected    = 11
	fieldIP           = 1
	fieldScanStatus   = 2

	msgGetStatus   = 0
	msgSetConfig   = 2
	msgApplyConfig = 4
	msgScanStart   = 0
	msgScanStatus  = 2
	msgScanResult  = 4

	stationConnected = 0
	stationFailed    = 3
)
