package server

import "time"

// tcpInfo is what the kernel says of a connection.
type tcpInfo struct {
	// hungUp: the other end has closed it, also when there is still something of it to be read; that may be TLS's goodbye.
	hungUp bool
	unsent uint32        // bytes that were written and not sent yet
	acked  uint64        // bytes that the other end has taken
	quiet  time.Duration // since it has sent anything
}

// A client that reads a large answer slowly holds connections to the shards meanwhile. Nobody is
// hurt as long as nobody else wants them: rows are looked at one by one by right. (One that takes nothing at
// all for StallTimeout is cut off in any case.) Where others wait for these connections,
// it has to take slowRate on an average, or it is cut off: it would hold them until they all are its own.
const (
	slowFor  = 3 * time.Second // who waits because of them is served before his own wait of 5 s is over
	slowRate = 16 << 10        // bytes a second
)

// wanted is what a Session may be besides: one that holds what others wait for.
type wanted interface{ Wanted() bool }

// reader is how a busy client takes its answer.
type reader struct {
	since time.Time // it has left something of what was sent at every look since then
	acked uint64    // what it had taken then
	bad   bool      // in the last slowFor it took too little
}

// slow tells whether a client takes its answer too slowly, at a look at its socket.
func (r *reader) slow(info tcpInfo, now time.Time) bool {
	if info.unsent == 0 {
		*r = reader{}
		return false
	}
	if r.since.IsZero() {
		r.since, r.acked = now, info.acked
		return false
	}
	if length := now.Sub(r.since); length >= slowFor {
		r.bad = float64(info.acked-r.acked) < slowRate*length.Seconds()
		r.since, r.acked = now, info.acked
	}
	return r.bad
}

// isWanted tells whether others wait for what a session holds.
func isWanted(s Session) bool {
	w, ok := s.(wanted)
	return ok && w.Wanted()
}
