package mqtt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
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
	// Leaves takes that a device will be away for some time, on purpose.
	Leaves(ctx context.Context, p domain.Principal, reason string, backIn time.Duration) error
	// Note adds to the log of a device. It does not block.
	Note(device string, n domain.DeviceNote)
}

// Commands has commands delivered, and is told what became of them.
type Commands interface {
	Report(ctx context.Context, p domain.Principal, r domain.CommandReport) error
	Attach(ctx context.Context, device string, deliver func(domain.Command)) (detach func())
}

// Settings has devices told what is to be set on them, and takes what they say to that.
type Settings interface {
	Attach(ctx context.Context, device string, deliver func(domain.Shadow)) (detach func())
	Report(ctx context.Context, p domain.Principal, r domain.SettingsReport) error
}

// The topics under uh/d/DEVICE/.
const (
	topicUp          = "up"           // readings
	topicUpAck       = "up/ack"       // what became of them, to the device
	topicDescribe    = "describe"     // capabilities
	topicSensor      = "s/"           // and a name: one value
	topicCommands    = "c"            // commands, to the device
	topicResult      = "c/res"        // what became of them
	topicSettings    = "settings"     // what is to be set, to the device
	topicSettingsRes = "settings/res" // what became of it
	topicBye         = "bye"          // that the device will be away, on purpose
	topicAvail       = "avail"
	topicLog         = "log"
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
				Progress: r.Progress, Result: r.Result, Error: r.Error, Trace: traceparentOf(m.props)})
		}
	case rest == topicSettingsRes:
		var r wire.SettingsReport
		if err = decode(m.payload, &r); err == nil {
			err = c.s.Settings.Report(ctx, c.who, domain.SettingsReport{Version: r.Version, Values: r.Settings,
				Errors: r.Errors})
		}
	case rest == topicBye:
		var d wire.Bye
		if err = decode(m.payload, &d); err == nil {
			err = c.s.Describer.Leaves(ctx, c.who, d.Reason, domain.Seconds(d.BackIn))
		}
	case rest == topicFirmware || rest == topicProgress || rest == topicRead || rest == topicCrash:
		err = c.onFirmware(ctx, m, rest)
	case rest == topicRPC:
		err = c.onAnswer(ctx, m)
	case rest == topicLog:
		c.s.Describer.Note(c.who.ID, domain.DeviceNote{Kind: domain.NoteDevice, Subject: string(m.payload)})
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
	if !errors.Is(err, errNothingStored) { // which telemetry has noted
		c.note(m.topic, string(domain.CodeOf(err)), wire.FromError(err).Detail)
	}
	return code, nil
}

// decode reads a payload of JSON. A field that is not known is an error.
func decode(b []byte, to any) error {
	if err := wire.Decode(b, to); err != nil {
		return domain.Invalid.Errorf(domain.CodeInvalidField, "the payload is not the JSON of this topic: %v", err)
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
var reportForms = []string{"readings", "reports", "senml", "senml_cbor", "packed"}

// reportOf reads a report as the WebSocket has it, only an object of values, a SenML pack in CBOR, or a
// packed batch. The first byte of these two is that of an array or of a map of CBOR.
func reportOf(payload []byte) (d wire.Report, err error) {
	if len(payload) > 0 && payload[0]&0xe0 == 0x80 {
		return wire.Report{SenMLCBOR: base64.StdEncoding.EncodeToString(payload)}, nil
	}
	if len(payload) > 0 && payload[0]&0xe0 == 0xa0 {
		return wire.Report{Packed: base64.StdEncoding.EncodeToString(payload)}, nil
	}
	var keys map[string]json.RawMessage
	if err := decode(payload, &keys); err != nil {
		return d, err
	}
	if slices.ContainsFunc(reportForms, func(key string) bool { return keys[key] != nil }) {
		return d, decode(payload, &d)
	}
	return wire.Report{Readings: keys}, nil
}

// onReport takes readings. The device is told what became of those with a number.
func (c *conn) onReport(ctx context.Context, m *message) error {
	d, err := reportOf(m.payload)
	if err != nil {
		return err
	}
	done, err := c.s.Readings.Report(ctx, c.who, d)
	if err != nil {
		return err
	}
	if d.Boot == nil && d.Packed == "" {
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
	return domain.Invalid.Errorf(domain.CodeInvalidField, "nothing of it was stored: %q was refused as %s", name,
		reason).Because(errNothingStored)
}

var errNothingStored = errors.New("all readings were refused")

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
func (s *Service) say(
	ctx context.Context, t *site, topic string, payload []byte, qos byte, props ...packet.Property,
) error {
	return s.deliver(ctx, t, &message{site: t.id, topic: topic, payload: payload, qos: qos, open: true, props: props},
		domain.MQTTReceived{})
}
