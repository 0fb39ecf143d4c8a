package bustest

import "github.com/unhidra/unhidra/internal/bus"

// Lossy is a node's end of a bus that loses messages on their way to it: those
// that Lose says.
type Lossy struct {
	bus.Bus
	Lose func(m bus.Message) bool
}

// Subscribe implements bus.Bus.
func (l *Lossy) Subscribe(subject string, fn func(bus.Message)) (func(), error) {
	return l.Bus.Subscribe(subject, func(m bus.Message) {
		if !l.Lose(m) {
			fn(m)
		}
	})
}
