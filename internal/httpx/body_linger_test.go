package httpx

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// Many clients read the answer only after they have sent all of the body.
func TestWhoSendsFarTooMuchGetsTheAnswerAfterwards(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, HandlerOptions{Listener: "public"})
	for name, head := range map[string]string{
		"announced": "Content-Length: 16777216", "in chunks": "Transfer-Encoding: chunked"} {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		w := bufio.NewWriterSize(c, 4<<10)
		fmt.Fprintf(w, "POST /api/v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n\r\n", head)
		mega := bytes.Repeat([]byte("a"), 1<<20)
		for range 16 {
			if name == "in chunks" {
				fmt.Fprint(w, "100000\r\n")
			}
			_, _ = w.Write(mega) // Flush returns its error
			if name == "in chunks" {
				fmt.Fprint(w, "\r\n")
			}
		}
		if name == "in chunks" {
			fmt.Fprint(w, "0\r\n\r\n")
		}
		if err := w.Flush(); err != nil {
			t.Errorf("%s: the body cannot be sent: %v", name, err)
			continue
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%s: no answer: %v", name, err)
			continue
		}
		if res.ContentLength <= 0 {
			t.Errorf("%s: the client cannot tell that the answer is whole before the server is done", name)
		}
		if res.Body.Close(); res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close {
			t.Errorf("%s: %s, closes: %v", name, res.Status, res.Close)
		}
	}
}
