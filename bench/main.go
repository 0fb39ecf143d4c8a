// Command bench measures the store: acknowledged messages per second beside a
// bare group commit of the same rows on the same store in the same run, and
// pages of history and searches as the store grows. It prints Markdown tables.
//
//	go run ./bench -sizes 10000,100000,1000000 [-postgres postgres://...]
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store"
)

const (
	users = 32
	rooms = 32
	// A store that grows by more than this gets its messages in lots that are not
	// waited for. The rows, and what is read of them, are the same.
	sentAtMost = 1_000_000
)

func main() {
	log.SetFlags(0)
	sends := flag.Int("sends", 20000, "messages for each figure of durable sends")
	sizes := flag.String("sizes", "10000,100000", "sizes of the store for history and search")
	postgres := flag.String("postgres", "", "URL of an empty PostgreSQL database; empty: SQLite only")
	keep := flag.String("dir", "", "folder that the stores are made in and stay; empty: a temporary one")
	flag.Parse()
	ctx := context.Background()
	dir := *keep
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "unhidra-bench-"); err != nil {
			log.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}

	fmt.Println("| store | in flight | rooms | acknowledged/s | p50 | p99 | bare, same senders/s | ratio | bare, full lots/s |\n|---|---|---|---|---|---|---|---|---|")
	durable(ctx, store.Options{Path: filepath.Join(dir, "sends.db")}, "sqlite", filepath.Join(dir, "bare.db"), *sends)
	if *postgres != "" {
		durable(ctx, store.Options{URL: *postgres}, "pgx", *postgres, *sends)
	}
	fmt.Println("\n| messages | page p50 | page p95 | search p50 | search p95 | by relevance p95 | bytes/message |\n|---|---|---|---|---|---|---|")
	path := filepath.Join(dir, "history.db")
	b := open(ctx, store.Options{Path: path})
	defer func() { _ = b.db.Close() }()
	n := 0
	for s := range strings.SplitSeq(*sizes, ",") {
		size, err := strconv.Atoi(s)
		if err != nil {
			log.Fatal(err)
		}
		if size-n <= sentAtMost {
			b.send(ctx, size-n, 256, rooms)
		} else {
			b.fill(ctx, path, size-n)
		}
		n = size
		b.reading(ctx, n, path)
	}
}

type bench struct {
	db    *store.DB
	rooms []string
	sent  int
	words *rand.Zipf
	rng   *rand.Rand
	mu    sync.Mutex
}

func user(i int) string { return fmt.Sprintf("usr_%026d", i) }

func open(ctx context.Context, o store.Options) *bench {
	db, err := store.Open(ctx, o)
	if err != nil {
		log.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	b := &bench{db: db, rng: rng, words: rand.NewZipf(rng, 1.1, 4, 20000)}
	n := domain.NewRoom{Kind: domain.PublicRoom}
	for i := range users {
		u := domain.User{ID: user(i), Kind: domain.KindUser, Role: domain.SystemUser, Username: fmt.Sprintf("user%d", i), DisplayName: "User"}
		if err := db.CreateUser(ctx, u, "", domain.Signup{}, time.Now()); err != nil {
			log.Fatal(err)
		}
		if i > 0 {
			n.Members = append(n.Members, u.ID)
		}
	}
	for i := range rooms {
		n.Name = fmt.Sprint("Room ", i)
		s, _, err := db.CreateRoom(ctx, user(0), n, time.Now())
		if err != nil {
			log.Fatal(err)
		}
		b.rooms = append(b.rooms, s.Room.ID)
	}
	return b
}

// text is 6 to 23 words, some of them common and most rare, as in speech.
func (b *bench) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var t strings.Builder
	for range 6 + b.rng.IntN(18) {
		fmt.Fprintf(&t, "word%d ", b.words.Uint64())
	}
	return t.String()
}

