package server

import (
	"cmp"
	"net"
	"slices"
	"sync"
)

// registry knows every open connection, and those that are authenticated by id and user.
type registry struct {
	max     int // connections
	maxUser int // connections of one user; 0: no limit

	mu     sync.Mutex
	open   map[socket]*Client // nil until it is authenticated
	byID   map[uint32]*Client
	users  map[string]int
	closed bool // nothing comes in any more
}

func newRegistry(most, mostPerUser int) *registry {
	return &registry{max: most, maxUser: mostPerUser,
		open: map[socket]*Client{}, byID: map[uint32]*Client{}, users: map[string]int{}}
}

// begin counts a goroutine that the server must wait for; false when it is closed. After
// close, goroutines begin only from those that are counted already.
func (r *registry) begin(wg *sync.WaitGroup) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		wg.Add(1)
	}
	return !r.closed
}

// verdict is what the registry says to a newcomer.
type verdict int

const (
	welcome verdict = iota
	full            // of connections, or of the user's connections
	closing
)

// admit enters a connection that has just been accepted.
func (r *registry) admit(tcp *net.TCPConn) verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return closing
	case len(r.open) >= r.max:
		return full
	}
	r.open[tcp] = nil
	return welcome
}

// login enters a client that has authenticated itself; tcp is what its socket has taken the place of.
func (r *registry) login(c *Client, tcp *net.TCPConn) verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return closing
	case r.maxUser > 0 && r.users[c.User] >= r.maxUser:
		return full
	}
	delete(r.open, tcp)
	r.open[c.sock] = c
	r.byID[c.ID] = c
	r.users[c.User]++
	return welcome
}

// rename counts a client under another user; false when that one has too many already.
func (r *registry) rename(from, to string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if from == to {
		return true
	}
	if r.maxUser > 0 && r.users[to] >= r.maxUser {
		return false
	}
	r.uncount(from)
	r.users[to]++
	return true
}

func (r *registry) uncount(user string) {
	if r.users[user]--; r.users[user] <= 0 {
		delete(r.users, user)
	}
}

// leave removes a connection, and the client that it had become.
func (r *registry) leave(key socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.open[key]; c != nil {
		delete(r.byID, c.ID)
		r.uncount(c.User)
	}
	delete(r.open, key)
}

// taken says that an id belongs to somebody: ids come round again after 2^32.
func (r *registry) taken(id uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id] != nil
}

func (r *registry) find(id uint32) *Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id]
}

func (r *registry) list() []*Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Client, 0, len(r.byID))
	for _, c := range r.byID {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Client) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// busy gives the clients whose sessions work, in no order.
func (r *registry) busy() (list []*Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.byID {
		if s := c.Session(); s != nil && s.Busy() {
			list = append(list, c)
		}
	}
	return list
}

// close lets nobody in any more and gives the connections that are open: those without a
// client are not authenticated.
func (r *registry) close() map[socket]*Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	all := make(map[socket]*Client, len(r.open))
	for key, c := range r.open {
		all[key] = c
	}
	return all
}
