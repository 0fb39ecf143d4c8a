package domain

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// The web client's tests read the same table, so that whom a message notifies
// is whom the page shows.
func TestMentions(t *testing.T) {
	t.Parallel()
	table := readMentionTable(t)
	for _, c := range table.Mentions {
		names, room := Mentions(c.Text)
		if !slices.Equal(names, c.Names) && len(names)+len(c.Names) > 0 || room != c.Room {
			t.Errorf("%q: %v, %v; want %v, %v", c.Text, names, room, c.Names, c.Room)
		}
	}
}

// So do they for what is a link, and where it leads.
func TestAddressesEndWherePeopleExpect(t *testing.T) {
	t.Parallel()
	for _, c := range readMentionTable(t).Addresses {
		var links []string
		eachParagraph(parseBlocks(c.Text), func(p string) { links = append(links, linksIn(p)...) })
		if !slices.Equal(links, c.Links) {
			t.Errorf("%q: %q, want %q", c.Text, links, c.Links)
		}
		if len(c.To) > 0 && len(c.To) != len(c.Links) {
			t.Errorf("%q: %d links lead to %d addresses", c.Text, len(c.Links), len(c.To))
		}
		for i, to := range c.To {
			page := webAddress(c.Links[i])
			if page != "" && !strings.EqualFold(page, strings.TrimSuffix(to, "/")) {
				t.Errorf("%q leads to %q, want %q", c.Links[i], page, to)
			}
		}
	}
}

// linksIn returns the texts of the links in a paragraph.
func linksIn(paragraph string) (links []string) {
	label := ""
	for _, token := range inlineTokens(paragraph) {
		switch {
		case token.link > 0:
			label = "#"
		case token.link < 0:
			links = append(links, label[1:])
			label = ""
		case label != "":
			label += token.text
		case token.address != "" && linksTo(token.address):
			links = append(links, token.text)
		case token.angled:
			links = append(links, token.text)
		}
	}
	return links
}

type mentionTable struct {
	Mentions []struct {
		Text  string
		Names []string
		Room  bool
	}
	Addresses []struct {
		Text  string
		Links []string
		To    []string // where they lead
	}
}

func readMentionTable(t *testing.T) (table mentionTable) {
	data, err := os.ReadFile("testdata/mentions.json")
	if err == nil {
		err = json.Unmarshal(data, &table)
	}
	if err != nil || len(table.Mentions) == 0 || len(table.Addresses) == 0 {
		t.Fatal(err)
	}
	return table
}

func FuzzMentions(f *testing.F) {
	f.Add("hi @ann `code @b` @room")
	f.Add("``` @x")
	f.Fuzz(func(t *testing.T, text string) {
		names, _ := Mentions(text)
		if len(names) > MaxMentions {
			t.Fatal(len(names))
		}
		for _, n := range names {
			if !strings.Contains(strings.ToLower(text), "@"+n) {
				t.Fatalf("%q does not name %q", text, n)
			}
		}
	})
}
