package httpx

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	bodyTime  = 15 * time.Second
	bodyPace  = 16 << 10 // bytes a second of what is announced are waited for in addition
	largeBody = 64 << 10 // from here on a body counts as large
	// answerTime is how long an operation may take once its body is here, whatever it
	// waits for: a password's turn, a database that is silent.
	answerTime = 30 * time.Second
	writeStep  = 32 << 10 // bytes of an answer that must leave in writeStall
	// writeStall is how long a client may take nothing of its answer. Slow ones may
	// take all the time that they need.
	writeStall = 20 * time.Second
)

// hasBody reports whether r announces a body.
func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}

// bound gives a body its time. One that nobody will read ends the connection with
// the answer, which http.Server would otherwise hold back until all of it came.
func bound(w http.ResponseWriter, r *http.Request, read bool) {
	if !hasBody(r) {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // not supported: a test's recorder
	if !read && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

// Bound returns h with an end to the time that bodies may take which h does not
// read: for listeners that take none.
func Bound(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bound(w, r, false)
		h.ServeHTTP(w, r)
	})
}

// receive reads the body of a request, as long as it is allowed to be, and then lets
// it in: a place among the requests that are answered is for those that are here.
func receive(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	m := from(r.Context())
	if hasBody(r) && ctx.Operation().RequestBody != nil {
		if err := m.readBody(w, r, ctx.Operation().MaxBodyBytes); err != nil {
			w.Header().Set("Connection", "close")
			Fail(w, r, err)
			return
		}
	}
	leave, err := m.gate.enter(m.addr)
	if err != nil {
		Fail(w, r, err)
		return
	}
	defer leave()
	within, cancel := context.WithTimeout(ctx.Context(), answerTime)
	defer cancel()
	next(huma.WithContext(ctx, within))
}

// readBody replaces the body of r by what came of it.
func (m *request) readBody(w http.ResponseWriter, r *http.Request, most int64) error {
	tooLarge := domain.TooLarge.Errorf(domain.CodeBodyTooLarge, "the body may have at most %d bytes", most)
	if r.ContentLength > most {
		return tooLarge
	}
	within := bodyTime
	if most > largeBody && (r.ContentLength < 0 || r.ContentLength > largeBody) {
		end, ok := m.gate.begin(m.principal.ID)
		if !ok {
			return domain.RateLimited.Errorf(domain.CodeLargeBodies,
				"you are sending several files already; wait for one of them").After(retryBusy)
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
	_ = rc.SetReadDeadline(time.Time{}) // http.Server watches from now on whether the client goes
	r.Body = io.NopCloser(bytes.NewReader(b))
	return nil
}
