package client

type step int

const (
	isNext  step = iota
	isKnown      // delivered before, or of a room that is not followed
	isAhead      // others come before it
)

// begin follows a room. One that is new begins at head; one that is known goes
// on where it was, unless the server's log is shorter than that: then it was
// restored from a backup, and begin reports true.
func (l *Live) begin(room string, head int64) (rewound bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.last[room]
	rewound = known && last > head
	if !known || rewound {
		l.last[room] = head
	}
	l.highest[room] = head
	return rewound
}

// advance says where an event stands, and counts it as delivered if it is the
// next one.
func (l *Live) advance(e Event) step {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.last[e.Room]
	if !known {
		return isKnown
	}
	l.highest[e.Room] = max(l.highest[e.Room], e.Seq)
	switch {
	case e.Seq <= last:
		return isKnown
	case e.Seq > last+1:
		return isAhead
	}
	l.last[e.Room] = e.Seq
	return isNext
}

// skip goes on after head, without what is before it.
func (l *Live) skip(room string, head int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if head > 0 {
		l.last[room] = head
	}
	l.highest[room] = head
}

func (l *Live) high(room string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.highest[room]
}

// behind returns the rooms of which more was heard than was delivered.
func (l *Live) behind() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	want := make(map[string]int64)
	for room, last := range l.last {
		if l.highest[room] > last && len(want) < 500 {
			want[room] = last
		}
	}
	return want
}
