package files

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// eicar is the file by which virus scanners are tested. It stands here in two pieces, so that none finds this file.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR` + `-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// standIn answers as clamd does, by the protocol that clamd(8) describes: it finds eicar, and refuses streams of more
// than most bytes.
func standIn(t *testing.T, most int) *Clamd {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, answerTo(conn, most)+"\x00")
			}()
		}
	}()
	return &Clamd{Addr: l.Addr().String()}
}

func answerTo(r io.Reader, most int) string {
	var command []byte
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, one); err != nil {
			return "ERROR"
		}
		if one[0] == 0 {
			break
		}
		command = append(command, one[0])
	}
	if string(command) == "zPING" {
		return "PONG"
	}
	var stream bytes.Buffer
	for {
		var n uint32
		if err := binary.Read(r, binary.BigEndian, &n); err != nil {
			return "ERROR"
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(&stream, r, int64(n)); err != nil {
			return "ERROR"
		}
		if stream.Len() > most {
			return "INSTREAM size limit exceeded. ERROR"
		}
	}
	if strings.Contains(stream.String(), eicar) {
		return "stream: Eicar-Test-Signature FOUND"
	}
	return "stream: OK"
}

func TestTheScannerIsAsked(t *testing.T) {
	t.Parallel()
	c := standIn(t, 1<<20)
	if addr := os.Getenv("UNHIDRA_TEST_CLAMD"); addr != "" {
		c = &Clamd{Addr: addr}
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, err := c.Scan(t.Context(), strings.NewReader(eicar)); err != nil || !strings.Contains(found, "Eicar") {
		t.Errorf("in the test file: %q, %v", found, err)
	}
	if found, err := c.Scan(t.Context(), bytes.NewReader(make([]byte, 3*clamdChunk+1))); err != nil || found != "" {
		t.Errorf("in nothing: %q, %v", found, err)
	}
}

// An answer ends with its zero byte, also if the connection stays open, as it does through some proxies.
func TestAnAnswerIsNotWaitedForLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer here.Close()
		defer there.Close()
		go func() { _, _ = io.WriteString(there, "stream: OK\x00") }()
		begun := time.Now()
		answer, err := readAnswer(t.Context(), here)
		if waited := time.Since(begun); err != nil || answer != "stream: OK" || waited > 0 {
			t.Errorf("%q, %v, after %v", answer, err, waited)
		}
	})
}

// What the scanner cannot look at is not taken for harmless.
func TestWhatIsNotScannedIsNotHarmless(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and answers nothing
	if err != nil {
		t.Fatal(err)
	}
	away := silent.Addr().String()
	closing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = silent.Close(), closing.Close() })
	go func() {
		for {
			conn, err := closing.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	for name, scan := range map[string]func() (string, error){
		"too large": func() (string, error) {
			return standIn(t, 10).Scan(t.Context(), bytes.NewReader(make([]byte, 10*clamdChunk)))
		},
		"silent": func() (string, error) { return (&Clamd{Addr: away}).Scan(ctx, strings.NewReader("a")) },
		"closed": func() (string, error) {
			return (&Clamd{Addr: closing.Addr().String()}).Scan(t.Context(), strings.NewReader("a"))
		},
		"no socket": func() (string, error) {
			return (&Clamd{Addr: "/nowhere/clamd.ctl"}).Scan(t.Context(), strings.NewReader("a"))
		},
	} {
		if found, err := scan(); !errors.Is(err, errUnscanned) || found != "" {
			t.Errorf("%s: %q, %v", name, found, err)
		}
	}
	for _, answer := range []string{"", "OK", "stream: ", "FOUND", "stream: x ERROR", "stream: OK FOUND?"} {
		if _, err := verdict(answer); !errors.Is(err, errUnscanned) {
			t.Errorf("%q is a verdict: %v", answer, err)
		}
	}
	bad := errors.New("the disk is away")
	if _, err := standIn(t, 10).Scan(t.Context(), iotestErr{bad}); !errors.Is(err, bad) {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

type iotestErr struct{ error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.error }
