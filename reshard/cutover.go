package reshard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/backend"
	"sluice/internal/sleep"
	"sluice/shard"
	"sluice/topo"
)

// A switch, and a switch back with the sides changed round, in the order of its steps. What
// is done until the commit point can be taken back, what comes after it can only go on:
//
//	freeze  the map says that statements on the slots wait
//	acks    every proxy has said that nothing runs there any more, or its lease is over
//	fence   FENCE(from): who comes all the same is refused from now on
//	xa      no branch is prepared that may have been let through before
//	marker  everything that was committed has reached the other side
//	pair    both sides keep a view of this moment, to be compared afterwards
//	turn    the stream's token is taken away, the way back begins at this position
//	own     OWN(to): writes are let through there
//	commit  the map says that the slots are to's, and nothing waits any more
//
// budget bounds the time from freeze to commit, in which statements wait: a client's own
// patience is a second. An attempt that does not make it is taken back and comes again after
// 1, 2, 4 … 60 seconds.
const (
	budget     = 700 * time.Millisecond
	abortTime  = 10 * time.Second // of one try to take it back; it is tried until it succeeds
	commitTime = 3 * time.Second
	ackEvery   = 3 * time.Millisecond
	maxBackoff = 60 * time.Second
)

// freeze is the phase of an attempt. Only the run that has begun it goes through with it;
// one that finds it begun takes it back, or goes on when it was committed.
func (r cutover) freeze(ctx context.Context) error {
	if r.begun != r.rec.Attempt {
		switch done, err := r.committed(ctx); {
		case err != nil:
			return err
		case done:
			return r.passed(ctx, "the attempt %d had been committed", r.rec.Attempt)
		}
		return r.giveUp(ctx, errors.New("its proxy had left it"))
	}
	r.begun = 0
	// A proxy that is told to end makes up its mind first: statements wait for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	began := time.Now()
	err := r.attempt(ctx)
	if err == nil {
		return r.passed(ctx, "switched in attempt %d, statements waited %d ms", r.rec.Attempt, r.paused.Milliseconds())
	}
	// Clients wait: what lets them go on comes before anything is written down. A commit whose
	// answer was lost forbids it.
	if r.letGo(ctx) == nil {
		return r.giveUp(ctx, err)
	}
	for { // the answer to the commit may have been lost
		done, lookErr := r.committed(ctx)
		switch {
		case lookErr == nil && done:
			r.paused = time.Since(began)
			return r.passed(ctx, "switched in attempt %d, though the answer was late: %v", r.rec.Attempt, err)
		case lookErr == nil:
			return r.giveUp(ctx, err)
		case !sleep.For(ctx, 100*time.Millisecond):
			return lookErr
		}
	}
}

// committed tells whether the map says that this attempt was committed.
func (r cutover) committed(ctx context.Context) (bool, error) {
	m, err := r.s.opts.Topology.Refresh(ctx)
	if err != nil {
		return false, err
	}
	v := m.Move(r.id)
	if v == nil {
		return false, fmt.Errorf("the map does not list the migration any more")
	}
	_, to := r.rec.sides()
	if owned := owns(&m.Spec, r.rec.Slots, to); !owned || v.Attempt != r.rec.Attempt || v.Frozen {
		return false, nil
	}
	r.version = m.Version
	return true, nil
}

// owns tells whether a shard owns all of some slots.
func owns(spec *shard.Spec, slots []shard.Span, name string) bool {
	owner := ownersOf(spec)
	for _, s := range slots {
		for slot := int(s.First); slot <= int(s.Last); slot++ {
			if owner[slot] != name {
				return false
			}
		}
	}
	return true
}

// passed stores that the attempt was committed.
func (r cutover) passed(ctx context.Context, format string, args ...any) error {
	next := Switched
	if r.rec.back() {
		next = Cancelling
	}
	if r.paused > 0 {
		r.s.numbers.pause(r.paused)
	}
	return r.enterWith(ctx, next, func(rec *Record) {
		if next == Cancelling {
			rec.Reverted, rec.From = true, Switched
		}
		rec.Version, rec.SwitchAt, rec.Tries, rec.Wish = r.version, time.Now().UTC(), 0, ""
		rec.PauseMS = float64(r.paused.Microseconds()) / 1000
	}, format, args...)
}

// giveUp stores that the attempt is to be taken back.
func (r cutover) giveUp(ctx context.Context, cause error) error {
	r.s.numbers.aborted.Add(1)
	next := Aborting
	if r.rec.back() {
		next = BackAborting
	}
	return r.enterWith(ctx, next, func(rec *Record) { rec.Error = cause.Error() }, "attempt %d is taken back: %v", r.rec.Attempt, cause)
}

