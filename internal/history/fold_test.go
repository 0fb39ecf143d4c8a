package history_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

type foldedLine struct {
	client.Event
	Folded *struct{ From, Count int64 }
}

type foldedPage = client.Page[foldedLine]

// covered returns the numbers of the events in a page, folded ones included. It fails if anything but
// runs of joins and departures is folded.
func covered(t *testing.T, p foldedPage, types map[int64]string, order []int64) (seqs []int64) {
	t.Helper()
	for _, e := range p.Items {
		if e.Folded != nil {
			n := int64(0)
			for _, seq := range order {
				if seq < e.Folded.From || seq >= e.Seq {
					continue
				}
				n++
				seqs = append(seqs, seq)
				if tp := types[seq]; tp != "member.joined" && tp != "member.left" {
					t.Errorf("%d is left out, a %s", seq, tp)
				}
			}
			if n != e.Folded.Count {
				t.Errorf("%d stands for %d, it says %d", e.Seq, n, e.Folded.Count)
			}
		}
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

func TestFoldedPagesHaveNoGap(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann, bob := s.User("ann"), s.User("bob")
		room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "public", Name: "Hall"})
		if err != nil {
			t.Fatal(err)
		}
		in := "/rooms/" + room.ID
		chance := rand.New(rand.NewPCG(7, 7))
		joined := false
		for i := range 90 {
			if chance.IntN(6) == 0 {
				if _, err := ann.Send(t.Context(), client.Draft{Room: room.ID, Key: fmt.Sprint(i), Text: "hello"}); err != nil {
					t.Fatal(err)
				}
				continue
			}
			do := map[bool]string{false: "join", true: "leave"}[joined]
			if err := bob.Do(t.Context(), "POST", in+"/"+do, nil, nil); err != nil {
				t.Fatal(err)
			}
			joined = !joined
		}
		var whole page
		get(t, ann, in+"/timeline?limit=200", &whole)
		types := map[int64]string{}
		for _, e := range whole.Items {
			types[e.Seq] = e.Type
		}
		order := seqs(whole)
		for _, limit := range []int{1, 2, 5, 50} {
			var p foldedPage
			get(t, ann, fmt.Sprintf("%s/timeline?fold=true&limit=%d", in, limit), &p)
			back := covered(t, p, types, order)
			for p.Prev != "" {
				cursor := p.Prev
				p = foldedPage{}
				get(t, ann, fmt.Sprintf("%s/timeline?fold=true&limit=%d&cursor=%s", in, limit, cursor), &p)
				if len(p.Items) > limit {
					t.Errorf("%d lines, at most %d were asked for", len(p.Items), limit)
				}
				back = append(covered(t, p, types, order), back...)
			}
			if fmt.Sprint(back) != fmt.Sprint(order) {
				t.Errorf("up by %d: %v, want %v", limit, back, order)
			}
			p = foldedPage{Next: "first"}
			var down []int64
			for after := int64(0); p.Next != ""; after = down[len(down)-1] {
				p = foldedPage{}
				get(t, ann, fmt.Sprintf("%s/timeline?fold=true&limit=%d&after=%d", in, limit, max(after, 1)), &p)
				down = append(down, covered(t, p, types, order)...)
			}
			if fmt.Sprint(down) != fmt.Sprint(order[1:]) {
				t.Errorf("down by %d: %v, want %v", limit, down, order[1:])
			}
		}
		var around foldedPage
		get(t, ann, fmt.Sprintf("%s/timeline?fold=true&limit=20&around=%d", in, order[len(order)/2]), &around)
		got := covered(t, around, types, order)
		for i := 1; i < len(got); i++ {
			if got[i] != got[i-1]+1 {
				t.Errorf("around the middle: %v", got)
			}
		}
	})
}
