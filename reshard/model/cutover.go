package model

import "fmt"

// Safeguard is a part of the protocol that can be left out.
type Safeguard uint32

const (
	FenceAtAll       Safeguard = 1 << iota // the servers refuse writes to M
	FenceWaits                             // FENCE waits for transactions that hold its row shared
	FenceTokens                            // changes of fence rows compare the attempt
	PreparedAwaited                        // the marker waits for prepared branches
	MarkerApplied                          // OWN waits until the marker has been applied
	MarkerAfterFence                       // the marker is a watermark after the check for branches, not FENCE's own event
	AckWait                                // the switch waits for every proxy's acknowledgement or the end of its lease
	LeaseLook                              // a proxy whose lease may be over refuses M
	GuardedSwitch                          // the commit point compares the attempt
	GuardedAbort                           // UNFENCE only after the map's change that ended the attempt
	ProgressToken                          // an apply takes the progress row with its mover's token
	ApplyAtFenced                          // an apply takes the fence row of the shard that it writes to, which must be fenced
	TurnTakesToken                         // before the reverse direction is frozen, the forward one's progress row is taken away
	SnapshotRule                           // no transaction touches M where it was connected before that shard owned M
	LeaseBeforeMap                         // a proxy that joins takes its lease, then reads the map
	NoteBeforeLook                         // a session notes what it touches, and has its connection, before it looks at the map
	KillIdle                               // connections to the source from before the switch are killed before its triggers go, or it may own M again
	Tombstone                              // the source's fence row stays
	DisownFirst                            // an abort closes the target before it opens the source
	lastSafeguard
)

// Cutover is an instance: which steps there are, and how often. One row in M, two proxies
// with a client each, a source and a target, two movers of which the second takes over
// while the first goes on as if it did not know.
type Cutover struct {
	Off      Safeguard
	Proxies  int
	Writes   uint8 // acknowledged writes in all
	Attempts uint8
	XA       bool // transactions may be prepared
	Reads    bool
	Snaps    bool  // transactions with a snapshot of the shard's other rows
	Leases   uint8 // how many leases run out
	Rejoins  bool
	TakeOver bool
	Revert   bool
	Complete bool // triggers go, the source's rows are deleted
}

const (
	source, target = 0, 1
	nobody         = 15 // a token that no mover has
)

type slotMap struct {
	owner   uint8
	frozen  bool
	attempt uint8
}

type fenceRow struct {
	open  bool
	token uint8
}

type progressRow struct {
	token, position uint8
}

type operation uint8

const (
	idle       operation = iota
	looked               // has looked at the map, and is neither noted nor has a connection (without NoteBeforeLook)
	lookedRead           // the same of a read
	bound                // noted, and on its way to the shard
	executed             // the fence was open, its row is held shared
	prepared             // XA PREPARE: the fence row's lock is gone
	reading              // noted, and on its way to the shard
)

type proxy struct {
	view     slotMap
	leased   bool // its entry is in etcd
	lost     bool // it knows that its lease may be over, or has not read the map since
	ack      uint8
	op       operation
	shard    uint8
	need     uint8 // writes acknowledged when the read was issued
	snap     bool  // a transaction is connected to
	snapAt   uint8 // this shard
	snapOwn  bool  // which owned M then
	snapNeed uint8
	snapRow  uint8
}

type phase uint8

const (
	starting phase = iota // took the claim over; nothing read yet
	tokened               // has the progress rows
	ready                 // applies
	frozen                // an attempt begins
	fenced
	acked
	marked
	drained
	owned
	unfencing // the attempt is over in the map
	disowning
	switched
	turning // the stream runs back
	killed  // old connections are gone
	bare    // the triggers are gone
	finished
	zombie // has seen that another was here
)

type mover struct {
	at       phase
	from     uint8
	attempt  uint8
	mark     uint8
	have     bool // a row read and not yet applied,
	to       uint8
	row      uint8
	position uint8
}

type cutState struct {
	m         slotMap
	px        [2]proxy
	mv        [2]mover
	row       [2]uint8 // the writes that each shard's row shows
	writes    uint8    // acknowledged so far
	events    [2]uint8 // in each shard's stream
	fence     [2]fenceRow
	bare      bool // the source has no triggers any more
	done      bool
	progress  [2]progressRow
	leases    uint8 // that have run out
	tookOver  bool
	staleRead bool
	elsewhere bool // a write was committed at a shard that does not own M
	shrank    bool // a token or an attempt
}

// Search explores the instance, up to limit states.
func (c Cutover) Search(limit int) Result {
	return search(system[cutState]{first: c.first(), next: c.next, fault: c.fault}, limit)
}

func (c Cutover) has(s Safeguard) bool { return c.Off&s == 0 }

func (c Cutover) first() (s cutState) {
	s.fence = [2]fenceRow{source: {open: true}, target: {}}
	s.mv[0] = mover{at: ready}
	s.progress[target].token, s.progress[source].token = 1, 1
	s.mv[1] = mover{at: zombie}
	for i := range c.Proxies {
		s.px[i] = proxy{leased: true}
	}
	return s
}

func all(writes uint8) uint8 { return 1<<writes - 1 }

func (c Cutover) fault(s cutState) string {
	switch {
	case s.staleRead:
		return "stale read"
	case all(s.writes)&^s.row[s.m.owner] != 0:
		return fmt.Sprintf("lost write: %d were acknowledged, the owner has %02b", s.writes, s.row[s.m.owner])
	case s.elsewhere:
		return "a write was committed at a shard that does not own M"
	case s.shrank:
		return "a token shrank"
	}
	return ""
}

