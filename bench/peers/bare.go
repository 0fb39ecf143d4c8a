package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"

	_ "modernc.org/sqlite" // the "sqlite" driver

	"github.com/unhidra/unhidra/internal/ws"
)

// The bare server is the limit that the kernel sets: it takes a frame from a
// publisher and writes it to each member's socket, one system call for each, and
// does nothing else. It knows no names, no order, no slow readers and no end. With a
// file it commits each message to a table of SQLite before, with a key of its own and
// one index, as a server must that says "kept" when it is.

type bareProtocol struct{ rooms int }

func (bareProtocol) path() string      { return "/" }
func (bareProtocol) header(int) string { return "" }
func (b bareProtocol) opening(client int) [][]byte {
	return [][]byte{[]byte(strconv.Itoa(client % b.rooms))}
}
func (bareProtocol) joined() string       { return "joined" }
func (bareProtocol) answer([]byte) []byte { return nil }

// publish sends what is about as long as the product's frame of an event.
func (b bareProtocol) publish(_, _ int, text string) []byte {
	return fmt.Appendf(nil, `{"text":%q,"pad":"%s"}`, text, bytes.Repeat([]byte("x"), 300))
}

func startBare(rooms int, file string) (*target, error) {
	t := &target{name: "bare writes", addrs: []string{freeAddr()}, protocol: bareProtocol{rooms}}
	p, err := self("bare", t.addrs[0], strconv.Itoa(rooms), file)
	if err != nil {
		return nil, err
	}
	t.servers = []*process{p}
	return t, t.await()
}

type bareRoom struct {
	mu      sync.Mutex
	members []syscall.RawConn
}

// bareLog is where messages are kept; nil: nowhere.
type bareLog struct {
	mu     sync.Mutex
	insert *sql.Stmt
	n      int
}

func openBareLog(file string) (*bareLog, error) {
	if file == "" {
		return nil, nil
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE events (pos INTEGER PRIMARY KEY, room TEXT, seq INTEGER, text TEXT, UNIQUE (room, seq))`); err != nil {
		return nil, err
	}
	insert, err := db.Prepare(`INSERT INTO events (room, seq, text) VALUES (?, ?, ?)`)
	return &bareLog{insert: insert}, err
}

// keep returns once text is on disk.
func (l *bareLog) keep(room int, text []byte) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	_, err := l.insert.Exec(strconv.Itoa(room), l.n, text)
	return err
}

func runBare(addr string, n int, file string) error {
	rooms := make([]bareRoom, n)
	log, err := openBareLog(file)
	if err != nil {
		return err
	}
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		if _, err := nc.Write(ws.AppendUpgrade(nil, r, "")); err != nil {
			return
		}
		go serveBare(nc, rooms, log)
	}))
}

func serveBare(nc net.Conn, rooms []bareRoom, log *bareLog) {
	s := &socket{nc: nc, p: ws.Parser{Max: 64 << 10}}
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return
	}
	var room *bareRoom
	var i int
	_ = s.read(func(text []byte) bool { // it ends with the client
		if room == nil {
			i, _ = strconv.Atoi(string(text))
			room = &rooms[i]
			room.mu.Lock()
			room.members = append(room.members, raw)
			room.mu.Unlock()
			_, err := nc.Write(ws.AppendFrame(nil, ws.Text, []byte("joined")))
			return err == nil
		}
		if log.keep(i, text) != nil {
			return false
		}
		room.spread(ws.AppendFrame(nil, ws.Text, text))
		return true
	})
}

func (r *bareRoom) spread(frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		_ = m.Control(func(fd uintptr) { _, _ = syscall.Write(int(fd), frame) })
	}
}
