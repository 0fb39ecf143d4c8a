package blob

import (
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
)

const recentBlobs = 1024 // in memory; when there are more, it begins anew

// recent has the rows of files that were opened lately, which many devices load at a time. A row never changes, and
// the object of one that was deleted cannot be opened, so an old row gives no wrong file.
type recent struct {
	mu   sync.Mutex
	rows map[string]domain.Blob
}

func (r *recent) get(hash string) (b domain.Blob, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok = r.rows[hash]
	return b, ok
}

func (r *recent) put(b domain.Blob) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rows) >= recentBlobs {
		clear(r.rows)
	}
	r.rows[b.Hash] = b
}
