package certs

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/unhidra/unhidra/internal/domain"
)

// Store stores certificates for all nodes.
type Store interface {
	PutCertificate(ctx context.Context, name string, value []byte, now time.Time) error
	Certificate(ctx context.Context, name string) (value []byte, modified time.Time, err error)
	Certificates(ctx context.Context, path string) ([]string, error)
	DeleteCertificates(ctx context.Context, name string) error
	// LockCertificate takes or extends a lock. It returns false if another owner has it.
	LockCertificate(ctx context.Context, name, owner string, now, until time.Time) (bool, error)
	UnlockCertificate(ctx context.Context, name, owner string) error
}

// Shared is a certmagic.Storage in a Store. One node obtains a certificate, and all can answer its
// challenge. Values are encrypted, because they contain private keys.
type Shared struct {
	store Store
	aead  cipher.AEAD
	owner string

	mu    sync.Mutex
	locks map[string]context.CancelFunc // stop the extension of each lock
}

// NewShared returns a storage that encrypts with key, of 32 bytes.
func NewShared(s Store, key []byte) (*Shared, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Shared{store: s, aead: aead, owner: rand.Text(), locks: map[string]context.CancelFunc{}}, nil
}

// Store implements certmagic.Storage.
func (s *Shared) Store(ctx context.Context, key string, value []byte) error {
	return s.store.PutCertificate(ctx, key, s.aead.Seal(nil, nil, value, []byte(key)), time.Now())
}

// Load implements certmagic.Storage.
func (s *Shared) Load(ctx context.Context, key string) ([]byte, error) {
	sealed, _, err := s.store.Certificate(ctx, key)
	if err != nil {
		return nil, missing(err)
	}
	b, err := s.aead.Open(nil, nil, sealed, []byte(key))
	if err != nil {
		return nil, fmt.Errorf("open %s; it was sealed under another server key: %w", key, err)
	}
	return b, nil
}

// Delete implements certmagic.Storage.
func (s *Shared) Delete(ctx context.Context, key string) error {
	return s.store.DeleteCertificates(ctx, key)
}

// Exists implements certmagic.Storage.
func (s *Shared) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// List implements certmagic.Storage.
func (s *Shared) List(ctx context.Context, dir string, recursive bool) ([]string, error) {
	dir = strings.Trim(dir, "/")
	all, err := s.store.Certificates(ctx, dir)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fs.ErrNotExist
	}
	var keys []string
	seen := map[string]bool{}
	for _, name := range all {
		rest := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		parts := strings.Split(rest, "/")
		n := 1
		if recursive {
			n = len(parts)
		}
		for i := 1; i <= n; i++ {
			k := path.Join(dir, path.Join(parts[:i]...))
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	return keys, nil
}

// Stat implements certmagic.Storage.
func (s *Shared) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	sealed, modified, err := s.store.Certificate(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: modified, Size: int64(len(sealed)), IsTerminal: true}, nil
	}
	if domain.KindOf(err) != domain.NotFound {
		return certmagic.KeyInfo{}, err
	}
	all, err := s.store.Certificates(ctx, key)
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	if len(all) == 0 {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return certmagic.KeyInfo{Key: key}, nil
}

const (
	lease      = 90 * time.Second // how long a lock outlives its node
	renewEvery = 30 * time.Second
	retry      = time.Second
)

// Lock implements certmagic.Storage. The lock is extended until Unlock, and expires if the node
// stops.
func (s *Shared) Lock(ctx context.Context, name string) error {
	// Each call is an owner of its own. Otherwise two calls on this node would both succeed.
	owner := s.owner + "/" + rand.Text()
	for t := time.NewTicker(retry); ; {
		got, err := s.lock(ctx, name, owner)
		if err != nil || got {
			t.Stop()
			if err == nil {
				s.renewLock(ctx, name, owner)
			}
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

func (s *Shared) lock(ctx context.Context, name, owner string) (bool, error) {
	now := time.Now()
	return s.store.LockCertificate(ctx, name, owner, now, now.Add(lease))
}

// renewLock extends a lock until Unlock.
func (s *Shared) renewLock(ctx context.Context, name, owner string) {
	ctx = context.WithoutCancel(ctx)
	kept, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for t := time.NewTicker(renewEvery); ; {
			select {
			case <-t.C:
				_, _ = s.lock(kept, name, owner) // on failure the next attempt is still within the lease
			case <-kept.Done():
				t.Stop()
				return
			}
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locks[name] = func() {
		stop()
		<-done
		_ = s.store.UnlockCertificate(ctx, name, owner) // on failure the lease expires
	}
}

// Unlock implements certmagic.Storage.
func (s *Shared) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	release := s.locks[name]
	delete(s.locks, name)
	s.mu.Unlock()
	if release == nil {
		return fmt.Errorf("%s is not locked", name)
	}
	release()
	return nil
}

// missing turns not_found into the error that certmagic expects.
func missing(err error) error {
	if domain.KindOf(err) == domain.NotFound {
		return fs.ErrNotExist
	}
	return err
}
