package device

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Row is a line of an import.
type Row struct {
	Line   int // from 1, in the file
	Change domain.DeviceChange
	// The template that the device begins with, if it is new; empty: none.
	Template string
	from     *domain.DeviceTemplate
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
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			yield(Row{}, err)
			return
		}
		if line := bytes.TrimSpace(line); len(line) > 0 {
			row := jsonRow(line)
			row.Line = n
			if !yield(row, nil) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func jsonRow(line []byte) Row {
	var said struct {
		Name     *string    `json:"name"`
		Serial   *string    `json:"serial"`
		Type     *string    `json:"type"`
		Tags     *[]string  `json:"tags"`
		Notes    *string    `json:"notes"`
		Expires  *time.Time `json:"expires"`
		Template string     `json:"template"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&said); err != nil {
		return Row{Err: domain.InvalidField("", "not a device in JSON: %v", err)}
	}
	if d.More() {
		return Row{Err: domain.InvalidField("", "write one JSON object in each line")}
	}
	return Row{Template: said.Template, Change: domain.DeviceChange{Name: said.Name, Serial: said.Serial,
		Type: said.Type, Tags: said.Tags, Notes: said.Notes, Expires: said.Expires}}
}

// readCSV reads CSV whose first bytes are start.
func readCSV(in io.Reader, start []byte, yield func(Row, error) bool) {
	r := csv.NewReader(in)
	r.Comma = separator(start)
	r.TrimLeadingSpace = true
	header, err := r.Read()
	if err == nil {
		err = checkHeader(header)
	} else if errors.Is(err, io.EOF) {
		err = errFile("the file is empty; it begins with the names of its columns, such as name,serial,type")
	} else if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
		err = errFile("not CSV: %v", bad)
	}
	if err != nil {
		yield(Row{}, err)
		return
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		var bad *csv.ParseError
		row := Row{}
		switch {
		case errors.Is(err, csv.ErrFieldCount):
			row.Line, _ = r.FieldPos(0)
			row.Err = domain.InvalidField("", "the line has %d cells, and the first line %d", len(cells), len(header))
		case errors.As(err, &bad):
			row.Line, row.Err = bad.StartLine, domain.InvalidField("", "not CSV: %v", bad.Err)
		case err != nil:
			yield(Row{}, err)
			return
		default:
			row.Line, _ = r.FieldPos(0)
			row.Err = row.read(header, cells)
		}
		if strings.Join(cells, "") == "" && bad == nil {
			continue // spreadsheets write such lines at the end
		}
		if !yield(row, nil) {
			return
		}
	}
}

// separator returns what stands between the cells of the first line: Excel writes semicolons where
// numbers have a decimal comma.
func separator(start []byte) rune {
	line, _, _ := bytes.Cut(start, []byte("\n"))
	best := ','
	for _, c := range ";\t" {
		if bytes.Count(line, []byte(string(c))) > bytes.Count(line, []byte(string(best))) {
			best = c
		}
	}
	return best
}

// checkHeader makes the names of columns small, and refuses those that it does not know.
func checkHeader(header []string) error {
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(columns, header[i]) {
			return errFile("there is no column %q; the first line names the columns, out of %s", name,
				strings.Join(columns, ", "))
		}
		if slices.Contains(header[:i], header[i]) {
			return errFile("the column %q is there twice", header[i])
		}
	}
	return nil
}

// read reads the cells of a line.
func (row *Row) read(header, cells []string) error {
	c := &row.Change
	for i, cell := range cells {
		if cell = strings.TrimSpace(cell); cell == "" {
			continue
		}
		switch header[i] {
		case "name":
			c.Name = &cell
		case "serial":
			c.Serial = &cell
		case "type":
			c.Type = &cell
		case "notes":
			c.Notes = &cell
		case "template":
			row.Template = cell
		case "tags":
			tags := strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(" ,;", r) })
			c.Tags = &tags
		case "expires":
			end, err := parseDay(cell)
			if err != nil {
				return err
			}
			c.Expires = &end
		}
	}
	return nil
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
