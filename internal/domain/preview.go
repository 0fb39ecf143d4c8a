package domain

import (
	"slices"
	"strings"
)

// Limits of link previews. All previews of a message fit a frame beside its text.
const (
	MaxPreviews           = 4    // of a message
	MaxPreviewAddress     = 2000 // bytes of an address that is looked at
	MaxPreviewTitle       = 200  // characters
	MaxPreviewDescription = 300
	MaxPreviewSite        = 60
	MaxPreviewAlt         = 200
	PreviewImageSide      = 480 // pixels
	PreviewIconSide       = 32
)

// LinkPreview is what a page says of itself that a message links to.
type LinkPreview struct {
	URL         string // as it is written in the message
	Title       string
	Description string
	Site        string
	Image       PreviewImage // zero: none
	Icon        PreviewImage // of the site; zero: none
}

// PreviewImage is the picture of a link preview, made small by the server.
type PreviewImage struct {
	ID            string // 128 random bits as text: whoever knows it may load the picture
	Hash          string // of the blob
	Type          string // media type
	Width, Height int
	Alt           string // what it shows, in the page's words; empty: it does not say
}

// Links returns the addresses with http or https that a Markdown text shows as links, in their order, each once and at
// most limit. One without a scheme, www.example.org, has https. It leaves out those in code, in spoilers, and in angle
// brackets: <https://example.org> is how one writes a link that nobody is to look at.
func Links(text string, limit int) []string {
	if !MayLink(text) {
		return nil
	}
	var links []string
	inside := 0 // of links, whose texts may be addresses
	add := func(t mdToken) {
		inside += t.link
		if t.address == "" {
			return
		}
		a := webAddress(t.address)
		if a == "" || inside > 0 || len(a) > MaxPreviewAddress || len(links) >= limit || slices.Contains(links, a) {
			return
		}
		if linksTo(a) {
			links = append(links, a)
		}
	}
	eachParagraph(parseBlocks(text), func(p string) { eachShown(inlineTokens(p), add, func() {}) })
	return links
}

// MayLink reports whether a text may have links to the web: if not, nobody has to read it as Markdown.
func MayLink(text string) bool {
	return strings.Contains(text, "://") || wwwAt(text, 0) >= 0
}

// HasLink reports whether a text, as it is written, has a link to the web.
func HasLink(text string) bool {
	if strings.Contains(text, "https://") || strings.Contains(text, "http://") {
		return true
	}
	for i := wwwAt(text, 0); i >= 0; {
		end := addressEnd(text, i)
		if end > i && webAddress(text[i:end]) != "" {
			return true
		}
		i = wwwAt(text, i+1)
	}
	return false
}

// wwwAt is where the next www. begins, in letters of any case; -1 if there is none.
func wwwAt(text string, from int) int {
	for i := from; ; i++ {
		n := strings.IndexAny(text[i:], "wW")
		if n < 0 {
			return -1
		}
		if i += n; hasPrefixFold(text, i, "www.") {
			return i
		}
	}
}
