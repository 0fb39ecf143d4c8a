package client

import (
	"net/http"
	"testing"

	"github.com/unhidra/unhidra/internal/wire"
)

// TestASuspendedDeviceComesBack holds that a device whose key was good waits and tries again when it is suspended: it
// may be resumed. A key that never was good, and one that was revoked, is the end.
func TestASuspendedDeviceComesBack(t *testing.T) {
	t.Parallel()
	bad := refuse(401, `{"kind":"unauthorized","code":"bad_device_key","detail":"x"}`)
	back := false
	changes := connect(t, always("dk_k"), LiveOptions{}, accept(wire.CloseRevoked, "suspended", []string{hello}), bad, bad,
		bad, func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			back = true
			stay(t, w, r)
		})
	if w := waits(changes); !back || len(w) < 3 {
		t.Errorf("came back: %v, after %v", back, w)
	}
	for name, turns := range map[string][]turn{
		"never good": {bad, bad}, "revoked": {accept(wire.CloseRevoked, "revoked", []string{hello})},
	} {
		changes := connect(t, always("dk_k"), LiveOptions{}, turns...)
		if last := changes[len(changes)-1]; last.to != Ended || last.err == nil {
			t.Errorf("%s: %+v", name, last)
		}
	}
}
