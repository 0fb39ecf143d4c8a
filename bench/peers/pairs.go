package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
	"github.com/unhidra/unhidra/internal/ws"
)

// What one pair of servers is asked to do, each from an empty store.
const (
	pairUsers = 16 // each with a room of their own
	pairSends = 8000
	pairPages = 1000
	pairHunts = 800  // searches
	pairComes = 6000 // hellos
	pairIdle  = 1500 // connections
	pairWait  = 8 * time.Second
)

// pairs compares programs of ours, such as that of a commit and one of now: durable sends, pages of history, searches,
// hellos, and idle connections. Each round starts each of them anew on a store of its own; they take turns in who is
// first. What is compared is the processor time of the server, and the ratio within a round.
func (s *settings) pairs(ctx context.Context) error {
	binaries := strings.Split(s.unhidra, ",")
	if len(binaries) != 2 {
		return errors.New("-unhidra names two programs, with a comma between: the one before and the one after")
	}
	var all [2][]map[string]float64
	for i, b := range binaries {
		if err := s.prepare(ctx, b, s.pairDir(i)); err != nil {
			return fmt.Errorf("%s: %w", b, err)
		}
	}
	for round := range s.rounds {
		for k := range binaries {
			i := (round + k) % 2
			o, err := s.measurePair(ctx, binaries[i], s.pairDir(i))
			if err != nil {
				return fmt.Errorf("%s: %w", binaries[i], err)
			}
			complain("round %d, %s: %v", round+1, binaries[i], o)
			all[i] = append(all[i], o)
		}
	}
	fmt.Printf("| figure | before | after | ratio, median of %d | middle half |\n|---|---|---|---|---|\n", s.rounds)
	for _, name := range pairFigures {
		var ratios []float64
		for r := range all[0] {
			ratios = append(ratios, all[1][r][name]/all[0][r][name])
		}
		slices.Sort(ratios)
		of := func(o map[string]float64) float64 { return o[name] }
		fmt.Printf("| %s | %.1f | %.1f | **%.2f** | %.2f–%.2f |\n", name, median(all[0], of), median(all[1], of),
			ratios[len(ratios)/2], ratios[len(ratios)/4], ratios[len(ratios)-1-len(ratios)/4])
	}
	return nil
}

var pairFigures = []string{"send, CPU µs", "send, wall µs", "page, CPU µs", "page, wall µs", "search, CPU µs",
	"search, wall µs", "hello, CPU µs", "hello, wall µs", "idle connection, kB", "at rest, MB"}

func (s *settings) pairDir(i int) string { return filepath.Join(s.dir, fmt.Sprint("pair", i)) }

// A pair is one of two programs with its people.
type pair struct {
	*world
	ids []string
}

// prepare has a program make a store with people and rooms, by its own API, which is copied for each round.
func (s *settings) prepare(ctx context.Context, binary, dir string) error {
	p := &pair{world: &world{dir: dir}}
	t, err := p.start(binary)
	if err != nil {
		return err
	}
	defer t.servers[0].end()
	var lines []string
	for i := range pairUsers {
		c := client.New("http://" + t.addrs[0])
		who := client.Registration{Username: fmt.Sprint("user", i), Password: "an old song about rain"}
		if err := c.Register(ctx, who); err != nil {
			return err
		}
		me, err := c.Me(ctx)
		if err != nil {
			return err
		}
		var room struct{ ID string }
		if err := c.Do(ctx, "POST", "/rooms", map[string]string{"kind": "private", "name": fmt.Sprint("Room ", i)},
			&room); err != nil {
			return err
		}
		lines = append(lines, me.ID+" "+room.ID)
	}
	return os.WriteFile(filepath.Join(dir, "people"), []byte(strings.Join(lines, "\n")), 0o600)
}

func (p *pair) start(binary string) (*target, error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	t := &target{name: binary, addrs: []string{freeAddr()}, protocol: p}
	r, err := run(append(p.environ(t.addrs[0], p.dir, "", ""), "UNHIDRA_CAPTCHA=off", "RATE_LIMIT_REGISTER_PER_HOUR=1000",
		"UNHIDRA_CONNECTIONS_PER_USER=1000"), binary, "serve")
	if err != nil {
		return nil, err
	}
	t.servers = []*process{r}
	return t, t.await()
}

func (*pair) path() string         { return "/ws" }
func (*pair) opening(int) [][]byte { return nil }
func (*pair) joined() string       { return `"type":"hello"` }
func (*pair) answer([]byte) []byte { return nil }

func (p *pair) bearer(client int) string {
	now := time.Now()
	bearer, err := p.keys.Sign(token.Claims{User: p.ids[client%pairUsers], Role: string(domain.SystemUser), AuthTime: now,
		Expires: now.Add(2 * time.Hour)}, now)
	if err != nil {
		fail(err)
	}
	return bearer
}

func (p *pair) header(client int) string {
	return "Sec-WebSocket-Protocol: bearer, " + p.bearer(client) + "\r\n"
}

