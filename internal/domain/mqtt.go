package domain

import "time"

// RetainedMessage is the last message of an MQTT topic, which new subscribers get at once.
type RetainedMessage struct {
	Site    string // the owner of the devices that share topics
	Topic   string
	Device  string // that published it; empty: the owner, or the server
	Payload []byte // none: the topic has no retained message
	QoS     byte
	Props   []byte // properties of MQTT 5, encoded; may be nil
	At      time.Time
	Expires time.Time // zero: never
}
