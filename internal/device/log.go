package device

import (
	"context"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Log is the part of the store that has the logs of devices.
type Log interface {
	AddNotes(ctx context.Context, notes []domain.DeviceNote) error
	Notes(ctx context.Context, device string, now time.Time) ([]domain.DeviceNote, error)
}

// notes are what is to be added to the logs of devices. Of too much, what comes last is left out.
type notes struct {
	mu      sync.Mutex
	byWhat  map[noteKey]*domain.DeviceNote
	devices map[string]int // different notes of each
}

type noteKey struct {
	device          string
	kind            domain.NoteKind
	subject, reason string
	detail          string
}

const noteBatch = 200

func (n *notes) reset() {
	n.byWhat, n.devices = make(map[noteKey]*domain.DeviceNote), make(map[string]int)
}

// Note adds to the log of a device that something of it was refused or went wrong. It is in the store some
// seconds later. It does not block.
func (s *Service) Note(device string, n domain.DeviceNote) {
	n = n.Cut()
	n.Device, n.Count, n.Last = device, max(n.Count, 1), s.Now()
	key := noteKey{device, n.Kind, n.Subject, n.Reason, n.Detail}
	s.notes.mu.Lock()
	defer s.notes.mu.Unlock()
	if was := s.notes.byWhat[key]; was != nil {
		was.Count, was.Last = was.Count+n.Count, n.Last
		return
	}
	if s.notes.devices[device] >= domain.DeviceLogWaits || len(s.notes.byWhat) >= domain.DeviceLogMost {
		return
	}
	n.First = n.Last
	s.notes.devices[device]++
	s.notes.byWhat[key] = &n
}

// storeNotes stores what was added. What fails is lost.
func (s *Service) storeNotes(ctx context.Context) error {
	s.notes.mu.Lock()
	waiting := s.notes.byWhat
	if len(waiting) == 0 {
		s.notes.mu.Unlock()
		return nil
	}
	s.notes.reset()
	s.notes.mu.Unlock()
	batch := make([]domain.DeviceNote, 0, min(len(waiting), noteBatch))
	for _, n := range waiting {
		if batch = append(batch, *n); len(batch) == noteBatch {
			if err := s.Store.AddNotes(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return s.Store.AddNotes(ctx, batch)
}

// note is a line of the log of a device.
type note struct {
	Kind    string    `json:"kind" enum:"reading,topic,request,command,connection,setting,device"`
	Subject string    `json:"subject,omitempty" doc:"the sensor, topic, type of request, action or setting"`
	Reason  string    `json:"reason,omitempty" doc:"a code"`
	Detail  string    `json:"detail,omitempty" doc:"in words"`
	Count   int64     `json:"count" doc:"how often that happened"`
	First   time.Time `json:"first_at"`
	Last    time.Time `json:"last_at"`
}

type noteList struct {
	Items []note `json:"items" nullable:"false"`
}

func (s *Service) listNotes(ctx context.Context, in *OnDevice) (*struct{ Body noteList }, error) {
	d, err := s.visible(ctx, httpx.Principal(ctx), in.Device)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Notes(ctx, d.ID, s.Now())
	if err != nil {
		return nil, err
	}
	items := make([]note, len(found))
	for i, n := range found {
		items[i] = note{string(n.Kind), n.Subject, n.Reason, n.Detail, n.Count, n.First, n.Last}
	}
	return &struct{ Body noteList }{noteList{items}}, nil
}