// attempt goes through the steps up to the commit.
func (r cutover) attempt(ctx context.Context) error {
	from, to := r.rec.sides()
	// The connections come first: while statements wait for the switch, pools may be full.
	a, err := r.s.opts.Shards.Get(ctx, from, backend.Class{}, "", control)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := r.s.opts.Shards.Get(ctx, to, backend.Class{}, "", control)
	if err != nil {
		return err
	}
	defer b.Close()
	taker, err := r.s.server(to).Dial(ctx)
	if err != nil {
		return err
	}
	defer taker.Close()
	r.dropPair()
	pair, err := r.flow.Pair(ctx)
	if err != nil {
		return moverError(err)
	}
	defer func() {
		if r.pair != pair {
			pair.Close()
		}
	}()
	if !r.drainsWithin(ctx, 2*readyDrain) { // so that there is little left for the marker
		return errors.New("the changes are not caught up with")
	}
	if err := r.point("before-freeze"); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, budget, fmt.Errorf("it was not through within %v", budget))
	defer cancel()
	if err := r.freezeMap(ctx, true); err != nil {
		return err
	}
	if err := r.point("after-freeze"); err != nil {
		return err
	}
	att := r.rec.Attempt
	steps := []struct {
		name string
		do   func() error
	}{
		{"acks", func() error { return r.acknowledged(ctx, att) }},
		{"fence", func() error { return setFence(ctx, a, r.id, fenced, att, true) }},
		{"xa", func() error { return r.noBranches(ctx, a) }},
		{"marker", func() error { return r.barrier(ctx) }},
		{"pair", func() error {
			if err := pair.Freeze(ctx); err != nil {
				return moverError(err)
			}
			r.pair = pair
			return nil
		}},
		{"turn", func() error { return r.turn(ctx, taker) }},
		{"own", func() error { return setFence(ctx, b, r.id, open, att, true) }},
		{"commit", func() error { return r.commit(ctx) }},
	}
	took := make([]string, 0, len(steps))
	last := time.Now()
	for _, s := range steps {
		if err := r.point("before-" + s.name); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if s.name != "commit" && ctx.Err() != nil {
			return fmt.Errorf("%s: %w", s.name, context.Cause(ctx))
		}
		if r.s.opts.Faults.Off("reshard-" + s.name) {
			continue
		}
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := r.point("after-" + s.name); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		took = append(took, fmt.Sprintf("%s %d", s.name, time.Since(last).Milliseconds()))
		last = time.Now()
	}
	r.paused = time.Since(began)
	r.s.opts.Log.Info("migration: the steps of the switch took (ms) "+strings.Join(took, ", "), "migration", r.id)
	return nil
}

// freezeMap is the map's change by which statements on the slots wait, or wait no more.
// Frozen may only become what this attempt, or none, has made it.
func (r cutover) freezeMap(ctx context.Context, frozen bool) error {
	from, _ := r.rec.sides()
	att := r.rec.Attempt
	_, err := r.s.opts.Topology.Update(ctx, func(spec *shard.Spec) error {
		v := moveIn(spec, r.id)
		switch {
		case v == nil:
			return fmt.Errorf("%w: the map does not list the migration any more", errReplaced)
		case frozen && (v.Frozen || v.Attempt >= att), v.Attempt > att:
			return fmt.Errorf("%w: the map is in attempt %d", errReplaced, v.Attempt)
		case !owns(spec, r.rec.Slots, from):
			return fmt.Errorf("%w: shard %s does not own the slots", errReplaced, from)
		}
		v.Frozen, v.Attempt = frozen, att
		return nil
	})
	return err
}

func moveIn(spec *shard.Spec, id int64) *shard.Move {
	i := slices.IndexFunc(spec.Moves, func(v shard.Move) bool { return v.ID == id })
	if i < 0 {
		return nil
	}
	return &spec.Moves[i]
}

