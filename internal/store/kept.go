package store

import (
	"context"
	"regexp"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// keptMost is how many rooms and places are kept.
const keptMost = 4096

// kept is what the writer of SQLite has read of rooms and of who is in them, so that
// it places a message without asking again. It counts until that changes: by a
// statement of the writer, whose text tells, or by a program beside the server, which
// SQLite tells.
type kept struct {
	version int64 // PRAGMA data_version
	rooms   map[string]*domain.Room
	places  map[place]domain.Member
}

func (k *kept) forget() { k.rooms, k.places = nil, nil }

// Two statements that change rooms and members, and nothing that is not kept up to
// date, or not kept at all.
const (
	raiseHead = `UPDATE rooms SET head = $2, last_at = $3 WHERE id = $1`
	raiseRead = `UPDATE members SET read_seq = $3 WHERE room_id = $1 AND user_id = $2 AND read_seq < $3`
)

var writesPlaces = regexp.MustCompile(`(?i)\b(INTO|UPDATE|FROM)\s+(rooms|members|users)\b`)

// changesPlaces reports whether a statement may change what is kept.
func changesPlaces(query string) bool {
	return query != raiseHead && query != raiseRead && !strings.HasPrefix(query, "SELECT") && writesPlaces.MatchString(query)
}

// know returns the rooms and places of jobs.
func (t *tx) know(ctx context.Context, jobs []*job) (known, error) {
	k := t.kept
	var version int64
	if err := t.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		return known{}, err
	}
	if k.version != version || k.rooms == nil || len(k.rooms)+len(k.places) > keptMost {
		*k = kept{version, make(map[string]*domain.Room), make(map[place]domain.Member)}
	}
	if missing := without(distinct(jobs, roomOf), k.rooms); len(missing) > 0 {
		if err := t.roomsOf(ctx, missing, k.rooms); err != nil {
			return known{}, err
		}
	}
	if missing := without(distinct(jobs, placeOf), k.places); len(missing) > 0 {
		if err := t.placesOf(ctx, missing, k.places); err != nil {
			return known{}, err
		}
	}
	return known{rooms: k.rooms, places: k.places}, nil
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
