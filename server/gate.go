package server

import (
	"errors"
	"net/netip"
	"sync"
	"time"
)

// The gate bounds what clients can cost before they are authenticated. Logins beyond the
// bounds wait: after a failover all clients come back at once, and shall all be served.
// One address cannot take more than its share of the places, so that connections that say
// nothing, until HandshakeTimeout ends them, are felt by their own address first.
const (
	maxLogins       = 512 // under way at once
	maxLoginsSource = 128 // of one address
	minWaiting      = 64  // connections of one address that may wait whatever MaxConnections is
)

var (
	errCrowd   = errors.New("too many connections of this address are not logged in yet")
	errWaited  = errors.New("no place to log in became free in time")
	errStopped = errors.New("the server stops")
)

type gate struct {
	places     chan struct{}
	maxWaiting int // of one address, those under way included

	mu      sync.Mutex
	sources map[netip.Addr]*source
}

// source is an address that has connections at the gate.
type source struct {
	places chan struct{}
	n      int // connections that wait or are under way
}

func newGate(maxConnections int) *gate {
	return &gate{
		places:     make(chan struct{}, maxLogins),
		maxWaiting: max(maxConnections/2, minWaiting),
		sources:    map[netip.Addr]*source{},
	}
}

// enter waits for a place; leave gives it back and is nil when there is an error.
func (g *gate) enter(addr netip.Addr, timeout time.Duration, stop <-chan struct{}) (leave func(), err error) {
	key := sourceOf(addr)
	src := g.arrive(key)
	if src == nil {
		return nil, errCrowd
	}
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	for i, places := range []chan struct{}{src.places, g.places} {
		select {
		case places <- struct{}{}:
			continue
		case <-limit.C:
			err = errWaited
		case <-stop:
			err = errStopped
		}
		if i > 0 {
			<-src.places
		}
		g.depart(key, src)
		return nil, err
	}
	return func() {
		<-g.places
		<-src.places
		g.depart(key, src)
	}, nil
}

// sourceOf is what counts as one address: of IPv6, the network that one customer has.
func sourceOf(addr netip.Addr) netip.Addr {
	if addr.Is6() && !addr.Is4In6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr.Unmap()
}

func (g *gate) arrive(key netip.Addr) *source {
	g.mu.Lock()
	defer g.mu.Unlock()
	src := g.sources[key]
	if src == nil {
		src = &source{places: make(chan struct{}, maxLoginsSource)}
		g.sources[key] = src
	}
	if src.n >= g.maxWaiting {
		return nil
	}
	src.n++
	return src
}

func (g *gate) depart(key netip.Addr, src *source) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if src.n--; src.n == 0 {
		delete(g.sources, key)
	}
}