func (c Cutover) next(s cutState, step func(string, cutState)) {
	checked := func(name string, to cutState) {
		for i := range s.fence {
			to.shrank = to.shrank || to.fence[i].token < s.fence[i].token && c.has(FenceTokens)
		}
		to.shrank = to.shrank || to.m.attempt < s.m.attempt
		step(name, to)
	}
	for i := range c.Proxies {
		c.proxy(s, i, checked)
	}
	for i := range s.mv {
		c.mover(s, i, checked)
	}
	if c.TakeOver && !s.tookOver && !s.done {
		s.tookOver = true
		s.mv[1] = mover{at: starting}
		checked("mover B takes the claim", s)
	}
}

// proxy gives the steps of one proxy and its client.
func (c Cutover) proxy(s cutState, i int, step func(string, cutState)) {
	do := func(name string, f func(p *proxy, s *cutState)) {
		to := s
		f(&to.px[i], &to)
		step(fmt.Sprintf("proxy %c: %s", 'a'+i, name), to)
	}
	p := s.px[i]

	// etcd
	if p.leased && !p.lost && p.view != s.m {
		do("reads the map", func(p *proxy, s *cutState) { p.view = s.m })
	}
	if p.leased && !p.lost && p.view.frozen && p.ack != p.view.attempt && (p.op <= lookedRead) {
		do(fmt.Sprintf("acknowledges attempt %d", p.view.attempt), func(p *proxy, _ *cutState) { p.ack = p.view.attempt })
	}
	if p.leased && !p.lost && s.leases < c.Leases {
		do("its lease runs out", func(p *proxy, s *cutState) { p.leased, p.lost, p.ack = false, true, 0; s.leases++ })
	}
	if c.Rejoins && p.lost {
		switch {
		case c.has(LeaseBeforeMap) && !p.leased:
			do("takes a new lease", func(p *proxy, _ *cutState) { p.leased = true })
		case c.has(LeaseBeforeMap):
			do("reads the map and serves M again", func(p *proxy, s *cutState) { p.view, p.lost = s.m, false })
		default:
			if p.view != s.m {
				do("reads the map", func(p *proxy, s *cutState) { p.view = s.m })
			}
			do("takes a new lease and serves M again", func(p *proxy, _ *cutState) { p.leased, p.lost = true, false })
		}
	}

	// the client
	serves := !p.view.frozen && (!p.lost || !c.has(LeaseLook) || !c.has(Tombstone) && s.done)
	if p.op == idle && serves {
		if s.writes < c.Writes {
			do(fmt.Sprintf("a write is bound to shard %d", p.view.owner), func(p *proxy, _ *cutState) {
				p.op, p.shard = bound, p.view.owner
				if !c.has(NoteBeforeLook) {
					p.op = looked
				}
			})
		}
		if c.Reads && s.writes > 0 {
			do(fmt.Sprintf("a read is bound to shard %d", p.view.owner), func(p *proxy, s *cutState) {
				p.op, p.shard, p.need = reading, p.view.owner, s.writes
				if !c.has(NoteBeforeLook) {
					p.op = lookedRead
				}
			})
		}
		if p.snap && p.view.owner == p.snapAt {
			do("the transaction reads M", func(p *proxy, s *cutState) {
				if p.snapOwn || !c.has(SnapshotRule) {
					s.staleRead = all(p.snapNeed)&^p.snapRow != 0
				}
				p.snap, p.snapAt, p.snapOwn, p.snapNeed, p.snapRow = false, 0, false, 0, 0
			})
		}
	}
	if c.Snaps && i == 0 && !p.snap && p.op == idle {
		for at := uint8(source); at <= target; at++ {
			do(fmt.Sprintf("a transaction takes a snapshot of shard %d", at), func(p *proxy, s *cutState) {
				p.snap, p.snapAt, p.snapOwn, p.snapNeed, p.snapRow = true, at, p.view.owner == at, s.writes, s.row[at]
			})
		}
	}
	switch p.op {
	case looked:
		do("notes the statement", func(p *proxy, _ *cutState) { p.op = bound })
	case lookedRead:
		do("notes the statement", func(p *proxy, _ *cutState) { p.op = reading })
	case bound:
		locked := false // the row, by another transaction
		for j := range c.Proxies {
			o := s.px[j]
			locked = locked || j != i && o.shard == p.shard && (o.op == executed || o.op == prepared)
		}
		open := s.fence[p.shard].open || p.shard == source && s.bare
		switch {
		case !open:
			do("the fence refuses the write", func(p *proxy, _ *cutState) { p.op, p.shard = idle, 0 })
		case !locked:
			do(fmt.Sprintf("the write is executed on shard %d", p.shard), func(p *proxy, _ *cutState) { p.op = executed })
		}
	case executed:
		do("is committed and acknowledged", commit)
		do("is rolled back", func(p *proxy, _ *cutState) { p.op, p.shard = idle, 0 })
		if c.XA {
			do("XA PREPARE", func(p *proxy, _ *cutState) { p.op = prepared })
		}
	case prepared:
		do("XA COMMIT, acknowledged", commit)
	case reading:
		do(fmt.Sprintf("the read is answered by shard %d", p.shard), func(p *proxy, s *cutState) {
			s.staleRead = all(p.need)&^s.row[p.shard] != 0
			p.op, p.shard, p.need = idle, 0, 0
		})
	}
}

func commit(p *proxy, s *cutState) {
	s.elsewhere = p.shard != s.m.owner
	s.row[p.shard] |= 1 << s.writes
	s.writes++
	s.events[p.shard]++
	p.op, p.shard = idle, 0
}
