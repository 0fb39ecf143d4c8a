package store

import (
	"database/sql"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Placeholders returns "$from,$from+1,..." for n values.
func Placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	return b.String()
}

// Args returns vs as the arguments of a statement.
func Args[T any](vs []T) []any {
	as := make([]any, len(vs))
	for i, v := range vs {
		as[i] = v
	}
	return as
}

// Collect reads all rows, and closes them.
func Collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer func() { _ = rows.Close() }()
	var vs []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	return vs, rows.Err()
}

// ScanString reads a row of one text.
func ScanString(rows *sql.Rows) (s string, err error) {
	err = rows.Scan(&s)
	return s, err
}

// ScanInt64 reads a row of one number.
func ScanInt64(rows *sql.Rows) (n int64, err error) {
	err = rows.Scan(&n)
	return n, err
}

// PadToPowerOfTwo repeats the last element of vs, in a copy, until their number is a power of two. Queries
// with a list of arguments then have few different texts, whose prepared statements can be
// cached. A repeated argument does no harm in an IN list; in a join it finds its row twice.
func PadToPowerOfTwo[T any](vs []T) []T {
	n := 1
	for n < len(vs) {
		n *= 2
	}
	vs = slices.Clip(vs) // what lies behind is the caller's
	for len(vs) > 0 && len(vs) < n {
		vs = append(vs, vs[len(vs)-1])
	}
	return vs
}

// Chunks cuts vs into pieces of 64, 16, 4 or 1 elements, so that statements have few different
// texts.
func Chunks[T any](vs []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for n := 64; len(vs) > 0; n /= 4 {
			for len(vs) >= n {
				if !yield(vs[:n]) {
					return
				}
				vs = vs[n:]
			}
		}
	}
}

// EscapeLike escapes s for LIKE ... ESCAPE '\', so that it matches literally.
func EscapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
