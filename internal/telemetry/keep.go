package telemetry

import (
	"context"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Cleaner deletes readings.
type Cleaner interface {
	// Forget deletes some of what is stored of a resolution before a time, and reports whether there may be
	// more. It summarises single values before.
	Forget(ctx context.Context, r domain.Resolution, before time.Time) (more bool, err error)
	// ForgetNumbers deletes what is known of boots that were last heard of before a time.
	ForgetNumbers(ctx context.Context, before time.Time) error
	// Compact returns free room to the disk in a small step, and reports whether there is more.
	Compact(ctx context.Context) (more bool, err error)
	// Erase deletes everything of a device.
	Erase(ctx context.Context, device string) error
}

// Erased lists devices of deleted accounts.
type Erased interface {
	ErasedDevices(ctx context.Context, since time.Time) ([]string, error)
}

const (
	cleanEvery  = time.Hour
	eraseEvery  = 20 * time.Second
	forgetPause = 50 * time.Millisecond
	// Single values are deleted a day later than they are refused: by then all that waits is packed.
	forgetLate = day
	eraseBack  = 10 * time.Minute // how long a transaction may be seen late
)

// Clean deletes what is kept no longer, and what belongs to deleted accounts, until ctx ends. One
// process should run it; more do no harm.
func (s *Service) Clean(ctx context.Context) error {
	erased, cleaned := time.Time{}, time.Time{}
	tick := time.NewTicker(eraseEvery)
	defer tick.Stop()
	for {
		now := s.Now()
		if err := s.eraseSince(ctx, erased); err == nil {
			erased = now.Add(-eraseBack)
		} else if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "cannot delete readings of deleted accounts; will try again", "err", err)
		}
		if now.Sub(cleaned) >= cleanEvery {
			if err := s.forget(ctx, now); err == nil {
				cleaned = now
			} else if ctx.Err() == nil {
				s.Log.WarnContext(ctx, "cannot delete old readings; will try again", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// eraseSince deletes the readings of devices whose accounts were deleted since a time.
func (s *Service) eraseSince(ctx context.Context, since time.Time) error {
	devices, err := s.Erased.ErasedDevices(ctx, since)
	for _, d := range devices {
		err = errors.Join(err, s.erase(ctx, d))
	}
	return err
}

// erase deletes all readings of a device. It may begin anew at any node, with other kinds of values.
func (s *Service) erase(ctx context.Context, device string) error {
	if err := s.Cleaner.Erase(ctx, device); err != nil {
		return err
	}
	s.known.forget(device)
	return s.Bus.Publish(erasedSubject, []byte(device))
}

// forget deletes what is kept no longer, in small steps.
func (s *Service) forget(ctx context.Context, now time.Time) error {
	for _, k := range []struct {
		r    domain.Resolution
		keep time.Duration
	}{
		{domain.Raw, s.Keep.Raw}, {domain.PerMinute, s.Keep.Minutes}, {domain.PerHour, s.Keep.Hours},
		{domain.PerDay, s.Keep.Days},
	} {
		for more := k.keep > 0; more; {
			var err error
			if more, err = s.Cleaner.Forget(ctx, k.r, now.Add(-k.keep-forgetLate)); err != nil {
				return err
			}
			if err := pause(ctx); err != nil {
				return err
			}
		}
	}
	if s.Keep.Raw > 0 { // what is older is refused, whatever its number
		if err := s.Cleaner.ForgetNumbers(ctx, now.Add(-s.Keep.Raw-forgetLate)); err != nil {
			return err
		}
	}
	for more := true; more; {
		var err error
		if more, err = s.Cleaner.Compact(ctx); err != nil {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pause lets others write.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(forgetPause):
		return nil
	}
}
