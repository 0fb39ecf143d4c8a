package domain

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure an error is, so that every edge (HTTP,
// WebSocket, command line) can answer in its own terms without knowing the
// cause. Kinds are part of the protocol: add, never rename.
type Kind string

// The kinds of failure.
const (
	Internal     Kind = "internal"     // our fault; the cause is logged, never sent
	Invalid      Kind = "invalid"      // the request can never succeed as it stands
	Unauthorized Kind = "unauthorized" // who are you?
	Forbidden    Kind = "forbidden"    // we know you; no
	NotFound     Kind = "not_found"    // also for things the caller may not see
	Conflict     Kind = "conflict"     // exists, or changed since you read it
	TooLarge     Kind = "too_large"
	RateLimited  Kind = "rate_limited"
	Unavailable  Kind = "unavailable" // try again: a peer, worker or store is away
)

// Kinds lists every kind, for the tables that must answer each of them.
func Kinds() []Kind {
	return []Kind{Internal, Invalid, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, RateLimited, Unavailable}
}

// Error is the one error type that crosses a module's border.
type Error struct {
	Kind       Kind
	Code       Code              // stable, narrower than Kind; may be empty
	Msg        string            // safe to show to the caller; says what to do
	Fields     []Field           // only with Invalid
	Values     map[string]string // what Msg says of this case, for clients that say it in other words
	RetryAfter time.Duration     // with RateLimited and Unavailable: when to try again; 0 says nothing
	Err        error             // the cause, for the log
}

// Field names one bad value of a request by its JSON pointer (RFC 6901).
type Field struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Msg
	}
	return e.Msg + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an error of kind k whose text the caller may read. It takes
// no cause: a cause is for the log, and Because adds it.
func (k Kind) Errorf(code Code, format string, args ...any) *Error {
	return &Error{Kind: k, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// Because records what made e happen. errors.Is and errors.As see the cause;
// no client does.
func (e *Error) Because(cause error) *Error { e.Err = cause; return e }

// After records how long the caller should wait before it tries again.
func (e *Error) After(d time.Duration) *Error { e.RetryAfter = d; return e }

// InvalidField is an Invalid error about one value of a request. The pointer
// is relative to the request's body: "/name".
func InvalidField(pointer, format string, args ...any) *Error {
	detail := fmt.Sprintf(format, args...)
	return &Error{Kind: Invalid, Code: CodeInvalidField, Msg: detail, Fields: []Field{{pointer, detail}}}
}

// KindOf returns the kind of err, or Internal for an error nobody classified.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// CodeOf returns the code of err, or "" for an error without one.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
