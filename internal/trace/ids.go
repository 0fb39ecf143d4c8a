package trace

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	oteltrace "go.opentelemetry.io/otel/trace"
)

// ids gives a new trace the id that its request has had from the beginning, and the span of a
// client the ids that it has already.
type ids struct{}

type givenKey struct{}

func (ids) NewIDs(ctx context.Context) (oteltrace.TraceID, oteltrace.SpanID) {
	if sc, ok := ctx.Value(givenKey{}).(oteltrace.SpanContext); ok {
		return sc.TraceID(), sc.SpanID()
	}
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r.id, newSpanID()
	}
	return newTraceID(), newSpanID()
}

func (ids) NewSpanID(context.Context, oteltrace.TraceID) oteltrace.SpanID { return newSpanID() }

// The low bit makes an id valid, which may not be all zeros.
func newTraceID() (id oteltrace.TraceID) {
	binary.BigEndian.PutUint64(id[:8], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()|1)
	return id
}

func newSpanID() (id oteltrace.SpanID) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	return id
}
