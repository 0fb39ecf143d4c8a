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
	PreviewImageSide      = 480 // pixels
)

// LinkPreview is what a page says of itself that a message links to.
type LinkPreview struct {
	URL         string // as it is written in the message
	Title       string
	Description string
	Site        string
	Image       PreviewImage // zero: none
}

// PreviewImage is the picture of a link preview, made small by the server.
type PreviewImage struct {
	ID            string // 128 random bits as text: whoever knows it may load the picture
	Hash          string // of the blob
	Type          string // media type
	Width, Height int
}

// Links returns the addresses with http or https that a Markdown text shows as links, in their order, each once and at
// most limit. It leaves out those in code, in spoilers, and in angle brackets: <https://example.org> is how one writes
// a link that nobody is to look at.
func Links(text string, limit int) []string {
	if !strings.Contains(text, "://") {
		return nil
	}
	var links []string
	inside := 0 // of links, whose texts may be addresses
	add := func(t mdToken) {
		inside += t.link
		a := t.address
		web := hasPrefixFold(a, 0, "https://") || hasPrefixFold(a, 0, "http://")
		if web && inside == 0 && len(a) <= MaxPreviewAddress && len(links) < limit && !slices.Contains(links, a) {
			links = append(links, a)
		}
	}
	eachParagraph(parseBlocks(text), func(p string) { eachShown(inlineTokens(p), add, func() {}) })
	return links
}
