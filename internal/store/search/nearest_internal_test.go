package search

import (
	"testing"

	"github.com/unhidra/unhidra/internal/embed"
)

// Messages whose vectors are the same, such as thousands of "thanks", are as near as each other: as many as may be are
// candidates, the newest first, and neither all nor none.
func TestCandidatesThatAreEquallyNear(t *testing.T) {
	t.Parallel()
	const same, far = 2 * minCandidates, 5
	var x vectorIndex
	var found []storedVector
	for i := range int64(same + far) {
		v := storedVector{pos: i + 1, room: 1, change: i + 1, bits: embed.Bits{1}}
		if i >= same {
			v.bits = embed.Bits{0xff}
		}
		found = append(found, v)
	}
	x.add(found)
	for name, query := range map[string]embed.Bits{"at no distance": {1}, "at a distance": {3}} {
		got, _ := x.candidates(query, []int64{1}, maxPos)
		if len(got) != minCandidates || got[0] != same || got[len(got)-1] != same-minCandidates+1 {
			t.Errorf("%s: %d candidates, from %d to %d; want the newest %d of %d", name, len(got), got[0], got[len(got)-1],
				minCandidates, same)
		}
	}
	if got, _ := x.candidates(embed.Bits{1}, []int64{1}, 100); len(got) != 99 {
		t.Errorf("%d candidates before the hundredth message, want 99", len(got))
	}
	if got, _ := x.candidates(embed.Bits{0xff}, []int64{1}, minCandidates); len(got) != minCandidates-1 {
		t.Errorf("%d candidates, want %d: those that are nearer came later", len(got), minCandidates-1)
	}
}
