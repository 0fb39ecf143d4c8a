package domain

import "time"

// RetainedMessage is the last message of an MQTT topic, which new subscribers get at once.
type RetainedMessage struct {
	Site    string // the owner of the devices that share topics
	Topic   string
	Device  string // that published it, a controller as well; empty: the owner, or the server
	Open    bool   // no device has published it, but the owner, a controller or the server; read only
	Payload []byte // none: the topic has no retained message
	QoS     byte
	Props   []byte // properties of MQTT 5, encoded; may be nil
	At      time.Time
	Expires time.Time // zero: never
}

// MQTTSession is a session of an MQTT client that outlives its connections.
type MQTTSession struct {
	ID        string
	Site      string
	Principal string
	Access    DeviceAccess // of the principal, if that is a device
	Client    string       // client id
	Expiry    uint32       // seconds after the end of a connection
	Conn      string       // the connection that has it, or had it last
	ExpiresAt time.Time
	Subs      []MQTTSubscription
}

// MQTTSubscription is a subscription of such a session.
type MQTTSubscription struct {
	Filter  string
	Options byte   // as in SUBSCRIBE
	Number  uint32 // subscription identifier; 0: none
}

// QueuedMessage is a message of QoS 1 or 2 for such a session.
type QueuedMessage struct {
	Seq      int64
	Session  string
	PacketID uint16 // 0: it was not sent yet
	Released bool   // of QoS 2: the client has it
	Topic    string
	Payload  []byte
	QoS      byte
	Retain   bool
	Props    []byte   // properties of MQTT 5, encoded; may be nil
	Numbers  []uint32 // subscription identifiers
	Expires  time.Time
}

// MQTTReceived names a message of QoS 2 that a client has sent.
type MQTTReceived struct {
	Session  string // empty: it is not remembered
	PacketID uint16
}
