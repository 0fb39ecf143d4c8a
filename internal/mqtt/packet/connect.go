package packet

import "encoding/binary"

// Connect is CONNECT.
type Connect struct {
	Version     Version
	CleanStart  bool
	KeepAlive   uint16 // seconds; 0: none
	ClientID    string
	Will        *Will // nil: none
	User        string
	HasUser     bool
	Password    string
	HasPassword bool
	Props       Properties
}

// Will is the message that a server publishes for a client that is gone.
type Will struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
	Props   Properties
}

// The flags of CONNECT.
const (
	cleanFlag    = 1 << 1
	willFlag     = 1 << 2
	willRetain   = 1 << 5
	passwordFlag = 1 << 6
	userFlag     = 1 << 7
)

// ParseConnect reads the body of a CONNECT. Of one with an unknown protocol level only Version
// is set, and the error has the code BadVersion.
func ParseConnect(body []byte) (c Connect, err error) {
	r := reader{b: body}
	name := r.text()
	c.Version = Version(r.byte())
	if r.err != nil {
		return c, r.err
	}
	if known := name == "MQTT" && (c.Version == V311 || c.Version == V5) || name == "MQIsdp" && c.Version == V31; !known {
		return c, &Error{BadVersion, "this server speaks MQTT 3.1, 3.1.1 and 5.0"}
	}
	flags := r.byte()
	c.KeepAlive = r.uint16()
	c.CleanStart, c.HasUser, c.HasPassword = flags&cleanFlag != 0, flags&userFlag != 0, flags&passwordFlag != 0
	if err := c.checkConnectFlags(flags); err != nil {
		return c, err
	}
	c.Props = r.properties(c.Version, CONNECT)
	c.ClientID = r.text()
	if flags&willFlag != 0 {
		c.Will = &Will{QoS: flags >> 3 & 3, Retain: flags&willRetain != 0}
		c.Will.Props = r.properties(c.Version, will)
		c.Will.Topic = r.text()
		c.Will.Payload = append([]byte{}, r.binary()...)
		if r.err == nil {
			r.err = CheckTopic(c.Will.Topic)
		}
	}
	if c.HasUser {
		c.User = r.text()
	}
	if c.HasPassword {
		c.Password = string(r.binary())
	}
	return c, r.end()
}

func (c *Connect) checkConnectFlags(flags byte) error {
	switch {
	case flags&1 != 0:
		return malformed("the reserved flag of CONNECT is set")
	case flags&willFlag == 0 && flags&(willRetain|3<<3) != 0:
		return malformed("there is no will, but it has flags")
	case flags>>3&3 == 3:
		return malformed("there is no QoS 3")
	case c.HasPassword && !c.HasUser && c.Version < V5:
		return malformed("before MQTT 5 a password needs a user name: any word will do")
	}
	return nil
}

// AppendConnect appends c.
func AppendConnect(b []byte, c Connect) []byte {
	name, flags := "MQTT", byte(0)
	if c.Version == V31 {
		name = "MQIsdp"
	}
	set := func(on bool, flag byte) {
		if on {
			flags |= flag
		}
	}
	set(c.CleanStart, cleanFlag)
	set(c.HasUser, userFlag)
	set(c.HasPassword, passwordFlag)
	if w := c.Will; w != nil {
		flags |= willFlag | w.QoS<<3
		set(w.Retain, willRetain)
	}
	body := append(appendText(nil, name), byte(c.Version), flags)
	body = binary.BigEndian.AppendUint16(body, c.KeepAlive)
	body = appendText(appendProperties(body, c.Version, c.Props), c.ClientID)
	if w := c.Will; w != nil {
		body = appendText(appendText(appendProperties(body, c.Version, w.Props), w.Topic), w.Payload)
	}
	if c.HasUser {
		body = appendText(body, c.User)
	}
	if c.HasPassword {
		body = appendText(body, c.Password)
	}
	return append(appendHeader(b, CONNECT, 0, len(body)), body...)
}

func appendHeader(b []byte, t Type, flags byte, length int) []byte {
	return appendVarint(append(b, byte(t)<<4|flags), uint32(length))
}

// Connack is CONNACK. Before MQTT 5 Code is one of the return codes 0 to 5.
type Connack struct {
	Present bool // a session was resumed
	Code    Code
	Props   Properties
}

// The return codes of CONNACK before MQTT 5.
const (
	OldBadVersion     Code = 1
	OldBadClientID    Code = 2
	OldUnavailable    Code = 3
	OldBadCredentials Code = 4
	OldNotAuthorized  Code = 5
)

// ParseConnack reads the body of a CONNACK.
func ParseConnack(body []byte, v Version) (c Connack, err error) {
	r := reader{b: body}
	flags := r.byte()
	if flags > 1 {
		return c, malformed("a reserved flag of CONNACK is set")
	}
	c.Present, c.Code = flags == 1, Code(r.byte())
	c.Props = r.properties(v, CONNACK)
	return c, r.end()
}

// AppendConnack appends c.
func AppendConnack(b []byte, v Version, c Connack) []byte {
	flags := byte(0)
	if c.Present {
		flags = 1
	}
	b = append(appendHeader(b, CONNACK, 0, 2+propertiesLen(v, c.Props)), flags, byte(c.Code))
	return appendProperties(b, v, c.Props)
}
