package client

type step int

const (
	isNext  step = iota
	isKnown      // delivered before, or of a room that is not followed
	isAhead      // earlier ones are missing
)

// begin follows a room: a new one from head, and a known one from its position. rewound is true if
// head is before that position, because the server was restored from a backup.
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

// join follows a room that the user has joined, from head. A room that is followed goes on from its position: the state
// of the room may be older than what was delivered since.
func (l *Live) join(room string, head int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.last[room]; !known {
		l.last[room] = head
	}
	l.highest[room] = max(l.highest[room], head)
}

// advance returns the position of e relative to the delivered events. If e is the next one, it
// counts as delivered.
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

// skip continues after head.
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

// behind returns the positions of rooms with missing events.
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
