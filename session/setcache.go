package session

import "sync"

// setCache remembers what SET statements come to: state before and text → state after, so
// that a SET which some client has sent before costs no round trip.
type setCache struct {
	mu sync.RWMutex
	m  map[string]*settings
}

// maxSets and maxSetText bound the cache to some 8 MB; a full one starts again.
const (
	maxSets    = 2048
	maxSetText = 4 << 10
)

func newSetCache() *setCache { return &setCache{m: map[string]*settings{}} }

func (c *setCache) get(key string) *settings {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[key]
}

func (c *setCache) put(key string, v *settings) {
	if len(key) > maxSetText {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.m) >= maxSets {
		clear(c.m)
	}
	c.m[key] = v
}
