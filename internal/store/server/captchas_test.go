package server_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestCaptchaIsUsedOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.UnixMilli(1_800_000_000_000)
		use := func() bool {
			first, err := db.Server.UseCaptcha(t.Context(), []byte("signature"), now.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			return first
		}
		if !use() || use() {
			t.Error("a CAPTCHA is good for other than one use")
		}
		if err := db.Server.PruneCaptchas(t.Context(), now); err != nil || use() {
			t.Errorf("forgotten before it expired (%v)", err)
		}
		if err := db.Server.PruneCaptchas(t.Context(), now.Add(2*time.Minute)); err != nil || !use() {
			t.Errorf("kept after it expired (%v)", err)
		}
	})
}
