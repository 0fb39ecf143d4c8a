package httpx

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// Page is a page of a list. The cursors lead to the pages after and before it.
type Page[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
	Prev  string `json:"prev,omitempty" doc:"Cursor of the page before."`
}

// MarshalJSON writes an empty page as an empty list, not as null.
func (p Page[T]) MarshalJSON() ([]byte, error) {
	type page Page[T]
	if p.Items == nil {
		p.Items = []T{}
	}
	return json.Marshal(page(p))
}

// PageOf returns the page of rows, which are sorted by key. Callers read limit+1 rows: if there are
// more than limit, there is a next page. After reads its cursor.
func PageOf[T, V any](rows []T, limit int, key func(T) string, view func(T) V) Page[V] {
	var p Page[V]
	if len(rows) > limit {
		rows = rows[:limit]
		p.Next = EncodeCursor(key(rows[limit-1]))
	}
	for _, r := range rows {
		p.Items = append(p.Items, view(r))
	}
	return p
}

// After returns the key that the page begins after, from a cursor of PageOf. It is empty for an
// empty cursor.
func After(cursor string) (key string, err error) {
	if cursor != "" {
		err = DecodeCursor(cursor, &key)
	}
	return key, err
}

const (
	cursorVersion = "1"
	maxCursor     = 1 << 10
)

// EncodeCursor returns an opaque cursor for the position v. It is neither secret nor signed, so it
// must not grant access to anything.
func EncodeCursor(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("httpx: a cursor that is not JSON: " + err.Error())
	}
	return cursorVersion + base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor decodes a cursor of EncodeCursor into v. Anything else, or one of more than maxCursor bytes, fails with
// the code bad_cursor.
func DecodeCursor(s string, v any) error { return DecodeLongCursor(s, v, maxCursor) }

// DecodeLongCursor is DecodeCursor for positions of which the largest takes most bytes as a cursor.
func DecodeLongCursor(s string, v any, most int) error {
	body, ok := strings.CutPrefix(s, cursorVersion)
	if !ok || len(s) > most {
		return badCursor(nil)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return badCursor(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badCursor(err)
	}
	if d.More() {
		return badCursor(nil)
	}
	return nil
}

func badCursor(cause error) error {
	e := domain.Invalid.Errorf(domain.CodeBadCursor,
		"this cursor was not made by the server for this list; start without one")
	e.Fields = []domain.Field{{Pointer: "?cursor", Detail: "not a cursor of this list"}}
	return e.Because(cause)
}
