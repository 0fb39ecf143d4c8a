package httpx

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// Page is one page of a list. The cursors lead to its neighbours.
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

// PageOf makes a page of rows in the order of their keys, which are one more than
// limit where there is a next page. After reads its cursor.
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

// After returns the key after which the page begins that a cursor of PageOf leads
// to; none, without a cursor.
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

// EncodeCursor returns an opaque name for v, a place in a list. It is not
// secret and not signed: whoever decodes it checks what it allows.
func EncodeCursor(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("httpx: a cursor that is not JSON: " + err.Error())
	}
	return cursorVersion + base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor reads into v what EncodeCursor made. Anything else is refused
// with the code bad_cursor.
func DecodeCursor(s string, v any) error {
	body, ok := strings.CutPrefix(s, cursorVersion)
	if !ok || len(s) > maxCursor {
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
