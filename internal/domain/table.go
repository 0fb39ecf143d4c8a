package domain

import "strings"

const (
	mostColumns = 20
	mostRows    = 100
)

// tableAt is how many columns the table has that lines begin with; 0 if they
// begin with none: a line of names, and a line of dashes and colons. Lines with
// more than 20 columns are text. The web client has the same rules in
// web/src/view/room/table.ts.
func tableAt(lines []mdLine) int {
	if len(lines) < 2 || !strings.Contains(lines[0].s, "|") || !strings.Contains(lines[1].s, "|") {
		return 0
	}
	rules := cellsOf(lines[1].s)
	if len(rules) == 0 || len(rules) > mostColumns {
		return 0
	}
	for _, cell := range rules {
		dashes := strings.TrimSuffix(strings.TrimPrefix(cell, ":"), ":")
		if dashes == "" || strings.Trim(dashes, "-") != "" {
			return 0
		}
	}
	if len(cellsOf(lines[0].s)) != len(rules) {
		return 0
	}
	return len(rules)
}

// tableEnd is where a table ends: at a line without a bar or at what begins
// something else, and after its last row.
func tableEnd(lines []mdLine, from, depth int) int {
	i := from
	for ; i < len(lines) && i < from+mostRows; i++ {
		_, isItem := bulletAt(lines[i].s)
		nested := depth < deepest && (isItem || quoteAt(lines[i].s) > 0)
		if !strings.Contains(lines[i].s, "|") || fenceAt(lines[i].s) > 0 || nested {
			break
		}
	}
	return i
}

// rowsOf returns the cells of each row: missing ones are empty, and what is
// too much stays in the last.
func rowsOf(head string, lines []string, columns int) [][]string {
	rows := make([][]string, 0, 1+len(lines))
	for _, line := range append([]string{head}, lines...) {
		row := make([]string, columns)
		cells := cellsOf(line)
		if len(cells) > columns {
			cells = append(cells[:columns-1:columns-1], strings.Join(cells[columns-1:], " | "))
		}
		copy(row, cells)
		rows = append(rows, row)
	}
	return rows
}

// cellsOf returns what is between the bars of a line. \| is a bar within a cell.
func cellsOf(line string) (cells []string) {
	s := strings.TrimPrefix(trimBlank(line), "|")
	var cell strings.Builder
	from := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '|':
			cells = append(cells, trimBlank(cell.String()+s[from:i]))
			cell.Reset()
			from = i + 1
		case s[i] == '\\' && i+1 < len(s):
			i++
			if s[i] == '|' {
				cell.WriteString(s[from : i-1])
				from = i
			}
		}
	}
	if from < len(s) || cell.Len() > 0 {
		cells = append(cells, trimBlank(cell.String()+s[from:]))
	}
	return cells
}
