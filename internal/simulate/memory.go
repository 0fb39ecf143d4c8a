package simulate

import (
	"sync"

	"github.com/unhidra/unhidra/internal/wire"
)

// memory is what a device keeps until the server has it: reports, and answers to commands.
type memory struct {
	most int
	more chan struct{} // has an entry if something was added

	mu      sync.Mutex
	boot    uint64
	next    uint32
	reports []record
	lost    int                           // reports for which there was no room
	answers map[string]wire.CommandReport // by the command's id
	order   []string                      // the oldest command first
	unsent  map[string]bool               // commands of which the server must hear
}

// record is a report, with the boot in which its number counts.
type record struct {
	boot uint64
	item wire.ReportItem
}

const (
	rememberedCommands = 64 // more than a device may have open
	batchReports       = 200
	batchValues        = 600 // some 40 KiB
)

func newMemory(most int, boot uint64) *memory {
	return &memory{most: most, more: make(chan struct{}, 1), boot: boot, answers: map[string]wire.CommandReport{},
		unsent: map[string]bool{}}
}

func (m *memory) wake() {
	select {
	case m.more <- struct{}{}:
	default:
	}
}

// add gives a report the next number and keeps it. If there is no room, the oldest is lost.
func (m *memory) add(item wire.ReportItem) {
	m.mu.Lock()
	defer m.mu.Unlock()
	item.Seq = new(m.next)
	m.next++
	m.reports = append(m.reports, record{m.boot, item})
	if over := len(m.reports) - m.most; over > 0 {
		m.lost += over
		m.reports = append([]record(nil), m.reports[over:]...)
	}
	m.wake()
}

// head returns the oldest reports of one boot, as many as fit into a frame.
func (m *memory) head() (boot uint64, items []wire.ReportItem) {
	m.mu.Lock()
	defer m.mu.Unlock()
	values := 0
	for _, r := range m.reports {
		values += len(r.item.Readings)
		if len(items) > 0 && (r.boot != boot || values > batchValues) || len(items) == batchReports {
			break
		}
		boot, items = r.boot, append(items, r.item)
	}
	return boot, items
}

// drop forgets what head has returned.
func (m *memory) drop(boot uint64, items []wire.ReportItem) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := *items[len(items)-1].Seq
	n := 0
	for n < len(m.reports) && m.reports[n].boot == boot && *m.reports[n].item.Seq <= last {
		n++
	}
	if m.reports = m.reports[n:]; len(m.reports) == 0 {
		m.reports = nil
	}
}

func (m *memory) waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.reports)
}

// forgotten returns how many reports are lost.
func (m *memory) forgotten() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost
}

// restart begins a new boot. Without flash, what was not sent is lost; commands are remembered.
func (m *memory) restart(boot uint64, flash bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boot, m.next = boot, 0
	if !flash {
		m.lost += len(m.reports)
		m.reports = nil
	}
}

// begin notes that a command begins, with the answer that it gets if the device loses its power
// meanwhile. known: it has begun before.
func (m *memory) begin(answer wire.CommandReport) (known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known = m.answers[answer.ID]; known {
		m.unsent[answer.ID] = true
		return true
	}
	m.order = append(m.order, answer.ID)
	if len(m.order) > rememberedCommands {
		delete(m.answers, m.order[0])
		delete(m.unsent, m.order[0])
		m.order = m.order[1:]
	}
	m.answers[answer.ID], m.unsent[answer.ID] = answer, true
	return false
}

// end notes what became of a command.
func (m *memory) end(answer wire.CommandReport) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[answer.ID] = answer
}

// told notes that the server knows what became of a command.
func (m *memory) told(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.unsent, id)
}

// owed returns the answers that the server does not have.
func (m *memory) owed() (answers []wire.CommandReport) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range m.order {
		if m.unsent[id] {
			answers = append(answers, m.answers[id])
		}
	}
	return answers
}
