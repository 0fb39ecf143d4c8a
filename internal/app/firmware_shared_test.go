package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

// A tank is a device that reports the product tank.
type tank struct {
	issued
	t      *testing.T
	live   *client.Live
	offers chan wire.FirmwareOffer
}

func newTank(t *testing.T, s *live.Server, owner *client.Client) *tank {
	t.Helper()
	d := &tank{issued: registerDevice(t, owner, "Tank"), t: t, offers: make(chan wire.FirmwareOffer, 4)}
	d.live, _ = connectDevice(t, s, d.Key, client.LiveOptions{OnOther: func(typ string, data json.RawMessage) {
		var o wire.FirmwareOffer
		if typ == wire.TypeFirmwareOffer && json.Unmarshal(data, &o) == nil {
			d.offers <- o
		}
	}})
	return d
}

func (d *tank) report() {
	d.t.Helper()
	must(d.t, d.live.Request(d.t.Context(), wire.TypeFirmware, wire.FirmwareReport{Product: "tank", Chip: "esp32c3",
		Version: "1.0", VersionCode: 1, SHA256: strings.Repeat("0", 64), SlotState: "valid", ResetReason: "power_on",
		Nonce: strings.Repeat("5e", 16)}, nil))
}

func (d *tank) says(update, state string) (a wire.FirmwareAnswer) {
	d.t.Helper()
	p := wire.FirmwareProgress{Update: update, State: state}
	must(d.t, d.live.Request(d.t.Context(), wire.TypeFirmwareProgress, p, &a))
	return a
}

func (d *tank) offered() (o wire.FirmwareOffer) {
	d.t.Helper()
	select {
	case o = <-d.offers:
	case <-time.After(time.Minute):
		d.t.Fatal("the device was offered nothing")
	}
	return o
}

// sharedFirm is a firm with an active release, a device of its own, and a code for others.
func sharedFirm(t *testing.T, s *live.Server, c *client.Client) (f *firm, release firmwareRelease, code string) {
	t.Helper()
	f = newFirm(t, s, c, "")
	release = f.draft("2.0", 2, randomBytes(5000, 3))
	_, err := f.sign(release.ID, f.release)
	must(t, err)
	_, err = f.change(release.ID, map[string]any{"state": "active"})
	must(t, err)
	var product struct{ Code string }
	must(t, c.Do(t.Context(), "PUT", "/firmware/products/"+f.product+"/sharing", map[string]any{"code": "new"}, &product))
	return f, release, product.Code
}

type joinedDevice struct {
	Joined *struct {
		Product   string
		Publisher wire.User
		Ask       bool
	}
	Updates []struct{ ID, State, Device, Reason string }
}

// A rollout reaches a device of somebody else who has said yes, after they were asked about the release. Who publishes
// is not told which device it is. When its owner takes it back, the device stops in the middle of the update.
func TestAProductReachesADeviceOfSomebodyElseWhoSaidYes(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx, ann, bob := t.Context(), s.User("ann"), s.User("bob")
		f, release, code := sharedFirm(t, s, ann)
		var terms struct {
			Product   string
			Publisher wire.User
			Learns    []string
		}
		must(t, bob.Do(ctx, "GET", "/firmware/terms?code="+code, nil, &terms))
		if terms.Product != f.product || terms.Publisher.Username != "ann" || !slices.Contains(terms.Learns, "crashes") {
			t.Errorf("bob would agree to %+v", terms)
		}
		d := newTank(t, s, bob)
		d.report()
		var rollout struct{ ID string }
		must(t, ann.Do(ctx, "POST", "/firmware/rollouts", map[string]any{"release": release.ID}, &rollout))
		on := "/devices/" + d.Device.ID
		must(t, bob.Do(ctx, "PUT", on+"/product", map[string]any{"code": code, "ask": true}, nil))
		d.report()

		var known joinedDevice
		must(t, bob.Do(ctx, "GET", on+"/firmware", nil, &known))
		if known.Joined == nil || !known.Joined.Ask || len(known.Updates) != 1 || known.Updates[0].State != "consent" ||
			known.Updates[0].Device != d.Device.ID {
			t.Fatalf("bob sees %+v", known)
		}
		at := on + "/updates/" + known.Updates[0].ID + "/agree"
		if err := ann.Do(ctx, "POST", at, nil, nil); codeOf(err) != client.CodeNoDevice {
			t.Errorf("who publishes agrees for the owner: %v", err)
		}
		must(t, bob.Do(ctx, "POST", at, nil, nil))
		d.report()
		o := d.offered()
		must(t, d.live.Request(ctx, wire.TypeCrash, wire.CrashReport{ELFSHA256: "0123456789abcdef", ResetReason: "panic",
			Backtrace: []uint32{0x42000010}, Message: "assert"}, nil))
		if a := d.says(o.Update, "downloading"); a.Action != "continue" {
			t.Errorf("%+v", a)
		}
		image := s.URL + "/firmware/images/" + release.Images[0].SHA256
		if res, _ := load(t, image, d.Key, ""); res.StatusCode != http.StatusOK {
			t.Errorf("the device loads its image: %s", res.Status)
		}
		publishedWithoutNames(t, ann, f.product, rollout.ID, d.Device.ID)

		must(t, bob.Do(ctx, "DELETE", on+"/product", nil, nil))
		if a := d.says(o.Update, "verified"); a.Action != "stop" || a.Reason != "withdrawn" {
			t.Errorf("after its owner took it back: %+v", a)
		}
		if res, _ := load(t, image, d.Key, ""); res.StatusCode != http.StatusNotFound {
			t.Errorf("and it loads the image: %s", res.Status)
		}
		var crashes client.Page[struct{ Device string }]
		must(t, ann.Do(ctx, "GET", "/firmware/products/"+f.product+"/crashes", nil, &crashes))
		if len(crashes.Items) != 0 {
			t.Errorf("its crashes are still shown: %+v", crashes.Items)
		}
		must(t, bob.Do(ctx, "GET", on+"/firmware", nil, &known))
		if u := known.Updates[0]; u.State != "canceled" || u.Reason != "withdrawn" {
			t.Errorf("the update is %+v", u)
		}
	})
}

