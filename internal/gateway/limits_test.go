package gateway

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// Every type of request has a limit.
func TestEveryRequestTypeHasALimit(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for _, f := range wire.Requests() {
		known[f.Type] = true
		if _, ok := allowances[f.Type]; !ok {
			t.Errorf("%s is counted against nothing in particular: choose its limit", f.Type)
		}
	}
	for typ := range allowances {
		if !known[typ] {
			t.Errorf("there is no request of type %q", typ)
		}
	}
}

func TestDevicesOfAnOwnerShareABudget(t *testing.T) {
	t.Parallel()
	now := time.Now()
	n := start(t, newWorld(), func(d *Deps) {
		d.Limits.MessagesPerSec, d.Devices, d.Now = 5, &devices{}, func() time.Time { return now }
	})
	sent := 0
	for i := range 5 { // 10 at once for each
		name := fmt.Sprintf("dev%d", i)
		n.join(name, "r1")
		p, _ := n.enter(t, "dk_"+name)
		for j := range 10 {
			if p.answered(wire.TypeSend, wire.Send{Room: "r1", Key: fmt.Sprint(i, j), Text: "x"}).Type == wire.TypeOK {
				sent++
			}
		}
	}
	if sent != 20 {
		t.Errorf("%d messages of one owner's devices went through at once, want 20", sent)
	}
}

func TestAFrameWithNaNIsToldWhatToSend(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	p, _ := n.enter(t, "ada")
	for _, value := range []string{"NaN", "Infinity", "-Infinity"} {
		p.text(`{"id":"1","type":"report","data":{"readings":{"air":` + value + `}}}`)
		f := p.expect(wire.TypeError, nil)
		if f.Error.Code != domain.CodeBadFrame || !strings.Contains(f.Error.Detail, "send null") {
			t.Errorf("%s: %+v", value, f.Error)
		}
	}
}

func TestMalformedFramesEndAtTheFifth(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	p, _ := n.enter(t, "ada")
	for i, bad := range []string{"no json", "[]", `{"type":""}`, `{"type":"ping","more":1}`, `{"type":"ping"} {}`} {
		p.text(bad)
		if f := p.expect(wire.TypeError, nil); f.Error.Code != domain.CodeBadFrame {
			t.Fatalf("frame %d: %+v", i, f.Error)
		}
	}
	if code, _ := p.closed(); code != wire.CloseBadFrame {
		t.Errorf("closed with %d", code)
	}
}

func TestCHK_WS_07_MessageLimits(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), func(d *Deps) { d.Limits.MessagesPerSec = 5 })
	n.join("ada", "r1")
	a, _ := n.enter(t, "ada")
	begun := time.Now()
	for i := range 10 { // the burst of one connection
		a.ask(wire.TypeSend, wire.Send{Room: "r1", Key: fmt.Sprint(i), Text: "x"}, nil)
	}
	sent := 10
	f := a.answered(wire.TypeSend, wire.Send{Room: "r1", Key: "k", Text: "x"})
	for ; f.Type == wire.TypeOK && sent < 200; sent++ { // on a slow machine, more are allowed meanwhile
		f = a.answered(wire.TypeSend, wire.Send{Room: "r1", Key: fmt.Sprint("k", sent), Text: "x"})
	}
	if e := f.Error; e == nil || e.Kind != "rate_limited" || e.RetryAfter <= 0 {
		t.Errorf("got %+v", f)
	}
	a.ask(wire.TypePing, nil, nil)
	// CHK-WS-07: more connections do not give a user more than twice as much.
	for i := range 3 {
		p, _ := n.enter(t, "ada")
		for j := range 10 {
			id := p.request(wire.TypeSend, wire.Send{Room: "r1", Key: fmt.Sprint(i, j), Text: "x"})
			f := p.frame()
			for f.ID != id {
				f = p.frame()
			}
			if f.Type == wire.TypeOK {
				sent++
			}
		}
	}
	// 20 at once, 10 in each second since, and 5 for what came before.
	if took := time.Since(begun); sent > 25+int(10*took.Seconds()) {
		t.Errorf("%d messages of one user went through within %s", sent, took)
	}
}

func TestFloodEnds(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), func(d *Deps) { d.Limits.MessagesPerSec = 1 })
	n.join("ada", "r1")
	p, _ := n.enter(t, "ada")
	one := string(ws.AppendMasked(nil, ws.Text,
		[]byte(`{"id":"1","type":"message.send","data":{"room":"r1","key":"k","text":"x"}}`), [4]byte{1, 2, 3, 4}))
	go func() { _, _ = io.WriteString(p.nc, strings.Repeat(one, maxRefusals+10)) }()
	code, reason := p.closed()
	if _, err := strconv.Atoi(reason); code != wire.CloseRate || err != nil {
		t.Errorf("closed with %d %q", code, reason)
	}
}

// A connection that sends too many frames is closed, also if they are refused or ignored.
func TestFloodsOfEveryKindEnd(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"typing": `{"type":"typing","data":{"room":"r1"}}`,
		"large":  `{"id":"1","type":"watch","data":{"users":["` + strings.Repeat("x", 60<<10) + `"]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, newWorld(), func(d *Deps) { d.Limits.MessagesPerSec = 1 })
			n.join("ada", "r1")
			p, _ := n.enter(t, "ada")
			one := string(ws.AppendMasked(nil, ws.Text, []byte(payload), [4]byte{1, 2, 3, 4}))
			go func() {
				for range 3000 {
					if _, err := io.WriteString(p.nc, one); err != nil {
						return
					}
				}
			}()
			if code, _ := p.closed(); code != wire.CloseRate {
				t.Errorf("closed with %d", code)
			}
		})
	}
}
