package domain

import "testing"

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
