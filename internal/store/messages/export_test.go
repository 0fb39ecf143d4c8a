package messages

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// NewItem is a message that WriteBatch appends.
func NewItem(actor string, d domain.Draft, now time.Time) *store.Item {
	a := &pendingMessage{actor: actor, draft: d, now: store.Trim(now)}
	a.item = &store.Item{Value: a}
	return a.item
}
