// Package packet is the codec of MQTT 3.1.1 and 5.0 (OASIS): its 15 control packets and 27
// properties, for servers and clients. It checks form and decides nothing else. It does no
// input or output and keeps no buffer. A length is checked before anything is allocated for it.
package packet

import "fmt"

// Type is the type of a control packet.
type Type byte

// The types.
const (
	CONNECT Type = iota + 1
	CONNACK
	PUBLISH
	PUBACK
	PUBREC
	PUBREL
	PUBCOMP
	SUBSCRIBE
	SUBACK
	UNSUBSCRIBE
	UNSUBACK
	PINGREQ
	PINGRESP
	DISCONNECT
	AUTH
)

var typeNames = [...]string{"0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
	"SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"}

func (t Type) String() string { return typeNames[t&15] }

// Version is the protocol level of CONNECT.
type Version byte

// The versions. MQTT 3.1 differs from 3.1.1 only in its name in CONNECT and in what ids may be.
const (
	V31  Version = 3
	V311 Version = 4
	V5   Version = 5
)

// Code is a reason code of MQTT 5. 3.1.1 has return codes of its own; see CONNACK.
type Code byte

// The reason codes that this server uses.
const (
	Success             Code = 0x00
	GrantedQoS1         Code = 0x01
	GrantedQoS2         Code = 0x02
	WithWill            Code = 0x04
	NoSubscribers       Code = 0x10
	NoSubscription      Code = 0x11
	Unspecified         Code = 0x80
	Malformed           Code = 0x81
	ProtocolError       Code = 0x82
	ImplementationError Code = 0x83
	BadVersion          Code = 0x84
	BadClientID         Code = 0x85
	BadCredentials      Code = 0x86
	NotAuthorized       Code = 0x87
	Unavailable         Code = 0x88
	Busy                Code = 0x89
	BadAuthMethod       Code = 0x8c
	ShuttingDown        Code = 0x8b
	KeepAliveTimeout    Code = 0x8d
	TakenOver           Code = 0x8e
	BadFilter           Code = 0x8f
	BadTopic            Code = 0x90
	IDInUse             Code = 0x91
	UnknownID           Code = 0x92
	TooMany             Code = 0x93
	BadAlias            Code = 0x94
	TooLarge            Code = 0x95
	RateTooHigh         Code = 0x96
	QuotaExceeded       Code = 0x97
	Administrative      Code = 0x98
	BadPayload          Code = 0x99
	ConnectionRate      Code = 0x9f
)

// Error is a breach of the protocol by the other side. Code is the reason to tell it.
type Error struct {
	Code Code
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("mqtt: %s (0x%02x)", e.Text, byte(e.Code)) }

func malformed(format string, args ...any) error {
	return &Error{Malformed, fmt.Sprintf(format, args...)}
}

func violation(format string, args ...any) error {
	return &Error{ProtocolError, fmt.Sprintf(format, args...)}
}

// Header is the fixed header of a packet.
type Header struct {
	Type   Type
	Flags  byte
	Length int // of what follows the header
}

// MaxLength is the longest that the rest of a packet can be.
const MaxLength = 1<<28 - 1

// MaxHeader is the length of the longest fixed header.
const MaxHeader = 5

// Split reads the packet at the start of b, and returns how many bytes it takes. If b does not
// hold the whole of it, n is 0, and need says how many bytes it has at least. A packet of more
// than limit bytes is refused with TooLarge before it is there.
func Split(b []byte, limit int) (h Header, body []byte, n, need int, err error) {
	if len(b) == 0 {
		return h, nil, 0, 2, nil
	}
	h.Type, h.Flags = Type(b[0]>>4), b[0]&15
	if err := checkFlags(h); err != nil {
		return h, nil, 0, 0, err
	}
	length, size := 0, 0
	for shift := 0; ; shift += 7 {
		if size == 4 {
			return h, nil, 0, 0, malformed("the length is more than four bytes long")
		}
		if 1+size >= len(b) {
			return h, nil, 0, len(b) + 1, nil
		}
		c := b[1+size]
		size++
		length |= int(c&0x7f) << shift
		if c < 0x80 {
			if c == 0 && size > 1 {
				return h, nil, 0, 0, malformed("the length has more bytes than it needs")
			}
			break
		}
	}
	h.Length, n = length, 1+size+length
	if n > limit {
		return h, nil, 0, 0, &Error{TooLarge, fmt.Sprintf("a packet may have %d bytes, not %d", limit, n)}
	}
	if len(b) < n {
		return h, nil, 0, n, nil
	}
	return h, b[1+size : n], n, 0, nil
}

// checkFlags refuses flags that the type does not have.
func checkFlags(h Header) error {
	want := byte(0)
	switch h.Type {
	case 0:
		return malformed("there is no packet type 0")
	case PUBLISH:
		if h.Flags>>1&3 == 3 {
			return malformed("there is no QoS 3")
		}
		if h.Flags&0xe == 8 {
			return malformed("a message of QoS 0 cannot be a duplicate")
		}
		return nil
	case PUBREL, SUBSCRIBE, UNSUBSCRIBE:
		want = 2
	}
	if h.Flags != want {
		return malformed("the flags of %s are %d, not %d", h.Type, h.Flags, want)
	}
	return nil
}
