package domain

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestTickMarksTheTaskThatWasSeen(t *testing.T) {
	t.Parallel()
	const text = "# é\n- [ ] buy\n> 1. [x] *eat*\n>    - [ ] with @ann\n```\n- [ ] code\n```\n- [ ] buy"
	for _, c := range []struct {
		n    int
		said string
		done bool
		want string // "" if there is no such task
	}{
		{1, "buy", true, "# é\n- [x] buy\n> 1. [x] *eat*\n>    - [ ] with @ann\n```\n- [ ] code\n```\n- [ ] buy"},
		{2, "*eat*", false, "# é\n- [ ] buy\n> 1. [ ] *eat*\n>    - [ ] with @ann\n```\n- [ ] code\n```\n- [ ] buy"},
		{3, "with @ann", true, "# é\n- [ ] buy\n> 1. [x] *eat*\n>    - [x] with @ann\n```\n- [ ] code\n```\n- [ ] buy"},
		{4, "buy", true, "# é\n- [ ] buy\n> 1. [x] *eat*\n>    - [ ] with @ann\n```\n- [ ] code\n```\n- [x] buy"},
		{2, "*eat*", true, text},
		{2, "eat", true, ""},
		{0, "buy", true, ""},
		{5, "code", true, ""},
	} {
		got, err := Tick(text, Ticking{c.n, c.said, c.done})
		if (err != nil) != (c.want == "") || got != c.want {
			t.Errorf("task %d, %q: %q, %v; want %q", c.n, c.said, got, err, c.want)
		}
	}
}

// Whatever tasks are in, also each other: a tick changes what is between the brackets of one, and nothing else.
func TestTickChangesOneCharacter(t *testing.T) {
	t.Parallel()
	const seed = 5
	rnd := rand.New(rand.NewPCG(seed, seed))
	parts := []string{"- ", "1. ", "> ", "[ ] ", "[x]\t", "[ ]  \u2003", "  ", "é", "|", "|-|\n", "\n", "\n", "```"}
	ticked := 0
	for range 20000 {
		var b strings.Builder
		for range 2 + rnd.IntN(14) {
			b.WriteString(parts[rnd.IntN(len(parts))])
		}
		text := b.String()
		for i, task := range tasksOf(parseBlocks(text)) {
			got, err := Tick(text, Ticking{i + 1, task.line.s, !task.done})
			was, now := "[ ]", "[x]"
			if task.done {
				was, now = now, was
			}
			after, ok := strings.CutPrefix(text[task.at-1:], was)
			if err != nil || !ok || got != text[:task.at-1]+now+after {
				t.Fatalf("seed %d: task %d of %q: %q, %v", seed, i+1, text, got, err)
			}
			ticked++
		}
	}
	if ticked < 1000 {
		t.Errorf("only %d tasks", ticked)
	}
}
