package blob

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// Run deletes what nobody needs until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		if err := s.Collect(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("delete files that nothing refers to; will try again", "err", err, "in", collectEvery)
		}
		s.sweepTemp()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Collect deletes the blobs that nothing refers to and that were added more than a day
// ago.
func (s *Service) Collect(ctx context.Context) error {
	for {
		dropped, err := s.Rows.DropBlobs(ctx, s.Now().Add(-grace), collectBatch)
		if err != nil {
			return err
		}
		for {
			names, err := s.Rows.DroppedObjects(ctx, collectBatch)
			if err != nil {
				return err
			}
			if len(names) == 0 {
				break
			}
			for _, name := range names {
				if err := s.Objects.Delete(ctx, name); err != nil {
					return err
				}
			}
			if err := s.Rows.ForgetObjects(ctx, names); err != nil {
				return err
			}
		}
		if dropped < collectBatch {
			return nil
		}
	}
}

// sweepTemp deletes what a crash left of uploads.
func (s *Service) sweepTemp() {
	left, err := filepath.Glob(filepath.Join(s.Temp, "upload-*"))
	if err != nil {
		return
	}
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && s.Now().Sub(info.ModTime()) > grace {
			_ = os.Remove(path)
		}
	}
}

// A Report says what Check found.
type Report struct {
	Objects int
	Bytes   int64
	Orphans []Object // objects that no row has, older than a day
}

// Check looks for objects that no row has: what a crash left between writing an object
// and its row.
func (s *Service) Check(ctx context.Context) (Report, error) {
	var report Report
	var batch []Object
	look := func() error {
		names := make([]string, len(batch))
		for i, o := range batch {
			names[i] = o.Name
		}
		known, err := s.Rows.KnownObjects(ctx, names)
		for _, o := range batch {
			if err == nil && !known[o.Name] {
				report.Orphans = append(report.Orphans, o)
			}
		}
		batch = batch[:0]
		return err
	}
	err := s.Objects.List(ctx, func(o Object) error {
		report.Objects++
		report.Bytes += o.Size
		if s.Now().Sub(o.Modified) < grace {
			return nil
		}
		if batch = append(batch, o); len(batch) < collectBatch {
			return nil
		}
		return look()
	})
	if err == nil {
		err = look()
	}
	return report, err
}

// Tidy deletes the orphans that Check finds, and returns how many there were.
func (s *Service) Tidy(ctx context.Context) (int, error) {
	report, err := s.Check(ctx)
	if err != nil {
		return 0, err
	}
	for i, o := range report.Orphans {
		if err := s.Objects.Delete(ctx, o.Name); err != nil {
			return i, err
		}
	}
	return len(report.Orphans), nil
}
