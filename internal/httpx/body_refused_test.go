package httpx

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
)

// fileInput is a file, which arrives while it is read.
type fileInput struct {
	Full bool `query:"full"`
	body io.Reader
}

func (in *fileInput) Resolve(ctx huma.Context) []error {
	in.body = ctx.BodyReader()
	return nil
}

// serveFiles returns a server that takes files of signed-in users, unless it is said to be full.
func serveFiles(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	op := huma.Operation{OperationID: "send-file", Method: http.MethodPost, Path: "/files", Security: Bearer,
		DefaultStatus: http.StatusCreated, MaxBodyBytes: 8 << 20, Metadata: ForStream()}
	op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/octet-stream": {}}}
	Register(New(mux, Options{Auth: oneUser{}}), op, func(_ context.Context, in *fileInput) (*answer, error) {
		if in.Full {
			return nil, domain.TooLarge.Errorf(domain.CodeQuotaExceeded, "there is no room")
		}
		n, err := io.Copy(io.Discard, in.body)
		return &answer{Page[string]{Items: []string{fmt.Sprint(n)}}}, err
	})
	h, err := Handler(mux, HandlerOptions{Listener: "public", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// A sender is a connection on which a file is sent by hand.
type sender struct {
	*testing.T
	net.Conn
	*bufio.Reader
}

// begin sends the head of a request with a file of n bytes, and more header lines.
func begin(t *testing.T, srv *httptest.Server, path, token, more string, n int) sender {
	t.Helper()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /api/v1%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"+
		"Authorization: Bearer %s\r\nContent-Length: %d\r\n%s\r\n", path, token, n, more)
	return sender{t, c, bufio.NewReader(c)}
}

// send sends n bytes of the file.
func (s sender) send(n int) {
	s.Helper()
	if _, err := s.Write(bytes.Repeat([]byte("x"), n)); err != nil {
		s.Errorf("the file cannot be sent: %v", err)
	}
}

// answers reads an answer whole.
func (s sender) answers(want int) *http.Response {
	s.Helper()
	res, err := http.ReadResponse(s.Reader, nil)
	if err != nil {
		s.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil || res.StatusCode != want {
		s.Errorf("the answer is %s, and not %d; %v", res.Status, want, err)
	}
	return res
}

func (s sender) Write(b []byte) (int, error) { return s.Conn.Write(b) }
func (s sender) Read(b []byte) (int, error)  { return s.Reader.Read(b) }

const expects = "Expect: 100-continue\r\n"

// A file that is not taken is refused by its head, whether the client waits to be asked for the rest or not; it is
// never asked for it then.
func TestAFileIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	s := serveFiles(t)
	for name, c := range map[string]struct {
		path, token, more string
		n, want           int
	}{
		"there is no room":          {"/files?full=true", "good", "", 5 << 20, http.StatusRequestEntityTooLarge},
		"there is no room, asked":   {"/files?full=true", "good", expects, 5 << 20, http.StatusRequestEntityTooLarge},
		"a small one, asked":        {"/files?full=true", "good", expects, 10, http.StatusRequestEntityTooLarge},
		"too large, asked":          {"/files", "good", expects, 9 << 20, http.StatusRequestEntityTooLarge},
		"not signed in":             {"/files", "bad", "", 5 << 20, http.StatusUnauthorized},
		"not signed in, asked":      {"/files", "bad", expects, 5 << 20, http.StatusUnauthorized},
		"a bad parameter, asked":    {"/files?full=x", "good", expects, 5 << 20, http.StatusBadRequest},
		"a bad parameter, not then": {"/files?full=x", "good", "", 5 << 20, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if res := begin(t, s, c.path, c.token, c.more, c.n).answers(c.want); !res.Close {
				t.Error("the connection stays open, although nobody knows whether the file still comes")
			}
		})
	}
}

// Who waits to be asked for a file is asked, and the connection goes on after the file.
func TestAFileIsAskedFor(t *testing.T) {
	t.Parallel()
	c := begin(t, serveFiles(t), "/files", "good", expects, 1<<20)
	c.answers(http.StatusContinue)
	c.send(1 << 20)
	if res := c.answers(http.StatusCreated); res.Close {
		t.Error("the connection is closed")
	}
}

// Who sends all of a file before reading the answer gets it, and no reset of the connection.
func TestWhoSendsARefusedFileHearsOfIt(t *testing.T) {
	t.Parallel()
	s := serveFiles(t)
	for path, want := range map[string]int{"/files?full=true": http.StatusRequestEntityTooLarge,
		"/files": http.StatusUnauthorized} {
		c := begin(t, s, path, map[bool]string{true: "bad", false: "good"}[path == "/files"], "", 8<<20)
		c.send(8 << 20)
		c.answers(want)
	}
}
