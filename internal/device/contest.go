package device

import (
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// A key that is in use at two places was copied. Either both have a connection that lives: the older one
// is heard of well after the newer one was opened. Or they put each other out, again and again.

const (
	rivalsSubject = "devices.rivals"
	takenSubject  = "devices.taken_over"
	takenOver     = "taken_over"     // why a connection ends whose place another one has
	takenWithin   = 5 * time.Second  // between the two
	rivalAfter    = 30 * time.Second // a connection that is heard so long after the newer one lives
	contestWithin = 10 * time.Minute
	contestTurns  = 4
	doubledAgain  = time.Hour // between two notices
)

// rivalry says that a key opened a connection beside one that it has from another address.
type rivalry struct {
	Device string    `json:"device"`
	Key    string    `json:"key"`
	Addr   string    `json:"addr"`
	Others []string  `json:"others"`
	At     time.Time `json:"at"`
}

// A rival is a newer connection of the same key from another place.
type rival struct {
	addr string
	at   time.Time // when it was opened; zero: there is none
}

// A departure is the end of a connection whose place another one has, perhaps at another node.
type departure struct {
	Device string    `json:"device"`
	Key    string    `json:"key"`
	Addr   string    `json:"addr"`
	At     time.Time `json:"at"`
}

// A contest is between two places about one key.
type contest struct {
	turns  []time.Time
	places []string
}

// contest tells all nodes of keys that are in use from several addresses.
func (s *Service) contest(ctx context.Context, rivals []domain.LinkRivals) {
	for _, r := range rivals {
		b, err := json.Marshal(rivalry{r.Device, r.Key, r.Addr, r.Others, r.Opened})
		if err == nil {
			err = s.Bus.Publish(rivalsSubject, b)
		}
		if err != nil {
			s.Log.WarnContext(ctx, "tell that a key is in use from several addresses", "device", r.Device, "err", err)
		}
	}
}

// tellTaken tells all nodes that another connection has taken the place of one.
func (s *Service) tellTaken(ctx context.Context, c domain.DeviceConnection, now time.Time) {
	b, err := json.Marshal(departure{c.Device, c.Key, c.Addr, now})
	if err == nil {
		err = s.Bus.Publish(takenSubject, b)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell that a key is in use from several addresses", "device", c.Device, "err", err)
	}
}

// onTaken finds the connection that has the place of one that ended. If it comes later, it finds the one
// that ended.
func (s *Service) onTaken(ctx context.Context, m bus.Message) {
	var d departure
	if err := json.Unmarshal(m.Data, &d); err != nil {
		s.Log.ErrorContext(ctx, "bus message that is not understood", "subject", m.Subject, "err", err)
		return
	}
	var rivals []domain.LinkRivals
	s.live.mu.Lock()
	s.live.left[d.Device] = d
	if c := s.live.devices[d.Device]; c != nil {
		for _, l := range c.links {
			rivals = append(rivals, d.rivals(l.DeviceConnection)...)
		}
	}
	s.live.mu.Unlock()
	s.contest(ctx, rivals)
}

// rivals returns c beside the connection that ended, if c took its place from elsewhere.
func (d departure) rivals(c domain.DeviceConnection) []domain.LinkRivals {
	if d.Key != c.Key || !apart(d.Addr, c.Addr) || c.Opened.Sub(d.At).Abs() > takenWithin {
		return nil
	}
	link := domain.DeviceLink{ID: c.ID, Device: c.Device, Key: c.Key, Addr: c.Addr, Opened: c.Opened}
	return []domain.LinkRivals{{DeviceLink: link, Others: []string{d.Addr}}}
}

func (s *Service) onRivals(m bus.Message) {
	var r rivalry
	if err := json.Unmarshal(m.Data, &r); err != nil {
		s.Log.Error("bus message that is not understood", "subject", m.Subject, "err", err)
		return
	}
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	i := slices.IndexFunc(r.Others, func(other string) bool { return apart(other, r.Addr) })
	if i < 0 {
		return
	}
	if c := s.live.devices[r.Device]; c != nil {
		for _, l := range c.links {
			if l.Key == r.Key && apart(l.Addr, r.Addr) && !l.Opened.After(r.At) {
				l.rival = rival{r.Addr, r.At}
			}
		}
	}
	of := s.live.contests[r.Device]
	if of == nil {
		of = &contest{}
		s.live.contests[r.Device] = of
	}
	if !slices.ContainsFunc(of.turns, r.At.Equal) { // the store may have seen both as well
		of.turns, of.places = append(of.turns, r.At), placesOf(r.Others[i], r.Addr)
	}
}

func placesOf(a, b string) []string {
	places := []string{a, b}
	slices.Sort(places)
	return places
}

// apart reports whether two addresses are of different places. One of IPv4 and one of IPv6 may be of the
// same, and so may be those of one network of IPv6.
func apart(a, b string) bool {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	x, y = x.Unmap(), y.Unmap()
	if errX != nil || errY != nil || x.Is4() != y.Is4() {
		return false
	}
	bits := 32
	if x.Is6() {
		bits = 64
	}
	net, err := x.Prefix(bits)
	return err == nil && !net.Contains(y)
}

// doubled returns the devices one of whose keys is in use at two places, and these. The caller holds l.mu.
func (l *live) doubled(now time.Time) map[string][]string {
	found := make(map[string][]string)
	maps.DeleteFunc(l.left, func(_ string, d departure) bool { return now.Sub(d.At) > takenWithin })
	for id, of := range l.contests {
		of.turns = slices.DeleteFunc(of.turns, func(at time.Time) bool { return now.Sub(at) > contestWithin })
		switch {
		case len(of.turns) == 0:
			delete(l.contests, id)
			continue
		case len(of.turns) >= contestTurns:
			found[id], of.turns = of.places, nil
		}
		c := l.devices[id]
		if c == nil {
			continue
		}
		for _, link := range c.links {
			if !link.rival.at.IsZero() && link.heard().Sub(link.rival.at) > rivalAfter {
				found[id], link.rival = placesOf(link.Addr, link.rival.addr), rival{}
			}
		}
	}
	return found
}

// double tells the owner of a device that one of its keys is in use at two places.
func (s *Service) double(ctx context.Context, device string, places []string, now time.Time) error {
	status, news, err := s.Store.Doubled(ctx, device, places, now.Add(-doubledAgain), now)
	if err != nil || !news {
		return err
	}
	s.record(ctx, domain.AuditDeviceDoubled, device, "", domain.AuditEvent{
		Actor: domain.AuditActor{Kind: string(domain.KindDevice), ID: device}, Reason: places[0] + " " + places[1],
	})
	s.Note(device, domain.DeviceNote{Kind: domain.NoteConnection, Reason: "doubled", Detail: places[0] + " " + places[1]})
	s.tell(ctx, []domain.DeviceStatus{status})
	return nil
}
