package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPartsStopInReverse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		p := func(name string) component {
			return component{name, func(ctx context.Context) error {
				<-ctx.Done()
				order = append(order, name)
				return ctx.Err()
			}}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := runComponents(ctx, slog.New(slog.DiscardHandler), []component{p("store"), p("chat"), p("gateway")},
			time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(order, []string{"gateway", "chat", "store"}) {
			t.Errorf("stopped in the order %v", order)
		}
	})
}

func TestOnePartThatEndsStopsAll(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(context.Context) error{
		"by an error": func(context.Context) error { return errors.New("boom") },
		"by itself":   func(context.Context) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stopped := false
				good := component{"store", func(ctx context.Context) error { <-ctx.Done(); stopped = true; return nil }}
				err := runComponents(t.Context(), slog.New(slog.DiscardHandler), []component{good, {"bad", bad}}, time.Second)
				if err == nil || !strings.HasPrefix(err.Error(), "bad: ") || !stopped {
					t.Errorf("%v, the other component stopped: %v", err, stopped)
				}
			})
		})
	}
}

func TestAPartThatDoesNotStopIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		stuck := component{"stuck", func(context.Context) error { <-release; return nil }}
		cancel()
		start := time.Now()
		err := runComponents(ctx, slog.New(slog.DiscardHandler), []component{stuck}, 3*time.Second)
		if err == nil || !strings.Contains(err.Error(), "stuck: still busy") || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		close(release)
	})
}
