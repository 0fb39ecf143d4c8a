package packet

import "encoding/binary"

// PropID names a property.
type PropID byte

// The properties.
const (
	PayloadFormat        PropID = 1
	MessageExpiry        PropID = 2
	ContentType          PropID = 3
	ResponseTopic        PropID = 8
	CorrelationData      PropID = 9
	SubscriptionID       PropID = 11
	SessionExpiry        PropID = 17
	AssignedClientID     PropID = 18
	ServerKeepAlive      PropID = 19
	AuthMethod           PropID = 21
	AuthData             PropID = 22
	RequestProblemInfo   PropID = 23
	WillDelay            PropID = 24
	RequestResponseInfo  PropID = 25
	ResponseInfo         PropID = 26
	ServerReference      PropID = 28
	ReasonString         PropID = 31
	ReceiveMaximum       PropID = 33
	TopicAliasMaximum    PropID = 34
	TopicAlias           PropID = 35
	MaximumQoS           PropID = 36
	RetainAvailable      PropID = 37
	UserProperty         PropID = 38
	MaximumPacketSize    PropID = 39
	WildcardAvailable    PropID = 40
	SubscriptionIDsAvail PropID = 41
	SharedAvailable      PropID = 42
)

// Property is one property. Num is a number; Text is a string, binary data, or the name of a
// user property, whose value is Value.
type Property struct {
	ID          PropID
	Num         uint32
	Text, Value string
}

// Properties are those of a packet, in their order.
type Properties []Property

// Num returns the number of a property; ok is false without it.
func (ps Properties) Num(id PropID) (n uint32, ok bool) {
	for _, p := range ps {
		if p.ID == id {
			return p.Num, true
		}
	}
	return 0, false
}

// Text returns the text of a property; ok is false without it.
func (ps Properties) Text(id PropID) (s string, ok bool) {
	for _, p := range ps {
		if p.ID == id {
			return p.Text, true
		}
	}
	return "", false
}

type kind byte

const (
	none   kind = iota
	flag        // a byte, 0 or 1
	short       // two bytes
	long        // four bytes
	varint      // 1 to 4 bytes, not 0
	text        // a string
	data        // bytes
	pair        // two strings
)

// will is where the properties of a will are, beside the packet types.
const will Type = 16

type rule struct {
	kind kind
	in   uint32 // a bit for each Type
	zero bool   // 0 is not allowed
}

func in(types ...Type) (bits uint32) {
	for _, t := range types {
		bits |= 1 << t
	}
	return bits
}

var (
	answers = in(CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH)
	// rules is the table of MQTT 5 section 2.2.2.2.
	rules = [...]rule{
		PayloadFormat:        {flag, in(PUBLISH, will), false},
		MessageExpiry:        {long, in(PUBLISH, will), false},
		ContentType:          {text, in(PUBLISH, will), false},
		ResponseTopic:        {text, in(PUBLISH, will), false},
		CorrelationData:      {data, in(PUBLISH, will), false},
		SubscriptionID:       {varint, in(PUBLISH, SUBSCRIBE), true},
		SessionExpiry:        {long, in(CONNECT, CONNACK, DISCONNECT), false},
		AssignedClientID:     {text, in(CONNACK), false},
		ServerKeepAlive:      {short, in(CONNACK), false},
		AuthMethod:           {text, in(CONNECT, CONNACK, AUTH), false},
		AuthData:             {data, in(CONNECT, CONNACK, AUTH), false},
		RequestProblemInfo:   {flag, in(CONNECT), false},
		WillDelay:            {long, in(will), false},
		RequestResponseInfo:  {flag, in(CONNECT), false},
		ResponseInfo:         {text, in(CONNACK), false},
		ServerReference:      {text, in(CONNACK, DISCONNECT), false},
		ReasonString:         {text, answers, false},
		ReceiveMaximum:       {short, in(CONNECT, CONNACK), true},
		TopicAliasMaximum:    {short, in(CONNECT, CONNACK), false},
		TopicAlias:           {short, in(PUBLISH), true},
		MaximumQoS:           {flag, in(CONNACK), false},
		RetainAvailable:      {flag, in(CONNACK), false},
		UserProperty:         {pair, in(CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, will) | answers, false},
		MaximumPacketSize:    {long, in(CONNECT, CONNACK), true},
		WildcardAvailable:    {flag, in(CONNACK), false},
		SubscriptionIDsAvail: {flag, in(CONNACK), false},
		SharedAvailable:      {flag, in(CONNACK), false},
	}
)

