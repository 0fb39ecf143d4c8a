package gateway

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// TestOverTLS tests connections that are not plain TCP: they are read without polling the socket,
// however frames are split into TLS records, and written by goroutines of their own.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	srv := httptest.NewTLSServer(n.g)
	defer srv.Close()
	nc, early, err := ws.Dial(t.Context(), "wss"+strings.TrimPrefix(srv.URL, "https"), nil, []string{"bearer", "ada"},
		&tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, nc: nc, buf: early, p: ws.Parser{Client: true, Max: 1 << 20}}
	p.expect(wire.TypeHello, nil)
	for want := int64(2); want < 200; want++ {
		p.ask(wire.TypeSend, wire.Send{Room: "r1", Key: "k", Text: strings.Repeat("x", 5000)}, nil)
	}
	n.say("lin", "r1", "hello")
	for _, b := range ws.AppendMasked(nil, ws.Close, nil, [4]byte{}) {
		p.write([]byte{b})
	}
	if code, _ := p.closed(); code != ws.CodeNormal {
		t.Errorf("closed with %d", code)
	}
}
