// Package provtest is a device that waits to be provisioned, as ESP-IDF's network_provisioning has it over HTTP: its
// access point, without radio. It shares no code with internal/provision.
package provtest

import (
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A Device waits to be provisioned. Its fields are set before Start, or within Locked.
type Device struct {
	Security int // 0, 1 or 2
	Patch    int // of Security 2; 0 uses a nonce again and again
	Pop      string
	User     string // of Security 2
	Salt     []byte
	Verifier *big.Int
	Networks []string                         // that it sees
	Password string                           // of each of them
	Custom   map[string]func([]byte) []byte   // what is answered at further endpoints
	Joined   func(ssid string)                // it is in a network now
	Random   func([]byte)                     // nil: at random
	Spoil    func(path string, answer []byte) // changes an answer; nil: none

	mu             sync.Mutex
	cookie         string
	session        cipher
	proven         bool
	ssid, password string
	state, reason  uint64
	asked          int
	Failures       int // sessions that were refused
}

// A cipher is what follows a handshake.
type cipher interface {
	handshake(d *Device, body message) (message, bool) // false: the connection is closed
	decrypt([]byte) ([]byte, bool)
	encrypt([]byte) []byte
}

// Start starts the device and returns its address.
func (d *Device) Start(t testing.TB) string {
	t.Helper()
	if d.Random == nil {
		d.Random = func(b []byte) {
			for i := range b {
				b[i] = byte(rand.UintN(256))
			}
		}
	}
	s := httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func (d *Device) serve(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 || len(body) > 4096 || r.Method != http.MethodPost {
		hangUp(w)
		return
	}
	if c := r.Header.Get("Cookie"); d.cookie == "" || c != d.cookie {
		d.cookie, d.session, d.proven = fmt.Sprintf("session=%d", rand.Uint32()), nil, false
		w.Header().Set("Set-Cookie", d.cookie)
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	answer, ok := d.answer(path, body)
	if !ok {
		hangUp(w)
		return
	}
	if d.Spoil != nil {
		d.Spoil(path, answer)
	}
	_, _ = w.Write(answer)
}

// Locked calls fn while the device answers nothing, so that fn may read and change what its answers do.
func (d *Device) Locked(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn()
}

// hangUp closes a connection without an answer, which is how protocomm refuses.
func hangUp(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

func (d *Device) answer(path string, body []byte) ([]byte, bool) {
	switch path {
	case "proto-ver":
		return fmt.Appendf(nil, `{"prov":{"ver":"netprov-v1.2","sec_ver":%d,"sec_patch_ver":%d,`+
			`"cap":["wifi_prov","wifi_scan"]}}`, d.Security, d.Patch), true
	case "prov-session":
		return d.handshake(body)
	}
	if d.session == nil || !d.proven {
		return nil, false
	}
	plain, ok := d.session.decrypt(body)
	if !ok {
		return nil, false
	}
	answer, ok := d.handle(path, plain)
	if !ok {
		return nil, false
	}
	return d.session.encrypt(answer), true
}

func (d *Device) handshake(body []byte) ([]byte, bool) {
	m, ok := decode(body)
	field := 10 + d.Security
	inner, good := decode(m.bytes[field])
	if !ok || !good || int(m.number[2]) != d.Security {
		return nil, false
	}
	if _, first := inner.bytes[20]; first {
		d.proven = false
		d.session = map[int]cipher{0: &none{}, 1: &sec1{}, 2: &sec2{}}[d.Security]
	}
	if d.session == nil {
		return nil, false
	}
	answer, ok := d.session.handshake(d, inner)
	if !ok {
		d.session, d.Failures = nil, d.Failures+1
		return nil, false
	}
	var out message
	out.put(2, uint64(d.Security))
	out.putBytes(field, answer.raw)
	return out.raw, true
}

func (d *Device) handle(path string, body []byte) ([]byte, bool) {
	if custom := d.Custom[path]; custom != nil {
		return custom(body), true
	}
	m, ok := decode(body)
	if !ok {
		return nil, false
	}
	switch path {
	case "prov-config":
		return d.config(m)
	case "prov-scan":
		return d.scan(m)
	}
	return nil, false
}

func (d *Device) config(m message) ([]byte, bool) {
	var out, inner message
	switch m.number[1] {
	case 2:
		set, ok := decode(m.bytes[12])
		if !ok {
			return nil, false
		}
		d.ssid, d.password = string(set.bytes[1]), string(set.bytes[2])
		out.put(1, 3)
		out.putBytes(13, nil)
	case 4:
		d.join()
		out.put(1, 5)
		out.putBytes(15, nil)
	case 0:
		d.status(&inner)
		out.put(1, 1)
		out.putBytes(11, inner.raw)
	default:
		return nil, false
	}
	return out.raw, true
}

func (d *Device) join() {
	d.asked, d.state, d.reason = 0, 3, 1
	for _, n := range d.Networks {
		if n == d.ssid {
			d.state, d.reason = 3, 0
			if d.password == d.Password {
				d.state = 0
			}
		}
	}
	if d.state == 0 && d.Joined != nil {
		d.Joined(d.ssid)
	}
}

// status answers first that the device is connecting.
func (d *Device) status(inner *message) {
	if d.asked++; d.asked == 1 {
		inner.put(2, 1)
		return
	}
	inner.put(2, d.state)
	if d.state == 3 {
		inner.put(10, d.reason)
		return
	}
	var connected message
	connected.putBytes(1, []byte("192.0.2.9"))
	connected.putBytes(3, []byte(d.ssid))
	inner.putBytes(11, connected.raw)
}

func (d *Device) scan(m message) ([]byte, bool) {
	var out, inner message
	switch m.number[1] {
	case 0:
		out.put(1, 1)
		out.putBytes(11, nil)
	case 2:
		inner.put(1, 1)
		inner.put(2, uint64(len(d.Networks)))
		out.put(1, 3)
		out.putBytes(13, inner.raw)
	case 4:
		ask, ok := decode(m.bytes[14])
		from, n := int(ask.number[1]), int(ask.number[2])
		if !ok || from+n > len(d.Networks) || n > 4 {
			return nil, false
		}
		for i, name := range d.Networks[from : from+n] {
			var entry message
			entry.putBytes(1, []byte(name))
			entry.put(2, uint64(1+i))
			entry.put(3, uint64(0xFFFFFFFFFFFFFFFF-49)) // -50
			entry.put(5, 3)
			inner.putBytes(1, entry.raw)
		}
		out.put(1, 5)
		out.putBytes(15, inner.raw)
	default:
		return nil, false
	}
	return out.raw, true
}
