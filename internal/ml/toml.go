package ml

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// readTOML reads the part of TOML (https://toml.io/en/v1.0.0) that a model.toml needs: keys with texts,
// whole numbers, booleans and arrays of those on one line; [tables] and [[arrays of tables]], one deep.
// Whatever else there is is an error, which names its line.
func readTOML(r io.Reader) (map[string]any, error) {
	root := map[string]any{}
	table := root
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		var err error
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			table, err = openTable(root, line)
		default:
			err = setKey(table, line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return root, lines.Err()
}

// openTable makes the table that line begins.
func openTable(root map[string]any, line string) (map[string]any, error) {
	line, _ = cutComment(line)
	name, many := strings.CutPrefix(line, "[[")
	end := "]]"
	if !many {
		name, end = line[1:], "]"
	}
	name, ok := strings.CutSuffix(name, end)
	if name = strings.TrimSpace(name); !ok || !bareKey(name) {
		return nil, fmt.Errorf("%q begins no table; write [name] or [[name]]", line)
	}
	table := map[string]any{}
	if !many {
		if _, twice := root[name]; twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		root[name] = table
		return table, nil
	}
	tables, ok := root[name].([]any)
	if _, there := root[name]; there && !ok {
		return nil, fmt.Errorf("%q is there twice", name)
	}
	root[name] = append(tables, table)
	return table, nil
}

func setKey(table map[string]any, line string) error {
	key, rest, err := readKey(line)
	if err != nil {
		return err
	}
	if _, twice := table[key]; twice {
		return fmt.Errorf("%q is there twice", key)
	}
	value, rest, err := readValue(strings.TrimSpace(rest))
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if rest, _ = cutComment(rest); rest != "" {
		return fmt.Errorf("%s: %q after its value", key, rest)
	}
	table[key] = value
	return nil
}

// readKey cuts a key and the sign = from line.
func readKey(line string) (key, rest string, err error) {
	if line[0] == '"' {
		v, after, err := readValue(line)
		if err != nil {
			return "", "", err
		}
		key, _ = v.(string)
		rest = strings.TrimSpace(after)
	} else {
		end := strings.IndexAny(line, " \t=")
		if end < 0 || !bareKey(line[:end]) {
			return "", "", fmt.Errorf("%q is no key with a value; write key = value", line)
		}
		key, rest = line[:end], strings.TrimSpace(line[end:])
	}
	rest, ok := strings.CutPrefix(rest, "=")
	if !ok {
		return "", "", fmt.Errorf("%q has no =", line)
	}
	return key, rest, nil
}

func bareKey(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// readValue cuts a value from the start of s.
func readValue(s string) (v any, rest string, err error) {
	switch {
	case strings.HasPrefix(s, `"`):
		text, err := strconv.QuotedPrefix(s)
		if err != nil || strings.HasPrefix(s, `"""`) {
			return nil, "", fmt.Errorf("%q is no text in double quotes on one line", s)
		}
		value, err := strconv.Unquote(text)
		return value, s[len(text):], err
	case strings.HasPrefix(s, "["):
		return readArray(s[1:])
	case strings.HasPrefix(s, "true"):
		return true, s[4:], nil
	case strings.HasPrefix(s, "false"):
		return false, s[5:], nil
	}
	end := strings.IndexAny(s, " \t,]#")
	if end < 0 {
		end = len(s)
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s[:end], "_", ""), 10, 64)
	if err != nil {
		return nil, "", fmt.Errorf("%q is no whole number, no text in double quotes, true or false", s[:end])
	}
	return n, s[end:], nil
}

func readArray(s string) (items []any, rest string, err error) {
	for {
		s = strings.TrimSpace(s)
		if rest, ok := strings.CutPrefix(s, "]"); ok {
			return items, rest, nil
		}
		v, after, err := readValue(s)
		if err != nil {
			return nil, "", err
		}
		items = append(items, v)
		s = strings.TrimSpace(after)
		if after, ok := strings.CutPrefix(s, ","); ok {
			s = after
		} else if !strings.HasPrefix(s, "]") {
			return nil, "", fmt.Errorf("%q: an array ends with ] on its line", s)
		}
	}
}

func cutComment(s string) (string, bool) {
	s, _, found := strings.Cut(s, "#")
	return strings.TrimSpace(s), found
}
