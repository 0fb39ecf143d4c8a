package packet

import "encoding/binary"

// Filter is one subscription of a SUBSCRIBE.
type Filter struct {
	Topic             string
	QoS               byte
	NoLocal           bool // MQTT 5
	RetainAsPublished bool // MQTT 5
	RetainHandling    byte // MQTT 5: 0 send retained messages, 1 if the subscription is new, 2 never
}

// Subscribe is SUBSCRIBE.
type Subscribe struct {
	ID      uint16
	Props   Properties
	Filters []Filter
}

// MaxFilters bounds those of one SUBSCRIBE or UNSUBSCRIBE.
const MaxFilters = 256

// ParseSubscribe reads the body of a SUBSCRIBE. What the filters look like is not checked: each
// has an answer of its own.
func ParseSubscribe(body []byte, v Version) (s Subscribe, err error) {
	r := reader{b: body}
	s.ID = r.id()
	s.Props = r.properties(v, SUBSCRIBE)
	for r.err == nil && (len(r.b) > 0 || len(s.Filters) == 0) {
		f := Filter{Topic: r.text()}
		o := r.byte()
		f.QoS, f.NoLocal, f.RetainAsPublished, f.RetainHandling = o&3, o&4 != 0, o&8 != 0, o>>4&3
		switch {
		case r.err != nil:
		case f.QoS == 3 || o&0xc0 != 0 || v < V5 && o > 2 || f.RetainHandling == 3:
			r.fail(malformed("a subscription has options that there are not"))
		case len(s.Filters) == MaxFilters:
			r.fail(&Error{QuotaExceeded, "too many subscriptions in one packet"})
		}
		s.Filters = append(s.Filters, f)
	}
	return s, r.end()
}

// AppendSubscribe appends s.
func AppendSubscribe(b []byte, v Version, s Subscribe) []byte {
	body := appendProperties(binary.BigEndian.AppendUint16(nil, s.ID), v, s.Props)
	for _, f := range s.Filters {
		o := f.QoS
		if v == V5 {
			o |= f.RetainHandling << 4
			if f.NoLocal {
				o |= 4
			}
			if f.RetainAsPublished {
				o |= 8
			}
		}
		body = append(appendText(body, f.Topic), o)
	}
	return append(appendHeader(b, SUBSCRIBE, 2, len(body)), body...)
}

// Unsubscribe is UNSUBSCRIBE.
type Unsubscribe struct {
	ID      uint16
	Props   Properties
	Filters []string
}

// ParseUnsubscribe reads the body of an UNSUBSCRIBE.
func ParseUnsubscribe(body []byte, v Version) (u Unsubscribe, err error) {
	r := reader{b: body}
	u.ID = r.id()
	u.Props = r.properties(v, UNSUBSCRIBE)
	for r.err == nil && (len(r.b) > 0 || len(u.Filters) == 0) {
		if len(u.Filters) == MaxFilters {
			r.fail(&Error{QuotaExceeded, "too many subscriptions in one packet"})
		}
		u.Filters = append(u.Filters, r.text())
	}
	return u, r.end()
}

// AppendUnsubscribe appends u.
func AppendUnsubscribe(b []byte, v Version, u Unsubscribe) []byte {
	body := appendProperties(binary.BigEndian.AppendUint16(nil, u.ID), v, u.Props)
	for _, f := range u.Filters {
		body = appendText(body, f)
	}
	return append(appendHeader(b, UNSUBSCRIBE, 2, len(body)), body...)
}

// Suback is SUBACK or UNSUBACK, whose codes are in the order of the filters. An UNSUBACK has none
// before MQTT 5.
type Suback struct {
	ID    uint16
	Props Properties
	Codes []Code
}

// ParseSuback reads the body of a SUBACK or UNSUBACK.
func ParseSuback(t Type, body []byte, v Version) (s Suback, err error) {
	r := reader{b: body}
	s.ID = r.id()
	s.Props = r.properties(v, t)
	if t == UNSUBACK && v < V5 {
		return s, r.end()
	}
	for _, c := range r.b {
		if v < V5 && c > 2 && c != 0x80 {
			return s, malformed("there is no return code %d", c)
		}
		s.Codes = append(s.Codes, Code(c))
	}
	return s, r.err
}

// AppendSuback appends s. Before MQTT 5 every refusal is 0x80.
func AppendSuback(b []byte, t Type, v Version, s Suback) []byte {
	codes := s.Codes
	if t == UNSUBACK && v < V5 {
		codes = nil
	}
	b = appendHeader(b, t, 0, 2+propertiesLen(v, s.Props)+len(codes))
	b = appendProperties(binary.BigEndian.AppendUint16(b, s.ID), v, s.Props)
	for _, c := range codes {
		if v < V5 {
			c = min(c, Unspecified)
		}
		b = append(b, byte(c))
	}
	return b
}

// Disconnect is DISCONNECT, which before MQTT 5 has nothing in it, or AUTH.
type Disconnect struct {
	Code  Code
	Props Properties
}

// ParseDisconnect reads the body of a DISCONNECT or AUTH.
func ParseDisconnect(t Type, body []byte, v Version) (d Disconnect, err error) {
	r := reader{b: body}
	if v == V5 && len(r.b) > 0 {
		d.Code = Code(r.byte())
		if len(r.b) > 0 {
			d.Props = r.properties(v, t)
		}
	}
	return d, r.end()
}

// AppendDisconnect appends d, as short as it can be.
func AppendDisconnect(b []byte, t Type, v Version, d Disconnect) []byte {
	switch {
	case v < V5 || d.Code == Success && len(d.Props) == 0:
		return appendHeader(b, t, 0, 0)
	case len(d.Props) == 0:
		return append(appendHeader(b, t, 0, 1), byte(d.Code))
	}
	b = append(appendHeader(b, t, 0, 1+propertiesLen(v, d.Props)), byte(d.Code))
	return appendProperties(b, v, d.Props)
}

// Ping and Pong are PINGREQ and PINGRESP. They are shared, and not to be changed.
var (
	Ping = []byte{byte(PINGREQ) << 4, 0}
	Pong = []byte{byte(PINGRESP) << 4, 0}
)