// send writes n messages with so many in flight, and returns how long each took.
func (b *bench) send(ctx context.Context, n, inFlight, rooms int) []time.Duration {
	took := make([]time.Duration, n)
	work := make(chan int)
	var wg sync.WaitGroup
	for w := range inFlight {
		wg.Go(func() {
			for i := range work {
				d := domain.Draft{Room: b.rooms[w%rooms], Key: fmt.Sprint("k", b.sent+i), Text: b.text()}
				begin := time.Now()
				if _, _, err := b.db.AppendMessage(ctx, user(w%users), d, nil, false, begin); err != nil {
					log.Fatal(err)
				}
				took[i] = time.Since(begin)
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
	b.sent += n
	return took
}

func durable(ctx context.Context, o store.Options, driver, dsn string, n int) {
	b := open(ctx, o)
	defer func() { _ = b.db.Close() }()
	for _, c := range []struct{ inFlight, rooms int }{{1, 1}, {32, 1}, {256, 1}, {256, rooms}} {
		count := n
		if c.inFlight == 1 {
			count = n / 10
		}
		begin := time.Now()
		took := b.send(ctx, count, c.inFlight, c.rooms)
		rate := float64(count) / time.Since(begin).Seconds()
		fed, full := b.bareCommits(ctx, driver, dsn, count, c.inFlight)
		p := percentiles(took)
		fmt.Printf("| %s | %d | %d | %.0f | %v | %v | %.0f | %.2f | %.0f |\n", b.db.Name(), c.inFlight, c.rooms, rate, p(50), p(99), fed, rate/fed, full)
	}
}

// bareCommits inserts the same rows and does nothing else: what the database
// itself allows. fed is for the same senders, who wait for each commit; full is
// for one loop with lots as large as there are senders.
func (b *bench) bareCommits(ctx context.Context, driver, dsn string, n, senders int) (fed, full float64) {
	text := b.text()
	if driver == "sqlite" {
		dsn = "file:" + dsn + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	exec := func(q querier, query string, args ...any) {
		if _, err := q.ExecContext(ctx, query, args...); err != nil {
			log.Fatal(err)
		}
	}
	exec(db, `DROP TABLE IF EXISTS bare`)
	// The columns and indexes of the log.
	identity := "pos INTEGER PRIMARY KEY"
	if driver != "sqlite" {
		identity = "pos BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
	}
	exec(db, `CREATE TABLE bare (`+identity+`, room TEXT, seq BIGINT, type TEXT, actor TEXT, at BIGINT, key TEXT, text TEXT,
		mentions TEXT, target BIGINT, edits BIGINT DEFAULT 0, deleted_at BIGINT DEFAULT 0, UNIQUE (room, seq))`)
	exec(db, `CREATE UNIQUE INDEX bare_key ON bare (actor, key) WHERE key IS NOT NULL`)
	exec(db, `CREATE INDEX bare_timeline ON bare (room, seq) WHERE target IS NULL`)
	exec(db, `CREATE INDEX bare_time ON bare (room, at) WHERE target IS NULL`)
	prepared, err := db.PrepareContext(ctx, `INSERT INTO bare (room, seq, type, actor, at, key, text, mentions) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`)
	if err != nil {
		log.Fatal(err)
	}
	rate := func(next func(commit func(rows int))) float64 {
		i, begin := 0, time.Now()
		next(func(rows int) {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				log.Fatal(err)
			}
			insert := tx.StmtContext(ctx, prepared)
			for range rows {
				_, err := insert.ExecContext(ctx, b.rooms[0], i, domain.MessageCreated, user(i%users), begin.UnixMilli(), fmt.Sprint("k", i), text, "")
				if err != nil {
					log.Fatal(err)
				}
				i++
			}
			if err := tx.Commit(); err != nil {
				log.Fatal(err)
			}
		})
		return float64(n) / time.Since(begin).Seconds()
	}
	fed = rate(func(commit func(int)) { closedLoop(n, senders, commit) })
	exec(db, `DELETE FROM bare`)
	full = rate(func(commit func(int)) {
		for range n / senders {
			commit(senders)
		}
	})
	return fed, full
}

// closedLoop has senders who each wait for their row's commit before they ask
// for the next, and commits what is waiting, together.
func closedLoop(n, senders int, commit func(rows int)) {
	waiting := make(chan chan struct{}, senders)
	for range senders {
		go func() {
			done := make(chan struct{}, 1)
			for range n / senders {
				waiting <- done
				<-done
			}
		}()
	}
	for sent := 0; sent < n/senders*senders; {
		lot := []chan struct{}{<-waiting}
		for range len(waiting) {
			lot = append(lot, <-waiting)
		}
		commit(len(lot))
		for _, done := range lot {
			done <- struct{}{}
		}
		sent += len(lot)
	}
}

type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (b *bench) reading(ctx context.Context, n int, path string) {
	b.indexed(ctx)
	page := b.times(300, func() error {
		_, err := b.db.Timeline(ctx, b.rooms[b.rng.IntN(rooms)], domain.PageQuery{Before: 1 + b.rng.Int64N(int64(n/rooms)), Limit: 50})
		return err
	})
	find := func(order domain.SearchOrder) func() error {
		return func() error {
			q, err := fulltext.Parse(fmt.Sprintf("word%d word%d word%d", b.words.Uint64()%20, b.words.Uint64()%20, b.words.Uint64()%200))
			if err != nil {
				return err
			}
			_, _, err = b.db.Search(ctx, user(1), q, order, domain.SearchCursor{}, 20)
			return err
		}
	}
	newest, ranked := b.times(200, find(domain.Newest)), b.times(200, find(domain.Relevance))
	var size int64
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(path + suffix); err == nil {
			size += info.Size()
		}
	}
	fmt.Printf("| %d | %v | %v | %v | %v | %v | %d |\n", n, page(50), page(95), newest(50), newest(95), ranked(95), size/int64(n))
}

// indexed waits until the last message is found.
func (b *bench) indexed(ctx context.Context) {
	mark := fmt.Sprintf("mark%d", b.sent)
	if _, _, err := b.db.AppendMessage(ctx, user(0), domain.Draft{Room: b.rooms[0], Key: mark, Text: mark}, nil, false, time.Now()); err != nil {
		log.Fatal(err)
	}
	q, err := fulltext.Parse(mark)
	if err != nil {
		log.Fatal(err)
	}
	for {
		hits, _, err := b.db.Search(ctx, user(0), q, domain.Newest, domain.SearchCursor{}, 1)
		if err != nil {
			log.Fatal(err)
		}
		if len(hits) == 1 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (b *bench) times(n int, fn func() error) func(p int) time.Duration {
	took := make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		if err := fn(); err != nil {
			log.Fatal(err)
		}
		took[i] = time.Since(begin)
	}
	return percentiles(took)
}

func percentiles(took []time.Duration) func(p int) time.Duration {
	slices.Sort(took)
	return func(p int) time.Duration { return took[min(len(took)*p/100, len(took)-1)].Round(10 * time.Microsecond) }
}
