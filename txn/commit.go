package txn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/backend"
	"sluice/internal/sleep"
	"sluice/wire"
)

// RolledBack says that a COMMIT failed and that nothing of the transaction is, or ever
// will be, there on any shard.
type RolledBack struct {
	Shard string
	Err   error
}

func (e *RolledBack) Error() string {
	return fmt.Sprintf("the COMMIT failed on shard %s and the transaction was rolled back on all shards: %v", e.Shard, e.Err)
}

func (e *RolledBack) Unwrap() error { return e.Err }

// Unknown says that whether the transaction was committed could not be found out in time.
// It is, or will be, all there or not at all.
type Unknown struct {
	Shard string
	GTRID string
	Err   error
}

func (e *Unknown) Error() string {
	return fmt.Sprintf("whether the transaction %s was committed is unknown, because shard %s, which decides it, does not answer; "+
		"it will be there as a whole or not at all: %v", e.GTRID, e.Shard, e.Err)
}

func (e *Unknown) Unwrap() error { return e.Err }

// commit is a two-phase commit:
//
//	coordinator   INSERT decision ──────────▶ COMMIT ──────────────────▶
//	branches      XA END · XA PREPARE ──all──▶ . . . ──▶ XA COMMIT ────▶
//	readers       XA END · XA COMMIT ONE PHASE
//
// Every column is sent to all before the first answer is read. The decision row becomes
// durable in the same instant as the coordinator's data: that is the commit point. Before
// it every error rolls all back; after it nothing does. Between sending the COMMIT and its
// answer the outcome is unknown, and the row tells.
type commit struct {
	t           *Tx
	d           *Decisions
	ctx         context.Context
	began       time.Time
	coordinator *party
	branches    []*party // that wrote
	readers     []*party
	ended       []Ended
}

// party is a leg on its way to the end.
type party struct {
	leg      Leg
	done     bool // its part is over
	broken   bool // nothing more can be said to it
	doubtful bool // the branch may be prepared, and is not ours to finish any more
	until    time.Time
}

// run commits and gives all connections back. The error is *RolledBack, *Unknown or, for a
// lock that was not to be had, a *wire.Error.
func (c *commit) run() error {
	if err := c.muster(); err != nil {
		return c.abort(c.t.home, err)
	}
	if shard, err := c.prepare(); err != nil {
		return c.abort(shard, err)
	}
	switch dec, err := c.decide(); dec {
	case aborted:
		return c.abort(c.coordinator.leg.Shard, err)
	case undecided:
		for _, p := range c.all() {
			p.broken = p.broken || !p.done
		}
		c.giveBack()
		c.d.unknown.Add(1)
		c.d.leave(c.t.gtrid, undecided, c.shards())
		return &Unknown{Shard: c.coordinator.leg.Shard, GTRID: c.t.gtrid, Err: err}
	}
	c.finish()
	return nil
}

// muster sorts the legs. Where the server has ended the coordinator's transaction, as a
// procedure that commits does, another one is begun for the decision of the rest.
func (c *commit) muster() error {
	for _, l := range c.t.legs {
		switch p := (&party{leg: l}); {
		case l.Branch == "" && l.Shard == c.t.home:
			c.coordinator = p
		case l.Branch != "" && l.Write:
			c.branches = append(c.branches, p)
		default:
			c.readers = append(c.readers, p)
		}
	}
	if c.coordinator == nil {
		conn, err := c.d.opts.Shards.Get(c.ctx, c.t.home, backend.Class{}, "", nil)
		if err != nil {
			return err
		}
		c.coordinator = &party{leg: Leg{Conn: conn, Shard: c.t.home}}
		if err = c.coordinator.send(answerTime, "BEGIN"); err == nil {
			err = c.coordinator.receive(1)
		}
		if err != nil {
			return err
		}
	}
	return c.d.opts.Faults.At("txn.begin")
}

