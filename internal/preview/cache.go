package preview

import (
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	cacheSize  = 1000
	keepFound  = 24 * time.Hour
	keepFailed = 10 * time.Minute // of a link that has no preview
)

// A cache remembers what was found at links.
type cache struct {
	mu    sync.Mutex
	found map[string]cached
}

type cached struct {
	domain.LinkPreview
	until time.Time
}

func newCache() *cache { return &cache{found: make(map[string]cached)} }

func (c *cache) get(link string, now time.Time) (p domain.LinkPreview, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.found[link]
	return f.LinkPreview, ok && now.Before(f.until)
}

func (c *cache) put(link string, p domain.LinkPreview, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for old := range c.found { // in no order
		if len(c.found) < cacheSize {
			break
		}
		delete(c.found, old)
	}
	keep := keepFailed
	if p.URL != "" {
		keep = keepFound
	}
	c.found[link] = cached{p, now.Add(keep)}
}

// putImage remembers a picture, or that there is none.
func (c *cache) putImage(key string, i domain.PreviewImage, now time.Time) {
	var p domain.LinkPreview
	if i.Hash != "" {
		p = domain.LinkPreview{URL: key, Image: i}
	}
	c.put(key, p, now)
}
