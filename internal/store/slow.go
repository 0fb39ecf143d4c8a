package store

import (
	"context"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/trace"
)

// slowStatement is how long a statement takes, at least, that is a span of its own in the trace of
// its request. Of a query, the time until its first row counts.
const slowStatement = 50 * time.Millisecond

// timed begins to time a statement; what it returns ends that. Statements have placeholders for
// all values, so their text may be exported.
func (d *dialect) timed(ctx context.Context, query string) (end func()) {
	if !trace.Timed(ctx) {
		return func() {}
	}
	start := time.Now()
	return func() {
		if time.Since(start) >= slowStatement {
			trace.SlowPart(ctx, "store.statement", start, trace.String("db.system.name", d.name),
				trace.String("db.query.text", strings.Join(strings.Fields(query), " ")))
		}
	}
}
