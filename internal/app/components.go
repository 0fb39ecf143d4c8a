package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// A component is one running piece of the process. Run blocks until ctx is done or
// the component cannot go on; either way it has let go of all it held.
type component struct {
	name string
	run  func(ctx context.Context) error
}

// runComponents starts components in order and, when ctx ends or one of them ends early,
// stops them in reverse, one at a time: the edge closes before the services it
// calls, and those before the store.
func runComponents(ctx context.Context, log *slog.Logger, components []component, grace time.Duration) error {
	early := make(chan string, len(components))
	var stops []func() error
	for _, c := range components {
		pctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan error, 1)
		go func() {
			err := c.run(pctx)
			if errors.Is(err, context.Canceled) && pctx.Err() != nil {
				err = nil
			}
			if err == nil && pctx.Err() == nil {
				err = errors.New("ended without being asked")
			}
			early <- c.name
			done <- err
		}()
		stops = append(stops, func() error {
			defer cancel()
			start := time.Now()
			cancel()
			select {
			case err := <-done:
				log.DebugContext(ctx, "stopped", "component", c.name, "took", time.Since(start))
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				return nil
			case <-time.After(grace):
				return fmt.Errorf("%s: still busy after %v", c.name, grace)
			}
		})
	}
	select {
	case <-ctx.Done():
		log.InfoContext(ctx, "stopping", "because", context.Cause(ctx))
	case name := <-early:
		log.ErrorContext(ctx, "stopping, because a component of the server ended", "component", name)
	}
	var errs []error
	for _, stop := range slices.Backward(stops) {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}
