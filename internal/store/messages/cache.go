package messages

import (
	"context"
	"fmt"
	"reflect"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// cacheMost is how many rooms and members are kept.
const cacheMost = 4096

// Two statements that change rooms and members, and do not empty the cache: it is kept
// up to date with the first, and does not hold what the second changes.
const (
	raiseHead = `UPDATE rooms SET head = $2, last_at = $3 WHERE id = $1`
	raiseRead = `UPDATE members SET read_seq = $3 WHERE room_id = $1 AND user_id = $2 AND read_seq < $3`
)

// cached returns the rooms and members that messages need, of which SQLite's
// transactions keep what they have read.
func cached(ctx context.Context, t *store.Tx, as []*appending) (*known, error) {
	cache, err := t.Cache(ctx)
	if err != nil {
		return nil, err
	}
	k, ok := cache.(*known)
	if !ok || len(k.rooms)+len(k.places) > cacheMost {
		k = &known{rooms: make(map[string]*domain.Room), places: make(map[place]domain.Member)}
	}
	if missing := without(distinct(as, roomOf), k.rooms); len(missing) > 0 {
		if err := roomsOf(ctx, t, missing, k.rooms); err != nil {
			return nil, err
		}
	}
	if missing := without(distinct(as, placeOf), k.places); len(missing) > 0 {
		if err := placesOf(ctx, t, missing, k.places); err != nil {
			return nil, err
		}
	}
	t.SetCache(k)
	return k, nil
}

// Verify implements store.Cache: it reads again what is kept, and fails if anything
// differs.
func (k *known) Verify(ctx context.Context, t *store.Tx) error {
	now := &known{rooms: make(map[string]*domain.Room), places: make(map[place]domain.Member)}
	for id := range k.rooms {
		if err := roomsOf(ctx, t, []string{id}, now.rooms); err != nil {
			return err
		}
	}
	for p := range k.places {
		if err := placesOf(ctx, t, []place{p}, now.places); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(k, now) {
		return fmt.Errorf("a write changed rooms, members or users without Tx.Invalidate: cached %v, in the tables %v", k, now)
	}
	return nil
}

// without returns those of keys that m has not.
func without[K comparable, V any](keys []K, m map[K]V) []K {
	missing := keys[:0]
	for _, k := range keys {
		if _, ok := m[k]; !ok {
			missing = append(missing, k)
		}
	}
	return missing
}
