// Seed fills a room with numbered messages, straight through the store, so that
// the browser tests have a long history at once. The server must not be running.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
)

const inFlight = 256

func main() {
	path := flag.String("db", "", "the SQLite file")
	room := flag.String("room", "", "the room's id")
	user := flag.String("user", "", "who says it: the user's id")
	n := flag.Int("n", 0, "number of messages")
	flag.Parse()
	if err := seed(context.Background(), *path, *room, *user, *n); err != nil {
		log.Fatal(err)
	}
}

func seed(ctx context.Context, path, room, user string, n int) error {
	db, err := all.Open(ctx, store.Options{Path: path})
	if err != nil {
		return err
	}
	failed := make(chan error, inFlight)
	work := make(chan int)
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for i := range work {
				d := domain.Draft{Room: room, Key: fmt.Sprint("seed-", i), Text: text(i)}
				if _, _, err := db.Messages.AppendMessage(ctx, user, d, nil, false, time.Now()); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	for i := 0; i < n && err == nil; i++ {
		select {
		case work <- i:
		case err = <-failed:
		}
	}
	close(work)
	wg.Wait()
	select {
	case err = <-failed:
	default:
	}
	if closing := db.Close(); err == nil {
		err = closing
	}
	return err
}

// text is of one to a dozen lines, so that the rows of the timeline differ.
func text(i int) string {
	return fmt.Sprintf("entry %d %s", i, strings.Repeat("and so it went on ", i*7%60))
}
