package app_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

// A rollout reaches a device that is connected: with an offer that is signed for it and its nonce, and a link to the
// image. Pausing it reaches the device, and the room of the product is told.
func TestARolloutReachesADeviceAndItsRoom(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx, ann := t.Context(), s.User("ann")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Firmware"})
		must(t, err)
		f := newFirm(t, s, ann, room.ID)
		image := randomBytes(5000, 3)
		release := f.draft("2.0", 2, image)
		_, err = f.sign(release.ID, f.release)
		must(t, err)
		_, err = f.change(release.ID, map[string]any{"state": "active"})
		must(t, err)

		d := registerDevice(t, ann, "Tank")
		offers := make(chan wire.FirmwareOffer, 4)
		device, _ := connectDevice(t, s, d.Key, client.LiveOptions{OnOther: func(typ string, data json.RawMessage) {
			var o wire.FirmwareOffer
			if typ == wire.TypeFirmwareOffer && json.Unmarshal(data, &o) == nil {
				offers <- o
			}
		}})
		nonce := strings.Repeat("5e", 16)
		must(t, device.Request(ctx, wire.TypeFirmware, wire.FirmwareReport{Product: "tank", Chip: "esp32c3", Version: "1.0",
			VersionCode: 1, SHA256: strings.Repeat("0", 64), SlotState: "valid", ResetReason: "power_on", Nonce: nonce}, nil))

		var rollout struct {
			ID, State string
			Counts    struct{ States map[string]int }
			PausedBy  wire.User `json:"paused_by"`
		}
		must(t, ann.Do(ctx, "POST", "/firmware/rollouts", map[string]any{"release": release.ID}, &rollout))
		var o wire.FirmwareOffer
		select {
		case o = <-offers:
		case <-time.After(time.Minute):
			t.Fatal("the device was offered nothing")
		}
		e, err := manifest.Parse(o.Offer)
		must(t, err)
		var signed manifest.Offer
		must(t, json.Unmarshal(e.Payload, &signed))
		if signed.Nonce != nonce || signed.Device != d.Device.ID || signed.Update != o.Update || len(o.Roots) != 1 {
			t.Errorf("the offer is %+v, with %d roots", signed, len(o.Roots))
		}
		if _, got := load(t, o.Image.URL, "", ""); !bytes.Equal(got, image) {
			t.Errorf("the link has %d other bytes", len(got))
		}
		says := func(state string) (a wire.FirmwareAnswer) {
			must(t, device.Request(ctx, wire.TypeFirmwareProgress, wire.FirmwareProgress{Update: o.Update, State: state}, &a))
			return a
		}
		if a := says("accepted"); a.Action != "continue" {
			t.Errorf("%+v", a)
		}
		at := "/firmware/rollouts/" + rollout.ID
		must(t, ann.Do(ctx, "POST", at+"/actions", map[string]any{"action": "pause"}, &rollout))
		if a := says("verified"); a.Action != "stop" || rollout.State != "paused" ||
			rollout.PausedBy.Username != "ann" {
			t.Errorf("%+v of one that is %s by %+v", a, rollout.State, rollout.PausedBy)
		}
		page, err := ann.Timeline(ctx, room.ID, "", 50)
		must(t, err)
		var told []string
		for _, e := range page.Items {
			if e.Type == "rollout.told" {
				told = append(told, string(e.Detail.Rollout.State))
			}
		}
		if strings.Join(told, " ") != "running paused" && strings.Join(told, " ") != "paused running" {
			t.Errorf("the room was told of %v", told)
		}
	})
}
