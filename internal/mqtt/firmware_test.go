package mqtt

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// updates is the backend as the keeper of firmware: whoever reports is offered an update.
type updates struct {
	*backend
	nonce   func() string
	deliver func(domain.FirmwareOffer)
	load    func()
}

func (u *updates) AttachLoader(
	_ string, nonce func() string, deliver func(domain.FirmwareOffer), load func(),
) (detach func()) {
	defer u.answer()()
	u.nonce, u.deliver, u.load = nonce, deliver, load
	return func() {}
}

func (u *updates) Report(_ context.Context, _ domain.Principal, r domain.FirmwareReport) error {
	defer u.answer()()
	u.deliver(domain.FirmwareOffer{Update: "upd_1", Offer: json.RawMessage(`{"payload":"` + u.nonce() + `"}`),
		Manifest: json.RawMessage(`{}`), Image: domain.FirmwareFile{SHA256: r.SHA256, Size: 5}})
	return nil
}

func (u *updates) Progress(
	_ context.Context, _ domain.Principal, p domain.FirmwareProgress,
) (domain.FirmwareAnswer, error) {
	defer u.answer()()
	return domain.FirmwareAnswer{Action: domain.FirmwareContinue}, nil
}

func (u *updates) Crash(context.Context, domain.Principal, domain.CrashReport) error {
	u.answer()()
	return nil
}

func (u *updates) ReadUpdate(
	_ context.Context, _ domain.Principal, _ netip.Addr, r domain.FirmwareRead,
) ([]byte, error) {
	defer u.answer()()
	return []byte("image")[r.Offset:], nil
}

// A device is offered an update, told whether to go on, and reads the image; nobody else of its site gets what is
// between it and the server.
func TestDevicesAreUpdatedOverMQTT(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		s, _ := b.run(t)
		u := &updates{backend: b}
		s.Updates, s.Images = u, u
		base := "uh/d/" + domain.DevicePrefix + "_lamp/"
		owner := dial(t, s, connectAs("owner", "owner", 0))
		owner.Subscribe(packet.Filter{Topic: "uh/d/#", QoS: 1})
		lamp := dial(t, s, connectAs("lamp", domain.DeviceKeyPrefix+"lamp", 0))
		lamp.Subscribe(packet.Filter{Topic: base + "firmware/offer", QoS: 1},
			packet.Filter{Topic: base + "firmware/action", QoS: 1}, packet.Filter{Topic: base + "firmware/data/+"})
		synctest.Wait() // commands, and so offers, come a moment after it has subscribed
		hash := strings.Repeat("0a", 32)
		say := func(topic, payload string) {
			lamp.Publish(packet.Publish{Topic: base + topic, Payload: []byte(payload)})
		}
		expect := func(topic, part string) {
			t.Helper()
			if m := lamp.Message(); m.Topic != base+topic || !strings.Contains(string(m.Payload), part) {
				t.Errorf("%s %s, want %s %s", m.Topic, m.Payload, topic, part)
			}
		}
		say("firmware", `{"product":"lamp","chip":"esp32c3","version":"1","version_code":1,"sha256":"`+hash+
			`","slot_state":"valid","reset_reason":"power_on","nonce":"nnnnnnnnnnnnnnnnnnnnnn"}`)
		expect("firmware/offer", `"offer":{"payload":"nnnnnnnnnnnnnnnnnnnnnn"}`)
		say("firmware/progress", `{"update":"upd_1","state":"accepted"}`)
		expect("firmware/action", `{"update":"upd_1","action":"continue"}`)
		say("firmware/read", `{"update":"upd_1","sha256":"`+hash+`","offset":2,"length":16}`)
		expect("firmware/data/2", "age")
		say("crash", `{"elf_sha256":"`+hash+`","reset_reason":"panic"}`)
		lamp.Silent()
		if m := owner.Message(); m.Topic != base+"firmware" {
			t.Errorf("the owner got %s", m.Topic)
		}
		owner.Silent()
	})
}
