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

func TestAddressesEndWherePeopleExpect(t *testing.T) {
	t.Parallel()
	for _, c := range readMentionTable(t).Addresses {
		for _, link := range c.Links {
			i := strings.Index(c.Text, link)
			end := addressEnd(c.Text, i)
			if i > 0 && c.Text[i-1] == '<' && angledEnd(c.Text, i-1) > i {
				end = angledEnd(c.Text, i-1) - 1
			}
			if got := c.Text[i:end]; got != link {
				t.Errorf("%q: %q, want %q", c.Text, got, link)
			}
		}
	}
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
