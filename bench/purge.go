package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
)

// purging measures sends alone, and beside a purge in the steps and at the pace of
// package history.
func (b *bench) purging(ctx context.Context) {
	const sends, inFlight = 5000, 32
	alone := percentiles(b.send(ctx, sends, inFlight, rooms))
	purge, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var events int
	var busy time.Duration
	begin := time.Now()
	wg.Go(func() {
		for at := 0; purge.Err() == nil; at++ {
			start := time.Now()
			p, err := b.db.Messages.Purge(ctx, b.rooms[at%rooms],
				domain.PurgeStep{Before: time.Now().Add(-time.Second), Limit: 200})
			if err != nil {
				log.Fatal(err)
			}
			took := time.Since(start)
			events += p.Events
			busy += took
			time.Sleep(max(4*took, 10*time.Millisecond))
		}
	})
	beside := percentiles(b.send(ctx, sends, inFlight, rooms))
	lasted := time.Since(begin).Seconds()
	stop()
	wg.Wait()
	fmt.Println("\n| sends | p50 | p99 | events purged/s | ms a step of 200 |\n|---|---|---|---|---|")
	fmt.Printf("| alone | %v | %v | | |\n", alone(50), alone(99))
	fmt.Printf("| beside a purge | %v | %v | %.0f | %.1f |\n", beside(50), beside(99), float64(events)/lasted,
		busy.Seconds()*1000*200/float64(max(events, 1)))
}

// resume opens a store that an earlier run made.
func resume(ctx context.Context, path string) (*bench, int) {
	db, err := all.Open(ctx, store.Options{Path: path})
	if err != nil {
		log.Fatal(err)
	}
	found, _, err := db.Rooms.PublicRooms(ctx, user(0), "", "", rooms)
	if err != nil || len(found) != rooms {
		log.Fatalf("%s is not a store of this program: %d rooms, %v", path, len(found), err)
	}
	rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))) // no secret
	b := &bench{db: db, rng: rng, words: rand.NewZipf(rng, 1.1, 4, 20000)}
	n := 0
	for _, r := range found {
		b.rooms = append(b.rooms, r.ID)
		n += int(r.Head - r.Floor)
	}
	b.sent = n + int(time.Now().UnixNano()%1e9)*1000 // keys that nothing there has
	return b, n
}
