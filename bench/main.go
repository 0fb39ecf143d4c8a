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
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
)

const (
	users = 32
	rooms = 32
	// A store that grows by more than this gets its messages in lots that are not
	// waited for. The rows, and what is read of them, are the same.
	maxInFlight = 1_000_000
)

func main() {
	log.SetFlags(0)
	sends := flag.Int("sends", 20000, "messages for each figure of durable sends")
	sizes := flag.String("sizes", "10000,100000", "sizes of the store for history and search; empty: none")
	sqlite := flag.Bool("sqlite", true, "measure durable sends on SQLite as well")
	postgres := flag.String("postgres", "", "URL of an empty PostgreSQL database; empty: SQLite only")
	keep := flag.String("dir", "",
		"folder that the stores are made in and stay; if one for history is there, it is measured as it is; empty: a "+
			"temporary one")
	nodes := flag.Int("nodes", 1, "servers that send into the PostgreSQL database at the same time")
	cases := flag.String("cases", "1/1,32/1,256/1,256/32", "figures of durable sends: messages in flight/rooms")
	growth := flag.String("rooms", "",
		"numbers of rooms, for the cost of an append by them: 1,10,100,1000,10000; empty: none. It wants a PostgreSQL "+
			"database of its own")
	plots := flag.String("plots", "", "folder for plots; empty: none")
	profile := flag.String("cpuprofile", "", "file for a profile of this process")
	flag.Parse()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			log.Fatal(err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			log.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	ctx := context.Background()
	dir := *keep
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "unhidra-bench-"); err != nil {
			log.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}

	path := filepath.Join(dir, "history.db")
	if _, err := os.Stat(path); err == nil { // what was begun goes on
		b, n := resume(ctx, path)
		fmt.Println(readingHead)
		b.reading(ctx, n, path)
		b.purging(ctx)
		return
	}

	if *growth != "" {
		stores := []store.Options{{Path: filepath.Join(dir, "rooms.db")}}
		if *postgres != "" {
			stores = append(stores, store.Options{URL: *postgres})
		}
		grow(ctx, stores, *growth, *sends, *plots)
		return
	}
	fmt.Println("| store | in flight | rooms | acknowledged/s | p50 | p99 | CPU µs/message | bare, same senders/s | " +
		"ratio | bare CPU µs | bare, full lots/s |\n|---|---|---|---|---|---|---|---|---|---|---|")
	if *sqlite {
		durable(ctx, store.Options{Path: filepath.Join(dir, "sends.db")}, "sqlite", filepath.Join(dir, "bare.db"), *cases,
			*sends, 1)
	}
	if *postgres != "" {
		durable(ctx, store.Options{URL: *postgres}, "pgx", *postgres, *cases, *sends, *nodes)
	}
	if *sizes == "" {
		return
	}
	fmt.Println(readingHead)
	b := open(ctx, store.Options{Path: path})
	defer func() { _ = b.db.Close() }()
	n := 0
	for s := range strings.SplitSeq(*sizes, ",") {
		size, err := strconv.Atoi(s)
		if err != nil {
			log.Fatal(err)
		}
		if size-n <= maxInFlight {
			b.send(ctx, size-n, 256, rooms)
		} else {
			b.fill(ctx, path, size-n)
		}
		n = size
		b.reading(ctx, n, path)
	}
	b.purging(ctx)
}

const readingHead = "\n| messages | page p50 | page p95 | search p50 | search p95 | by relevance p95 | bytes/message " +
	"|\n|---|---|---|---|---|---|---|"

type bench struct {
	db     *all.Store
	others []*all.Store // that send as well
	rooms  []string
	sent   int
	words  *rand.Zipf
	rng    *rand.Rand
	mu     sync.Mutex
}

func user(i int) string { return fmt.Sprintf("usr_%026d", i) }

