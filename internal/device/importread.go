package device

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// Row is a line of an import.
type Row struct {
	Line   int // from 1, in the file
	Change domain.DeviceChange
	// The template that the device begins with, if it is new; empty: none.
	Template string
	from     *domain.NamedTemplate
	Err      error // why the line could not be read
}

// columns are the names of what a line can say, in CSV and in JSON.
var columns = []string{"name", "serial", "type", "tags", "notes", "expires", "template"}

// ReadRows reads devices to import: CSV (RFC 4180) with a line of column names, also with semicolons or
// tabs, as spreadsheets write it; or a JSON object in each line. An empty cell and an absent member say
// nothing. A line that cannot be read has an Err, and reading goes on; a file that cannot be read ends
// with an error.
func ReadRows(r io.Reader) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		start, err := in.Peek(1 << 10)
		if err != nil && !errors.Is(err, io.EOF) {
			yield(Row{}, err)
			return
		}
		switch {
		case bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")):
			yield(Row{}, errFile("this is UTF-16; save the file as UTF-8"))
			return
		case bytes.HasPrefix(start, []byte("\ufeff")): // editors on Windows write a byte order mark
			_, _ = in.Discard(len("\ufeff"))
			start = start[len("\ufeff"):]
		}
		if bytes.HasPrefix(bytes.TrimSpace(start), []byte("{")) {
			readJSON(in, yield)
		} else {
			readCSV(in, start, yield)
		}
	}
}

func errFile(format string, args ...any) error {
	return domain.Invalid.Errorf(domain.CodeInvalidRequest, format, args...)
}

func readJSON(in *bufio.Reader, yield func(Row, error) bool) {
	lines := &lineReader{in: in}
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(Row{}, err)
			return
		}
		row := Row{Line: lines.n}
		switch line = bytes.TrimSpace(line); {
		case len(line) == 0:
			continue
		case len(line) > maxRecord:
			row.Err = errLongLine()
		default:
			row.Err = row.readJSON(line)
		}
		if !yield(row, nil) {
			return
		}
	}
}

// readJSON reads the object of a line.
func (row *Row) readJSON(line []byte) error {
	var said struct {
		Name     *string   `json:"name"`
		Serial   *string   `json:"serial"`
		Type     *string   `json:"type"`
		Tags     *[]string `json:"tags"`
		Notes    *string   `json:"notes"`
		Expires  *string   `json:"expires"`
		Template string    `json:"template"`
	}
	if err := wire.Decode(line, &said); err != nil {
		return domain.InvalidField("", "write one JSON object in each line: %v", err)
	}
	row.Template = said.Template
	row.Change = domain.DeviceChange{Name: said.Name, Serial: said.Serial, Type: said.Type, Tags: said.Tags,
		Notes: said.Notes}
	if said.Expires == nil {
		return nil
	}
	end, err := parseDay(*said.Expires)
	row.Change.Expires = &end
	return err
}

// parseDay reads a time, or a day, which begins at midnight (UTC).
func parseDay(s string) (t time.Time, err error) {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err = time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return t, domain.InvalidField("/expires", "write a day as 2030-12-31 or a time as 2030-12-31T08:00:00Z")
}
