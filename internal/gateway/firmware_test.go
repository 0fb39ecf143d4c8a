package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// updates is the rest of the server as devices are updated by it: whoever reports is offered one update.
type updates struct {
	mu       sync.Mutex
	deliver  map[string]func(domain.FirmwareOffer)
	reported []domain.FirmwareReport
	crashes  []domain.CrashReport
}

func (u *updates) Attach(device string, nonce func() string, deliver func(domain.FirmwareOffer)) (detach func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.deliver[device] = func(o domain.FirmwareOffer) {
		o.Offer = json.RawMessage(strconv.Quote(nonce()))
		deliver(o)
	}
	return func() { u.mu.Lock(); defer u.mu.Unlock(); delete(u.deliver, device) }
}

func (u *updates) attached() int { u.mu.Lock(); defer u.mu.Unlock(); return len(u.deliver) }

func (u *updates) Report(_ context.Context, p domain.Principal, r domain.FirmwareReport) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reported = append(u.reported, r)
	u.deliver[p.ID](domain.FirmwareOffer{Update: "upd_1", Manifest: json.RawMessage(`{}`),
		Image: domain.FirmwareFile{SHA256: r.SHA256, Size: 5}})
	return nil
}

func (u *updates) Progress(
	_ context.Context, _ domain.Principal, p domain.FirmwareProgress,
) (domain.FirmwareAnswer, error) {
	return domain.FirmwareAnswer{Action: domain.FirmwareStop, Reason: string(p.State)}, nil
}

func (u *updates) Crash(_ context.Context, _ domain.Principal, r domain.CrashReport) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.crashes = append(u.crashes, r)
	return nil
}

func (u *updates) ReadUpdate(
	_ context.Context, _ domain.Principal, _ netip.Addr, r domain.FirmwareRead,
) ([]byte, error) {
	const image = "image"
	return []byte(image[r.Offset:min(int(r.Offset)+r.Length, len(image))]), nil
}

const zeroHash = "0000000000000000000000000000000000000000000000000000000000000000"

var running = wire.FirmwareReport{Product: "lamp", Chip: "esp32c3", Version: "1.0", VersionCode: 1, SHA256: zeroHash,
	SlotState: "valid", ResetReason: "power_on", Nonce: "nnnnnnnnnnnnnnnnnnnnnn"}

// A device tells what it runs, is offered an update with its nonce, says how far it is and is told whether to go on,
// and reads the image over the connection that it has.
func TestDevicesAreToldOfUpdates(t *testing.T) {
	t.Parallel()
	u := &updates{deliver: make(map[string]func(domain.FirmwareOffer))}
	n := start(t, newWorld(), func(d *Deps) { d.Devices, d.Updates, d.Images = &devices{}, u, u })
	offers := make(chan wire.FirmwareOffer, 1)
	c := n.as("")
	c.Device(domain.DeviceKeyPrefix + "lamp-k1")
	live := c.Live(t.Context(), client.LiveOptions{OnOther: func(typ string, data json.RawMessage) {
		var o wire.FirmwareOffer
		if err := json.Unmarshal(data, &o); typ != wire.TypeFirmwareOffer || err != nil {
			t.Errorf("%s: %v", typ, err)
		}
		offers <- o
	}})
	ask := func(typ string, data, out any) {
		t.Helper()
		if err := live.Request(t.Context(), typ, data, out); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
	ask(wire.TypeCrash, wire.CrashReport{ELFSHA256: zeroHash, ResetReason: "panic", Backtrace: []uint32{1}}, nil)
	if n := u.attached(); n != 0 {
		t.Errorf("%d connections get offers that have told no nonce for them", n)
	}
	for _, nonce := range []string{running.Nonce, "mmmmmmmmmmmmmmmmmmmmmm"} {
		report := running
		report.Nonce = nonce
		ask(wire.TypeFirmware, report, nil)
		if o := <-offers; string(o.Offer) != strconv.Quote(nonce) || o.Image.Size != 5 {
			t.Errorf("%+v", o)
		}
	}
	var answer wire.FirmwareAnswer
	ask(wire.TypeFirmwareProgress, wire.FirmwareProgress{Update: "upd_1", State: "testing"}, &answer)
	if answer.Action != "stop" || answer.Reason != "testing" {
		t.Errorf("%+v", answer)
	}
	var data wire.FirmwareData
	ask(wire.TypeFirmwareRead, wire.FirmwareRead{Update: "upd_1", SHA256: zeroHash, Offset: 2, Length: 32}, &data)
	if string(data.Data) != "age" || data.Offset != 2 {
		t.Errorf("%+v", data)
	}
	if len(u.crashes) != 1 || u.crashes[0].Backtrace[0] != 1 {
		t.Errorf("%+v", u.crashes)
	}
	wrong := running
	wrong.SHA256 = "0"
	var no *client.Error
	if err := live.Request(t.Context(), wire.TypeFirmware, wrong, nil); !errors.As(err, &no) ||
		no.Fields[0].Pointer != "/sha256" || len(u.reported) != 2 {
		t.Errorf("what cannot be: %v, %d reports", err, len(u.reported))
	}
	live.Close()
	eventually(t, "nothing is delivered to a connection that has ended", func() bool { return u.attached() == 0 })
}

// Who is no device has no firmware, and a server that updates none says that it does not know such frames.
func TestFramesOfFirmwareAreForDevicesAlone(t *testing.T) {
	t.Parallel()
	u := &updates{deliver: make(map[string]func(domain.FirmwareOffer))}
	for want, change := range map[client.Code]func(*Deps){
		client.CodeUnknownType: func(d *Deps) { d.Devices = &devices{} },
		client.CodeDeviceOnly:  func(d *Deps) { d.Updates, d.Images = u, u },
	} {
		n := start(t, newWorld(), change)
		c := n.as("ada")
		if want == client.CodeUnknownType {
			c.Device(domain.DeviceKeyPrefix + "lamp-k1")
		}
		live := c.Live(t.Context(), client.LiveOptions{})
		for typ, data := range map[string]any{
			wire.TypeFirmware: running, wire.TypeFirmwareProgress: wire.FirmwareProgress{Update: "u", State: "testing"},
			wire.TypeFirmwareRead: wire.FirmwareRead{Update: "u", SHA256: zeroHash, Length: 1},
			wire.TypeCrash:        wire.CrashReport{ELFSHA256: zeroHash, ResetReason: "panic"},
		} {
			var no *client.Error
			if err := live.Request(t.Context(), typ, data, nil); !errors.As(err, &no) || no.Code != want {
				t.Errorf("%s: %v, want %s", typ, err, want)
			}
		}
		live.Close()
	}
}