func (c *commit) all() []*party {
	list := append(append([]*party{}, c.branches...), c.readers...)
	if c.coordinator != nil {
		list = append(list, c.coordinator)
	}
	return list
}

// shards names those of which a branch may be left, the coordinator's first.
func (c *commit) shards() []string {
	list := []string{c.t.home}
	for _, p := range c.branches {
		list = append(list, p.leg.Shard)
	}
	return list
}

// prepare brings every branch to where it can be committed whatever happens, and writes
// the decision where it is committed with the coordinator's data, or not at all.
func (c *commit) prepare() (failed string, err error) {
	faults := c.d.opts.Faults
	note := func(p *party, e error) {
		if e != nil && err == nil {
			failed, err = p.leg.Shard, e
		}
	}
	insert := "INSERT INTO _sluice.decisions (gtrid, decision) VALUES ('" + c.t.gtrid + "', 'commit')"
	if faults.Off("txn.decision") {
		insert = "DO 0"
	}
	note(c.coordinator, c.coordinator.send(answerTime, insert))
	for i, p := range c.branches {
		note(p, p.send(answerTime, "XA END "+p.leg.Branch, "XA PREPARE "+p.leg.Branch))
		if i == 0 {
			note(p, faults.At("txn.half-prepared"))
		}
	}
	for _, p := range c.readers { // they wrote nothing: a failure is only their connection's
		_ = p.send(answerTime, p.leg.last(p.leg.leave())...)
	}
	until := time.Now().Add(answerTime)
	note(c.coordinator, c.coordinator.hear(1, until))
	for _, p := range c.branches {
		note(p, p.hear(2, until))
		p.doubtful = p.broken
	}
	for _, p := range c.readers {
		p.close(len(p.leg.last(p.leg.leave())))
	}
	if err == nil {
		note(c.coordinator, faults.At("txn.prepared"))
	}
	if age := since(c.began); err == nil && age > tooOld {
		// Another proxy may have marked it as aborted and forgotten the mark by now.
		note(c.coordinator, fmt.Errorf("preparing took %v, which is too long to go on", age.Round(time.Second)))
	}
	return failed, err
}

// since is the larger of what the monotonic and the wall clock say: the one stands still
// while a machine sleeps, the other may be set.
func since(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

// decide commits the coordinator. When the answer does not come, or is an error, which a
// server may give after it has committed, too, the row is asked.
func (c *commit) decide() (decision, error) {
	p, faults := c.coordinator, c.d.opts.Faults
	err := p.send(answerTime, "COMMIT")
	if e := faults.At("txn.commit-sent"); e != nil && err == nil {
		p.broken, err = true, e
	}
	if err == nil {
		err = p.hear(1, time.Now().Add(answerTime))
	}
	if err == nil {
		return committed, nil
	}
	p.broken = true
	p.leg.Conn.Close() // its transaction must end, and its place in the pool is needed
	if since(c.began) > tooOld {
		return undecided, err // another proxy may have finished it and forgotten it by now
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), resolveTime)
	defer cancel()
	for {
		dec, _ := c.d.ask(ctx, p.leg.Shard, c.t.gtrid)
		if dec != undecided || !sleep.For(ctx, 100*time.Millisecond) {
			return dec, err
		}
	}
}

// finish commits what is prepared. What cannot be reached is left to Run: the
// transaction is committed all the same.
func (c *commit) finish() {
	faults := c.d.opts.Faults
	lost := faults.At("txn.committed") != nil
	for i, p := range c.branches {
		if p.broken = p.broken || lost; !lost {
			_ = p.send(finishTime, p.leg.last([]string{"XA COMMIT " + p.leg.Branch})...)
		}
		if i == 0 {
			lost = lost || faults.At("txn.half-finished") != nil
		}
	}
	if restore := c.coordinator.leg.last(nil); len(restore) > 0 {
		_ = c.coordinator.send(finishTime, restore...)
	}
	left := false
	for _, p := range c.branches {
		err := p.receive(1)
		if err == nil {
			p.close(len(p.leg.last(nil)))
			continue
		}
		left = true // 1397, too: a branch that another connection still has is not known to this one
		p.broken = true
		c.d.opts.Log.Warn("a transaction is committed, but one of its branches could not be finished yet",
			"gtrid", c.t.gtrid, "shard", p.leg.Shard, "error", err)
	}
	c.coordinator.close(len(c.coordinator.leg.last(nil)))
	c.giveBack()
	if left {
		c.d.leave(c.t.gtrid, committed, c.shards())
	}
	_ = faults.At("txn.finished")
}

