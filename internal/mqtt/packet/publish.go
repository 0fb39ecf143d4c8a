package packet

import "encoding/binary"

// Publish is PUBLISH.
type Publish struct {
	Dup     bool
	QoS     byte
	Retain  bool
	Topic   string // may be empty in MQTT 5, with a topic alias
	ID      uint16 // of QoS 1 and 2
	Props   Properties
	Payload []byte
}

// ParsePublish reads the body of a PUBLISH. The payload shares its memory.
func ParsePublish(h Header, body []byte, v Version) (p Publish, err error) {
	p.Dup, p.QoS, p.Retain = h.Flags&8 != 0, h.Flags>>1&3, h.Flags&1 != 0
	r := reader{b: body}
	p.Topic = r.text()
	if p.QoS > 0 {
		p.ID = r.id()
	}
	p.Props = r.properties(v, PUBLISH)
	if r.err != nil {
		return p, r.err
	}
	p.Payload = r.b
	if p.Topic == "" {
		if _, ok := p.Props.Num(TopicAlias); ok {
			return p, nil
		}
	}
	if t, ok := p.Props.Text(ResponseTopic); ok && CheckTopic(t) != nil {
		return p, violation("the response topic is no topic")
	}
	return p, CheckTopic(p.Topic)
}

// AppendPublish appends p and returns where its packet identifier is, for SetID; 0 if it has
// none. What it appends depends on nothing but its arguments: it may be sent to many.
func AppendPublish(b []byte, v Version, p Publish) (out []byte, id int) {
	flags := p.QoS << 1
	if p.Dup {
		flags |= 8
	}
	if p.Retain {
		flags |= 1
	}
	topic := p.Topic[:min(len(p.Topic), 0xffff)]
	length := 2 + len(topic) + propertiesLen(v, p.Props) + len(p.Payload)
	if p.QoS > 0 {
		length += 2
	}
	b = appendText(appendHeader(b, PUBLISH, flags, length), topic)
	if p.QoS > 0 {
		id = len(b)
		b = binary.BigEndian.AppendUint16(b, p.ID)
	}
	return append(appendProperties(b, v, p.Props), p.Payload...), id
}

// SetID changes the packet identifier, and whether it is sent again, of a PUBLISH that starts b.
func SetID(b []byte, at int, id uint16, dup bool) {
	binary.BigEndian.PutUint16(b[at:], id)
	if dup {
		b[0] |= 8
	}
}

// Ack is PUBACK, PUBREC, PUBREL or PUBCOMP. Before MQTT 5 it has an identifier alone.
type Ack struct {
	ID    uint16
	Code  Code
	Props Properties
}

// ParseAck reads the body of one of the four.
func ParseAck(t Type, body []byte, v Version) (a Ack, err error) {
	r := reader{b: body}
	a.ID = r.id()
	if v == V5 && len(r.b) > 0 {
		a.Code = Code(r.byte())
		if len(r.b) > 0 {
			a.Props = r.properties(v, t)
		}
	}
	return a, r.end()
}

// AppendAck appends a, as short as it can be.
func AppendAck(b []byte, t Type, v Version, a Ack) []byte {
	flags := byte(0)
	if t == PUBREL {
		flags = 2
	}
	if v < V5 || a.Code == Success && len(a.Props) == 0 {
		return binary.BigEndian.AppendUint16(appendHeader(b, t, flags, 2), a.ID)
	}
	length := 3
	if len(a.Props) > 0 {
		length += propertiesLen(v, a.Props)
	}
	b = binary.BigEndian.AppendUint16(appendHeader(b, t, flags, length), a.ID)
	b = append(b, byte(a.Code))
	if len(a.Props) > 0 {
		b = appendProperties(b, v, a.Props)
	}
	return b
}
