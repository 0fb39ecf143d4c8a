//go:build ignore

// Command mkconfusables generates confusables.txt from Unicode's table of confusable characters,
// which it reads from standard input
// (https://www.unicode.org/Public/security/latest/confusables.txt).
package main

import (
	"bufio"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

func main() {
	all := make(map[rune]string)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		line, _, _ := strings.Cut(strings.TrimPrefix(in.Text(), "\ufeff"), "#")
		fields := strings.Split(line, ";")
		if len(fields) < 2 {
			continue
		}
		if from := parse(fields[0]); len(from) == 1 {
			all[from[0]] = string(parse(fields[1]))
		}
	}
	if err := in.Err(); err != nil {
		log.Fatal(err)
	}
	if len(all) == 0 {
		log.Fatal("the standard input has no line of Unicode's table")
	}
	// Without case: ASCII and prototypes are lower-cased. Chains are followed to their end.
	end := func(s string) string {
		for range 8 {
			var b strings.Builder
			for _, r := range norm.NFKD.String(s) {
				if r <= unicode.MaxASCII {
					r = unicode.ToLower(r)
				}
				if p, ok := all[r]; ok {
					b.WriteString(p)
				} else {
					b.WriteRune(r)
				}
			}
			next := norm.NFKD.String(strings.ToLower(b.String()))
			if next == s {
				break
			}
			s = next
		}
		return s
	}
	alike := make(map[string][]rune)
	for from := range all {
		s := string(from)
		if from <= unicode.MaxASCII && strings.ToLower(s) != s || norm.NFKD.String(s) != s || unicode.IsSpace(from) {
			continue // names cannot contain these
		}
		if to := end(s); to != s && !strings.ContainsAny(to, "\t\n") {
			alike[to] = append(alike[to], from)
		}
	}
	out, err := os.Create("confusables.txt")
	if err != nil {
		log.Fatal(err)
	}
	for _, to := range slices.Sorted(maps.Keys(alike)) {
		slices.Sort(alike[to])
		fmt.Fprintf(out, "%s\t%s\n", to, string(alike[to]))
	}
	if err := out.Close(); err != nil {
		log.Fatal(err)
	}
}

func parse(s string) (rs []rune) {
	for f := range strings.FieldsSeq(s) {
		n, err := strconv.ParseUint(f, 16, 32)
		if err != nil {
			return nil
		}
		rs = append(rs, rune(n))
	}
	return rs
}
