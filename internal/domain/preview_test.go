package domain

import (
	"slices"
	"strings"
	"testing"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	longest := "https://a.example/" + strings.Repeat("a", MaxPreviewAddress-len("https://a.example/"))
	for text, want := range map[string][]string{
		"no link, and 1://2":                                 nil,
		"see https://a.example/x. And http://b.example":      {"https://a.example/x", "http://b.example"},
		"[this](https://a.example/p?q=1) **https://b.test**": {"https://a.example/p?q=1", "https://b.test"},
		"[https://a.example](https://b.example)":             {"https://b.example"},
		"twice https://a.example https://a.example":          {"https://a.example"},
		"- in a list: https://a.example\n> https://b.test":   {"https://a.example", "https://b.test"},
		"|a|\n|-|\n|https://a.example|":                      {"https://a.example"},
		"<https://a.example> `https://b.example`":            nil,
		"```\nhttps://a.example\n```":                        nil,
		"||https://a.example|| [x](mailto:a@b.example)":      nil,
		"HTTPS://A.EXAMPLE":                                  {"HTTPS://A.EXAMPLE"},
		longest:                                              {longest},
		longest + "a":                                        nil,
		"ftp://a.example javascript://a.example":             nil,
		"www.a.example/x. https://www.a.example/x":           {"https://www.a.example/x"},
		"WWW.a.example [b](www.b.example)":                   {"https://WWW.a.example", "https://www.b.example"},
		"<www.a.example> `www.b.example` ||www.c.example||":  nil,
		"ann@a.example mailto:ann@a.example www.a@b.example": nil,
		"https://a.example:99999 www.a.example:x":            nil,
		"https://1.test https://2.test https://3.test https://4.test https://5.test": {
			"https://1.test", "https://2.test", "https://3.test", "https://4.test"},
	} {
		if got := Links(text, MaxPreviews); !slices.Equal(got, want) {
			t.Errorf("%.60q has %q, and not %q", text, got, want)
		}
	}
}

func TestHasLink(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": false, "https://a.example": true, "see www.a.example": true, "w WWW.A.example": true,
		"awww.example.org": false, "www.": false, "www.a_b": false, "ann@www.example.org": false,
		"www.ann@example.org": false, "www.a_b www.c": true, "ann@example.org": false,
	} {
		if got := HasLink(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
		if want && !MayLink(text) {
			t.Errorf("%q may have no link", text)
		}
	}
}
