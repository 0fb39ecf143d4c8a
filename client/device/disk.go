package device

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"github.com/unhidra/unhidra/internal/wire"
)

// buffer has the reports that are not sent yet, in a file: a line that names the boot and the next
// number, and a line for each report. A last line that was cut off by a crash is left out.
type buffer struct {
	path string
	most int
	more chan struct{} // has an entry if reports were added

	mu    sync.Mutex
	file  *os.File
	boot  uint64
	next  uint32
	items []wire.ReportItem
	sizes []int
	size  int  // bytes of items
	disk  int  // bytes of the file
	torn  bool // the file must be written anew before more is added to it
}

// start is the first line of the file.
type start struct {
	Boot uint64 `json:"boot"`
	Next uint32 `json:"next"`
}

const (
	rewriteAt = 1 << 20  // bytes of sent reports in the file, at which it is written anew
	lastSeq   = 1 << 31  // then another boot begins
	maxReport = 40 << 10 // bytes of one: it fits into a frame
)

func openBuffer(path string, most int) (*buffer, error) {
	b := &buffer{path: path, most: most, more: make(chan struct{}, 1), boot: newBoot()}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	b.read(data)
	return b, b.rewrite()
}

// newBoot returns a number that JSON programs of all languages read exactly.
func newBoot() uint64 { return rand.Uint64N(1<<53-1) + 1 }

func (b *buffer) read(data []byte) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	var s start
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &s) != nil || s.Boot == 0 {
		return
	}
	b.boot, b.next = s.Boot, s.Next
	for lines.Scan() {
		var item wire.ReportItem
		if json.Unmarshal(lines.Bytes(), &item) != nil || item.Seq == nil {
			return
		}
		b.keep(item, len(lines.Bytes())+1)
		b.next = *item.Seq + 1
	}
}

func (b *buffer) keep(item wire.ReportItem, size int) {
	b.items, b.sizes, b.size = append(b.items, item), append(b.sizes, size), b.size+size
}

// rewrite writes the file anew, with what is not sent.
func (b *buffer) rewrite() error {
	b.torn = true
	var out bytes.Buffer
	first, err := json.Marshal(start{b.boot, b.next})
	if err != nil {
		return err
	}
	out.Write(append(first, '\n'))
	for _, item := range b.items {
		line, err := json.Marshal(item)
		if err != nil {
			return err
		}
		out.Write(append(line, '\n'))
	}
	if err := replace(b.path, out.Bytes()); err != nil {
		return err
	}
	if b.file != nil {
		_ = b.file.Close()
	}
	b.disk = out.Len()
	b.file, err = os.OpenFile(b.path, os.O_WRONLY|os.O_APPEND, 0)
	b.torn = err != nil
	return err
}

// add appends a report, and drops the oldest if there are too many.
func (b *buffer) add(item wire.ReportItem) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next >= lastSeq && len(b.items) == 0 {
		b.boot, b.next, b.torn = newBoot(), 0, true
	}
	if b.torn {
		if err := b.rewrite(); err != nil {
			return err
		}
	}
	item.Seq = new(b.next)
	line, err := json.Marshal(item)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if len(line) > maxReport {
		return fmt.Errorf("a report has at most %d bytes as JSON, this one %d", maxReport, len(line))
	}
	if _, err = b.file.Write(line); err == nil {
		err = b.file.Sync()
	}
	if err != nil {
		b.torn = true // the next report must neither follow half a line nor one of the same number
		return fmt.Errorf("store a report: %w", err)
	}
	b.next++
	b.disk += len(line)
	b.keep(item, len(line))
	if b.size > b.most {
		for b.size > b.most*3/4 {
			b.forget(1)
		}
		if err := b.rewrite(); err != nil {
			return err
		}
	}
	select {
	case b.more <- struct{}{}:
	default:
	}
	return nil
}

func (b *buffer) forget(n int) {
	for _, size := range b.sizes[:n] {
		b.size -= size
	}
	b.items, b.sizes = append(b.items[:0:0], b.items[n:]...), append(b.sizes[:0:0], b.sizes[n:]...)
}

// head returns the oldest reports: at least one, if there is one, and not more than fit.
func (b *buffer) head(most, size int) (boot uint64, items []wire.ReportItem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, item := range b.items {
		if size -= b.sizes[i]; i > 0 && size < 0 || i == most {
			break
		}
		items = append(items, item)
	}
	return b.boot, items
}

// drop forgets the reports up to a number of a boot. The file has them until it is written anew;
// after a crash they are sent again, which does no harm.
func (b *buffer) drop(boot uint64, seq uint32) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for boot == b.boot && n < len(b.items) && *b.items[n].Seq <= seq {
		n++
	}
	b.forget(n)
	if b.disk-b.size > rewriteAt {
		return b.rewrite()
	}
	return nil
}

func (b *buffer) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
}

// sync has the file hold what is not sent, and nothing else.
func (b *buffer) sync() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rewrite()
}

func (b *buffer) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.file.Close()
}

// ledger has the answers to the last commands, in a file.
type ledger struct {
	path string

	mu      sync.Mutex
	answers []wire.CommandReport // the oldest first
}

const ledgerMost = 200 // more than may be open

func openLedger(path string) (*ledger, error) {
	l := &ledger{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &l.answers)
	}
	if err != nil {
		return nil, fmt.Errorf("read which commands were carried out (%s): %w", path, err)
	}
	return l, nil
}

func (l *ledger) get(id string) (wire.CommandReport, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.answers {
		if a.ID == id {
			return a, true
		}
	}
	return wire.CommandReport{}, false
}

// put stores the answer to a command, in place of one before.
func (l *ledger) put(answer wire.CommandReport) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers := make([]wire.CommandReport, 0, len(l.answers)+1)
	for _, a := range l.answers {
		if a.ID != answer.ID {
			answers = append(answers, a)
		}
	}
	answers = append(answers, answer)
	answers = answers[max(0, len(answers)-ledgerMost):]
	data, err := json.Marshal(answers)
	if err != nil {
		return err
	}
	if err := replace(l.path, data); err != nil {
		return fmt.Errorf("store which commands were carried out: %w", err)
	}
	l.answers = answers
	return nil
}

// replace writes a file so that a crash leaves the one before or the new one.
func replace(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every file system can
	return dir.Close()
}