func (p *pair) publish(n, client int, text string) []byte {
	return fmt.Appendf(nil, `{"id":"%d","type":"message.send","data":{"room":%q,"key":"k-%d-%d","text":%q}}`, n,
		p.rooms[client%pairUsers], client, n, text)
}

// measurePair starts a program on a copy of its store, and puts all on it, one after the other.
func (s *settings) measurePair(ctx context.Context, binary, from string) (map[string]float64, error) {
	p := &pair{world: &world{dir: filepath.Join(s.fresh(), "copy")}}
	defer os.RemoveAll(p.dir)
	if err := os.CopyFS(p.dir, os.DirFS(from)); err != nil {
		return nil, err
	}
	people, err := os.ReadFile(filepath.Join(from, "people"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(people)) {
		id, room, _ := strings.Cut(strings.TrimSpace(line), " ")
		p.ids, p.rooms = append(p.ids, id), append(p.rooms, room)
	}
	if p.keys, err = token.NewKeyring("HS256", []byte(serverKey)); err != nil {
		return nil, err
	}
	t, err := p.start(binary)
	if err != nil {
		return nil, err
	}
	defer t.stop()
	o := map[string]float64{}
	count := func(name string, n int, do func() error) {
		used, began := t.cpu(), time.Now()
		if err == nil {
			err = do()
		}
		o[name+", CPU µs"] = float64((t.cpu() - used).Microseconds()) / float64(n)
		o[name+", wall µs"] = float64(time.Since(began).Microseconds()) / float64(n)
	}
	time.Sleep(2 * time.Second)
	rest := t.resident() // before anything grows it
	o["at rest, MB"] = float64(rest) / 1e6
	idle, failed := gather(ctx, t, pairIdle, func(int, []byte) {})
	if failed != nil {
		return nil, failed
	}
	time.Sleep(pairWait)
	o["idle connection, kB"] = float64(t.resident()-rest) / pairIdle / 1000
	idle.close()
	c, failed := p.sending(ctx, t)
	if failed != nil {
		return nil, failed
	}
	count("send", pairSends, func() error { return c.sendAll() })
	c.close()
	time.Sleep(2 * time.Second) // for the index
	get := func(path func(i int) string) func(i int) error {
		return func(i int) error { return p.get(ctx, t, i, path(i)) }
	}
	count("page", pairPages, func() error {
		return several(pairPages, get(func(i int) string { return "/rooms/" + p.rooms[i%pairUsers] + "/timeline?limit=50" }))
	})
	count("search", pairHunts, func() error {
		return several(pairHunts, get(func(i int) string { return fmt.Sprint("/search?q=word", i%7, "+common") }))
	})
	count("hello", pairComes, func() error { return several(pairComes, func(i int) error { return hello(ctx, t, i) }) })
	return o, err
}

// senders are two clients of each user, each with one message in flight.
type senders struct {
	*clients
	p     *pair
	acked []chan bool
}

func (p *pair) sending(ctx context.Context, t *target) (*senders, error) {
	s := &senders{p: p}
	for range 2 * pairUsers {
		s.acked = append(s.acked, make(chan bool, 1))
	}
	var err error
	s.clients, err = gather(ctx, t, len(s.acked), func(client int, text []byte) {
		switch {
		case bytes.Contains(text, []byte(`"type":"ok"`)):
			s.acked[client] <- true
		case bytes.Contains(text, []byte(`"type":"error"`)):
			complain("client %d: %s", client, text)
			s.acked[client] <- false
		}
	})
	return s, err
}

func (s *senders) sendAll() error {
	var wg sync.WaitGroup
	var refused atomic.Int64
	for client := range s.acked {
		wg.Go(func() {
			for n := range pairSends / len(s.acked) {
				text := fmt.Sprint("some common words of a message, as people write them, word", n%7)
				if s.sockets[client].send(ws.Text, s.p.publish(n, client, text)) != nil || !<-s.acked[client] {
					refused.Add(1)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := refused.Load(); n > 0 {
		return fmt.Errorf("%d senders were refused", n)
	}
	return nil
}

// several does n things, four at once.
func several(n int, do func(i int) error) error {
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for k := range errs {
		wg.Go(func() {
			for i := k; i < n && errs[k] == nil; i += len(errs) {
				errs[k] = do(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

var pairHTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: time.Minute}

func (p *pair) get(ctx context.Context, t *target, client int, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.addrs[0]+"/api/v1"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.bearer(client))
	res, err := pairHTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || len(body) < 5000) {
		err = fmt.Errorf("%s: %s, %.200s", path, res.Status, body)
	}
	return err
}

// hello connects a client, and waits for the frame that says what there is.
func hello(ctx context.Context, t *target, client int) error {
	s, err := open(ctx, t, client)
	if err != nil {
		return err
	}
	defer s.nc.Close()
	heard := errors.New("no hello")
	if err := s.read(func(text []byte) bool {
		if bytes.Contains(text, []byte(t.protocol.joined())) {
			heard = nil
		}
		return heard != nil
	}); err != nil {
		return err
	}
	return heard
}
