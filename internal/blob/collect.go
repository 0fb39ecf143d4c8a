package blob

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Run deletes files without references until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		if err := s.Collect(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "delete files that nothing refers to; will try again",
				"err", err, "in", collectEvery)
		}
		s.sweepTemp()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Collect deletes the blobs that have no references and were added more than a day ago.
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
			if err := s.Rows.DeleteObjectRecords(ctx, names); err != nil {
				return err
			}
		}
		if dropped < collectBatch {
			return nil
		}
	}
}

// sweepTemp deletes the remains of uploads that a crash has interrupted.
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

// A Report is the result of Check.
type Report struct {
	Objects int
	Bytes   int64
	Orphans []Object      // objects without a row, older than a day
	Missing []domain.Blob // blobs with references, whose object is missing
}

// Check looks for objects without a row, which a crash between writing an object and its row
// leaves, and for blobs whose object is missing.
func (s *Service) Check(ctx context.Context) (report Report, err error) {
	seen := map[string]bool{}
	var old []Object
	err = s.Objects.List(ctx, func(o Object) error {
		report.Objects++
		report.Bytes += o.Size
		seen[o.Name] = true
		if s.Now().Sub(o.Modified) >= grace {
			old = append(old, o)
		}
		return nil
	})
	if err != nil {
		return report, err
	}
	for batch := range slices.Chunk(old, collectBatch) {
		names := make([]string, len(batch))
		for i, o := range batch {
			names[i] = o.Name
		}
		known, err := s.Rows.KnownObjects(ctx, names)
		if err != nil {
			return report, err
		}
		for _, o := range batch {
			if !known[o.Name] {
				report.Orphans = append(report.Orphans, o)
			}
		}
	}
	report.Missing, err = s.missing(ctx, seen)
	return report, err
}

// missing returns the blobs whose objects are not in seen and do not exist now either: they may
// have been added meanwhile.
func (s *Service) missing(ctx context.Context, seen map[string]bool) (missing []domain.Blob, err error) {
	after := ""
	for {
		page, err := s.Rows.ReferredBlobs(ctx, after, collectBatch)
		if err != nil {
			return nil, err
		}
		for _, b := range page {
			after = b.Hash
			if seen[b.Object] {
				continue
			}
			there, err := s.exists(ctx, b)
			if err != nil {
				return nil, err
			}
			if !there {
				missing = append(missing, b)
			}
		}
		if len(page) < collectBatch {
			return missing, nil
		}
	}
}
