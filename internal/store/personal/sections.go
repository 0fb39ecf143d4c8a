package personal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// storedSections is the form in which a row has how somebody arranges their rooms.
type storedSections struct {
	Favourites domain.RoomSection   `json:"favourites"`
	Sections   []domain.RoomSection `json:"sections"`
}

// PutSections has user arrange their rooms as s says, and returns what is kept: rooms in which they are not are left
// out. over is the version that s is to replace: a newer one stays, and the error has the code CodeSectionsChanged. 0
// replaces whatever there is.
func (repo *Repository) PutSections(
	ctx context.Context, user string, s domain.RoomSections, over int64, now time.Time,
) (kept domain.RoomSections, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := lock(ctx, t, user); err != nil {
			return err
		}
		before, err := readSections(ctx, t, user)
		if err != nil {
			return err
		}
		if over != 0 && before.Version > over {
			return domain.Conflict.Errorf(domain.CodeSectionsChanged,
				"your sections were changed on another device; read them first")
		}
		if kept, err = inTheirRooms(ctx, t, user, s); err != nil {
			return err
		}
		kept.Version = max(store.Millis(now), before.Version+1, over+1)
		return writeSections(ctx, t, user, kept)
	})
	return kept, err
}

// Sections returns how user arranges the rooms in which they are.
func (repo *Repository) Sections(ctx context.Context, user string) (domain.RoomSections, error) {
	s, err := readSections(ctx, repo.db, user)
	if err != nil || s.Version == 0 {
		return s, err
	}
	return inTheirRooms(ctx, repo.db, user, s)
}

func readSections(ctx context.Context, q store.Queryer, user string) (s domain.RoomSections, err error) {
	var text string
	err = q.QueryRowContext(ctx, `SELECT version, sections FROM room_sections WHERE user_id = $1`, user).
		Scan(&s.Version, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	var stored storedSections
	err = json.Unmarshal([]byte(text), &stored)
	s.Favourites, s.Sections = stored.Favourites, stored.Sections
	return s, err
}

func writeSections(ctx context.Context, t *store.Tx, user string, s domain.RoomSections) error {
	text, err := json.Marshal(storedSections{s.Favourites, s.Sections})
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO room_sections (user_id, version, sections) VALUES ($1, $2, $3)
		ON CONFLICT (user_id) DO UPDATE SET version = excluded.version, sections = excluded.sections`, user, s.Version,
		string(text))
	return err
}

// inTheirRooms returns s without rooms in which user is not.
func inTheirRooms(
	ctx context.Context, q store.Queryer, user string, s domain.RoomSections,
) (domain.RoomSections, error) {
	rows, err := q.QueryContext(ctx, `SELECT m.room_id FROM members m JOIN rooms r ON r.id = m.room_id AND r.kind <> 'gone'
		WHERE m.user_id = $1`, user)
	if err != nil {
		return s, err
	}
	ids, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return s, err
	}
	slices.Sort(ids)
	return eachSection(s, func(room string) bool {
		_, in := slices.BinarySearch(ids, room)
		return in
	}), nil
}

// eachSection returns s with only the rooms that are kept.
func eachSection(s domain.RoomSections, keep func(room string) bool) domain.RoomSections {
	only := func(one domain.RoomSection) domain.RoomSection {
		one.Rooms = slices.DeleteFunc(slices.Clone(one.Rooms), func(room string) bool { return !keep(room) })
		return one
	}
	s.Favourites, s.Sections = only(s.Favourites), slices.Clone(s.Sections)
	for i := range s.Sections {
		s.Sections[i] = only(s.Sections[i])
	}
	return s
}

// dropFromSections takes a room out of the section in which user has it.
func dropFromSections(ctx context.Context, t *store.Tx, user, room string) error {
	s, err := readSections(ctx, t, user)
	if err != nil || s.Version == 0 {
		return err
	}
	if err := lock(ctx, t, user); err != nil {
		return err
	}
	if s, err = readSections(ctx, t, user); err != nil {
		return err
	}
	return writeSections(ctx, t, user, eachSection(s, func(r string) bool { return r != room }))
}
