package model

import "fmt"

// Rule is a part of the way rows are copied that can be left out.
type Rule uint16

const (
	Watermark        Rule = 1 << iota // a batch is read after a watermark written behind its events was acknowledged
	StartWatermark                    // and the first chunk after one written behind the stream's start
	OneSnapshot                       // a batch is read in one snapshot
	LockedBranches                    // keys of XA branches are read locked
	DropTouched                       // a chunk does not write keys that a batch read since its own read
	DropBefore                        // not: writes them, and reads them again afterwards
	DeleteHolders                     // rows that hold a unique value of an incoming row are deleted
	PositionWithRows                  // the position is stored in the transaction of the rows
	KeepAbove                         // events of keys that are not copied yet are not discarded
)

const (
	keys     = 3
	maxTxs   = 4
	chunks   = 2 // key 0 and 1, key 2
	absent   = 0
	unstored = -1
)

// Copying is an instance of copy, stream and apply: three rows of M, each absent or with
// a value of a unique column; transactions that change any of them at once; the stream
// shows a transaction before readers do.
type Copying struct {
	Off     Rule
	Txs     int
	Values  uint8
	XA      bool // one transaction may be a branch: visible out of order
	Crashes uint8
	First   [keys]uint8
}

type image [keys]uint8

type change struct {
	keys   uint8 // that it touches
	branch bool
	to     image
}

type copyState struct {
	log     [maxTxs]change
	n       uint8 // transactions in the stream
	visible uint8 // a bit each
	branch  bool  // there was one

	rows     image // at the target
	position int8  // stored there
	cursor   uint8 // chunks stored there
	warm     bool  // the watermark behind the start was acknowledged

	// in the mover's memory
	until   int8  // the batch's events end here; 0: no batch
	batch   uint8 // keys
	got     uint8 // of them, read
	read    image
	chunk   bool
	old     image // as the chunk read it
	drop    uint8
	again   uint8 // keys to be read again, in memory only
	crashes uint8
	stuck   bool // two incoming rows, or an incoming and a stored one, hold one value
}

func (c Copying) has(r Rule) bool { return c.Off&r == 0 }

// Search explores the instance, up to limit states.
func (c Copying) Search(limit int) Result {
	return search(system[copyState]{first: copyState{position: unstored}, next: c.next, fault: c.fault}, limit)
}

// at gives the source's rows with the transactions of a set. What is visible out of order
// touches other rows and values: it holds its locks.
func (c Copying) at(s *copyState, set uint8) image {
	rows := image(c.First)
	for i := range s.n {
		if set>>i&1 == 1 {
			for k := range rows {
				if s.log[i].keys>>k&1 == 1 {
					rows[k] = s.log[i].to[k]
				}
			}
		}
	}
	return rows
}

var ranges = [chunks]uint8{0b011, 0b100}

// fault is the lemma: whatever the target's rows differ in is still to come, in the stream
// behind the stored position or in a chunk behind the stored cursor. It holds at every
// moment, so the mover may crash at every moment, and when nothing is to come the rows are
// equal.
func (c Copying) fault(s copyState) string {
	if s.stuck {
		return "duplicate value"
	}
	if s.position == unstored {
		return ""
	}
	var coming uint8
	for i := int8(0); i < int8(s.n); i++ {
		if i >= s.position {
			coming |= s.log[i].keys
		}
	}
	for i := s.cursor; i < chunks; i++ {
		coming |= ranges[i]
	}
	rows := c.at(&s, 1<<s.n-1)
	for k := range rows {
		if rows[k] != s.rows[k] && coming>>k&1 == 0 {
			return fmt.Sprintf("row %d is %d at the source and %d at the target, for good", k, rows[k], s.rows[k])
		}
	}
	return ""
}