// commit is the commit point: one change of the map, which only this attempt can make. It
// is given time of its own: nothing is known until etcd has answered.
func (r cutover) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	from, to := r.rec.sides()
	m, err := r.s.opts.Topology.Update(ctx, func(spec *shard.Spec) error {
		v := moveIn(spec, r.id)
		if v == nil || !v.Frozen || v.Attempt != r.rec.Attempt || !owns(spec, r.rec.Slots, from) {
			return fmt.Errorf("%w: the map is not frozen in attempt %d any more", errReplaced, r.rec.Attempt)
		}
		v.Frozen = false
		give(spec, r.rec.Slots, to)
		if r.rec.Joins && !r.rec.back() { // it has the reference tables now
			for i := range spec.Shards {
				if spec.Shards[i].Name == to && spec.Shards[i].State == shard.Joining {
					spec.Shards[i].State = ""
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.version = m.Version
	return nil
}

// acknowledged waits until every proxy that is listed has acknowledged an attempt. One whose
// lease ends leaves the list.
func (r cutover) acknowledged(ctx context.Context, attempt int64) error {
	var missing []string
	for {
		proxies, err := r.s.opts.Topology.Proxies(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			return err
		case err != nil:
			return fmt.Errorf("%w: the proxies %s have not acknowledged it", context.Cause(ctx), strings.Join(missing, ", "))
		}
		for _, p := range proxies {
			r.seen[p.Node] = true
		}
		if missing = silent(proxies, r.id, attempt); len(missing) == 0 {
			return nil
		}
		if !sleep.For(ctx, ackEvery) {
			return fmt.Errorf("%w: the proxies %s have not acknowledged it", context.Cause(ctx), strings.Join(missing, ", "))
		}
	}
}

// silent names the proxies that have not acknowledged an attempt.
func silent(proxies []topo.Proxy, move, attempt int64) (names []string) {
	for _, p := range proxies {
		if !slices.Contains(p.Acks, topo.Ack{Move: move, Attempt: attempt}) {
			names = append(names, p.Node)
		}
	}
	return names
}

// noBranches waits for what the fence does not wait for: transactions that were let through
// and are being prepared, or are prepared. Those that are prepared later were not let
// through: they would have held up the fence.
func (r cutover) noBranches(ctx context.Context, c *backend.Conn) error {
	running, err := preparing(ctx, c)
	if err != nil {
		return err
	}
	for len(running) > 0 {
		now, err := preparing(ctx, c)
		if err != nil {
			return err
		}
		running = common(running, now)
		if len(running) > 0 && !sleep.For(ctx, ackEvery) {
			return fmt.Errorf("%w: %d connections are preparing a transaction", context.Cause(ctx), len(running))
		}
	}
	prepared, err := branches(ctx, c)
	if err != nil {
		return err
	}
	for len(prepared) > 0 {
		now, err := branches(ctx, c)
		if err != nil {
			return err
		}
		prepared = common(prepared, now)
		if len(prepared) > 0 && !sleep.For(ctx, ackEvery) {
			return fmt.Errorf("%w: %d transactions are prepared; SHOW TRANSACTIONS", context.Cause(ctx), len(prepared))
		}
	}
	return nil
}

// preparing names the connections that run XA PREPARE.
func preparing(ctx context.Context, c *backend.Conn) (ids []string, err error) {
	list, err := processes(ctx, c)
	for _, p := range list {
		if strings.HasPrefix(p.Text, "XA PREPARE") {
			ids = append(ids, strconv.FormatUint(p.ID, 10))
		}
	}
	return ids, err
}

func branches(ctx context.Context, c *backend.Conn) (list []string, err error) {
	rows, err := query(ctx, c, "XA RECOVER")
	for _, row := range rows {
		list = append(list, string(row[0])+"/"+string(row[1])+"/"+string(row[3]))
	}
	return list, err
}

func column(ctx context.Context, c *backend.Conn, sql string) (list []string, err error) {
	rows, err := query(ctx, c, sql)
	for _, row := range rows {
		list = append(list, string(row[0]))
	}
	return list, err
}

// common gives what is in both lists.
func common(a, b []string) (list []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			list = append(list, s)
		}
	}
	return list
}

// abort takes an attempt back. Statements go on at the old owner once the map says so;
// until the fence is open again there, their proxies try them again.
func (r cutover) abort(ctx context.Context) error {
	r.stopFlow()
	r.dropPair()
	ctx, cancel := context.WithTimeout(ctx, abortTime)
	defer cancel()
	if done, err := r.committed(ctx); err != nil {
		return err
	} else if done {
		return r.passed(ctx, "attempt %d was committed after all", r.rec.Attempt)
	}
	if err := r.letGo(ctx); err != nil {
		return err
	}
	_, to := r.rec.sides()
	err := r.step1("disown", func() error {
		return r.on(ctx, to, func(c *backend.Conn) error { return setFence(ctx, c, r.id, fenced, r.rec.Attempt, false) })
	})
	if err != nil {
		return err
	}
	next, wait := Ready, backoff(r.rec.Tries)
	if r.rec.back() {
		next = Switched
	}
	cause := r.rec.Error
	return r.enterWith(ctx, next, func(rec *Record) {
		rec.Error, rec.RetryAt = cause, time.Now().UTC().Add(wait)
	}, "attempt %d was taken back; the next one comes in %v at the earliest", r.rec.Attempt, wait)
}

// letGo has statements go on at the old owner. First its own writers: they must not wait for
// a target that is down. No stream carries rows until the target is fenced again.
func (r cutover) letGo(ctx context.Context) error {
	if err := r.step1("unfreeze", func() error { return r.freezeMap(ctx, false) }); err != nil {
		return err
	}
	from, _ := r.rec.sides()
	return r.step1("unfence", func() error {
		return r.on(ctx, from, func(c *backend.Conn) error { return setFence(ctx, c, r.id, open, r.rec.Attempt, false) })
	})
}

// step1 is a step between its fault points.
func (r *ledger) step1(step string, do func() error) error {
	if r.s.opts.Faults.Off("reshard-" + step) {
		return nil
	}
	if err := r.point("before-" + step); err != nil {
		return err
	}
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return r.point("after-" + step)
}

// backoff is the time until the next attempt after some.
func backoff(tries int) time.Duration {
	return min(maxBackoff, time.Second<<min(max(tries-1, 0), 6))
}

// begin stores the next attempt and has it made.
func (r cutover) begin(ctx context.Context, p Phase) error {
	err := r.enterWith(ctx, p, func(rec *Record) {
		rec.Attempt++
		rec.Tries++
	}, "attempt %d begins", r.rec.Attempt+1)
	if err == nil {
		r.begun, r.paused = r.rec.Attempt, 0
	}
	return err
}
