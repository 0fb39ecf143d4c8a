package notify

import "time"

const (
	maxHosts = 10_000    // push services of which a node remembers that they fail
	hostKept = time.Hour // how long it does so after it would have tried again
)

// A host is a push service.
type host struct {
	sending int
	wait    time.Duration // since it fails, or answers slowly
	until   time.Time     // nothing is sent before
	next    time.Time     // until when the push was put off that was put off last
}

// enter counts a push that is about to be sent to a push service. free is false if nothing may be sent there until a
// time.
func (s *Service) enter(name string, now time.Time) (until time.Time, free bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[name]
	switch {
	case h == nil:
		if len(s.hosts) >= s.maxHosts {
			s.forgetOne()
		}
		h = &host{}
		s.hosts[name] = h
	case now.Before(h.until):
		return h.putOff(h.until), false
	case h.sending >= sendersHost || h.wait > 0 && h.sending > 0: // one that has trouble is tried by one at a time
		return h.putOff(now.Add(holdBusy)), false
	}
	h.sending++
	return time.Time{}, true
}

// putOff returns when to look again at a push that may not be sent before a time. Each gets a time of its own: if all
// came back at once, all but a few would be put off once more.
func (h *host) putOff(until time.Time) time.Time {
	if h.next.Before(until) {
		h.next = until
	}
	until, h.next = h.next, h.next.Add(holdApart)
	return until
}

// leave ends what enter began, and returns how long a push service that has trouble is left alone: it fails, or answers
// so slowly that a few like it would keep all senders from others.
func (s *Service) leave(name string, trouble bool, retryAfter time.Duration, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[name]
	h.sending--
	if !trouble {
		h.wait, h.until = 0, time.Time{}
		if h.sending == 0 {
			delete(s.hosts, name)
		}
		return 0
	}
	h.wait = min(max(2*h.wait, minBackoff), maxBackoff)
	wait := max(h.wait, min(retryAfter, giveUpAfter))
	if until := now.Add(wait); until.After(h.until) {
		h.until = until
	}
	return wait
}

// forget forgets the push services that fail and could have been tried again before a time.
func (s *Service) forget(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, h := range s.hosts {
		if h.sending == 0 && h.until.Before(before) {
			delete(s.hosts, name)
		}
	}
}

// forgetOne makes room for another push service, with s.mu held: it forgets the one that is tried again first. If
// nothing is forgotten, to each one something is being sent; their number is bound by sendersTotal.
func (s *Service) forgetOne() {
	var first string
	var until time.Time
	for name, h := range s.hosts {
		if h.sending == 0 && (first == "" || h.until.Before(until)) {
			first, until = name, h.until
		}
	}
	delete(s.hosts, first)
}
