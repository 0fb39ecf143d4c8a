package devices_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What is desired has versions; whoever changes an earlier one is refused. What a device says of an earlier
// one does not count as an answer to the latest.
func TestSettingsHaveVersions(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now().Truncate(time.Second)
		testkit.Room(t, db, 1)
		id := mustDevice(t, db, testkit.UserID(0), 1, now)
		desire := func(base int64, change map[string]any) (domain.Shadow, error) {
			return db.Settings.Desire(ctx, id, change, &base, now)
		}
		report := func(r domain.SettingsReport) domain.Shadow {
			t.Helper()
			s, err := db.Settings.ReportSettings(ctx, id, r, now)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s, err := db.Settings.Shadow(ctx, id); err != nil || s.Version != 0 || s.Open() {
			t.Errorf("%+v, %v", s, err)
		}
		if s, err := desire(0, map[string]any{"interval": 30.0, "mode": "eco"}); err != nil || s.Version != 1 || !s.Open() {
			t.Fatalf("%+v, %v", s, err)
		}
		if _, err := desire(0, map[string]any{"interval": 60.0}); domain.CodeOf(err) != domain.CodeSettingsChanged {
			t.Errorf("an earlier version was changed: %v", err)
		}
		s := report(domain.SettingsReport{Version: 1, Values: map[string]any{"interval": 30.0},
			Errors: map[string]string{"mode": "no"}})
		if s.Open() || s.Reported["interval"] != 30.0 || s.Errors["mode"] != "no" || s.Owner != testkit.UserID(0) {
			t.Errorf("%+v", s)
		}
		s, err := desire(1, map[string]any{"mode": nil, "interval": 10.0})
		if err != nil || s.Version != 2 || len(s.Desired) != 1 || len(s.Errors) != 0 {
			t.Errorf("%+v, %v", s, err)
		}
		open, err := db.Settings.OpenSettings(ctx, now.Add(-time.Minute), 10)
		if err != nil || len(open) != 1 || open[0] != id {
			t.Errorf("%v, %v", open, err)
		}
		if s := report(domain.SettingsReport{Values: map[string]any{"interval": 20.0}}); !s.Open() ||
			s.Reported["interval"] != 20.0 {
			t.Errorf("after a change on the device: %+v", s)
		}
		if s := report(domain.SettingsReport{Version: 2, Values: map[string]any{"interval": 10.0}}); s.Open() {
			t.Errorf("%+v", s)
		}
		late := report(domain.SettingsReport{Version: 1, Errors: map[string]string{"interval": "late"}})
		if late.Applied != 2 || len(late.Errors) != 0 {
			t.Errorf("a late answer counts: %+v", late)
		}
		_, err = db.Settings.ReportSettings(ctx, id, domain.SettingsReport{Version: 3}, now)
		if domain.KindOf(err) != domain.Invalid {
			t.Errorf("a version that there is not: %v", err)
		}
	})
}
