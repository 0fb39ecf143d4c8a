package ml

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/ws"
)

// peer is a client of a WebSocket.
type peer struct {
	t      *testing.T
	nc     net.Conn
	parser ws.Parser
	b      []byte
}

func dialSocket(t *testing.T, url string) *peer {
	t.Helper()
	nc, early, err := ws.Dial(t.Context(), url, nil, nil, nil)
	must(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	must(t, nc.SetDeadline(time.Now().Add(time.Minute)))
	return &peer{t: t, nc: nc, parser: ws.Parser{Client: true, Max: 1 << 20}, b: early}
}

func (p *peer) send(op ws.Opcode, text string) {
	p.t.Helper()
	_, err := p.nc.Write(ws.AppendMasked(nil, op, []byte(text), [4]byte{1, 2, 3, 4}))
	must(p.t, err)
}

// next returns the next message as a text; that of a close begins with its code.
func (p *peer) next() string {
	p.t.Helper()
	for {
		m, n, _, err := p.parser.Next(p.b)
		must(p.t, err)
		if n == 0 {
			part := make([]byte, 4096)
			got, err := p.nc.Read(part)
			must(p.t, err)
			p.b = append(p.b, part[:got]...)
			continue
		}
		text := string(m.Payload)
		p.b = p.b[n:]
		if m.Op == ws.Close {
			code, reason, err := ws.ParseClose([]byte(text))
			must(p.t, err)
			return fmt.Sprint(code, " ", reason)
		}
		return text
	}
}

// Each text of a WebSocket is a request, which is answered by the chunks of its answer and by its end, or by what is
// wrong with it.
func TestModelsAreAskedByWebSocket(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	url := server.URL + "/v2/models/chaos/versions/1/generate_stream"
	p := dialSocket(t, url)
	p.send(ws.Text, `{"id": 7, "text_input": "one two"}`)
	p.send(ws.Text, `{"text_input": "a fail b"}`) // before the first is answered
	p.send(ws.Ping, "here?")
	p.send(ws.Text, `["no object"]`)
	var got []string
	for len(got) < 7 {
		got = append(got, p.next())
	}
	chunk := func(text, id string) string {
		return `{` + id + `"model_name":"chaos","model_version":"1","text_output":"` + text + `"}`
	}
	pong := slices.Index(got, "here?") // it comes while others are answered
	if pong < 0 {
		t.Fatalf("nobody answers a ping: %q", got)
	}
	got = slices.Delete(got, pong, pong+1)
	for i, want := range []string{chunk("ONE ", `"id":7,`), chunk("TWO", `"id":7,`), `{"done":true,"id":7}`,
		chunk("A ", ""), "the model failed on this input", "no object such as"} {
		if !strings.Contains(got[i], want) {
			t.Errorf("message %d is %s, and not %s", i+1, got[i], want)
		}
	}
	p.send(ws.Binary, "bytes")
	if got := p.next(); got != "1003 a request is a text" {
		t.Errorf("bytes are answered with %s", got)
	}
	p = dialSocket(t, url)
	p.send(ws.Close, string(ws.ClosePayload(ws.CodeNormal, "")))
	if got := p.next(); got != "1000 " {
		t.Errorf("its end is answered with %s", got)
	}
	for address, status := range map[string]int{url: http.StatusUpgradeRequired,
		server.URL + "/v2/models/nobody/generate_stream": http.StatusNotFound} {
		res, err := http.Get(address) //nolint:gosec,noctx // a server of this test
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != status {
			t.Errorf("GET %s is answered with %s", address, res.Status)
		}
	}
	_, _, err := ws.Dial(t.Context(), url, http.Header{"Origin": {"https://evil.example"}}, nil, nil)
	var refused *ws.Refused
	if !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("a page of another address: %v", err)
	}
}

// Whoever leaves ends what they asked, and at its end the service ends what is open.
func TestSocketsEnd(t *testing.T) {
	t.Parallel()
	var p *peer
	t.Run("of a client that leaves", func(t *testing.T) {
		s := chaos(t, fast)
		server := httptest.NewServer(s.Handler())
		t.Cleanup(server.Close)
		url := server.URL + "/v2/models/chaos/generate_stream"
		leaves := dialSocket(t, url)
		leaves.send(ws.Text, `{"text_input": "endless"}`)
		leaves.next()
		must(t, leaves.nc.Close())
		w := s.pools()[0]
		until(t, "the end of its stream", func() bool {
			return testutil.ToFloat64(w.metrics.cancelled.WithLabelValues(w.labels()...)) == 1
		})
		nc, early, err := ws.Dial(t.Context(), url, nil, nil, nil)
		must(t, err)
		p = &peer{t: t, nc: nc, parser: ws.Parser{Client: true, Max: 1 << 20}, b: early}
	})
	if p == nil {
		return
	}
	p.t = t
	defer p.nc.Close()
	must(t, p.nc.SetDeadline(time.Now().Add(time.Minute)))
	if got := p.next(); got != "1001 the server stops" {
		t.Errorf("the end is told as %s", got)
	}
}
