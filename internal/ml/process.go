package ml

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// A process is a running worker, as seen from here.
type process struct {
	cmd     *exec.Cmd
	control net.Conn
	data    net.Conn
	stderr  tail
	started time.Time
	sandbox []string // what holds for it, as it says

	results  chan message  // from data, but not chunks
	chunks   chan message  // of the stream that it answers
	controls chan message  // from control, but not pongs
	faults   chan error    // it sent what it must not
	dead     chan struct{} // closed when the process has ended, and was waited for
	exit     error         // how; after dead
	missed   atomic.Int32  // pings without an answer
	pong     atomic.Int64  // when it last answered, in Unix nanoseconds
}

// watch reads what p sends until it ends.
func (p *process) watch() {
	p.results, p.controls = make(chan message, 1), make(chan message, 1)
	p.chunks = make(chan message, streamCredit)
	p.faults, p.dead = make(chan error, 2), make(chan struct{})
	p.started = time.Now()
	go p.read(p.data, p.results, maxMessage)
	go p.read(p.control, p.controls, maxControl)
	go func() {
		p.exit = p.cmd.Wait()
		p.killAll() // what it left behind
		_ = p.control.Close()
		_ = p.data.Close()
		close(p.dead)
	}()
}

func (p *process) read(c net.Conn, to chan<- message, most int) {
	r := bufio.NewReaderSize(c, readAhead)
	for {
		m, err := readMessage(r, most)
		switch {
		case errors.Is(err, errFrame), errors.Is(err, errPacked):
			p.faults <- err
			return
		case err != nil:
			return // it ends, or has been ended
		case m.kind == framePong:
			p.missed.Store(0)
			p.pong.Store(time.Now().UnixNano())
			continue
		}
		into := to
		if m.kind == frameChunk && c == p.data {
			into = p.chunks
		}
		select {
		case into <- m:
		default:
			p.faults <- fmt.Errorf("%w: it answers what nobody asked", errFrame)
			return
		}
	}
}

// readAhead is what is read at once: a small answer with its header.
const readAhead = 16 << 10

// send writes m to c, which must take it within d.
func send(c net.Conn, m message, d time.Duration) error {
	parts, err := m.frames()
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	_, err = parts.WriteTo(c)
	return err
}

// await returns the next message on control, which must come within d.
func (p *process) await(d time.Duration) (message, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case m := <-p.controls:
		return m, nil
	case err := <-p.faults:
		return message{}, err
	case <-p.dead:
		select {
		case m := <-p.controls: // what it said before
			return m, nil
		default:
			return message{}, fmt.Errorf("it ended: %w", p.ended())
		}
	case <-timer.C:
		return message{}, fmt.Errorf("it said nothing within %v", d)
	}
}

// ended says how the process ended.
func (p *process) ended() error {
	if p.exit == nil {
		return errors.New("exit status 0")
	}
	return p.exit
}

// kill ends the process for certain, with what it started, and waits for that.
func (p *process) kill() {
	select {
	case <-p.dead: // its number may be another's
		return
	default:
	}
	p.killAll()
	<-p.dead
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 4 << 10

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
