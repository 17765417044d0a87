package session

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/backend"
	"sluice/server"
	"sluice/wire"
)

// shared is what other goroutines may look at and touch. It implements server.Session.
type shared struct {
	c   *server.Client
	log *slog.Logger

	busy atomic.Bool // a statement runs or a transaction is open

	// mu is held while a Kill reaches for the connections, so that none of them can have
	// gone to another client when the KILL QUERY arrives.
	mu      sync.Mutex
	running bool
	kill    killState
	conns   []*backend.Conn // of the running statement
	give    func(error)     // ends the wait under a limit in which it is; nil: it is in none
	touch   touch

	infoMu     sync.Mutex
	user       string
	schema     string
	attributes map[string]string
	command    string
	since      time.Time
	text       []byte // of the running statement, shortened; reused
	statements int64
	keeps      *keptInfo // nil: the session has kept no connection yet
}

// keptInfo is what others see of a session that keeps connections.
type keptInfo struct {
	open        bool // a transaction is
	txSince     time.Time
	txName      string
	pinned      string
	pinnedSince time.Time
	shards      []string
	threads     map[string]uint32 // numbers of the pinned connections, by shard
}

// keepsOf gives the info on kept connections. The lock is held.
func keepsOf(sh *shared) *keptInfo {
	if sh.keeps == nil {
		sh.keeps = &keptInfo{}
	}
	return sh.keeps
}

// killState is how far a running statement was asked to stop.
type killState uint8

const (
	notKilled killState = iota
	killQuery
	killConnection
)

// lock takes mu for the session's own code. Who is being killed waits for it on a goroutine.
func (sh *shared) lock() {
	if !sh.mu.TryLock() {
		sh.c.Task.Leave()
		sh.mu.Lock()
	}
}

// start comes first when a command was read. From now on the session's transaction is its own
// again; doomed is the migration for which it was rolled back, 0 for none.
func (sh *shared) start() (doomed int64) {
	sh.lock()
	defer sh.mu.Unlock()
	sh.running = true
	doomed, sh.touch.doomed = sh.touch.doomed, 0
	return doomed
}

// begin and end surround one command.
func (sh *shared) begin(command string, sql []byte, now time.Time) {
	sh.busy.Store(true)
	sh.note(command, sql, now)
}

// note says what the session is doing.
func (sh *shared) note(command string, sql []byte, now time.Time) {
	sh.infoMu.Lock()
	sh.command, sh.since = command, now
	sh.text = append(sh.text[:0], sql[:min(len(sql), maxShownText)]...)
	sh.infoMu.Unlock()
}

// end tells whether the session was killed meanwhile.
func (sh *shared) end(k *kept) (killed bool) {
	sh.lock()
	killed = sh.kill == killConnection
	sh.kill = notKilled
	sh.conns = sh.conns[:0]
	sh.mu.Unlock()
	open := k.tx.Open()
	if !open {
		sh.busy.Store(false)
	}
	sh.infoMu.Lock()
	sh.command, sh.since = "Sleep", time.Now()
	sh.statements++
	sh.text = sh.text[:0]
	if open || len(k.pins.list) > 0 || sh.keeps != nil {
		keepsOf(sh).note(k, open)
	}
	sh.infoMu.Unlock()
	sh.rest(k)
	return killed
}

// note says what the session keeps.
func (i *keptInfo) note(k *kept, open bool) {
	if i.open = open; open {
		i.txSince, i.txName = k.tx.Since(), k.tx.Name()
	}
	i.shards = i.shards[:0]
	for _, l := range k.tx.Legs() {
		i.shards = append(i.shards, l.Shard)
	}
	for _, p := range k.pins.list {
		if k.tx.Leg(p.shard) == nil {
			i.shards = append(i.shards, p.shard)
		}
	}
}

// rest gives the session's open transaction into the drainer's reach: it is idle.
func (sh *shared) rest(k *kept) {
	sh.lock()
	defer sh.mu.Unlock()
	sh.running = false
	if sh.kill == killQuery {
		sh.kill = notKilled // it came too late
	}
	t := &sh.touch
	if t.m == nil {
		return
	}
	if !holds(k) {
		t.clear()
		return
	}
	t.since, t.conns = time.Now(), t.conns[:0]
	for _, l := range k.tx.Legs() {
		t.conns = append(t.conns, l.Conn)
	}
	for i := range k.pins.list {
		if k.pins.list[i].locked {
			t.conns = append(t.conns, k.pins.list[i].conn)
		}
	}
}

// noteSchema and noteLogin say what has changed of the session.
func (sh *shared) noteSchema(name string) {
	sh.infoMu.Lock()
	defer sh.infoMu.Unlock()
	sh.schema = name
}

func (sh *shared) noteLogin() {
	sh.infoMu.Lock()
	defer sh.infoMu.Unlock()
	sh.user, sh.attributes = sh.c.User, sh.c.Attributes
}

