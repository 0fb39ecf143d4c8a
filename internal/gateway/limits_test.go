package gateway

import (
	"testing"

	"github.com/unhidra/unhidra/internal/wire"
)

// A request of a new type needs a limit.
func TestEveryRequestTypeHasALimit(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for _, f := range wire.Requests() {
		known[f.Type] = true
		if _, ok := allowances[f.Type]; !ok {
			t.Errorf("%s is counted against nothing in particular: choose its limit", f.Type)
		}
	}
	for typ := range allowances {
		if !known[typ] {
			t.Errorf("there is no request of type %q", typ)
		}
	}
}
