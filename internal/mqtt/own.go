package mqtt

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/wire"
)

// Readings takes what devices measure.
type Readings interface {
	Report(ctx context.Context, p domain.Principal, d wire.Report) (wire.Reported, error)
	Accept(ctx context.Context, device string, reports []domain.Report) (domain.ReportAck, error)
}

// Describer takes what devices say about themselves, and knows what they said.
type Describer interface {
	Capabilities(ctx context.Context, device string) (domain.Capabilities, error)
	Describe(ctx context.Context, p domain.Principal, c domain.Capabilities) error
}

// Commands has commands delivered, and is told what became of them.
type Commands interface {
	Report(ctx context.Context, p domain.Principal, r domain.CommandReport) error
	Attach(ctx context.Context, device string, deliver func(domain.Command)) (detach func())
}

// The topics under uh/d/DEVICE/.
const (
	topicUp       = "up"       // readings
	topicUpAck    = "up/ack"   // what became of them, to the device
	topicDescribe = "describe" // capabilities
	topicSensor   = "s/"       // and a name: one value
	topicCommands = "c"        // commands, to the device
	topicResult   = "c/res"    // what became of them
	topicAvail    = "avail"
	topicLog      = "log"
)

// onOwn carries out what a device says by a topic of its own. A code says what is wrong with it.
func (c *conn) onOwn(ctx context.Context, m *message) (packet.Code, error) {
	_, rest, ok := ownDevice(m.topic)
	if !ok || len(m.payload) == 0 && m.retain { // the removal of a retained message says nothing
		return packet.Success, nil
	}
	var err error
	switch {
	case rest == topicUp:
		err = c.onReport(ctx, m)
	case rest == topicDescribe:
		err = c.onDescribe(ctx, m)
	case rest == topicResult:
		var r wire.CommandReport
		if err = decode(m.payload, &r); err == nil {
			err = c.s.Commands.Report(ctx, c.who, domain.CommandReport{ID: r.ID, State: domain.CommandState(r.State),
				Progress: r.Progress, Result: r.Result, Error: r.Error})
		}
	case strings.HasPrefix(rest, topicSensor):
		err = c.onValue(ctx, rest[len(topicSensor):], plainValue(string(m.payload)))
	}
	return c.codeOf(ctx, m, err)
}

// codeOf returns the reason code of an error that is the client's.
func (c *conn) codeOf(ctx context.Context, m *message, err error) (packet.Code, error) {
	if err == nil {
		return packet.Success, nil
	}
	code := packet.BadPayload
	switch domain.KindOf(err) {
	case domain.Invalid, domain.TooLarge, domain.NotFound, domain.Conflict:
	case domain.RateLimited:
		code = packet.QuotaExceeded
	case domain.Forbidden:
		code = packet.NotAuthorized
	default:
		return packet.Success, err
	}
	c.s.Log.DebugContext(ctx, "MQTT payload refused", "topic", m.topic, "err", err)
	return code, nil
}

// decode reads a payload of JSON. A field that is not known is an error.
func decode(b []byte, to any) error {
	if err := wire.Decode(b, to); err != nil {
		return domain.Invalid.Errorf(domain.CodeInvalidField, "the payload is not the JSON of this topic").Because(err)
	}
	return nil
}

// onDescribe takes what a device says about itself: capabilities, or an object that has them, as the
// WebSocket has it.
func (c *conn) onDescribe(ctx context.Context, m *message) error {
	var keys map[string]json.RawMessage
	if err := decode(m.payload, &keys); err != nil {
		return err
	}
	var d wire.Describe
	to := any(&d.Capabilities)
	if keys["capabilities"] != nil {
		to = &d
	}
	if err := decode(m.payload, to); err != nil {
		return err
	}
	return c.s.Describer.Describe(ctx, c.who, d.Capabilities)
}

// reportForms are the fields of which a report has one, which an object of values has not.
var reportForms = []string{"readings", "reports", "senml", "senml_cbor"}

