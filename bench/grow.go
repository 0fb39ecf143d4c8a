package main

import (
	"context"
	"fmt"
	"log"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/bench/svg"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const flood = 256 // senders at once

// grow measures the processor time of an append as the rooms become more over
// which 256 senders spread their messages: what does not grow with them is right.
// Each room has two members.
func grow(ctx context.Context, stores []store.Options, counts string, sends int, plots string) {
	fmt.Println("\n| store | rooms | acknowledged/s | p50 | p99 | CPU µs/message |\n|---|---|---|---|---|---|")
	plot := svg.Plot{Title: "Cost of an append by rooms", X: "rooms, 256 messages in flight", Y: "CPU µs per message"}
	for _, o := range stores {
		b := open(ctx, o)
		server := serverOf(o)
		curve := svg.Curve{Name: b.db.Name()}
		for c := range strings.SplitSeq(counts, ",") {
			n, err := strconv.Atoi(c)
			if err != nil {
				log.Fatal(err)
			}
			b.moreRooms(ctx, n)
			began, cpu := time.Now(), used(ctx, server)
			took := percentiles(b.send(ctx, sends, flood, n))
			rate := float64(sends) / time.Since(began).Seconds()
			cost := perMessage(used(ctx, server)-cpu, sends)
			fmt.Printf("| %s | %d | %.0f | %v | %v | %.0f |\n", b.db.Name(), n, rate, took(50), took(99), cost)
			curve.Points = append(curve.Points, [2]float64{float64(n), cost})
		}
		plot.Curves = append(plot.Curves, curve)
		_ = b.db.Close()
	}
	if plots == "" {
		return
	}
	if err := plot.Write(filepath.Join(plots, "append-by-rooms.svg")); err != nil {
		log.Fatal(err)
	}
}

// moreRooms makes rooms until there are n. All users are in the first ones; in the
// others are those two who will write there.
func (b *bench) moreRooms(ctx context.Context, n int) {
	for i := len(b.rooms); i < n; i++ {
		s, _, err := b.db.Rooms.CreateRoom(ctx, user(i%users),
			domain.NewRoom{Kind: domain.PublicRoom, Name: fmt.Sprint("Room ", i), Members: []string{user((i + 1) % users)}},
			time.Now())
		if err != nil {
			log.Fatal(err)
		}
		b.rooms = append(b.rooms, s.Room.ID)
	}
}
