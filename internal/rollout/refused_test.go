package rollout

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What a device refuses is in the audit log, also if it may be offered the release again; what does not work is not.
func TestWhatDevicesRefuseIsAudited(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		said := []struct {
			state   domain.FirmwareStep
			reason  string
			audited bool
		}{
			{domain.FirmwareRejected, "downgrade: 4 is below 5", true},
			{domain.FirmwareFailed, "wrong_nonce: it was sent before", true},
			{domain.FirmwareFailed, "offer_expired: it was held back", true},
			{domain.FirmwareFailed, "bad_signature: behind roots", true},
			{domain.FirmwareFailed, "bad_offer", true},
			{domain.FirmwareFailed, "wrong_image_bytes: a byte is another", true},
			{domain.FirmwareFailed, "wrong_size: it was cut off", true},
			{domain.FirmwareRejected, "bad_document: the offer was cut off", true},
			{domain.FirmwareRejected, "wrong_manifest: two releases were mixed", true},
			{domain.FirmwareFailed, "rolled_back: it did not start", false},
			{domain.FirmwareFailed, "", false},
			{domain.FirmwareDeferred, "wrong_nonce", false},
		}
		f := newFleet(t, db, len(said))
		f.begin(domain.RolloutPlan{Stages: []domain.RolloutStage{{Percent: 100}},
			Limits: domain.RolloutLimits{Begin: len(said)}})
		f.s.DecideAll(t.Context())
		f.s.look(t.Context())
		for i, c := range said {
			l := f.devices[i]
			if len(l.offers) == 0 {
				t.Fatalf("device %d has no offer", i)
			}
			f.audit = nil
			p := domain.FirmwareProgress{Update: l.offers[0].Update, State: c.state, Reason: c.reason}
			if _, err := f.s.Progress(t.Context(), l.principal(), p); err != nil {
				t.Fatal(err)
			}
			audited := len(f.audit) == 1 && f.audit[0].Type == domain.AuditUpdateRejected &&
				f.audit[0].Actor.ID == l.id && f.audit[0].Details["reason"] == c.reason
			if audited != c.audited || !audited && len(f.audit) > 0 {
				t.Errorf("%s, %q: the audit log has %+v", c.state, c.reason, f.audit)
			}
		}
	})
}
