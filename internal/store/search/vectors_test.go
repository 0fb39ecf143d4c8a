package search_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/embed"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// towards returns a vector of length 1 whose cosine to that of number n is likeness, and 0 to those of other numbers.
func towards(n int, likeness float32) (v embed.Vector) {
	const wide = 32 // numbers have a share in each direction, as in vectors of texts
	across := float32(math.Sqrt(float64(1 - likeness*likeness)))
	for i := range wide {
		v[2*wide*n+i] = likeness / float32(math.Sqrt(wide))
		v[2*wide*n+wide+i] = across / float32(math.Sqrt(wide))
	}
	return v
}

// give gives the messages that have no vector one each, by their texts, and loads them.
func give(t *testing.T, db *all.Store, vectors map[string]embed.Vector) (given int) {
	t.Helper()
	ctx := t.Context()
	for more := true; more; {
		texts, others, err := db.Search.TakeTexts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		more = others
		var made []domain.MessageVector
		for _, x := range texts {
			if v, ok := vectors[x.Text]; ok {
				made = append(made, domain.MessageVector{Pos: x.Pos, Room: x.Room, Edits: x.Edits, Code: v.Code()})
			}
		}
		given += len(made)
		if err := db.Search.AddVectors(ctx, made); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Search.LoadVectors(ctx); err != nil {
		t.Fatal(err)
	}
	return given
}

// near searches by meaning and returns what is found, with a star where no word is.
func near(t *testing.T, db *all.Store, user, q string, v embed.Vector) string {
	t.Helper()
	query, err := fulltext.Parse(q, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	hits, next, err := db.Search.SearchByMeaning(t.Context(), user, query, &v, domain.SearchCursor{}, 50)
	if err != nil || next != nil {
		t.Fatal(err, next)
	}
	texts := ""
	for _, h := range hits {
		if texts += h.Message.Text; h.ByMeaning {
			texts += "*"
		}
		texts += "|"
	}
	return texts
}

func TestSearchByMeaning(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		room := testkit.Room(t, db, 3)
		other, _, err := db.Rooms.CreateRoom(ctx, testkit.UserID(1),
			domain.NewRoom{Kind: domain.PrivateRoom, Name: "Other"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		vectors := map[string]embed.Vector{
			"the lift is stuck": towards(1, 0.9), "elevator broken": towards(1, 0.8), "lunch at noon": towards(2, 0.9),
			"a secret elevator": towards(1, 0.95), "nobody can go up": towards(1, 0.6),
		}
		said := map[string]domain.Event{}
		for i, text := range []string{"the lift is stuck", "elevator broken", "lunch at noon", "nobody can go up"} {
			said[text] = testkit.Say(t, db, testkit.UserID(i%2), room, fmt.Sprint(i), text)
		}
		testkit.Say(t, db, testkit.UserID(1), other.Room.ID, "s", "a secret elevator")
		found(t, db, testkit.UserID(1), "elevator", domain.Newest, 2)
		lift := towards(1, 1)
		if got := near(t, db, testkit.UserID(0), "elevator", lift); got != "elevator broken|" {
			t.Errorf("without vectors: %s", got)
		}
		if err := db.Search.BeginVectors(ctx, "a model"); err != nil {
			t.Fatal(err)
		}
		if n := give(t, db, vectors); n != 5 {
			t.Fatalf("%d vectors", n)
		}
		for _, c := range []struct{ user, q, want string }{
			{testkit.UserID(0), "elevator", "elevator broken|the lift is stuck*|nobody can go up*|"},
			{testkit.UserID(0), "nothing", "the lift is stuck*|elevator broken*|nobody can go up*|"},
			{testkit.UserID(1), "elevator in:Other", "a secret elevator|"},
			{testkit.UserID(0), "elevator from:user1", "elevator broken|nobody can go up*|"},
			{testkit.UserID(0), "elevator before:2001-01-01", ""},
			{testkit.UserID(0), "elevator has:link", ""},
		} {
			if got := near(t, db, c.user, c.q, lift); got != c.want {
				t.Errorf("%s: %s, want %s", c.q, got, c.want)
			}
		}

		// A vector goes with the text that it is of.
		now := time.Now()
		if _, err := db.Messages.EditMessage(ctx, testkit.UserID(0), room, said["the lift is stuck"].Seq, "never mind", nil,
			false, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Messages.DeleteMessage(ctx, testkit.UserID(1), room, said["nobody can go up"].Seq, now); err != nil {
			t.Fatal(err)
		}
		if got := near(t, db, testkit.UserID(0), "nothing", lift); got != "elevator broken*|" {
			t.Errorf("after an edit and a deletion: %s", got)
		}
		if n := db.Search.Vectors(); n != 3 {
			t.Errorf("%d vectors in memory", n)
		}
		// One of a text that was edited meanwhile is not stored.
		x, ok, err := db.Search.TextOf(ctx, room, said["the lift is stuck"].Seq)
		if err != nil || !ok || x.Text != "never mind" {
			t.Fatal(x, ok, err)
		}
		old, again := towards(1, 0.9), towards(1, 0.7)
		if err := db.Search.AddVectors(ctx, []domain.MessageVector{{Pos: x.Pos, Room: x.Room,
			Edits: x.Edits - 1, Code: old.Code()}}); err != nil {
			t.Fatal(err)
		}
		if err := db.Search.LookAgain(ctx, x.Pos); err != nil {
			t.Fatal(err)
		}
		if n := give(t, db, map[string]embed.Vector{"never mind": again}); n != 1 {
			t.Errorf("%d vectors made anew", n)
		}
		if got := near(t, db, testkit.UserID(0), "nothing", lift); got != "elevator broken*|never mind*|" {
			t.Errorf("of the new text: %s", got)
		}
		// Whoever leaves finds nothing more. Another model begins anew.
		if _, err := db.Departure.Leave(ctx, testkit.UserID(2), room, now); err != nil {
			t.Fatal(err)
		}
		if got := near(t, db, testkit.UserID(2), "nothing", lift); got != "" {
			t.Errorf("after leaving: %s", got)
		}
		if err := db.Search.BeginVectors(ctx, "another model"); err != nil {
			t.Fatal(err)
		}
		if got := near(t, db, testkit.UserID(0), "nothing", lift); got != "" {
			t.Errorf("of another model: %s", got)
		}
	})
}

// A page of what is found goes on where the one before ended.
func TestSearchByMeaningPages(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		room := testkit.Room(t, db, 2)
		vectors := map[string]embed.Vector{}
		for i := range 25 {
			text := fmt.Sprintf("word number %d", i)
			vectors[text] = towards(1, 0.9-0.01*float32(i))
			testkit.Say(t, db, testkit.UserID(i%2), room, fmt.Sprint(i), text)
		}
		if err := db.Search.BeginVectors(ctx, "a model"); err != nil {
			t.Fatal(err)
		}
		give(t, db, vectors)
		q, _ := fulltext.Parse("something else", time.UTC)
		v := towards(1, 1)
		var c domain.SearchCursor
		seen := map[string]bool{}
		for pages := 1; ; pages++ {
			hits, next, err := db.Search.SearchByMeaning(ctx, testkit.UserID(0), q, &v, c, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range hits {
				seen[h.Message.Text] = true
			}
			if next == nil {
				if pages != 3 || len(seen) != 25 {
					t.Errorf("%d messages on %d pages", len(seen), pages)
				}
				return
			}
			c = *next
			testkit.Say(t, db, testkit.UserID(0), room, fmt.Sprint("later", pages), "word later")
		}
	})
}

// Of what a search by meaning may find, the most alike come first, however many others are more alike.
func TestFiltersOfASearchByMeaning(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		room := testkit.Room(t, db, 2)
		const link = "see https://example.org/lift"
		vectors := map[string]embed.Vector{link: towards(1, 0.5)}
		if _, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(1), domain.Draft{Room: room, Key: "link", Text: link},
			[]string{"user0"}, false, time.Now()); err != nil {
			t.Fatal(err)
		}
		const german = "der Aufzug steckt schon wieder fest"
		vectors[german] = towards(1, 0.4)
		testkit.Say(t, db, testkit.UserID(0), room, "german", german)
		for i := range 60 { // more than a search finds by meaning
			text := fmt.Sprint("the lift is stuck ", i)
			vectors[text] = towards(1, 0.9)
			testkit.Say(t, db, testkit.UserID(0), room, fmt.Sprint(i), text)
		}
		if err := db.Search.BeginVectors(ctx, "a model"); err != nil {
			t.Fatal(err)
		}
		give(t, db, vectors)
		for _, filter := range []string{"has:link", "from:user1", "mentions:me"} {
			if got := near(t, db, testkit.UserID(0), "elevator "+filter, towards(1, 1)); got != link+"*|" {
				t.Errorf("%s: %s", filter, got)
			}
		}
		if got := near(t, db, testkit.UserID(0), "elevator lang:de", towards(1, 1)); got != german+"*|" {
			t.Errorf("lang:de: %s", got)
		}
	})
}

