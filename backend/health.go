package backend

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"sluice/wire"
)

// health is what the last logins have told about a server. Its pool's lock guards it.
//
//	unknown ──login──▶ up ◀──probe ok──┐
//	   └──failed──▶ down ◀──failed──┘  │
//	                  └──after backoff, a probe──┘
//
// While it is down probes go on in the background. Of a machine that refuses, a lease waits for
// the next probe, which it hastens: what it is told is never older than itself, and a server
// that is up again is up for the first who asks. Nobody waits for one that says nothing.
// Connections that are still good go on being leased.
type health struct {
	state     state
	since     time.Time
	version   string
	extended  bool
	collation uint8 // that clients of the server's own begin with
	last      error // of the last failure
	backoff   time.Duration
	retry     *time.Timer // set while logins are held off
	failed    time.Time   // the last time
	silent    bool        // it was no answer in time
}

// state is what a pool knows of its server.
type state string

const (
	unknown state = "unknown"
	up      state = "up"
	down    state = "down"
)

// Bounds of the pause between probes.
const (
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = time.Second
)

// downWait bounds a lease's wait for the next answer of a machine whose server is down.
const downWait = 250 * time.Millisecond

// holdsOff tells whether no login may start now.
func (h *health) holdsOff() bool { return h.retry != nil }

// reason says why, when the server is down.
func (h *health) reason() error {
	if h.state != down {
		return nil
	}
	return refusedLogin(h.last)
}

func (h *health) become(s state) {
	if h.state != s {
		h.state, h.since = s, time.Now()
	}
}

func (h *health) stop() {
	if h.retry != nil {
		h.retry.Stop()
		h.retry = nil
	}
}

// errRefusedLogin is a login that the server answered with an error: its text names the
// proxy's account, which is no client's business.
type errRefusedLogin struct{ cause *wire.Error }

func (e *errRefusedLogin) Error() string {
	return fmt.Sprintf("its server refused the proxy's login with error %d", e.cause.Code)
}

func refusedLogin(err error) error {
	var we *wire.Error
	if errors.As(err, &we) {
		return &errRefusedLogin{we}
	}
	return err
}

// tooManyConnections says that the server has no place for another connection; those that are
// open are as good as before. (ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED)
func tooManyConnections(err error) bool {
	var we *wire.Error
	return errors.As(err, &we) && (we.Code == 1040 || we.Code == 1203 || we.Code == 1226)
}

// failed notes that the server could not be reached or refused, and tells those who have
// waited for it since before mark. The pool's lock is held.
func (p *pool) failed(mark uint64, err error) {
	if p.closed {
		return
	}
	h := &p.health
	var ne net.Error
	h.last, h.failed = err, time.Now()
	h.silent = errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
	if !tooManyConnections(err) || len(p.all) == 0 {
		if h.state != down {
			p.opts.Log.Warn("backend is down", "shard", p.shard, "address", p.dialer.address, "error", err)
		}
		h.become(down)
		p.queue.fail(mark, refusedLogin(err))
		p.waiting.Store(int32(p.queue.n))
		p.serve() // who was next may be gone
	}
	if h.retry != nil {
		return
	}
	h.backoff = min(max(2*h.backoff, firstBackoff), lastBackoff)
	pause := h.backoff/2 + rand.N(h.backoff/2+1)
	h.retry = time.AfterFunc(pause, p.probe)
	if p.queue.n > 0 {
		p.hasten()
	}
}

// hasten has the next probe come as soon after the last failure as a first one would. The
// lock is held.
func (p *pool) hasten() {
	h := &p.health
	if h.retry != nil && h.retry.Stop() {
		h.retry.Reset(max(time.Until(h.failed.Add(firstBackoff)), 0))
	}
}

// probe ends the pause after a failure: it logs in to a server that is down, whether
// anybody waits or not, and for those who wait.
func (p *pool) probe() {
	p.mu.Lock()
	defer p.unlock()
	if p.closed {
		return
	}
	p.health.retry = nil
	p.serve()
	if p.health.state == down && p.dials() == 0 {
		p.startDial(0)
	}
}

// succeeded notes a login. The pool's lock is held.
func (p *pool) succeeded(l *login) {
	h := &p.health
	if h.state == down {
		p.opts.Log.Info("backend is up again", "shard", p.shard, "address", p.dialer.address, "after", time.Since(h.since).Round(time.Millisecond))
	}
	h.become(up)
	h.version, h.collation, h.extended, h.backoff = l.version, l.collation, l.extended, 0
	p.hang.answered(time.Now())
	h.stop()
}

// suspect notes that a connection which should be good does not answer, without being told
// by a login: the server counts as down until a probe says otherwise.
func (p *pool) suspect(err error) {
	p.mu.Lock()
	defer p.unlock()
	p.failed(p.queue.next, err)
}

func (p *pool) status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{
		Shard: p.shard, Address: p.dialer.address, Role: p.role, State: string(p.health.state), Version: p.health.version, Collation: p.health.collation, Extended: p.health.extended,
		Open: p.open(), Idle: p.idles, Waiting: p.queue.n, Max: p.max, Since: p.health.since,
		Limit: p.pace.allows(), Busy: p.busy(), Refused: p.counts.refused, Severed: p.counts.severed, Breaker: p.breaker(),
		AllLimit: int(p.total.allows.Load()), AllBusy: int(p.total.busy.Load()),
	}
	if p.health.last != nil {
		s.LastError = p.health.last.Error()
	}
	return s
}
