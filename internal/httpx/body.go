package httpx

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	bodyTime  = 15 * time.Second
	bodyPace  = 16 << 10 // bytes per second of the announced length, for which the time limit is extended
	largeBody = 64 << 10 // bytes from which a body counts as large
	// answerTime limits an operation after its body has been read, whatever it waits for: a turn to
	// hash a password, or a database that does not answer.
	answerTime = 30 * time.Second
	writeStep  = 32 << 10 // bytes of a response that must be sent within writeStall
	// writeStall is how long a client may accept nothing of a response. Slow clients that keep
	// reading have no other limit.
	writeStall  = 20 * time.Second
	lingerTime  = 3 * time.Second // for what is left of a body that was refused
	lingerBytes = 32 << 20
	copySteps   = 16 // steps of a file that the kernel is asked to copy at a time
)

// hasBody reports whether r announces a body.
func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}

// takesBody reports whether a body means something in requests of r's method.
func takesBody(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead
}

// bound sets the deadline for a body. If nobody will read the body, the connection is closed with
// the response, because http.Server would otherwise wait for the rest of the body.
func bound(w http.ResponseWriter, r *http.Request, read bool) {
	if !hasBody(r) {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // fails only for a test's recorder
	if !read && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

// Bound returns h with a deadline for bodies that h does not read, for listeners that take none.
func Bound(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bound(w, r, false)
		h.ServeHTTP(w, r)
	})
}

const streamed = "streamed"

// ForStream is the Metadata of operations that read their body themselves while it arrives, so that a large one is
// never in memory whole. They have the limits of bodies, and take it as huma.Resolver.
func ForStream() map[string]any { return map[string]any{streamed: true} }

// BodyLength returns how many bytes a body is announced to have; negative: it is not.
func BodyLength(ctx huma.Context) int64 {
	r, _ := humago.Unwrap(ctx)
	return r.ContentLength
}

// receive reads the whole body of a request, within its limit, and admits the request after that.
func receive(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	m := from(r.Context())
	if ctx.Operation().Metadata[streamed] != nil {
		m.stream(ctx, next)
		return
	}
	if hasBody(r) {
		read := m.readBody
		if ctx.Operation().RequestBody == nil {
			read = m.readNone
		}
		if err := read(w, r, ctx.Operation().MaxBodyBytes); err != nil {
			Fail(w, r, err)
			return
		}
	}
	leave, err := m.gate.Enter(m.addr)
	if err != nil {
		Fail(w, r, err)
		return
	}
	defer leave()
	within, cancel := context.WithTimeout(ctx.Context(), answerTime)
	defer cancel()
	next(huma.WithContext(ctx, within))
}

// stream has an operation read the body itself.
func (m *request) stream(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	most := ctx.Operation().MaxBodyBytes
	end, ok := m.gate.begin(m.principal.ID)
	switch {
	case !ok:
		Fail(w, r, errLargeBodies())
		return
	case r.ContentLength > most:
		end()
		Fail(w, r, domain.TooLarge.Errorf(domain.CodeBodyTooLarge, "the body may have at most %d bytes", most))
		return
	}
	defer end()
	within := bodyTime + time.Duration(most/bodyPace)*time.Second
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(within))
	r.Body = http.MaxBytesReader(w, r.Body, most)
	bounded, cancel := context.WithTimeout(ctx.Context(), within+answerTime)
	defer cancel()
	next(huma.WithContext(ctx, bounded))
	if m.coming.unread() && !m.coming.awaited(r) && rc.Flush() == nil { // the client may stop now
		_, _ = io.Copy(io.Discard, r.Body) // many read the answer only after they have sent all
	}
	_ = rc.SetReadDeadline(time.Time{})
}

func errLargeBodies() error {
	return domain.RateLimited.Errorf(domain.CodeLargeBodies,
		"you are sending several files already; wait for one of them").After(retryBusy)
}

// A coming body knows how far it was read.
type coming struct {
	io.ReadCloser
	left         int64 // bytes that were announced and not read; negative: unknown
	begun, ended bool
}

func (b *coming) Read(p []byte) (int, error) {
	b.begun = true
	n, err := b.ReadCloser.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	b.ended = b.ended || b.left == 0 || errors.Is(err, io.EOF)
	return n, err
}

// unread reports whether there may be more of the body.
func (b *coming) unread() bool { return b != nil && !b.ended }

// awaited reports whether the client of r sends the body only when it is asked to, which nobody has done.
func (b *coming) awaited(r *http.Request) bool {
	return b != nil && !b.begun && strings.EqualFold(r.Header.Get("Expect"), "100-continue")
}

// linger sends the answer to who still sends a body that was answered before its end, and takes some of the rest for a
// short time. Many clients read the answer only after they have sent all, and would find the connection reset.
func linger(w *recorder, r *http.Request) {
	if !w.coming.unread() || w.status == 0 || w.hijacked || r.ProtoMajor != 1 {
		return
	}
	rc := http.NewResponseController(w)
	if rc.Flush() != nil || rc.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, lingerBytes) // the answer is sent
}

// takeBody returns the body that readBody has read, once.
func (m *request) takeBody() []byte {
	b := m.body
	m.body = nil
	return b
}

// readNone refuses a body that says something, for operations that take none: whoever sends one means it, and would
// take the answer for an answer to that.
func (m *request) readNone(w http.ResponseWriter, r *http.Request, most int64) error {
	if !takesBody(r) {
		return nil
	}
	if err := m.readBody(w, r, most); err != nil {
		return err
	}
	if b := bytes.TrimSpace(m.takeBody()); len(b) > 0 && string(b) != "{}" && string(b) != "null" {
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "this request takes no body; send none, or {}")
	}
	return nil
}

// readBody reads the body of r.
func (m *request) readBody(w http.ResponseWriter, r *http.Request, most int64) error {
	tooLarge := domain.TooLarge.Errorf(domain.CodeBodyTooLarge, "the body may have at most %d bytes", most)
	if r.ContentLength > most {
		return tooLarge
	}
	within := bodyTime
	if most > largeBody && (r.ContentLength < 0 || r.ContentLength > largeBody) {
		end, ok := m.gate.begin(m.principal.ID)
		if !ok {
			return errLargeBodies()
		}
		defer end()
		within += time.Duration(most/bodyPace) * time.Second
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(within))
	b, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem(http.StatusRequestTimeout, domain.Invalid.Errorf(domain.CodeBodyTimeout,
			"the request's body took too long to arrive"))
	case err != nil:
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "the request's body did not arrive").Because(err)
	case int64(len(b)) > most:
		return tooLarge
	}
	_ = rc.SetReadDeadline(time.Time{}) // from now on http.Server detects whether the client disconnects
	m.body = b
	return nil
}
