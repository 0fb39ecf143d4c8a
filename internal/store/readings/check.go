package readings

import (
	"context"
	"errors"
	"fmt"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/store"
)

// Check looks for damage in the SQLite file at path, which no server may have open. It migrates
// the file to this program's schema.
func Check(ctx context.Context, path string) error {
	repo, err := OpenFile(ctx, store.Options{Path: path, Tool: true})
	if err != nil {
		return err
	}
	return errors.Join(repo.Verify(ctx), repo.End())
}

// Verify looks for damage: the database's own structure, as far as it can check that, and what
// was packed.
func (repo *Repository) Verify(ctx context.Context) error {
	if err := repo.db.Integrity(ctx); err != nil {
		return fmt.Errorf("readings of devices: %w", err)
	}
	const atOnce = 500
	for _, table := range []string{"reading_chunks", "reading_minutes", "reading_hours"} {
		after := int64(-1)
		for {
			rows, err := repo.db.QueryContext(ctx, `SELECT id, body FROM `+table+` WHERE id > $1 ORDER BY id LIMIT $2`, after,
				atOnce)
			if err != nil {
				return err
			}
			page, err := store.Collect(rows, scanPart)
			if err != nil {
				return err
			}
			for _, p := range page {
				if _, err := chunk.ReadHeader(p.body); err != nil {
					return fmt.Errorf("row %d of %s: %w; restore a backup with `unhidra restore`", p.id, table, err)
				}
				after = p.id
			}
			if len(page) < atOnce {
				break
			}
		}
	}
	return nil
}
