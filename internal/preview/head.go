package preview

import (
	"cmp"
	"io"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/unhidra/unhidra/internal/domain"
)

// A head is what the head of a page says: by the Open Graph protocol (https://ogp.me), as cards of Twitter, or by its
// title alone.
type head struct {
	named map[string]string // the first content of each property or name
	plain string            // its title
	base  string            // that addresses in it are relative to; empty: its own
}

// readHead reads the head of a page. What is broken or cut off is read as far as it goes.
func readHead(r io.Reader) head {
	h := head{named: make(map[string]string)}
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxPage)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return h
		case html.EndTagToken:
			if name, _ := z.TagName(); atom.Lookup(name) == atom.Head {
				return h
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			switch t := z.Token(); t.DataAtom {
			case atom.Body:
				return h
			case atom.Title:
				if z.Next() == html.TextToken && h.plain == "" {
					h.plain = z.Token().Data
				}
			case atom.Base:
				h.base = cmp.Or(h.base, hrefOf(t.Attr))
			case atom.Meta:
				h.note(t.Attr)
			}
		}
	}
}

func hrefOf(attrs []html.Attribute) string {
	for _, a := range attrs {
		if a.Key == "href" {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}

func (h head) note(attrs []html.Attribute) {
	var name, content string
	for _, a := range attrs {
		switch a.Key {
		case "property":
			name = a.Val
		case "name":
			name = cmp.Or(name, a.Val)
		case "content":
			content = a.Val
		}
	}
	name = strings.ToLower(strings.TrimSpace(name))
	if _, known := h.named[name]; !known && name != "" && content != "" {
		h.named[name] = content
	}
}

func (h head) title() string {
	return cut(cmp.Or(h.named["og:title"], h.named["twitter:title"], h.plain), domain.MaxPreviewTitle)
}

func (h head) description() string {
	return cut(cmp.Or(h.named["og:description"], h.named["twitter:description"], h.named["description"]),
		domain.MaxPreviewDescription)
}

func (h head) site() string {
	return cut(cmp.Or(h.named["og:site_name"], h.named["application-name"]), domain.MaxPreviewSite)
}

func (h head) image() string {
	return strings.TrimSpace(cmp.Or(h.named["og:image:secure_url"], h.named["og:image"], h.named["og:image:url"],
		h.named["twitter:image"], h.named["twitter:image:src"]))
}

// imageAt returns the address of the picture of a page at an address; nil: it has none.
func (h head) imageAt(page *url.URL) *url.URL {
	if h.image() == "" {
		return nil
	}
	base, err := page.Parse(h.base)
	if err != nil {
		base = page
	}
	image, err := base.Parse(h.image())
	if err != nil {
		return nil
	}
	return image
}

// Characters of scripts and of emoji that are not shown themselves.
const (
	nonJoiner = '\u200c'
	joiner    = '\u200d'
)

// cut returns the words of a text in one line of at most n characters. It leaves out what is not shown, and what turns
// the direction of text that stands beside it.
func cut(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), r == unicode.ReplacementChar, unicode.Is(unicode.Cf, r) && r != joiner && r != nonJoiner:
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if !strings.ContainsFunc(text, unicode.IsGraphic) {
		return ""
	}
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return strings.TrimSpace(string(runes[:n-1])) + "…"
}
