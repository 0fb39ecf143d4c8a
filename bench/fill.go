package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
)

const fillBatchSize = 10_000

// fill adds n messages as AppendMessage leaves them, without asking the disk to
// have each: ten million of them take minutes then, and not an hour. The store is
// closed meanwhile, and its own indexer makes them findable afterwards.
func (b *bench) fill(ctx context.Context, path string, n int) {
	if err := b.db.Close(); err != nil {
		log.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-262144)")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	heads := make([]int64, rooms)
	for i, id := range b.rooms {
		if err := db.QueryRowContext(ctx, `SELECT head FROM rooms WHERE id = $1`, id).Scan(&heads[i]); err != nil {
			log.Fatal(err)
		}
	}
	for done := 0; done < n; done += fillBatchSize {
		if err := b.fillBatch(ctx, db, heads, min(fillBatchSize, n-done)); err != nil {
			log.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	if b.db, err = all.Open(ctx, store.Options{Path: path}); err != nil {
		log.Fatal(err)
	}
}

func (b *bench) fillBatch(ctx context.Context, db *sql.DB, heads []int64, n int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	insert, err := tx.PrepareContext(ctx,
		`INSERT INTO events (room_id, seq, type, actor_id, at, key, text, mentions, mention_room, edits)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '', FALSE, 0)`)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	for range n {
		r := b.rng.IntN(rooms)
		heads[r]++
		_, err := insert.ExecContext(ctx, b.rooms[r], heads[r], domain.MessageCreated, user(b.rng.IntN(users)), now,
			fmt.Sprint("k", b.sent), b.text())
		if err != nil {
			return err
		}
		b.sent++
	}
	for i, id := range b.rooms {
		if _, err := tx.ExecContext(ctx, `UPDATE rooms SET head = $2, last_at = $3 WHERE id = $1`, id, heads[i],
			now); err != nil {
			return err
		}
	}
	return tx.Commit()
}
