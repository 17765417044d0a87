// Package model searches every order in which the steps of a migration can happen, in
// small instances, for one that breaks a promise: an acknowledged write that is missing at
// the owner, a read that misses a write acknowledged before it was issued, two owners open
// for writes. It has the protocol of docs/adr/0002-resharding.md and nothing of the code:
// what it proves is the design. Each safeguard can be left out, and then the search must
// find the fault; a model that finds nothing has shown nothing.
package model

import (
	"fmt"
	"strings"
)

// Result is what a search found.
type Result struct {
	States int
	Fault  string   // "" when no state breaks a promise
	Trace  []string // the shortest way to it, a step a line
	Whole  bool     // every reachable state was seen
}

func (r Result) String() string {
	if r.Fault == "" {
		return fmt.Sprintf("no fault in %d states", r.States)
	}
	return fmt.Sprintf("%s, after %d steps (%d states):\n  %s", r.Fault, len(r.Trace), r.States, strings.Join(r.Trace, "\n  "))
}

// A system is a protocol as a graph: next calls step with each state that can follow s and
// a name for what happened; fault says what is wrong with a state, "" when nothing is.
type system[S comparable] struct {
	first S
	next  func(s S, step func(name string, to S))
	fault func(S) string
}

// search goes through the graph breadth first, up to limit states. The first fault that it
// finds has the shortest trace.
func search[S comparable](g system[S], limit int) Result {
	seen := map[S]uint32{g.first: 0}
	states, parent := []S{g.first}, []uint32{0}
	for at := 0; at < len(states); at++ {
		s := states[at]
		if f := g.fault(s); f != "" {
			return Result{States: len(states), Fault: f, Trace: trace(g, states, parent, uint32(at))}
		}
		if len(states) >= limit {
			return Result{States: len(states)}
		}
		g.next(s, func(_ string, to S) {
			if _, known := seen[to]; !known {
				seen[to] = uint32(len(states))
				states, parent = append(states, to), append(parent, uint32(at))
			}
		})
	}
	return Result{States: len(states), Whole: true}
}

// trace names the steps again, which are not stored: there are too many.
func trace[S comparable](g system[S], states []S, parent []uint32, at uint32) []string {
	var steps []string
	for ; at != 0; at = parent[at] {
		var name string
		g.next(states[parent[at]], func(n string, to S) {
			if name == "" && to == states[at] {
				name = n
			}
		})
		steps = append([]string{name}, steps...)
	}
	return steps
}
