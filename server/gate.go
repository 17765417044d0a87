package server

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// The gate bounds what clients can cost before they are authenticated. Logins beyond the
// bounds wait: after a failover all clients come back at once, and shall all be served.
// The next place goes to the address that has the fewest, and one address has no more than its share, so
// that connections that say nothing are felt by their own address first. Where many addresses have taken all places, a client
// that has said nothing for patient gives way to one of an address that has fewer.
const (
	maxLogins       = 512             // under way at once
	maxLoginsSource = 128             // of one address
	minWaiting      = 64              // connections of one address that may wait whatever MaxConnections is
	patient         = 2 * time.Second // far more than the way to any client and back
)

var (
	errCrowd   = errors.New("too many connections of this address are not logged in yet")
	errWaited  = errors.New("no place to log in became free in time")
	errStopped = errors.New("the server stops")
	errYields  = errors.New("the client said nothing, and others needed its place")
)

type gate struct {
	maxWaiting int // of one address, those under way included

	mu      sync.Mutex
	sources map[netip.Addr]*source
	lines   []*source // with somebody who waits, whose turn was longest ago first
	under   int       // logins under way
	ending  int       // of them those that are ended for others
	timed   bool      // serve is called again when a client has been silent for patient
}

// source is an address that has connections at the gate.
type source struct {
	addr    netip.Addr
	waiting []*seat
	under   []*seat // the oldest first
}

// seat is a login that waits or is under way.
type seat struct {
	g     *gate
	src   *source
	turn  chan struct{} // closed when it need not wait any more
	since time.Time     // it is under way
	end   func()        // ends it; nil: the client has spoken, or it was ended
	ended bool
}

func newGate(maxConnections int) *gate {
	return &gate{maxWaiting: max(maxConnections/2, minWaiting), sources: map[netip.Addr]*source{}}
}

// enter waits for a place, which leave gives back. end is called, by another goroutine, when the place is
// needed by others before spoken is.
func (g *gate) enter(addr netip.Addr, timeout time.Duration, stop <-chan struct{}, end func()) (*seat, error) {
	s := g.arrive(sourceOf(addr), end)
	if s == nil {
		return nil, errCrowd
	}
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	var err error
	select {
	case <-s.turn:
		return s, nil
	case <-limit.C:
		err = errWaited
	case <-stop:
		err = errStopped
	}
	s.leave()
	return nil, err
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

func (g *gate) arrive(key netip.Addr, end func()) *seat {
	g.mu.Lock()
	defer g.mu.Unlock()
	src := g.sources[key]
	if src == nil {
		src = &source{addr: key}
		g.sources[key] = src
	}
	if len(src.waiting)+len(src.under) >= g.maxWaiting {
		return nil
	}
	s := &seat{g: g, src: src, turn: make(chan struct{}), end: end}
	if src.waiting = append(src.waiting, s); len(src.waiting) == 1 {
		g.lines = append(g.lines, src)
	}
	g.serve()
	return s
}

// spoken says that the client has said something, and tells whether it has not been ended before.
func (s *seat) spoken() bool {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	s.end = nil
	return !s.ended
}

// leave gives the place back, or ends the wait for one.
func (s *seat) leave() {
	g, src := s.g, s.src
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(src.under, s); i >= 0 {
		src.under = slices.Delete(src.under, i, i+1)
		g.under--
		if s.ended {
			g.ending--
		}
	} else {
		g.unqueue(s)
	}
	if len(src.waiting)+len(src.under) == 0 {
		delete(g.sources, src.addr)
	}
	g.serve()
}

// unqueue takes a login out of its line. The lock is held.
func (g *gate) unqueue(s *seat) {
	src := s.src
	i := slices.Index(src.waiting, s)
	src.waiting = slices.Delete(src.waiting, i, i+1)
	i = slices.Index(g.lines, src)
	g.lines = slices.Delete(g.lines, i, i+1)
	if len(src.waiting) > 0 {
		g.lines = append(g.lines, src)
	}
}

// serve gives places to those that wait. The lock is held.
func (g *gate) serve() {
	for {
		var next *source
		for _, src := range g.lines {
			if len(src.under) < maxLoginsSource && (next == nil || len(src.under) < len(next.under)) {
				next = src
			}
		}
		switch {
		case next == nil:
			return
		case g.under >= maxLogins:
			g.makeRoom(len(next.under))
			return
		}
		s := next.waiting[0]
		g.unqueue(s)
		s.since = time.Now()
		next.under = append(next.under, s)
		g.under++
		close(s.turn)
	}
}

// makeRoom ends the oldest login of the address that has the most of those whose clients have not spoken, for one that has so
// few; one after the other, for each is a place soon. The lock is held.
func (g *gate) makeRoom(few int) {
	if g.ending > 0 || g.timed {
		return
	}
	var victim, first *seat
	for _, src := range g.sources {
		if n := len(src.under); n <= few || few > 0 && n == few+1 { // else two would take turns
			continue
		}
		i := slices.IndexFunc(src.under, func(s *seat) bool { return s.end != nil })
		if i < 0 {
			continue
		}
		s := src.under[i]
		if first == nil || s.since.Before(first.since) {
			first = s
		}
		if time.Since(s.since) >= patient && (victim == nil || len(src.under) > len(victim.src.under)) {
			victim = s
		}
	}
	switch {
	case victim != nil:
		victim.ended = true
		g.ending++
		victim.end()
		victim.end = nil
	case first != nil:
		g.timed = true
		time.AfterFunc(time.Until(first.since.Add(patient)), func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.timed = false
			g.serve()
		})
	}
}
