package discovery

import (
	"errors"
	"fmt"
	"strings"
)

// token is a piece of an expression.
type token struct {
	kind byte // 'n' name, 'd' number, 's' string, 'o' operator, 0 the end
	text string
}

// lex splits an expression.
func lex(s string) (tokens []token, err error) {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'' || c == '"':
			text, n, err := quoted(s[i:])
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, token{'s', text})
			i += n
		case c >= '0' && c <= '9':
			end := i
			for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.') {
				end++
			}
			tokens = append(tokens, token{'d', s[i:end]})
			i = end
		case nameByte(c):
			end := i
			for end < len(s) && (nameByte(s[end]) || s[end] >= '0' && s[end] <= '9') {
				end++
			}
			tokens = append(tokens, token{'n', s[i:end]})
			i = end
		default:
			n := 1
			if i+1 < len(s) && strings.Contains("== != <= >= //", s[i:i+2]) && s[i+1] != ' ' {
				n = 2
			}
			if !strings.Contains("== != <= >= // < > + - * / % ~ | . , : ( ) [ ] { }", s[i:i+n]) {
				return nil, fmt.Errorf("%q is not understood", s[i:i+n])
			}
			tokens = append(tokens, token{'o', s[i : i+n]})
			i += n
		}
	}
	return tokens, nil
}

func nameByte(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// quoted reads a string literal at the start of s, and returns how long it is there.
func quoted(s string) (text string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case s[0]:
			return b.String(), i + 1, nil
		case '\\':
			if i++; i == len(s) {
				break
			}
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0, errors.New("a text has no end")
}