func open(ctx context.Context, o store.Options) *bench {
	db, err := all.Open(ctx, o)
	if err != nil {
		log.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	b := &bench{db: db, rng: rng, words: rand.NewZipf(rng, 1.1, 4, 20000)}
	n := domain.NewRoom{Kind: domain.PublicRoom}
	for i := range users {
		u := domain.User{ID: user(i), Kind: domain.KindUser, Role: domain.SystemUser, Username: fmt.Sprintf("user%d", i),
			DisplayName: "User"}
		if err := db.Accounts.CreateUser(ctx, u, "", domain.Signup{}, time.Now()); err != nil {
			log.Fatal(err)
		}
		if i > 0 {
			n.Members = append(n.Members, u.ID)
		}
	}
	for i := range rooms {
		n.Name = fmt.Sprint("Room ", i)
		s, _, err := db.Rooms.CreateRoom(ctx, user(0), n, time.Now())
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

// send writes n messages with so many in flight, over so many rooms in turn, and
// returns how long each took.
func (b *bench) send(ctx context.Context, n, inFlight, over int) []time.Duration {
	took := make([]time.Duration, n)
	nodes := append([]*all.Store{b.db}, b.others...)
	work := make(chan int)
	var wg sync.WaitGroup
	for w := range inFlight {
		wg.Go(func() {
			for i := range work {
				room, who := i%over, w%users
				if room >= rooms { // not everybody is in it
					who = room % users
				}
				d := domain.Draft{Room: b.rooms[room], Key: fmt.Sprint("k", b.sent+i), Text: b.text()}
				begin := time.Now()
				if _, _, err := nodes[w%len(nodes)].Messages.AppendMessage(ctx, user(who), d, nil, false, begin); err != nil {
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

func durable(ctx context.Context, o store.Options, driver, bareDSN, cases string, n, nodes int) {
	b := open(ctx, o)
	for range nodes - 1 {
		db, err := all.Open(ctx, o)
		if err != nil {
			log.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		b.others = append(b.others, db)
	}
	defer func() { _ = b.db.Close() }()
	server := serverOf(o)
	for c := range strings.SplitSeq(cases, ",") {
		var inFlight, rooms int
		if _, err := fmt.Sscanf(c, "%d/%d", &inFlight, &rooms); err != nil {
			log.Fatalf("-cases %s: %v", c, err)
		}
		count := n
		if inFlight == 1 {
			count = n / 10
		}
		begin, cpu := time.Now(), used(ctx, server)
		took := b.send(ctx, count, inFlight, rooms)
		rate := float64(count) / time.Since(begin).Seconds()
		ours := perMessage(used(ctx, server)-cpu, count)
		bare := openBare(ctx, driver, bareDSN, b.rooms[0], b.text())
		fed, bareCPU := bare.rate(ctx, count, server, func(commit func(int)) { closedLoop(count, inFlight, commit) })
		full, _ := bare.rate(ctx, count, server, func(commit func(int)) {
			for range count / inFlight {
				commit(inFlight)
			}
		})
		_ = bare.db.Close()
		p := percentiles(took)
		name := b.db.Name()
		if nodes > 1 {
			name += fmt.Sprintf(", %d nodes", nodes)
		}
		fmt.Printf("| %s | %d | %d | %.0f | %v | %v | %.0f | %.0f | %.2f | %.0f | %.0f |\n", name, inFlight, rooms, rate,
			p(50), p(99), ours, fed, rate/fed, bareCPU, full)
	}
}

// serverOf is a way to ask a PostgreSQL which processes are its; nil for SQLite.
func serverOf(o store.Options) *sql.DB {
	if o.URL == "" {
		return nil
	}
	db, err := sql.Open("pgx", o.URL)
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

func perMessage(d time.Duration, n int) float64 { return float64(d.Microseconds()) / float64(n) }

func (b *bench) reading(ctx context.Context, n int, path string) {
	b.indexed(ctx)
	page := b.times(300, func() error {
		_, err := b.db.Log.Timeline(ctx, domain.WholeLog(b.rooms[b.rng.IntN(rooms)]),
			domain.PageQuery{Before: 1 + b.rng.Int64N(int64(n/rooms)), Limit: 50})
		return err
	})
	find := func(order domain.SearchOrder) func() error {
		return func() error {
			q, err := fulltext.Parse(fmt.Sprintf("word%d word%d word%d", b.words.Uint64()%20, b.words.Uint64()%20,
				b.words.Uint64()%200), time.UTC)
			if err != nil {
				return err
			}
			_, _, err = b.db.Search.Search(ctx, user(1), q, order, domain.SearchCursor{}, 20)
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
	fmt.Printf("| %d | %v | %v | %v | %v | %v | %d |\n", n, page(50), page(95), newest(50), newest(95), ranked(95),
		size/int64(n))
}

// indexed waits until the last message is found.
func (b *bench) indexed(ctx context.Context) {
	mark := fmt.Sprintf("mark%d", b.sent)
	if _, _, err := b.db.Messages.AppendMessage(ctx, user(0), domain.Draft{Room: b.rooms[0], Key: mark, Text: mark}, nil,
		false, time.Now()); err != nil {
		log.Fatal(err)
	}
	q, err := fulltext.Parse(mark, time.UTC)
	if err != nil {
		log.Fatal(err)
	}
	for {
		hits, _, err := b.db.Search.Search(ctx, user(0), q, domain.Newest, domain.SearchCursor{}, 1)
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
