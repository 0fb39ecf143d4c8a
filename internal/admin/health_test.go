package admin

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// checker is a module that reports as a test says.
type checker func(ctx context.Context, r *domain.HealthReport) error

func (c checker) CheckHealth(ctx context.Context, r *domain.HealthReport) error { return c(ctx, r) }

func TestEveryModuleIsAskedAndTheWorstComesFirst(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := New(Deps{Version: "1.2.3", Started: at, URL: "https://a.example", Log: slog.New(slog.DiscardHandler),
		Health: []HealthChecker{
			checker(func(ctx context.Context, r *domain.HealthReport) error {
				if _, bounded := ctx.Deadline(); !bounded {
					t.Error("a store that hangs would hold up the answer")
				}
				r.Warn("disk_low", "")
				return nil
			}),
			checker(func(context.Context, *domain.HealthReport) error { return errors.New("away") }),
			checker(func(context.Context, *domain.HealthReport) error { return errors.New("away") }),
			checker(func(_ context.Context, r *domain.HealthReport) error {
				r.Connections, r.Mail = 7, domain.MailUse{On: true, MailState: domain.MailState{Waiting: 2, Oldest: at, Failed: 1}}
				r.Fail("certificate_ends", "a.example")
				return nil
			}),
		}})
	h := s.health(t.Context())
	if h.Version != "1.2.3" || !h.Started.Equal(at) || h.URL != "https://a.example" || h.Connections != 7 {
		t.Errorf("%+v", h)
	}
	if m := h.Mail; !m.On || m.Waiting != 2 || m.Failed != 1 || m.Oldest == nil || !m.Oldest.Equal(at) {
		t.Errorf("%+v", m)
	}
	want := []Concern{{Code: "store_away", Bad: true}, {Code: "certificate_ends", Bad: true, Name: "a.example"},
		{Code: "disk_low"}}
	if len(h.Problems) != len(want) {
		t.Fatalf("%+v", h.Problems)
	}
	for i := range want {
		if h.Problems[i] != want[i] {
			t.Errorf("%+v, not %+v", h.Problems[i], want[i])
		}
	}
	if h.Disk != nil || h.Certs == nil || h.Audit.Receivers == nil {
		t.Errorf("what is unknown: %+v", h)
	}
}
