package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// More topics under uh/d/DEVICE/: of firmware.
const (
	topicFirmware = "firmware"          // what it runs
	topicOffer    = "firmware/offer"    // an update, to the device
	topicProgress = "firmware/progress" // how far it is with it
	topicAction   = "firmware/action"   // whether to go on, to the device
	topicRead     = "firmware/read"     // asks for a part of an image
	topicData     = "firmware/data/"    // and an offset: that part, to the device
	topicCrash    = "crash"             // why it crashed
)

// Updates has devices told of updates of their firmware, and takes what they say of it.
type Updates interface {
	// AttachLoader tells a connection of a device of updates, until detach is called. deliver and load do not block.
	// nonce returns the one that an offer must have, or nothing if the device has reported none by this connection. load
	// has the device load an image over HTTP.
	AttachLoader(
		device string, nonce func() string, deliver func(domain.FirmwareOffer), load func(),
	) (detach func())
	Report(ctx context.Context, p domain.Principal, r domain.FirmwareReport) error
	Progress(ctx context.Context, p domain.Principal, r domain.FirmwareProgress) (domain.FirmwareAnswer, error)
	Crash(ctx context.Context, p domain.Principal, r domain.CrashReport) error
}

// Images reads the images and patches of updates.
type Images interface {
	// ReadUpdate returns what the device p asks for: a part of a file of an update that it was offered.
	ReadUpdate(ctx context.Context, p domain.Principal, to netip.Addr, r domain.FirmwareRead) ([]byte, error)
}

// action is the answer to what a device says of an update.
type action struct {
	Update string `json:"update"`
	wire.FirmwareAnswer
}

// onFirmware takes what the device says of its firmware, by the topic rest.
func (c *conn) onFirmware(ctx context.Context, m *message, rest string) error {
	if c.s.Updates == nil || rest == topicRead && c.s.Images == nil {
		return domain.Invalid.Errorf(domain.CodeUnknownType, "this server updates no devices over MQTT")
	}
	switch rest {
	case topicFirmware:
		return checked(m, wire.FirmwareReport.Checked, func(r domain.FirmwareReport) error {
			c.nonce.Store(&r.Nonce)
			return c.s.Updates.Report(ctx, c.who, r)
		})
	case topicProgress:
		return checked(m, wire.FirmwareProgress.Checked, func(p domain.FirmwareProgress) error {
			return c.answerProgress(ctx, p, m.qos)
		})
	case topicRead:
		return checked(m, wire.FirmwareRead.Checked, func(r domain.FirmwareRead) error {
			b, err := c.s.Images.ReadUpdate(ctx, c.who, c.addr, r)
			if err != nil {
				return err
			}
			// What is lost the device asks for again.
			return c.s.say(ctx, c.sess.site, c.ownTopic(topicData+strconv.FormatInt(r.Offset, 10)), b, 0)
		})
	}
	return checked(m, wire.CrashReport.Checked, func(r domain.CrashReport) error {
		return c.s.Updates.Crash(ctx, c.who, r)
	})
}

// answerProgress tells the device whether to go on. What is refused it is to stop, which before MQTT 5 it would not
// know.
func (c *conn) answerProgress(ctx context.Context, p domain.FirmwareProgress, qos byte) error {
	a, refused := c.s.Updates.Progress(ctx, c.who, p)
	switch domain.KindOf(refused) {
	case domain.Invalid, domain.NotFound, domain.Conflict, domain.Forbidden:
		a = domain.FirmwareAnswer{Action: domain.FirmwareStop, Reason: string(domain.CodeOf(refused))}
	default:
		if refused != nil {
			return refused
		}
	}
	b, err := json.Marshal(action{p.Update, wire.FromFirmwareAnswer(a)})
	if err == nil {
		err = c.s.say(ctx, c.sess.site, c.ownTopic(topicAction), b, qos)
	}
	return errors.Join(refused, err)
}

// checked decodes a payload, and does what it asks for if that can be.
func checked[T, D any](m *message, check func(T) (D, error), do func(D) error) error {
	var data T
	if err := decode(m.payload, &data); err != nil {
		return err
	}
	d, err := check(data)
	if err != nil {
		return err
	}
	return do(d)
}

func (c *conn) ownTopic(rest string) string { return ownPrefix + "d/" + c.who.ID + "/" + rest }

// attachOwn has the device get its settings and offers of updates. detach ends its commands; what is returned ends all.
func (c *conn) attachOwn(ctx context.Context, detach func()) func() {
	settings := c.s.Settings.Attach(ctx, c.who.ID, c.set)
	updates := func() {}
	if c.s.Updates != nil {
		updates = c.s.Updates.AttachLoader(c.who.ID, c.lastNonce, c.offerUpdate, c.loadOffered)
	}
	return func() {
		updates()
		settings()
		detach()
	}
}

// lastNonce returns the nonce that the device has reported last by this connection.
func (c *conn) lastNonce() string {
	if n := c.nonce.Load(); n != nil {
		return *n
	}
	return ""
}

// offerUpdate tells the device of an update. It does not wait for the store.
func (c *conn) offerUpdate(o domain.FirmwareOffer) {
	c.s.work.start(func() {
		ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
		defer cancel()
		b, err := wire.Encode(wire.FromFirmwareOffer(o))
		if err == nil {
			err = c.s.say(ctx, c.sess.site, c.ownTopic(topicOffer), b, 1)
		}
		if err != nil {
			c.s.Log.WarnContext(ctx, "cannot tell an MQTT client of an update", "update", o.Update, "err", err)
		}
	})
}
