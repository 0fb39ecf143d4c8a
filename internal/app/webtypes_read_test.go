package app_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	tsComment = regexp.MustCompile(`(?m)/\*(?s:.*?)\*/|(?:^|\s)//.*$`)
	tsType    = regexp.MustCompile(`(?m)^(?:export )?(?:interface (\w+)(?: extends ([\w, ]+))? |type (\w+) = )`)
	tsMember  = regexp.MustCompile(`^(?:readonly )?(\w+)(\??):\s*(.+)$`)
)

// readTypes reads the interfaces, and the aliases of one line, of all TypeScript
// below some directories.
func readTypes(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	types := make(map[string]string)
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".ts") || strings.HasSuffix(path, ".test.ts") {
				return err
			}
			b, err := os.ReadFile(path)
			addTypes(types, tsComment.ReplaceAllString(string(b), ""))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, body := range types {
		types[name] = spread(types, body)
	}
	return types
}

// addTypes adds the types of a source; what an interface extends stands in it as "...Name;".
func addTypes(types map[string]string, text string) {
	for _, m := range tsType.FindAllStringSubmatchIndex(text, -1) {
		rest := text[m[1]:]
		if m[6] >= 0 {
			types[text[m[6]:m[7]]], _, _ = strings.Cut(rest, ";")
			continue
		}
		body := rest[:closing(rest)]
		if m[4] >= 0 {
			body = "{ ..." + strings.ReplaceAll(text[m[4]:m[5]], ", ", "; ...") + ";" + body[1:]
		}
		types[text[m[2]:m[3]]] = body
	}
}

// closing is where the bracket that a text begins with has closed.
func closing(s string) int {
	depth := 0
	for i, r := range s {
		switch r {
		case '{', '(', '[':
			depth++
		case '}', ')', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

var tsSpread = regexp.MustCompile(`\.\.\.(\w+);`)

// spread puts the fields of what an interface extends into it.
func spread(types map[string]string, body string) string {
	for tsSpread.MatchString(body) {
		body = tsSpread.ReplaceAllStringFunc(body, func(m string) string {
			of := types[tsSpread.FindStringSubmatch(m)[1]]
			return strings.TrimSuffix(strings.TrimPrefix(of, "{"), "}") + ";"
		})
	}
	return body
}

type tsField struct {
	ts       string
	optional bool
}

// membersOf gives the fields of an object type; the last of one name counts.
func membersOf(ts string) map[string]tsField {
	fields := make(map[string]tsField)
	for rest := ts[1 : len(ts)-1]; rest != ""; {
		end := 0
		for end < len(rest) && rest[end] != ';' {
			if strings.IndexByte("{([", rest[end]) >= 0 {
				end += closing(rest[end:])
			} else {
				end++
			}
		}
		if m := tsMember.FindStringSubmatch(strings.TrimSpace(rest[:end])); m != nil {
			fields[m[1]] = tsField{m[3], m[2] != ""}
		}
		rest = strings.TrimPrefix(rest[end:], ";")
	}
	return fields
}

// readYAML reads the YAML that internal/wire writes: one value a line, texts in
// quotes, lists and objects further in. It returns how many lines it has read.
func readYAML(lines []string, indent int) (map[string]any, int) {
	object := make(map[string]any)
	i := 0
	for i < len(lines) && indentOf(lines[i]) == indent {
		key, value, _ := strings.Cut(strings.TrimSpace(lines[i]), ":")
		i++
		switch value = strings.TrimSpace(value); {
		case value != "":
			object[key] = scalar(value)
		case i < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i]), "- "):
			var list []any
			for inner := indentOf(lines[i]); i < len(lines) && indentOf(lines[i]) >= inner; i++ {
				list = append(list, scalar(strings.TrimPrefix(strings.TrimSpace(lines[i]), "- ")))
			}
			object[key] = list
		default:
			inner, n := readYAML(lines[i:], indent+2)
			object[key], i = inner, i+n
		}
	}
	return object, i
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func scalar(s string) any {
	if text, err := strconv.Unquote(s); err == nil {
		return text
	}
	return s
}