// maxProperties bounds those of one packet: user properties may repeat without end.
const maxProperties = 64

// properties reads the properties of a packet of MQTT 5. Of another version there are none.
func (r *reader) properties(v Version, of Type) Properties {
	if v < V5 || r.err != nil {
		return nil
	}
	b := r.take(int(r.varint()))
	if len(b) == 0 {
		return nil
	}
	inner := reader{b: b}
	var ps Properties
	var seen uint64
	for len(inner.b) > 0 && inner.err == nil {
		p := inner.property(of)
		repeats := p.ID == UserProperty || p.ID == SubscriptionID && of == PUBLISH
		switch {
		case inner.err != nil:
		case !repeats && seen&(1<<p.ID) != 0:
			inner.fail(violation("property %d is there twice", p.ID))
		case len(ps) == maxProperties:
			inner.fail(&Error{QuotaExceeded, "the packet has too many properties"})
		}
		seen |= 1 << p.ID
		ps = append(ps, p)
	}
	if inner.err != nil {
		r.fail(inner.err)
		return nil
	}
	return ps
}

func (r *reader) property(of Type) (p Property) {
	id := r.varint()
	if id >= uint32(len(rules)) || rules[id].kind == none {
		r.fail(malformed("there is no property %d", id))
		return p
	}
	p.ID = PropID(id)
	u := rules[id]
	if u.in&(1<<of) == 0 {
		r.fail(violation("property %d is not allowed there", id))
		return p
	}
	switch u.kind {
	case flag:
		if p.Num = uint32(r.byte()); p.Num > 1 {
			r.fail(violation("property %d is 0 or 1", id))
		}
	case short:
		p.Num = uint32(r.uint16())
	case long:
		p.Num = r.uint32()
	case varint:
		p.Num = r.varint()
	case text:
		p.Text = r.text()
	case data:
		p.Text = string(r.binary())
	case pair:
		p.Text, p.Value = r.text(), r.text()
	}
	if u.zero && p.Num == 0 && r.err == nil {
		code := ProtocolError
		if p.ID == TopicAlias {
			code = BadAlias
		}
		r.fail(&Error{code, "a property that cannot be 0 is 0"})
	}
	return p
}

// appendProperties appends the properties with their length; nothing for versions without them.
func appendProperties(b []byte, v Version, ps Properties) []byte {
	if v < V5 {
		return b
	}
	b = appendVarint(b, uint32(ps.size()))
	for _, p := range ps {
		b = append(b, byte(p.ID))
		switch rules[p.ID].kind {
		case flag:
			b = append(b, byte(p.Num))
		case short:
			b = binary.BigEndian.AppendUint16(b, uint16(p.Num))
		case long:
			b = binary.BigEndian.AppendUint32(b, p.Num)
		case varint:
			b = appendVarint(b, p.Num)
		case pair:
			b = appendText(appendText(b, p.Text), p.Value)
		default:
			b = appendText(b, p.Text)
		}
	}
	return b
}

// size returns the length of the encoded properties without that of the length itself.
func (ps Properties) size() (n int) {
	for _, p := range ps {
		n++
		switch rules[p.ID].kind {
		case flag:
			n++
		case short:
			n += 2
		case long:
			n += 4
		case varint:
			n += varintLen(int(p.Num))
		case pair:
			n += 4 + min(len(p.Text), 0xffff) + min(len(p.Value), 0xffff)
		default:
			n += 2 + min(len(p.Text), 0xffff)
		}
	}
	return n
}

func propertiesLen(v Version, ps Properties) int {
	if v < V5 {
		return 0
	}
	n := ps.size()
	return varintLen(n) + n
}
