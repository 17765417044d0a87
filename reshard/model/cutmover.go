package model

import "fmt"

// mover gives the steps of one mover. The second has the higher token.
func (c Cutover) mover(s cutState, i int, step func(string, cutState)) {
	m := s.mv[i]
	from, to, token := m.from, 1-m.from, uint8(i+1)
	do := func(name string, f func(m *mover, s *cutState)) {
		next := s
		f(&next.mv[i], &next)
		step(fmt.Sprintf("mover %c: %s", 'A'+i, name), next)
	}
	gone := func(why string) { do(why+": stops", func(m *mover, _ *cutState) { *m = mover{at: zombie} }) }

	if m.have { // a goroutine of its own: it may come at any time
		do(fmt.Sprintf("applies the row at shard %d", m.to), func(m *mover, s *cutState) {
			to := m.to
			mine := s.progress[to].token == token || !c.has(ProgressToken)
			if mine && (!s.fence[to].open || !c.has(ApplyAtFenced)) && !c.held(s, to, executed, prepared) {
				s.row[to], s.progress[to].position = m.row, m.position
			}
			m.have, m.to, m.row, m.position = false, 0, 0, 0
		})
	}
	switch m.at {
	case ready, frozen, fenced, acked, marked, turning:
		if !m.have { // chunks and repairs read rows that no event names
			do(fmt.Sprintf("reads the row at shard %d", from), func(m *mover, s *cutState) { m.have, m.to, m.row, m.position = true, to, s.row[from], s.events[from] })
		}
	}

	holds := s.m.frozen && s.m.attempt == m.attempt && s.m.owner == from
	switch m.at {
	case starting:
		do("puts its token into the progress rows", func(m *mover, s *cutState) {
			m.at = tokened
			for at := range s.progress {
				if s.progress[at].token < token {
					s.progress[at].token = token
				}
			}
		})
	case tokened:
		do("reads the map", func(m *mover, s *cutState) {
			m.from, m.attempt = s.m.owner, s.m.attempt
			switch {
			case s.m.frozen:
				m.at = frozen
			case s.m.owner == source:
				m.at = unfencing // of an attempt that another may have left half aborted
			default:
				m.at = switched
			}
		})
	case ready, turning:
		if m.at == turning && c.has(TurnTakesToken) && s.progress[from].token != nobody {
			do("takes the forward progress row away", func(_ *mover, s *cutState) { s.progress[from].token = nobody })
		} else if !s.m.frozen && s.m.owner == from && s.m.attempt < c.Attempts {
			do(fmt.Sprintf("map: frozen, attempt %d", s.m.attempt+1), func(m *mover, s *cutState) {
				s.m.frozen, s.m.attempt = true, s.m.attempt+1
				m.at, m.attempt = frozen, s.m.attempt
			})
		}
	case frozen:
		if c.has(FenceWaits) && c.held(&s, from, executed) {
			break // until they end, or the attempt's budget
		}
		f := &s.fence[from]
		switch {
		case !c.has(FenceAtAll):
			do("FENCE is left out", func(m *mover, s *cutState) { m.at = fenced })
		case f.token < m.attempt || !c.has(FenceTokens):
			do(fmt.Sprintf("FENCE(%d, attempt %d)", from, m.attempt), func(m *mover, s *cutState) {
				s.fence[from] = fenceRow{token: m.attempt}
				m.at, m.mark = fenced, s.events[from]
			})
		case f.token == m.attempt && !f.open:
			do("FENCE was done", func(m *mover, s *cutState) { m.at, m.mark = fenced, s.events[from] })
		default:
			gone("FENCE meets a higher token")
		}
	case fenced:
		if c.acked(s, m.attempt) {
			do("all have acknowledged, or their leases are over", func(m *mover, _ *cutState) { m.at = acked })
		}
	case acked:
		if !c.held(&s, from, prepared) || !c.has(PreparedAwaited) {
			do("no branch is prepared; the marker is written", func(m *mover, s *cutState) {
				if m.at = marked; c.has(MarkerAfterFence) {
					m.mark = s.events[from]
				}
			})
		}
	case marked:
		if s.progress[to].position >= m.mark || !c.has(MarkerApplied) {
			do("the marker is applied", func(m *mover, _ *cutState) { m.at, m.mark = drained, 0 })
		}
	case drained:
		f := &s.fence[to]
		switch {
		case f.token < m.attempt || !c.has(FenceTokens):
			do(fmt.Sprintf("OWN(%d, attempt %d)", to, m.attempt), func(m *mover, s *cutState) { s.fence[to], m.at = fenceRow{true, m.attempt}, owned })
		case f.token == m.attempt && f.open:
			do("OWN was done", func(m *mover, _ *cutState) { m.at = owned })
		default:
			gone("OWN meets a higher token")
		}
	case owned:
		switch {
		case holds, !c.has(GuardedSwitch) && s.m.owner == from:
			do(fmt.Sprintf("map: shard %d owns M (commit point)", to), func(m *mover, s *cutState) {
				s.m.owner, s.m.frozen = to, false
				*m = mover{at: switched, from: to, have: m.have, to: m.to, row: m.row, position: m.position}
				if to == source {
					m.at = finished
				}
			})
		default:
			gone("the map says another attempt")
		}
	case unfencing: // first: the owner must not wait for a target that is down
		do(fmt.Sprintf("UNFENCE(%d, attempt %d)", from, m.attempt), func(m *mover, s *cutState) {
			if f := &s.fence[from]; f.token <= m.attempt || !c.has(FenceTokens) {
				*f = fenceRow{true, m.attempt}
			}
			m.at = disowning
		})
	case disowning:
		do(fmt.Sprintf("DISOWN(%d, attempt %d)", to, m.attempt), func(m *mover, s *cutState) {
			if f := &s.fence[to]; f.token <= m.attempt || !c.has(FenceTokens) {
				*f = fenceRow{false, m.attempt}
			}
			m.at, m.attempt = ready, 0
			if from == target {
				m.at = turning
			}
		})
	case switched:
		old := func(m *mover, s *cutState, at phase) {
			m.at = at
			for j := range s.px {
				if p := &s.px[j]; c.has(KillIdle) && p.shard == source && (p.op == bound || p.op == reading) {
					p.op, p.shard, p.need = idle, 0, 0
				}
			}
		}
		if c.Revert {
			do("old connections to the source are killed; the stream turns", func(m *mover, s *cutState) { old(m, s, turning) })
		}
		if c.Complete && c.seen(s) {
			do("all proxies have seen the switch; old connections to the source are killed", func(m *mover, s *cutState) { old(m, s, killed) })
		}
	case killed:
		do("the source's triggers go", func(m *mover, s *cutState) { m.at, s.bare = bare, true })
	case bare:
		do("the source's rows are deleted, the move leaves the map", func(m *mover, s *cutState) {
			s.row[source], s.done = 0, true
			*m = mover{at: finished}
		})
	}

	if m.at >= frozen && m.at <= drained && (holds || !c.has(GuardedAbort)) {
		do(fmt.Sprintf("map: attempt %d is aborted", m.attempt), func(m *mover, s *cutState) {
			if holds {
				s.m.frozen = false
			}
			m.at, m.mark = unfencing, 0
		})
	}
}

// held says whether a transaction in one of these states has written M at the shard.
func (c Cutover) held(s *cutState, at uint8, ops ...operation) bool {
	for _, p := range s.px {
		for _, op := range ops {
			if p.op == op && p.shard == at {
				return true
			}
		}
	}
	return false
}

func (c Cutover) acked(s cutState, attempt uint8) bool {
	for _, p := range s.px[:c.Proxies] {
		if c.has(AckWait) && p.leased && p.ack != attempt {
			return false
		}
	}
	return true
}

// seen says that every proxy has the map of the switch and runs nothing older, or no lease.
func (c Cutover) seen(s cutState) bool {
	for _, p := range s.px[:c.Proxies] {
		if p.leased && (p.lost || p.view != s.m || p.shard != s.m.owner && p.op > lookedRead) {
			return false
		}
	}
	return true
}
