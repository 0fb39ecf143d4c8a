package telemetry

import (
	"testing"
	"testing/synctest"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// A device whose readings were deleted may send values of another kind, to any node; so it may after
// the news of the deletion was lost.
func TestADeviceBeginsAnewAtEveryNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := t0
		here, there := service(&fakes{}, &now), service(&fakes{}, &now)
		there.Bus = here.Bus
		for _, s := range []*Service{here, there} {
			stop, err := s.known.follow(s.Bus)
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
		}
		takes := func(v domain.Value) bool {
			t.Helper()
			ack, err := there.Accept(t.Context(), "dev_a", []domain.Report{{Readings: []domain.Reading{one("x", v)}}})
			if err != nil {
				t.Fatal(err)
			}
			return len(ack.Refused) == 0
		}
		if !takes(domain.Number(1)) || takes(domain.Text("on")) {
			t.Fatal("a sensor changed its kind")
		}
		if err := here.erase(t.Context(), "dev_a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !takes(domain.Text("on")) || takes(domain.Number(1)) {
			t.Error("the other node knows the sensor that was deleted")
		}
		if err := here.Bus.Publish(bus.GapSubject, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !takes(domain.Number(1)) {
			t.Error("after a gap, too")
		}
	})
}