// onReport takes readings: a report as the WebSocket has it, or only an object of values. The device is
// told what became of one with a number.
func (c *conn) onReport(ctx context.Context, m *message) error {
	var keys map[string]json.RawMessage
	if err := decode(m.payload, &keys); err != nil {
		return err
	}
	d := wire.Report{Readings: keys}
	if slices.ContainsFunc(reportForms, func(key string) bool { return keys[key] != nil }) {
		d = wire.Report{}
		if err := decode(m.payload, &d); err != nil {
			return err
		}
	}
	done, err := c.s.Readings.Report(ctx, c.who, d)
	if err != nil {
		return err
	}
	if d.Boot == nil {
		if done.Accepted == 0 && len(done.Refused) > 0 {
			return nothingStored(done.Refused[0].Name, done.Refused[0].Reason)
		}
		return nil
	}
	b, err := json.Marshal(done)
	if err != nil {
		return err
	}
	topic := strings.TrimSuffix(m.topic, topicUp) + topicUpAck
	return c.s.say(ctx, c.sess.site, topic, b, m.qos)
}

// onValue takes one reading. An empty text is none.
func (c *conn) onValue(ctx context.Context, name string, v domain.Value) error {
	if v == domain.Text("") {
		return nothingStored(name, string(domain.RefusedText))
	}
	ack, err := c.s.Readings.Accept(ctx, c.who.ID, []domain.Report{{At: c.s.Now(), Quality: domain.ReceivedTime,
		Readings: []domain.Reading{{Name: name, Value: v}}}})
	if err == nil && len(ack.Refused) > 0 {
		err = nothingStored(ack.Refused[0].Name, string(ack.Refused[0].Reason))
	}
	return err
}

// nothingStored is the error of readings that were all refused.
func nothingStored(name, reason string) error {
	return domain.Invalid.Errorf(domain.CodeInvalidField, "nothing of it was stored: %q was refused as %s", name, reason)
}

// plainValue reads a value as nodes write it: a number, a word for on or off, or a text.
func plainValue(s string) domain.Value {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		return domain.Number(n)
	}
	switch strings.ToLower(s) {
	case "true", "on":
		return domain.Bool(true)
	case "false", "off":
		return domain.Bool(false)
	}
	return domain.Text(s)
}

// say publishes a message of the server.
func (s *Service) say(ctx context.Context, t *site, topic string, payload []byte, qos byte) error {
	return s.deliver(ctx, t, &message{site: t.id, topic: topic, payload: payload, qos: qos, open: true},
		domain.MQTTReceived{})
}

// attachDelay is how long after its first SUBSCRIBE a device gets commands: others may follow.
const attachDelay = 300 * time.Millisecond

// attach has commands for the device delivered, soon.
func (c *conn) attach() {
	if c.who.Kind != domain.KindDevice || c.attached || c.s.Commands == nil {
		return
	}
	c.attached = true
	time.AfterFunc(attachDelay, func() {
		detach := c.s.Commands.Attach(c.context(context.Background()), c.who.ID, func(cmd domain.Command) {
			go c.carryOut(cmd) // Attach must not wait for the store
		})
		c.commands.Lock()
		defer c.commands.Unlock()
		if c.commandsEnd {
			detach()
			return
		}
		c.detach = detach
	})
}

// endCommands undoes attach.
func (c *conn) endCommands() {
	c.commands.Lock()
	defer c.commands.Unlock()
	c.commandsEnd = true
	if c.detach != nil {
		c.detach()
		c.detach = nil
	}
}

// carryOut gives a command to the device: as what it announced it understands, or on its own topic.
func (c *conn) carryOut(cmd domain.Command) {
	ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
	defer cancel()
	done, err := c.order(ctx, cmd)
	if err == nil && !done {
		var b []byte
		if b, err = json.Marshal(wire.FromCommand(cmd)); err == nil {
			err = c.s.say(ctx, c.sess.site, ownPrefix+"d/"+c.who.ID+"/"+topicCommands, b, 1)
		}
	}
	if err != nil {
		c.s.Log.WarnContext(ctx, "cannot give a command to an MQTT client", "command", cmd.ID, "err", err)
	}
}