// publishedWithoutNames checks that who publishes is told of a device, and not which one it is.
func publishedWithoutNames(t *testing.T, ann *client.Client, product, rollout, device string) {
	t.Helper()
	for at, want := range map[string]string{
		"/firmware/rollouts/" + rollout + "/updates":     `"shared":true`,
		"/firmware/products/" + product + "/fleet":       `"shared":1`,
		"/firmware/products/" + product + "/crashes":     `"device":""`,
		"/firmware/products/" + product:                  `"joined":1`,
		"/firmware/rollouts/" + rollout:                  `"downloading":1`,
		"/firmware/rollouts/" + rollout + "/log":         `"stage"`,
		"/firmware/products/" + product + "/rollouts":    `"plan"`,
		"/firmware/products/" + product + "/releases":    `"active"`,
		"/firmware/rollouts/" + rollout + "/updates?a=b": `"from":"1.0"`,
	} {
		var body json.RawMessage
		must(t, ann.Do(t.Context(), "GET", at, nil, &body))
		text := strings.ReplaceAll(string(body), `": `, `":`)
		if !strings.Contains(text, want) || strings.Contains(text, device) || strings.Contains(text, "bob") ||
			strings.Contains(text, "Tank") {
			t.Errorf("%s should have %s, and no names: %s", at, want, text)
		}
	}
	for _, at := range []string{"", "/firmware", "/connections", "/series", "/alarms"} {
		if err := ann.Do(t.Context(), "GET", "/devices/"+device+at, nil, nil); codeOf(err) != client.CodeNoDevice {
			t.Errorf("who publishes sees %q of the device: %v", at, err)
		}
	}
}

// Only the owner of a device has it join, with a code that is good, or the id of a product that is open; and neither
// strangers nor who publishes can do anything else to it, nor its owner to the product.
func TestNobodyElseHasADeviceJoin(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx, ann, bob, eve := t.Context(), s.User("ann"), s.User("bob"), s.User("eve")
		f, release, code := sharedFirm(t, s, ann)
		own, device := registerDevice(t, ann, "Own"), registerDevice(t, bob, "Tank")
		on := func(d issued) string { return "/devices/" + d.Device.ID + "/product" }
		by := func(key, value string) map[string]any { return map[string]any{key: value} }
		refused := func(what string, c *client.Client, method, at string, body any, want string) {
			t.Helper()
			if err := c.Do(ctx, method, at, body, nil); string(codeOf(err)) != want {
				t.Errorf("%s: %v, and not %s", what, err, want)
			}
		}
		refused("a stranger", eve, "PUT", on(device), by("code", code), "no_device")
		refused("who publishes", ann, "PUT", on(device), by("code", code), "no_device")
		refused("by the id of one that is not open", bob, "PUT", on(device), by("product", f.product), "no_product")
		refused("by a wrong code", bob, "PUT", on(device), by("code", strings.Repeat("A", 26)), "no_product")
		refused("by both", bob, "PUT", on(device), map[string]any{"product": f.product, "code": code}, "invalid_field")
		refused("by nothing", bob, "PUT", on(device), map[string]any{}, "invalid_field")
		refused("one's own", ann, "PUT", on(own), by("code", code), "invalid_field")
		refused("leaves nothing", bob, "DELETE", on(device), nil, "not_joined")
		refused("shares a product of somebody else", bob, "PUT", "/firmware/products/"+f.product+"/sharing",
			map[string]any{"open": true}, "no_product")

		must(t, ann.Do(ctx, "PUT", "/firmware/products/"+f.product+"/sharing", map[string]any{"open": true}, nil))
		must(t, bob.Do(ctx, "PUT", on(device), by("product", f.product), nil))
		refused("who publishes takes it back", ann, "DELETE", on(device), nil, "no_device")
		refused("a stranger takes it back", eve, "DELETE", on(device), nil, "no_device")
		for _, at := range []string{"/firmware/products/" + f.product, "/firmware/products/" + f.product + "/fleet",
			"/firmware/products/" + f.product + "/crashes", "/firmware/releases/" + release.ID} {
			if err := bob.Do(ctx, "GET", at, nil, nil); err == nil {
				t.Errorf("whose device has joined sees %s", at)
			}
		}
		var fleet, mine client.Page[struct{ Shared int }]
		must(t, ann.Do(ctx, "GET", "/firmware/products/"+f.product+"/fleet", nil, &fleet))
		must(t, bob.Do(ctx, "GET", "/firmware/products", nil, &mine))
		if len(fleet.Items)+len(mine.Items) != 0 {
			t.Errorf("%+v run it, though none has reported; bob sees %+v", fleet.Items, mine.Items)
		}
		must(t, ann.Do(ctx, "PUT", "/firmware/products/"+f.product+"/sharing",
			map[string]any{"open": false, "code": "none"}, nil))
		must(t, bob.Do(ctx, "PUT", on(device), map[string]any{"product": f.product, "ask": true}, nil)) // it is in already
		refused("by a code that is no more", eve, "GET", "/firmware/terms?code="+code, nil, "no_product")
	})
}