// notePins says what is pinned, after a change of the pins.
func (sh *shared) notePins(pins []pin) {
	sh.infoMu.Lock()
	defer sh.infoMu.Unlock()
	if len(pins) == 0 && sh.keeps == nil {
		return
	}
	i := keepsOf(sh)
	i.pinned, i.pinnedSince, i.threads = "", time.Time{}, make(map[string]uint32, len(pins))
	for n := range pins {
		i.threads[pins[n].shard] = pins[n].conn.ThreadID()
		if n > 0 {
			i.pinned += "; "
		} else {
			i.pinnedSince = pins[n].since
		}
		i.pinned += pins[n].why() + " on " + pins[n].shard
	}
}

// Busy implements server.Session.
func (sh *shared) Busy() bool { return sh.busy.Load() }

// Info implements server.Session.
func (sh *shared) Info() server.SessionInfo {
	sh.infoMu.Lock()
	defer sh.infoMu.Unlock()
	info := server.SessionInfo{
		ID: sh.c.ID, User: sh.user, Remote: sh.c.Remote.String(), Schema: sh.schema, Command: sh.command, Since: sh.since,
		Statement: string(sh.text), Attributes: sh.attributes, Statements: sh.statements,
	}
	if i := sh.keeps; i != nil {
		if i.open {
			info.Transaction = "open"
		}
		info.TxSince, info.TxName, info.Pinned, info.PinnedSince, info.Shards = i.txSince, i.txName, i.pinned, i.pinnedSince, append([]string(nil), i.shards...)
	}
	return info
}

// Wanted tells whether others wait for a connection that the running statement has.
func (sh *shared) Wanted() bool {
	if !sh.mu.TryLock() {
		return false // it is being killed
	}
	defer sh.mu.Unlock()
	return slices.ContainsFunc(sh.conns, (*backend.Conn).Wanted)
}

// Kill implements server.Session. It stops the running statement at its shards; with whole
// it also ends the connection, at once when it is idle.
func (sh *shared) Kill(whole bool) {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if whole {
		sh.kill = killConnection
		_ = sh.c.Close() // ends a blocked read or write as well
	}
	if !sh.running {
		return // KILL QUERY of an idle session does nothing
	}
	if !whole && sh.kill == notKilled {
		sh.kill = killQuery
	}
	if sh.give != nil {
		sh.give(interrupted())
	}
	sh.stop(ctx)
}

// stop sends KILL QUERY to the statement's connections until it has ended, or has had time to. The lock is
// held, except in between.
func (sh *shared) stop(ctx context.Context) {
	for _, pause := range killAgain {
		for _, c := range sh.conns {
			if err := c.Kill(ctx); err != nil {
				sh.log.Warn("a running statement could not be stopped", "shard", c.Shard(), "connection", sh.c.ID, "error", err)
			}
		}
		sh.mu.Unlock()
		time.Sleep(pause)
		sh.mu.Lock()
		if !sh.running || sh.kill == notKilled || len(sh.conns) == 0 || ctx.Err() != nil {
			return
		}
	}
}

// killAgain is how long a Kill waits for the statement's end before it is repeated. A server
// forgets one that comes before the statement, which may be on its way to it.
var killAgain = [...]time.Duration{2 * time.Millisecond, 20 * time.Millisecond, 200 * time.Millisecond, 0}

// killTimeout bounds a Kill over all connections of a statement.
const killTimeout = 5 * time.Second

// watch lets a Kill reach the connection. It fails when the statement was killed already.
func (sh *shared) watch(c *backend.Conn) error {
	sh.lock()
	defer sh.mu.Unlock()
	if sh.kill != notKilled {
		return interrupted()
	}
	sh.conns = append(sh.conns, c)
	return nil
}

// unwatch takes all connections out of a Kill's reach and tells whether one has reached
// for them: it may still be on its way to the thread when its statement has ended.
func (sh *shared) unwatch() (killed bool) {
	sh.lock()
	defer sh.mu.Unlock()
	killed = sh.kill != notKilled && len(sh.conns) > 0
	sh.conns = sh.conns[:0]
	return killed
}

// leave takes one connection out of a Kill's reach, and tells as unwatch.
func (sh *shared) leave(c *backend.Conn) (killed bool) {
	sh.lock()
	defer sh.mu.Unlock()
	if i := slices.Index(sh.conns, c); i >= 0 {
		sh.conns = slices.Delete(sh.conns, i, i+1)
	}
	return sh.kill != notKilled
}

func interrupted() *wire.Error {
	return &wire.Error{Code: 1317, SQLState: "70100", Message: "Query execution was interrupted"}
}

// killed gives the error of a statement that was killed, nil if it was not.
func (sh *shared) killed() error {
	sh.lock()
	defer sh.mu.Unlock()
	if sh.kill != notKilled {
		return interrupted()
	}
	return nil
}
