package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/ws"
)

// storm kills the server under all clients at once, starts it again at the same
// address, and waits until each has got back: let in, in its room, and in
// possession of what it had missed. Clients come back as the Go package and the
// web client do: at a random time, from a span that doubles with each failure.
func (s *settings) storm(ctx context.Context) error {
	fmt.Println("| clients | server answers after | half have resumed after | all have resumed after | of which since " +
		"it answers | attempts | server CPU-s |")
	fmt.Println("|---|---|---|---|---|---|---|")
	n := s.clients
	w, err := makeWorld(ctx, s.fresh(), "", n, n/100)
	if err != nil {
		return err
	}
	for range s.rounds {
		if err := s.oneStorm(ctx, w, n); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) oneStorm(ctx context.Context, w *world, n int) error {
	t, err := w.start(s.unhidra, 1, "", "")
	if err != nil {
		return err
	}
	defer func() { t.stop() }()
	c, err := gather(ctx, t, n, func(int, []byte) {})
	if err != nil {
		return err
	}
	c.closing.Store(true) // they are meant to be lost
	time.Sleep(2 * time.Second)
	killed := time.Now()
	t.stop()
	again, err := restart(s.unhidra, t, w)
	if err != nil {
		return err
	}
	t = again
	var up atomic.Int64 // nanoseconds after the kill
	go func() {
		if err := t.await(); err == nil {
			up.Store(int64(time.Since(killed)))
		}
	}()
	var attempts atomic.Int64
	back := make([]time.Duration, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			errs[i] = comeBack(ctx, t, i, &attempts)
			back[i] = time.Since(killed)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	slices.Sort(back)
	all, answered := back[n-1], time.Duration(up.Load())
	fmt.Printf("| %d | %.2f s | %.2f s | **%.2f s** | %.2f s | %d | %.1f |\n", n, answered.Seconds(), back[n/2].Seconds(),
		all.Seconds(),
		(all - answered).Seconds(), attempts.Load(), t.cpu().Seconds())
	return nil
}

// restart starts the server again where it was.
func restart(binary string, t *target, w *world) (*target, error) {
	p, err := run(w.environ(t.addrs[0], w.dir+"/node0", "", ""), binary, "serve")
	return &target{name: t.name, addrs: t.addrs, protocol: t.protocol, servers: []*process{p}}, err
}

const (
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
	giveUp      = 2 * time.Minute
)

func comeBack(ctx context.Context, t *target, client int, attempts *atomic.Int64) error {
	began := time.Now()
	for failures := 0; ; failures++ {
		wait := rand.N(min(longestWait, firstWait<<min(failures, 10)) + 1)
		if failures > 0 || client%2 == 0 {
			time.Sleep(wait)
		}
		attempts.Add(1)
		err := resume(ctx, t, client)
		if err == nil {
			return nil
		}
		var no *refused
		if errors.As(err, &no) {
			if seconds, bad := strconv.Atoi(no.after); bad == nil {
				named := time.Duration(seconds) * time.Second
				time.Sleep(named + rand.N(named/2+1))
			}
		}
		if time.Since(began) > giveUp {
			return fmt.Errorf("client %d: %w", client, err)
		}
	}
}

// resume opens a connection and asks for all after the second last event of the
// room, which hello names: one event must come.
func resume(ctx context.Context, t *target, client int) error {
	s, err := open(ctx, t, client)
	if err != nil {
		return err
	}
	_ = s.nc.SetReadDeadline(time.Now().Add(30 * time.Second))
	result := errors.New("no answer to sync")
	err = s.read(func(text []byte) bool {
		switch {
		case bytes.Contains(text, []byte(`"type":"hello"`)):
			var frame []byte
			if frame, result = syncFrame(text); result == nil {
				result = s.send(ws.Text, frame)
			}
			return result == nil
		case bytes.HasPrefix(text, []byte(`{"id":"sync"`)):
			if !bytes.Contains(text, []byte(`"seq":`)) {
				result = fmt.Errorf("nothing was missed: %s", text)
			}
			return false
		}
		return true
	})
	_ = s.nc.SetReadDeadline(time.Time{})
	if err = errors.Join(err, result); err != nil {
		s.nc.Close()
		return err
	}
	return nil // and stay
}

func syncFrame(hello []byte) ([]byte, error) {
	var h struct {
		Data struct {
			Rooms []struct {
				ID   string `json:"id"`
				Head int64  `json:"head"`
			} `json:"rooms"`
		} `json:"data"`
	}
	if err := json.Unmarshal(hello, &h); err != nil {
		return nil, err
	}
	last := make(map[string]int64)
	for _, r := range h.Data.Rooms {
		last[r.ID] = r.Head - 1
	}
	if len(last) == 0 {
		return nil, errors.New("hello names no room")
	}
	return json.Marshal(map[string]any{"id": "sync", "type": "sync", "data": map[string]any{"rooms": last}})
}
