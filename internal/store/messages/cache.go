package messages

import (
	"context"
	"fmt"
	"reflect"

	"github.com/unhidra/unhidra/internal/store"
)

// maxCached limits the cached rooms and members.
const maxCached = 4096

// These statements change rooms and members without Tx.Invalidate. The cached rooms are updated
// together with the first. The columns that the others change are not cached.
const (
	raiseHead = `UPDATE rooms SET head = $2, last_at = $3, replied = $4 WHERE id = $1`
	raiseRead = `UPDATE members SET read_seq = $3 WHERE room_id = $1 AND user_id = $2 AND read_seq < $3`
	// raiseThreadsRead is raiseRead for all threads of the room.
	raiseThreadsRead = `UPDATE members SET threads_read = $3 WHERE room_id = $1 AND user_id = $2 AND threads_read < $3`
)

// loadState returns the rooms and members that messages need, from the cache as far as possible.
func loadState(ctx context.Context, t *store.Tx, as []*pendingMessage) (*roomState, error) {
	cache, err := t.Cache(ctx)
	if err != nil {
		return nil, err
	}
	state, ok := cache.(*roomState)
	if !ok || len(state.rooms)+len(state.members) > maxCached {
		state = newRoomState()
	}
	if missing := missingKeys(distinct(as, roomOf), state.rooms); len(missing) > 0 {
		if err := loadRooms(ctx, t, missing, state.rooms); err != nil {
			return nil, err
		}
	}
	if missing := missingKeys(distinct(as, memberOf), state.members); len(missing) > 0 {
		if err := loadMembers(ctx, t, missing, state.members); err != nil {
			return nil, err
		}
	}
	t.SetCache(state)
	return state, nil
}

// Verify implements store.Cache: it reads the cached rows again and fails if one differs.
func (state *roomState) Verify(ctx context.Context, t *store.Tx) error {
	now := newRoomState()
	for id := range state.rooms {
		if err := loadRooms(ctx, t, []string{id}, now.rooms); err != nil {
			return err
		}
	}
	for p := range state.members {
		if err := loadMembers(ctx, t, []memberKey{p}, now.members); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(state, now) {
		return fmt.Errorf("a write changed rooms, members or users without Tx.Invalidate: cached %v, in the tables %v", state,
			now)
	}
	return nil
}

// missingKeys returns the keys that are not in m.
func missingKeys[K comparable, V any](keys []K, m map[K]V) []K {
	missing := keys[:0]
	for _, k := range keys {
		if _, ok := m[k]; !ok {
			missing = append(missing, k)
		}
	}
	return missing
}
