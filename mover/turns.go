package mover

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"
)

// turns lets a migration's work and the applications on its servers take turns. What the work
// takes from them is measured, and not guessed: how many statements the servers get a second
// while it works, and while it rests. It rests for as long as the applications need to come to
// the part of their pace that is theirs. Where nothing else runs, or what runs is not slower
// for the work, it hardly rests.
type turns struct {
	on    []*session
	asked *atomic.Int64 // statements of its own, which do not count

	at            time.Time // of the last look
	seen          int64     // statements then
	working       bool      // since
	busy, resting stretch
}

// stretch counts statements over some time; old ones count less.
type stretch struct{ statements, seconds float64 }

const (
	theirs   = 0.85                   // of their pace is what applications keep, at least
	mostRest = 6                      // times the work, at most
	longRest = 5 * time.Second        // as well
	memory   = 8.0                    // seconds after which what was seen counts for a third
	enough   = 0.15                   // seconds of each, before anything is concluded
	few      = 20.0                   // statements a second that are none
	workTime = 100 * time.Millisecond // at least, before it is worth a look
	restTime = 25 * time.Millisecond  // as well
)

func newTurns(asked *atomic.Int64, on ...*session) *turns { return &turns{on: on, asked: asked} }

// works begins a piece of work.
func (t *turns) works() error { return t.look(true) }

// rests ends a piece of work, and says how long to rest.
func (t *turns) rests() (time.Duration, error) {
	began := t.at
	if err := t.look(false); err != nil {
		return 0, err
	}
	return t.due(t.at.Sub(began)), nil
}

// pause rests when there has been enough work since the last time. meanwhile, if there is
// something, is waiting rather than work, and is done first.
func (t *turns) pause(ctx context.Context, meanwhile func() error) error {
	if meanwhile == nil && time.Since(t.at) < workTime {
		return ctx.Err()
	}
	rest, err := t.rests()
	if err != nil {
		return err
	}
	until := time.Now().Add(rest)
	if meanwhile != nil {
		if err := meanwhile(); err != nil {
			return err
		}
	}
	if err := nap(ctx, time.Until(until)); err != nil {
		return err
	}
	return t.works()
}

// due is the rest that some work asks for.
func (t *turns) due(work time.Duration) time.Duration {
	rest := max(restTime, work/20)
	switch {
	case t.busy.seconds < enough || t.resting.seconds < enough:
		rest = max(rest, work) // until more is known
	case t.resting.rate() > few:
		// The pace over work and rest is p·busy + (1-p)·resting.
		if lost := 1 - t.busy.rate()/t.resting.rate(); lost > 1-theirs {
			part := (1 - theirs) / lost
			rest = max(rest, time.Duration(float64(work)*min((1-part)/part, mostRest)))
		}
	}
	return min(rest, longRest)
}

// why says what it rests for, "" if it hardly does.
func (t *turns) why() string {
	if t.resting.seconds < enough || t.resting.rate() <= few || t.busy.rate() >= theirs*t.resting.rate() {
		return ""
	}
	return fmt.Sprintf("the applications run %.0f statements/s while it works, %.0f while it rests", t.busy.rate(), t.resting.rate())
}

func (s *stretch) rate() float64 { return s.statements / max(s.seconds, 1e-9) }

// age takes part of the weight of what was seen.
func (s *stretch) age(d time.Duration) {
	part := math.Exp(-d.Seconds() / memory)
	s.statements *= part
	s.seconds *= part
}

// look counts what has run since the last look.
func (t *turns) look(working bool) error {
	total := int64(0)
	for _, s := range t.on {
		rows, err := s.query("SHOW GLOBAL STATUS LIKE 'Questions'")
		if err != nil {
			return err
		}
		if len(rows) != 1 || len(rows[0]) != 2 {
			return fmt.Errorf("shard %s: SHOW GLOBAL STATUS gave %q", s.server, rows)
		}
		n, err := strconv.ParseInt(string(rows[0][1]), 10, 64)
		if err != nil {
			return fmt.Errorf("shard %s: %w", s.server, err)
		}
		total += n
	}
	total -= t.asked.Load()
	now := time.Now()
	if !t.at.IsZero() {
		d, kind := now.Sub(t.at), &t.resting
		if t.working {
			kind = &t.busy
		}
		t.busy.age(d)
		t.resting.age(d)
		kind.statements += float64(max(total-t.seen, 0))
		kind.seconds += d.Seconds()
	}
	t.at, t.seen, t.working = now, total, working
	return nil
}
