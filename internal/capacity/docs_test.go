package capacity

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every figure is the one that the documents have.
func TestMeasuresAreThoseOfTheDocuments(t *testing.T) {
	t.Parallel()
	all := measures(reflect.ValueOf(Measured()))
	if len(all) < 30 {
		t.Fatalf("only %d measures were found", len(all))
	}
	for _, m := range all {
		cell, err := section(t, m.File, m.Heading).cell(m.Row, m.Column)
		if err != nil {
			t.Errorf("%s, %s: %v", m.File, m.Heading, err)
			continue
		}
		if got := mean(cell); math.Abs(got-m.Value) > 1e-9 {
			t.Errorf("%s, %s, %s, %s has %q, and the computation uses %g %s",
				m.File, m.Heading, m.Row, m.Column, cell, m.Value, m.Unit)
		}
	}
}

// measures returns all measures that v holds.
func measures(v reflect.Value) []Measure {
	if m, ok := v.Interface().(Measure); ok {
		return []Measure{m}
	}
	var all []Measure
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			all = append(all, measures(v.Field(i))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, measures(v.Index(i))...)
		}
	}
	return all
}

// What a machine carries, as docs/scaling.md says, is what is computed.
func TestSizingIsWhatIsComputed(t *testing.T) {
	t.Parallel()
	rows := section(t, "scaling.md", "Sizing").rows[1:]
	if len(rows) < 3 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, r := range rows {
		cores, memory := int(mean(r[0])), int(mean(r[1]))<<10
		want := []string{
			r[0], r[1],
			thousands(Holds(memory, false)) + " / " + thousands(Holds(memory, true)),
			thousands(Delivers(cores, 1000)), thousands(Delivers(cores, 100)), thousands(Delivers(cores, 10)),
		}
		if !reflect.DeepEqual(r, want) {
			t.Errorf("docs/scaling.md has %q, and computed is %q", r, want)
		}
	}
}

// The examples of docs/scaling.md are what the command prints.
func TestExamplesAreWhatIsComputed(t *testing.T) {
	t.Parallel()
	rows := section(t, "scaling.md", "Examples").rows[1:]
	if len(rows) < 3 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, r := range rows {
		people := int(mean(r[0]))
		perDay := float64(people) * mean(r[2])
		p := For(Load{
			People: people, Online: people * int(mean(r[1])) / 100, Members: int(mean(r[3])), NodeCores: 8,
			PerDay: perDay, Messages: perDay / (8 * 3600),
		})
		want := append(r[:4:4], p.Topology, fmt.Sprintf("%d × %d", p.Nodes, p.NodeCores),
			fmt.Sprintf("%d MiB", p.NodeMiB), fmt.Sprint(p.DatabaseCores), fmt.Sprintf("%.2f GB", float64(p.MonthBytes)/1e9))
		if p.Topology == Embedded {
			want[7] = ""
		}
		if !reflect.DeepEqual(r, want) {
			t.Errorf("docs/scaling.md has %q, and computed is %q", r, want)
		}
	}
}

// thousands writes n, cut to two digits and a half, as people do.
func thousands(n int) string {
	unit := 1
	for n/unit >= 200 {
		unit *= 10
	}
	s := strconv.Itoa(n / unit * unit)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// A table is one of a document: its head and its rows.
type table struct{ rows [][]string }

// section reads the first table below a heading.
func section(t *testing.T, file, heading string) table {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../docs", file))
	if err != nil {
		t.Fatal(err)
	}
	var found table
	_, rest, ok := strings.Cut(string(b), "# "+heading+"\n")
	for line := range strings.Lines(rest) {
		switch {
		case strings.HasPrefix(line, "|--"):
		case strings.HasPrefix(line, "|"):
			found.rows = append(found.rows, cells(line))
		case len(found.rows) > 0:
			return found
		}
	}
	if !ok || len(found.rows) == 0 {
		t.Fatalf("docs/%s has no table below %q", file, heading)
	}
	return found
}

func cells(line string) []string {
	all := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
	for i := range all {
		all[i] = strings.Trim(all[i], " *")
	}
	return all
}

// cell finds the row that begins with the cells of row, and the column of a name.
func (t table) cell(row, column string) (string, error) {
	at := -1
	for i, name := range t.rows[0] {
		if name == column {
			at = i
		}
	}
	begin := strings.Split(row, " | ")
	for _, r := range t.rows[1:] {
		if at >= 0 && len(r) >= len(begin) && reflect.DeepEqual(r[:len(begin)], begin) {
			return r[at], nil
		}
	}
	return "", fmt.Errorf("there is no row %q with a column %q", row, column)
}

var number = regexp.MustCompile(`\d[\d,]*(\.\d+)?`)

// mean is that of the first figures of what is listed.
func mean(cell string) float64 {
	var sum, n float64
	for part := range strings.SplitSeq(cell, ", ") {
		f, err := strconv.ParseFloat(strings.ReplaceAll(number.FindString(part), ",", ""), 64)
		if err != nil {
			return math.NaN()
		}
		sum, n = sum+f, n+1
	}
	return math.Round(sum/n*1000) / 1000
}
