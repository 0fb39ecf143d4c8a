package files

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
)

// A Clamd is a virus scanner: the daemon of ClamAV, asked by its command INSTREAM (clamd(8)).
type Clamd struct {
	Addr string // host:port, or the path of a socket, from the root
	// Lenient lets files through that the scanner cannot tell about, because it is away or the file is too large for it.
	Lenient bool
}

const (
	clamdDial  = 3 * time.Second
	clamdStall = 10 * time.Second // without it taking or answering anything
	clamdChunk = 64 << 10
)

// errUnscanned is why the scanner cannot tell whether a file is harmless.
var errUnscanned = errors.New("the virus scanner cannot tell")

func (c *Clamd) dial(ctx context.Context) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(c.Addr, "/") {
		network = "unix"
	}
	d := net.Dialer{Timeout: clamdDial}
	conn, err := d.DialContext(ctx, network, c.Addr)
	if err != nil {
		return nil, errors.Join(errUnscanned, err)
	}
	return conn, nil
}

// Scan returns the name of what the scanner has found in r; empty: nothing.
func (c *Clamd) Scan(ctx context.Context, r io.Reader) (found string, err error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	unreadable, sent := sendStream(ctx, conn, r)
	if unreadable != nil {
		return "", unreadable
	}
	answer, err := readAnswer(ctx, conn)
	if err != nil {
		return "", errors.Join(errUnscanned, sent, err)
	}
	return verdict(answer)
}

// stall is when the scanner is taken to be away, if it takes or answers nothing from now on.
func stall(ctx context.Context) time.Time {
	late := time.Now().Add(clamdStall)
	if end, bounded := ctx.Deadline(); bounded && end.Before(late) {
		return end
	}
	return late
}

// sendStream sends what r has in chunks, each behind its length. read is an error of r, sent one of the connection:
// then the scanner may have said why.
func sendStream(ctx context.Context, conn net.Conn, r io.Reader) (read, sent error) {
	send := func(b []byte) error {
		_ = conn.SetDeadline(stall(ctx))
		_, err := conn.Write(b)
		return err
	}
	if err := send([]byte("zINSTREAM\x00")); err != nil {
		return nil, err
	}
	chunk := make([]byte, 4+clamdChunk)
	for {
		n, err := io.ReadFull(r, chunk[4:])
		binary.BigEndian.PutUint32(chunk, uint32(n)) //nolint:gosec // at most clamdChunk
		if n > 0 {
			if err := send(chunk[:4+n]); err != nil {
				return nil, err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, send([]byte{0, 0, 0, 0})
		case err != nil:
			return err, nil
		}
	}
}

// readAnswer reads up to the zero byte that ends an answer.
func readAnswer(ctx context.Context, conn net.Conn) (string, error) {
	_ = conn.SetDeadline(stall(ctx))
	b, err := bufio.NewReader(io.LimitReader(conn, 4<<10)).ReadString(0)
	if answer, whole := strings.CutSuffix(b, "\x00"); whole {
		return answer, nil
	}
	return "", errors.Join(err, fmt.Errorf("it answered %q", b))
}

// verdict reads an answer: "stream: OK", "stream: NAME FOUND", or "… ERROR".
func verdict(answer string) (found string, err error) {
	is, ok := strings.CutPrefix(answer, "stream: ")
	if name, bad := strings.CutSuffix(is, " FOUND"); ok && bad {
		return name, nil
	}
	if answer == "stream: OK" {
		return "", nil
	}
	return "", fmt.Errorf("%w: it answered %.200q", errUnscanned, answer)
}

// Ping returns an error if the scanner does not answer. Anybody may read it.
func (c *Clamd) Ping(ctx context.Context) error {
	away := obs.PublicError("the virus scanner does not answer")
	conn, err := c.dial(ctx)
	if err != nil {
		return away
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, clamdDial)
	defer cancel()
	_ = conn.SetDeadline(stall(ctx))
	if _, err := conn.Write([]byte("zPING\x00")); err != nil {
		return away
	}
	if answer, err := readAnswer(ctx, conn); err != nil || answer != "PONG" {
		return away
	}
	return nil
}

// scan refuses a file that the virus scanner finds something in.
func (s *Service) scan(ctx context.Context, f *pending) error {
	if s.Scanner == nil {
		return nil
	}
	r := f.content(ctx)
	found, err := s.Scanner.Scan(ctx, r)
	_ = r.Close() // it was read
	switch {
	case errors.Is(err, errUnscanned) && s.Scanner.Lenient:
		s.scans.WithLabelValues("unknown").Inc()
		s.Log.WarnContext(ctx, "a file was let through that the virus scanner could not look at", "file", f.ID, "err", err)
		return nil
	case errors.Is(err, errUnscanned):
		s.scans.WithLabelValues("unknown").Inc()
		s.Log.WarnContext(ctx, "a file is refused that the virus scanner could not look at", "file", f.ID, "err", err)
		return domain.Unavailable.Errorf(domain.CodeScannerAway,
			"this file cannot be scanned for viruses just now; try again later").After(scanRetry).Because(err)
	case err != nil:
		return err
	case found != "":
		s.scans.WithLabelValues("found").Inc()
		s.Log.WarnContext(ctx, "the virus scanner refused a file", "file", f.ID, "owner", f.Owner, "found", found)
		return domain.Invalid.Errorf(domain.CodeFileRefused, "the virus scanner of this server found %s in this file", found)
	}
	s.scans.WithLabelValues("clean").Inc()
	return nil
}

const scanRetry = 30 * time.Second
