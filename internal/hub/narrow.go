package hub

import "github.com/unhidra/unhidra/internal/wire"

// narrowed returns what encodes e for those members of g who do not see all that it tells: once for each part of it
// that is hidden. It is nil if they all do. The caller holds r.mu.
func (r *room) narrowed(g *group, e event) func(*Member) (frame []byte, other bool) {
	if r.narrow == 0 {
		return nil
	}
	x, err := wire.EarlierIn(e.Header, e.payload)
	frames := make(map[[2]bool][]byte, 2)
	return func(m *Member) (frame []byte, other bool) {
		since := r.index[m].since
		if since == 0 {
			return nil, false
		}
		if e.Seq <= since { // its news comes late: they have joined since
			return nil, true
		}
		if err == nil && x == nil {
			return nil, false
		}
		if err != nil { // they miss the event, and read it from the log
			return nil, true
		}
		line, quote := x.Hides(since)
		if !line && !quote {
			return nil, false
		}
		key := [2]bool{line, quote}
		frame, made := frames[key]
		if !made {
			var payload []byte
			if payload, err = x.Frame(line, quote); err != nil {
				return nil, true
			}
			frame = g.format.Event(e.Header, payload)
			frames[key] = frame
		}
		return frame, true
	}
}
