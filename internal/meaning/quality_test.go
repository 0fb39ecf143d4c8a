package meaning

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/embed"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// realModel loads the model that UNHIDRA_SEARCH_MODEL names.
func realModel(tb testing.TB) *embed.Model {
	tb.Helper()
	path := os.Getenv("UNHIDRA_SEARCH_MODEL")
	if path == "" {
		tb.Skip("UNHIDRA_SEARCH_MODEL names no model; docs/meaning.md says where to get it")
	}
	m, err := embed.Load(path)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// A labelled message is about a topic ("-": none). It has a query in other words, and one of some of its words.
type labelled struct{ topic, lang, text, other, words string }

func labelledSet(tb testing.TB) (set []labelled) {
	tb.Helper()
	data, err := os.ReadFile("testdata/labelled.tsv")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", "")
		set = append(set, labelled{f[0], f[1], f[2], f[3], f[4]})
	}
	return set
}

// score are the measures of the hits of several queries.
type score struct {
	ndcg, recall, own float64
	queries           int
}

// add judges the first ten hits of the query of a message: 3 for that message, 1 for those about its topic in other
// languages.
func (s *score) add(set map[string]labelled, of labelled, hits []string) {
	var dcg, ideal, about float64
	for i := range 6 {
		gain := 1.0
		if i == 0 {
			gain = 3
		}
		ideal += gain / math.Log2(float64(i+2))
	}
	for i, text := range hits {
		if set[text].topic != of.topic {
			continue
		}
		gain := 1.0
		if about++; text == of.text {
			gain = 3
			s.own++
		}
		dcg += gain / math.Log2(float64(i+2))
	}
	s.ndcg += dcg / ideal
	s.recall += about / 6
	s.queries++
}

func (s *score) String() string {
	n := float64(s.queries)
	return fmt.Sprintf("nDCG@10 %.2f, recall@10 of the topic %.2f, of the message %.2f", s.ndcg/n, s.recall/n, s.own/n)
}

// TestQuality measures search by words, by meaning and by both with a set of messages in six languages, and fails if
// meaning stops helping.
func TestQuality(t *testing.T) {
	t.Parallel()
	model := realModel(t)
	db := testkit.Open(t, testkit.NewFile(t))
	ctx := t.Context()
	s := New(Deps{Store: db.Search, Model: model, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	room := testkit.Room(t, db, 2)
	set := labelledSet(t)
	byText := make(map[string]labelled)
	for i, m := range set {
		byText[m.text] = m
		testkit.Say(t, db, testkit.UserID(i%2), room, fmt.Sprint(i), m.text)
	}
	if err := db.Search.BeginVectors(ctx, embed.Name); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		var err error
		if more, err = s.step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Search.LoadVectors(ctx); err != nil {
		t.Fatal(err)
	}
	if n := db.Search.Vectors(); n != len(set) {
		t.Fatalf("%d vectors of %d messages", n, len(set))
	}
	indexed(t, db, len(set))
	for _, kind := range []string{"in other words", "in its words"} {
		scores := map[string]*score{"words": {}, "meaning": {}, "both": {}}
		for _, m := range set {
			if m.topic == "-" {
				continue
			}
			query := m.other
			if kind == "in its words" {
				query = m.words
			}
			q, err := fulltext.Parse(query, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			words, _, err := db.Search.Search(ctx, testkit.UserID(0), q, domain.Relevance, domain.SearchCursor{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			both, _, err := db.Search.SearchByMeaning(ctx, testkit.UserID(0), q, s.Vector(q.Plain), domain.SearchCursor{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			q.Clauses = []fulltext.Clause{{Words: []string{"wordthatnobodysays"}}}
			meaning, _, err := db.Search.SearchByMeaning(ctx, testkit.UserID(0), q, s.Vector(q.Plain), domain.SearchCursor{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			scores["words"].add(byText, m, texts(words))
			scores["meaning"].add(byText, m, texts(meaning))
			scores["both"].add(byText, m, texts(both))
		}
		for _, by := range []string{"words", "meaning", "both"} {
			t.Logf("%s, by %s: %s", kind, by, scores[by])
		}
		if both, words := scores["both"], scores["words"]; both.ndcg < words.ndcg || both.own < words.own {
			t.Errorf("%s: worse than by words alone", kind)
		}
	}
}

func texts(hits []domain.Hit) (ts []string) {
	for _, h := range hits {
		ts = append(ts, h.Message.Text)
	}
	return ts
}

// indexed waits for the index of words.
func indexed(t *testing.T, db *all.Store, n int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		left, err := db.Search.Unindexed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d of %d are not indexed", left, n)
		}
	}
}

// The consumer makes the vectors of what is said, anew after an edit, and leaves to the backfill what comes late.
func TestConsumer(t *testing.T) {
	t.Parallel()
	model := realModel(t)
	db := testkit.Open(t, testkit.NewFile(t))
	ctx, now := t.Context(), time.Now()
	s := New(Deps{Store: db.Search, Model: model, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Now: func() time.Time { return now }})
	room := testkit.Room(t, db, 2)
	first := testkit.Say(t, db, testkit.UserID(0), room, "1", "The lift is stuck.")
	testkit.Say(t, db, testkit.UserID(0), room, "2", "👍")
	if err := db.Search.BeginVectors(ctx, embed.Name); err != nil {
		t.Fatal(err)
	}
	late := testkit.Say(t, db, testkit.UserID(0), room, "3", "Lunch is ready.")
	for _, e := range []feed.Entry[domain.Event]{{Value: first, Time: now}, {Value: late, Time: now.Add(-2 * maxLate)}} {
		if err := s.Consumer().Handle(ctx, []feed.Entry[domain.Event]{e}); err != nil {
			t.Fatal(err)
		}
	}
	known := func(want int) {
		t.Helper()
		if err := db.Search.LoadVectors(ctx); err != nil {
			t.Fatal(err)
		}
		if n := db.Search.Vectors(); n != want {
			t.Fatalf("%d vectors, want %d", n, want)
		}
	}
	known(1)
	for more := true; more; {
		var err error
		if more, err = s.step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	known(2)
}
