package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// A part is one running piece of the process. Run blocks until ctx is done or
// the part cannot go on; either way it has let go of all it held.
type part struct {
	name string
	run  func(ctx context.Context) error
}

// runParts starts parts in order and, when ctx ends or one of them ends early,
// stops them in reverse, one at a time: the edge closes before the services it
// calls, and those before the store.
func runParts(ctx context.Context, log *slog.Logger, parts []part, grace time.Duration) error {
	early := make(chan string, len(parts))
	var stops []func() error
	for _, p := range parts {
		pctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan error, 1)
		go func() {
			err := p.run(pctx)
			if errors.Is(err, context.Canceled) && pctx.Err() != nil {
				err = nil
			}
			if err == nil && pctx.Err() == nil {
				err = errors.New("ended without being asked")
			}
			early <- p.name
			done <- err
		}()
		stops = append(stops, func() error {
			defer cancel()
			start := time.Now()
			cancel()
			select {
			case err := <-done:
				log.Debug("stopped", "part", p.name, "took", time.Since(start))
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				return nil
			case <-time.After(grace):
				return fmt.Errorf("%s: still busy after %v", p.name, grace)
			}
		})
	}
	select {
	case <-ctx.Done():
		log.Info("stopping", "because", context.Cause(ctx))
	case name := <-early:
		log.Error("stopping, because a part of the server ended", "part", name)
	}
	var errs []error
	for _, stop := range slices.Backward(stops) {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}
