package device

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// maxRecord is how long a line of an import may be, in bytes, and all lines of one that has line breaks in
// its cells.
const maxRecord = 64 << 10

var errOpenQuote = domain.InvalidField("",
	`a quote (") is opened or closed at a wrong place; a cell in quotes begins and ends with one, and has "" for each inside`)

// A lineReader reads lines, and can read some again.
type lineReader struct {
	in    *bufio.Reader
	again [][]byte
	n     int // the line that was read last, from 1
}

// next returns the next line with its end. One of more than maxRecord bytes is cut, and is of use to nobody.
func (l *lineReader) next() (line []byte, err error) {
	l.n++
	if len(l.again) > 0 {
		line, l.again = l.again[0], l.again[1:]
		return line, nil
	}
	for {
		part, err := l.in.ReadSlice('\n')
		line = append(line, part[:min(len(part), maxRecord+1-len(line))]...)
		if err == nil || errors.Is(err, io.EOF) && len(line) > 0 {
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

// back makes lines the next ones.
func (l *lineReader) back(lines [][]byte) {
	l.again = append(slices.Clone(lines), l.again...)
	l.n -= len(lines)
}

func errLongLine() error {
	return domain.InvalidField("", "the line has more than %d KiB", maxRecord>>10)
}

// A csvReader reads records of CSV. A quote that is wrong costs its own line, and none of those after it.
type csvReader struct {
	lineReader
	comma  rune
	header []string
	buf    *bufio.Reader
}

// read returns the cells of the next record and the line in which it begins. bad is what is wrong with it.
func (r *csvReader) read() (cells []string, line int, bad, err error) {
	first, err := r.next()
	if err != nil {
		return nil, 0, nil, err
	}
	line = r.n
	if len(first) > maxRecord {
		return nil, line, errLongLine(), nil
	}
	rest, whole, err := r.untilClosed(first)
	if err != nil {
		return nil, line, nil, err
	}
	if whole {
		cells, bad = r.parse(slices.Concat(append([][]byte{first}, rest...)...))
	}
	if !whole || bad != nil || len(rest) > 0 && !r.mayBreak(cells) {
		r.back(rest)
		return nil, line, errOpenQuote, nil
	}
	return cells, line, nil, nil
}

// untilClosed returns the lines after first that belong to it, since a quote is open at their beginnings.
// whole is false if it stays open.
func (r *csvReader) untilClosed(first []byte) (rest [][]byte, whole bool, err error) {
	length := len(first)
	for quotes := bytes.Count(first, []byte{'"'}); quotes%2 != 0; {
		line, err := r.next()
		if errors.Is(err, io.EOF) {
			r.n--
			return rest, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		rest = append(rest, line)
		if length += len(line); length > maxRecord {
			return rest, false, nil
		}
		quotes += bytes.Count(line, []byte{'"'})
	}
	return rest, true, nil
}

// mayBreak reports whether cells are of a record with line breaks: in notes alone, which may have some.
func (r *csvReader) mayBreak(cells []string) bool {
	if len(cells) != len(r.header) {
		return false
	}
	for i, cell := range cells {
		if r.header[i] != "notes" && strings.ContainsAny(cell, "\r\n") {
			return false
		}
	}
	return true
}

func (r *csvReader) parse(record []byte) (cells []string, err error) {
	r.buf.Reset(bytes.NewReader(record))
	c := csv.NewReader(r.buf)
	c.Comma = r.comma
	c.TrimLeadingSpace = true
	cells, err = c.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil // an empty line
	}
	return cells, err
}

// readCSV reads CSV whose first bytes are start.
func readCSV(in *bufio.Reader, start []byte, yield func(Row, error) bool) {
	r := &csvReader{lineReader: lineReader{in: in}, comma: separator(start), buf: bufio.NewReader(nil)}
	if err := r.readHeader(); err != nil {
		yield(Row{}, err)
		return
	}
	for {
		cells, line, bad, err := r.read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(Row{}, err)
			return
		}
		row := Row{Line: line, Err: bad}
		switch {
		case bad != nil:
		case strings.Join(cells, "") == "":
			continue // spreadsheets write such lines at the end
		case len(cells) != len(r.header):
			row.Err = domain.InvalidField("", "the line has %d cells, and the first line %d", len(cells), len(r.header))
		default:
			row.Err = row.readCSV(r.header, cells)
		}
		if !yield(row, nil) {
			return
		}
	}
}

func (r *csvReader) readHeader() error {
	for {
		cells, _, bad, err := r.read()
		switch {
		case errors.Is(err, io.EOF):
			return errFile("the file is empty; it begins with the names of its columns, such as name,serial,type")
		case err != nil:
			return err
		case bad != nil:
			return errFile("the line of column names is not CSV: %v", bad)
		case len(cells) > 0:
			r.header = cells
			return checkHeader(cells)
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
			return errFile("there is no column %.60q; the first line names the columns, out of %s", name,
				strings.Join(columns, ", "))
		}
		if slices.Contains(header[:i], header[i]) {
			return errFile("the column %.60q is there twice", header[i])
		}
	}
	return nil
}

// readCSV reads the cells of a line.
func (row *Row) readCSV(header, cells []string) error {
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