// abort rolls everything back. The COMMIT was never sent, or is known to have failed.
func (c *commit) abort(shard string, err error) error {
	for _, p := range c.all() {
		if !p.done {
			// A branch may be active, prepared or rolled back by its server: XA END may fail.
			_ = p.send(finishTime, p.leg.last(p.leg.undo())...)
		}
	}
	left := false
	for _, p := range c.all() {
		if p.done {
			continue
		}
		for range p.leg.undo()[1:] {
			_ = p.receive(1)
		}
		p.close(1 + len(p.leg.last(nil)))
		left = left || p.doubtful || p.broken && p.leg.Branch != "" && p.leg.Write
	}
	c.giveBack()
	if left {
		c.d.leave(c.t.gtrid, aborted, c.shards())
	}
	if LockFailed(err) {
		return Deadlock()
	}
	return &RolledBack{Shard: shard, Err: err}
}

// giveBack ends the commit for the connections.
func (c *commit) giveBack() {
	for _, p := range c.all() {
		clean := !p.broken && p.leg.Conn.SetDeadline(time.Time{}) == nil
		c.ended = append(c.ended, Ended{Conn: p.leg.Conn, Shard: p.leg.Shard, Clean: clean})
	}
}

// LockFailed tells whether an error is that of a lock that was not to be had. 1613 and 1614
// are XA's words for 1205 and 1213.
func LockFailed(err error) bool { return wire.IsCode(err, 1205, 1213, 1613, 1614) }

// Deadlock is what a client is told of a lock that was not to be had in a transaction over
// several shards: all of it is rolled back, which is what 1213 says and 1205 does not.
func Deadlock() *wire.Error {
	return &wire.Error{Code: 1213, SQLState: "40001",
		Message: "Deadlock found when trying to get lock; try restarting transaction (sluice: the transaction was rolled back on all its shards)"}
}

// send sends statements in one write; receive reads as many answers, hear takes the time for
// it that the server needs.
func (p *party) send(limit time.Duration, statements ...string) error {
	if p.broken {
		return errBroken
	}
	p.until = time.Now().Add(limit)
	err := p.leg.Conn.SetDeadline(p.until)
	if err == nil {
		err = sendAll(p.leg.Conn, statements...)
	}
	p.broken = err != nil
	return err
}

var errBroken = errors.New("the connection is lost")

func (p *party) receive(n int) error {
	if p.broken {
		return errBroken
	}
	if soon := time.Now().Add(100 * time.Millisecond); soon.After(p.until) {
		// Others were heard meanwhile: a deadline that has passed would hide an answer that is here.
		if err := p.leg.Conn.SetDeadline(soon); err != nil {
			return p.noted(err)
		}
	}
	return p.noted(receiveAll(p.leg.Conn, n))
}

func (p *party) hear(n int, until time.Time) error {
	if p.broken {
		return errBroken
	}
	return p.noted(hear(p.leg.Conn, n, until))
}

// noted gives an error on, and notes a broken connection.
func (p *party) noted(err error) error {
	p.broken = err != nil && !inOrder(err)
	return err
}

// close reads the last answers of a party. One that is an error leaves the connection in
// a state that nobody knows.
func (p *party) close(n int) {
	p.broken = p.receive(n) != nil || p.broken
	p.done = true
}
