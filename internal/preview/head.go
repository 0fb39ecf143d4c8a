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

	icon, touchIcon string // addresses of its site's icon
	oembed          string // address of what it says of itself as JSON (https://oembed.com)
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
			case atom.Link:
				h.link(t.Attr)
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

// link notes where a page has its icon and its oEmbed; of several the first.
func (h *head) link(attrs []html.Attribute) {
	var rel, media string
	for _, a := range attrs {
		switch a.Key {
		case "rel":
			rel = strings.ToLower(a.Val)
		case "type":
			media = strings.ToLower(strings.TrimSpace(a.Val))
		}
	}
	href := hrefOf(attrs)
	for _, r := range strings.Fields(rel) {
		switch {
		case r == "alternate" && media == "application/json+oembed":
			h.oembed = cmp.Or(h.oembed, href)
		case r == "icon" && !undecodable(href, media):
			h.icon = cmp.Or(h.icon, href)
		case strings.HasPrefix(r, "apple-touch-icon"):
			h.touchIcon = cmp.Or(h.touchIcon, href)
		}
	}
}

// undecodable reports whether an icon is of a format that the server cannot read: SVG or ICO.
func undecodable(href, media string) bool {
	path, _, _ := strings.Cut(strings.ToLower(href), "?")
	return strings.HasSuffix(path, ".svg") || strings.HasSuffix(path, ".ico") || media == "image/svg+xml" ||
		media == "image/x-icon" || media == "image/vnd.microsoft.icon"
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

func (h head) imageAlt() string {
	return cut(cmp.Or(h.named["og:image:alt"], h.named["twitter:image:alt"]), domain.MaxPreviewAlt)
}

// at returns the address that a page at an address means; empty: there is none, or none that is looked at.
func (h head) at(page *url.URL, address string) string {
	if address == "" {
		return ""
	}
	base, err := page.Parse(h.base)
	if err != nil {
		base = page
	}
	u, err := base.Parse(address)
	if err != nil {
		return ""
	}
	if address = u.String(); len(address) > domain.MaxPreviewAddress { // such as a whole picture, data:image/png
		return ""
	}
	return address
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