// BenchmarkByMeaning searches by meaning among 100,000 messages of a reader, whose vectors are random, with a query
// that no words fit. It does not count the time that the query's vector takes.
func BenchmarkByMeaning(b *testing.B) {
	const n, senders = 100_000, 200
	db := testkit.Open(b, testkit.NewFile(b))
	room := testkit.Room(b, db, 2)
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for i := sender; i < n; i += senders {
				testkit.Say(b, db, testkit.UserID(i%2), room, fmt.Sprint(i), "a message of some words, as people write them")
			}
		})
	}
	wg.Wait()
	r := rand.New(rand.NewPCG(1, 2))
	random := func() (v embed.Vector) {
		for i := range v {
			v[i] = float32(r.NormFloat64()) / 22.6
		}
		return v
	}
	if err := db.Search.BeginVectors(b.Context(), "a model"); err != nil {
		b.Fatal(err)
	}
	for more := true; more; {
		texts, others, err := db.Search.TakeTexts(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		more = others
		var made []domain.MessageVector
		for _, x := range texts {
			v := random()
			made = append(made, domain.MessageVector{Pos: x.Pos, Room: x.Room, Edits: x.Edits, Code: v.Code()})
		}
		if err := db.Search.AddVectors(b.Context(), made); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Search.LoadVectors(b.Context()); err != nil {
		b.Fatal(err)
	}
	q, _ := fulltext.Parse("something else", time.UTC)
	var times []time.Duration
	for b.Loop() {
		v, start := random(), time.Now()
		_, _, err := db.Search.SearchByMeaning(b.Context(), testkit.UserID(0), q, &v, domain.SearchCursor{}, 20)
		if err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "p95-ms")
}
