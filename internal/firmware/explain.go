package firmware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/symbols"
)

// ELFs knows which files for debugging are here.
type ELFs interface {
	// ELFNamed returns the hash of the only one of a product that begins with some digits; empty: there is none.
	ELFNamed(ctx context.Context, product, digits string) (hash string, err error)
}

const (
	explainTime  = 30 * time.Second // for the addresses of one file
	explainQueue = 16               // files that wait
	explainMost  = 100_000          // addresses that are kept
	explainAgain = time.Hour        // after which a file that could not be read is tried anew
)

// explained keeps what addresses are, in this process.
type explained struct {
	mu      sync.Mutex
	known   map[place][]domain.CrashFrame // of one that is nothing: none
	asked   map[string]bool               // files that wait, by hash
	refused map[string]time.Time          // files that cannot be read, and when they are tried anew
	queue   chan elfAsk
	full    atomic.Int64 // files that did not fit into it
}

type place struct {
	elf     string
	address uint32
}

type elfAsk struct {
	hash      string
	addresses []uint32
}

func newExplained() *explained {
	return &explained{known: make(map[place][]domain.CrashFrame), asked: make(map[string]bool),
		refused: make(map[string]time.Time), queue: make(chan elfAsk, explainQueue)}
}

// Explain returns what is known of addresses of calls in a file for debugging of a product, which is named by its hash
// or its first digits, and how far that is. What is not known is looked for in the background.
func (s *Service) Explain(
	ctx context.Context, product, digits string, addresses []uint32,
) (map[uint32][]domain.CrashFrame, domain.Explanation, error) {
	hash, err := s.ELFs.ELFNamed(ctx, product, digits)
	if err != nil || hash == "" {
		return nil, domain.NotExplained, err
	}
	e := s.explained
	e.mu.Lock()
	defer e.mu.Unlock()
	found := make(map[uint32][]domain.CrashFrame, len(addresses))
	var missing []uint32
	for _, a := range addresses {
		frames, known := e.known[place{hash, a}]
		if !known {
			missing = append(missing, a)
		}
		found[a] = frames
	}
	switch {
	case len(missing) == 0:
		return found, domain.IsExplained, nil
	case s.now().Before(e.refused[hash]):
		return found, domain.CannotExplain, nil
	case !e.asked[hash]:
		select {
		case e.queue <- elfAsk{hash, missing}:
			e.asked[hash] = true
		default: // asked again with the next request
			e.full.Add(1)
		}
	}
	return found, domain.ExplainsLater, nil
}

// RunExplain looks for what addresses are, one file at a time, until ctx is done.
func (s *Service) RunExplain(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ask := <-s.explained.queue:
			frames, err := s.resolve(ctx, ask)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				s.Log.WarnContext(ctx, "crashes of a firmware are shown without names", "elf", ask.hash, "err", err)
			}
			s.explained.learn(ask, frames, err, s.now())
		}
	}
}

// learn keeps what became of a question. If that is too much, what was known before is forgotten.
func (e *explained) learn(ask elfAsk, frames map[uint32][]symbols.Frame, err error, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.asked, ask.hash)
	maps.DeleteFunc(e.refused, func(_ string, again time.Time) bool { return !now.Before(again) })
	if err != nil {
		e.refused[ask.hash] = now.Add(explainAgain)
		return
	}
	if len(e.known)+len(ask.addresses) > explainMost {
		clear(e.known)
	}
	for _, a := range ask.addresses {
		var kept []domain.CrashFrame
		for _, f := range frames[a] {
			kept = append(kept, domain.CrashFrame(f))
		}
		e.known[place{ask.hash, a}] = kept
	}
}

// resolve reads a file for debugging.
func (s *Service) resolve(ctx context.Context, ask elfAsk) (found map[uint32][]symbols.Frame, err error) {
	ctx, cancel := context.WithTimeout(ctx, explainTime)
	defer cancel()
	from, _, err := s.Files.Open(ctx, ask.hash)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	copied, err := os.CreateTemp(s.Temp, "elf-*")
	if err != nil {
		return nil, fmt.Errorf("keep a file to read: %w", err)
	}
	defer os.Remove(copied.Name()) // it was only read
	defer copied.Close()
	if _, err := io.Copy(copied, io.LimitReader(from, domain.MaxFirmwareELF)); err != nil {
		return nil, err
	}
	return symbols.Resolve(ctx, copied, ask.addresses)
}
