package mqtt

import "strings"

// node is a level of the filters with wildcards.
type node struct {
	children map[string]*node
	subs     []*sub // whose filter ends here
}

func (n *node) add(filter string, b *sub) {
	for level := range strings.SplitSeq(filter, "/") {
		next := n.children[level]
		if next == nil {
			next = &node{}
			if n.children == nil {
				n.children = make(map[string]*node)
			}
			n.children[level] = next
		}
		n = next
	}
	n.subs = append(n.subs, b)
}

// remove reports whether b was there.
func (n *node) remove(filter string, b *sub) bool {
	level, rest, more := strings.Cut(filter, "/")
	next := n.children[level]
	if next == nil {
		return false
	}
	found := false
	if more {
		found = next.remove(rest, b)
	} else {
		before := len(next.subs)
		next.subs = without(next.subs, b)
		found = len(next.subs) < before
	}
	if len(next.subs) == 0 && len(next.children) == 0 {
		delete(n.children, level)
	}
	return found
}

// match appends the subscriptions for a topic, and returns how many nodes they were in.
func (n *node) match(topic string, subs *[]*sub) int {
	if len(n.children) == 0 {
		return 0
	}
	return n.walk(topic, true, true, subs)
}

// walk matches the rest of a topic; first is whether that is the whole of it.
func (n *node) walk(topic string, more, first bool, subs *[]*sub) (nodes int) {
	take := func(n *node) {
		if n != nil && len(n.subs) > 0 {
			*subs = append(*subs, n.subs...)
			nodes++
		}
	}
	wild := !first || !strings.HasPrefix(topic, "$")
	if wild {
		take(n.children["#"])
	}
	if !more {
		take(n)
		return nodes
	}
	level, rest, more := strings.Cut(topic, "/")
	if next := n.children[level]; next != nil {
		nodes += next.walk(rest, more, false, subs)
	}
	if next := n.children["+"]; next != nil && wild {
		nodes += next.walk(rest, more, false, subs)
	}
	return nodes
}