func (c Copying) next(s copyState, step func(string, copyState)) {
	do := func(name string, f func(s *copyState)) {
		to := s
		f(&to)
		step(name, to)
	}
	c.source(s, do)

	seen := func(until int8) bool { // every transaction up to there, but for branches
		for i := int8(0); i < until; i++ {
			if s.visible>>i&1 == 0 && !s.log[i].branch {
				return false
			}
		}
		return true
	}
	if s.position == unstored {
		if !s.branch {
			do("the stream starts", func(s *copyState) { s.position = int8(s.n) })
		}
		return
	}
	if !s.warm && (seen(s.position) || !c.has(StartWatermark)) {
		do("the watermark behind the start is acknowledged", func(s *copyState) { s.warm = true })
	}

	// batches
	for until := s.position + 1; s.until == 0 && until <= int8(s.n); until++ {
		do(fmt.Sprintf("a batch has the events up to %d", until), func(s *copyState) {
			s.until = until
			for i := s.position; i < until; i++ {
				s.batch |= s.log[i].keys
			}
			if !c.has(KeepAbove) {
				for i := s.cursor; i < chunks; i++ {
					s.batch &^= ranges[i]
				}
			}
		})
	}
	readable := seen(s.until) || !c.has(Watermark)
	for i := int8(0); i < s.until; i++ {
		readable = readable && (!s.log[i].branch || s.visible>>i&1 == 1 || !c.has(LockedBranches))
	}
	if s.until > 0 && readable && s.got != s.batch {
		now := c.at(&s, s.visible)
		take := func(mask uint8) {
			do(fmt.Sprintf("the batch reads keys %03b", mask), func(s *copyState) {
				s.got |= mask
				s.drop |= mask
				for k := range now {
					if mask>>k&1 == 1 {
						s.read[k] = now[k]
					}
				}
				if !s.chunk {
					s.drop = 0
				}
			})
		}
		if c.has(OneSnapshot) {
			take(s.batch)
		} else {
			for k := range keys {
				if mask := uint8(1) << k; s.batch&^s.got&mask != 0 {
					take(mask)
				}
			}
		}
	}
	if s.until > 0 && s.got == s.batch {
		if !c.has(PositionWithRows) && s.position != s.until {
			do("the position is stored", func(s *copyState) { s.position = s.until })
		} else {
			do("the batch is applied", func(s *copyState) {
				c.apply(s, s.batch, s.read)
				s.position, s.until, s.batch, s.got, s.read = s.until, 0, 0, 0, image{}
			})
		}
	}

	// chunks
	if s.warm && !s.chunk && s.cursor < chunks && s.again == 0 {
		do(fmt.Sprintf("chunk %d is read", s.cursor), func(s *copyState) {
			s.chunk = true
			for k, v := range c.at(s, s.visible) {
				if ranges[s.cursor]>>k&1 == 1 {
					s.old[k] = v
				}
			}
		})
	}
	if s.chunk {
		do(fmt.Sprintf("chunk %d is written", s.cursor), func(s *copyState) {
			write := ranges[s.cursor]
			switch {
			case !c.has(DropBefore):
				s.again = s.drop & write
			case c.has(DropTouched):
				write &^= s.drop
			}
			c.apply(s, write, s.old)
			s.cursor++
			s.chunk, s.old, s.drop = false, image{}, 0
		})
	}
	if s.again != 0 && s.until == 0 {
		do("what was touched is read again and applied", func(s *copyState) {
			c.apply(s, s.again, c.at(s, s.visible))
			s.again = 0
		})
	}

	if s.crashes < c.Crashes {
		do("the mover dies and another goes on", func(s *copyState) {
			*s = copyState{log: s.log, n: s.n, visible: s.visible, branch: s.branch, rows: s.rows, position: s.position, cursor: s.cursor, warm: s.warm, crashes: s.crashes + 1}
		})
	}
}

// apply is the transaction at the target.
func (c Copying) apply(s *copyState, mask uint8, in image) {
	for k := range s.rows {
		if mask>>k&1 == 1 {
			s.rows[k] = absent
		}
	}
	for k, v := range in {
		if mask>>k&1 == 0 || v == absent {
			continue
		}
		for other := range s.rows {
			if other != k && mask>>other&1 == 1 && in[other] == v {
				s.stuck = true
			}
			if s.rows[other] == v && other != k {
				if !c.has(DeleteHolders) {
					s.stuck = true
				}
				s.rows[other] = absent
			}
		}
		s.rows[k] = v
	}
}

// source gives the application's transactions: logged first, visible later.
func (c Copying) source(s copyState, do func(string, func(*copyState))) {
	for i := range s.n {
		if s.visible>>i&1 == 1 {
			continue
		}
		do(fmt.Sprintf("transaction %d becomes visible", i+1), func(s *copyState) { s.visible |= 1 << i })
		if !s.log[i].branch {
			break // in the order of the stream, but for branches
		}
	}
	if int(s.n) == c.Txs {
		return
	}
	now := c.at(&s, 1<<s.n-1)
	var busy uint8 // rows and values that invisible transactions hold locks on
	var held [8]bool
	before := image(c.First)
	for i := range s.n {
		for k := range keys {
			if s.log[i].keys>>k&1 == 1 {
				if s.visible>>i&1 == 0 {
					busy |= 1 << k
					held[before[k]], held[s.log[i].to[k]] = true, true
				}
				before[k] = s.log[i].to[k]
			}
		}
	}
	var to image
	var each func(k int)
	each = func(k int) {
		if k == keys {
			var touched uint8
			for k := range keys {
				if to[k] == now[k] {
					continue
				}
				touched |= 1 << k
				if busy>>k&1 == 1 || to[k] != absent && held[to[k]] || now[k] != absent && held[now[k]] {
					return
				}
			}
			if touched == 0 {
				return
			}
			ch := change{keys: touched, to: to}
			do(fmt.Sprintf("transaction %d is in the stream: rows %v", s.n+1, to), func(s *copyState) { s.log[s.n] = ch; s.n++ })
			if c.XA && !s.branch && s.position != unstored {
				ch.branch = true
				do(fmt.Sprintf("branch %d is in the stream: rows %v", s.n+1, to), func(s *copyState) { s.log[s.n] = ch; s.n++; s.branch = true })
			}
			return
		}
	next:
		for v := uint8(absent); v <= c.Values; v++ {
			for j := range k {
				if v != absent && to[j] == v {
					continue next
				}
			}
			to[k] = v
			each(k + 1)
		}
		to[k] = absent
	}
	each(0)
}
