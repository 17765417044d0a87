package mover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/binlog"
)

// Mover runs one stream of one migration. Safe for concurrent use.
type Mover struct {
	opts Options

	// Set by Prepare, then read only.
	tables  []*table
	layouts []*layout
	within  []string // the condition that a row moves

	feed    atomic.Pointer[feed]    // of the Run that is running
	marker  atomic.Pointer[session] // of that Run, for the watermarks of Drain, which must be quick
	pace    pace
	marking sync.Mutex // one watermark at a time
	lastWM  int64
	asked   atomic.Int64 // statements of its own
	calls   calls

	mu      sync.Mutex
	state   *state // as it is stored at the target
	status  Status
	applied int64         // the last watermark before which all is applied
	moved   chan struct{} // closed when applied, or pending, may have changed
	running bool
}

// New makes a mover; it touches nothing yet.
func New(o Options) *Mover {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stream == "" {
		o.Stream = Forward
	}
	m := &Mover{opts: o, moved: make(chan struct{}), calls: calls{bell: make(chan struct{}, 1)}}
	m.opts.Source.asked, m.opts.Target.asked = &m.asked, &m.asked
	m.pace.rate.Store(int64(o.Rate))
	return m
}

var errEnded = errors.New("the mover has ended")

// Run copies what is not copied yet and then follows the source until ctx ends. It returns
// ctx's error, one for which Lasting is true, or one after which it may be called again
// (it goes on from what was stored). Prepare has to have returned nil.
func (m *Mover) Run(ctx context.Context) (err error) {
	m.mu.Lock()
	if m.running || m.state == nil {
		m.mu.Unlock()
		return errors.New("mover: Run before Prepare, or twice")
	}
	m.running = true
	m.mu.Unlock()
	inner, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer func() {
		cancel(errEnded)
		wg.Wait()
		m.feed.Store(nil)
		m.marker.Store(nil)
		m.mu.Lock()
		m.running = false
		m.announce()
		m.mu.Unlock()
		m.calls.end()
	}()
	w, err := m.connect(inner)
	if err != nil {
		return judge(ctx, err)
	}
	defer w.close()
	f := newFeed(inner, m, m.state)
	stream, err := openStream(inner, m.opts.Source, m.state.Resume, f.lookup)
	if err != nil {
		return judge(ctx, err)
	}
	m.feed.Store(f)
	m.marker.Store(w.mark)
	wg.Go(func() { cancel(stream.Read(inner, f)) })
	wg.Go(func() { watchLoad(inner, m) })
	err = w.loop(inner)
	if cause := context.Cause(inner); inner.Err() != nil && ctx.Err() == nil && !Lasting(err) {
		err = cause // what has ended the rest
	}
	return judge(ctx, err)
}

// judge gives an error as callers see it: that of ctx, when the end of it is what broke the
// connections.
func judge(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !Lasting(err) {
		return context.Cause(ctx)
	}
	return judged(err)
}

// openStream begins to read a server's binary log.
func openStream(ctx context.Context, on Server, from binlog.Position, lookup func(schema, name string) *binlog.Table) (*binlog.Stream, error) {
	c, err := on.Dial(ctx)
	if err != nil {
		return nil, err
	}
	// Two replicas of a server must not have one id; the ids of real ones are small.
	return binlog.Open(ctx, c, 1<<31|rand.Uint32(), from, lookup)
}

// readLog reads a server's binary log until something fails or ctx ends.
func readLog(ctx context.Context, on Server, from binlog.Position, lookup func(schema, name string) *binlog.Table, h binlog.Handler) error {
	s, err := openStream(ctx, on, from, lookup)
	if err != nil {
		return err
	}
	return s.Read(ctx, h)
}

// worker has the connections of a Run.
type worker struct {
	m     *Mover
	read  *session // the copy's
	fresh *session // reads changed rows, writes watermarks
	mark  *session // writes those of Drain
	write *writer
	rows  []rows    // of the parts that are being applied
	saved time.Time // of the stored position
	turns *turns    // of the copy and the applications
	until time.Time // the copy rests

	counted time.Time // when the source was asked for its branches
	listed  []string  // which it has, when the stream has brought the watermark n
	n       int64
}

func (m *Mover) connect(ctx context.Context) (w *worker, err error) {
	w = &worker{m: m}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.read, err = dial(ctx, m.opts.Source, m.opts.Secret); err != nil {
		return w, err
	}
	if w.fresh, err = dial(ctx, m.opts.Source, m.opts.Secret); err != nil {
		return w, err
	}
	if w.mark, err = dial(ctx, m.opts.Source, m.opts.Secret); err != nil {
		return w, err
	}
	target, err := dial(ctx, m.opts.Target, m.opts.Secret)
	if err != nil {
		return w, err
	}
	w.write = &writer{s: target, m: m}
	w.turns = newTurns(&m.asked, w.read, target)
	if err := sameServer(w.fresh, m.state); err != nil {
		return w, err
	}
	if err := claim(target, m.opts.ID, m.opts.Stream, m.opts.Token); err != nil {
		return w, err
	}
	// What is stored may be older than what is known: the commit of the last transaction may
	// have failed, or may have come to pass unseen.
	st, _, err := readState(target, m.opts.ID, m.opts.Stream)
	if err != nil {
		return w, err
	}
	if st == nil {
		return w, ErrReplaced
	}
	return w, m.adopt(st)
}

func (w *worker) close() {
	w.read.close()
	w.fresh.close()
	w.mark.close()
	if w.write != nil {
		w.write.s.close()
	}
}

const (
	round    = 400 * time.Millisecond // of copying, before changes are applied again
	beat     = 100 * time.Millisecond // of applying them, when nobody waits for it: a few at a time cost much more
	quiet    = 500 * time.Millisecond // between watermarks while nothing happens
	saveTime = 2 * time.Second        // between stored positions while nothing is written

	commitTime = 30 * time.Second // from an XA COMMIT in the log to one in the engine
)

// loop copies and applies in turn.
func (w *worker) loop(ctx context.Context) error {
	m, f := w.m, w.m.feed.Load()
	for {
		copying, err := w.copyRound(ctx, f)
		if err != nil {
			return err
		}
		if err := w.follow(ctx, f); err != nil {
			return err
		}
		if err := w.count(f); err != nil {
			return err
		}
		if q := m.calls.next(); q != nil {
			if err := w.inquire(ctx, f, q); err != nil {
				return err
			}
			continue
		}
		if copying {
			continue
		}
		applied := time.Now()
		wait := quiet
		if d := time.Until(w.until); d > 0 {
			wait = min(wait, d)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.wake:
			if err := m.calls.wait(ctx, applied.Add(beat)); err != nil {
				return err
			}
		case <-m.calls.bell:
		case <-time.After(wait):
			if wait < quiet {
				continue
			}
			if _, err := m.mark(w.fresh); err != nil {
				return err
			}
		}
	}
}

// count asks the source now and then for the branches that the stream takes for prepared.
func (w *worker) count(f *feed) (err error) {
	m := w.m
	switch {
	case w.n > 0 && m.applied >= w.n:
		w.n = 0
		for _, xid := range f.census(w.counted, w.listed) {
			m.opts.Log.Warn("a prepared XA branch is gone, and the log does not say how it ended; its rows are read again", "migration", m.opts.ID, "shard", m.opts.Source.Name, "xid", xid)
		}
	case w.n == 0 && time.Since(w.counted) > time.Second && f.aged():
		w.counted = time.Now()
		if w.listed, err = branches(w.fresh); err != nil {
			return err
		}
		w.n, err = m.mark(w.fresh)
	}
	return err
}

// follow applies what the stream has ready.
func (w *worker) follow(ctx context.Context, f *feed) error {
	b := f.take()
	m := w.m
	if b.n > 0 {
		if err := w.apply(ctx, f, &b); err != nil {
			return err
		}
	} else if time.Since(w.saved) > saveTime && b.from != m.state.Resume {
		st := m.state.clone()
		if b.seen > 0 {
			f.notes(st, &b, markName(m.opts.Token, b.seen))
			if err := w.commit(ctx, st, func() error { return nil }); err != nil {
				return err
			}
		}
	}
	m.mu.Lock()
	m.applied = max(m.applied, b.seen)
	m.status.Position = b.pos.String()
	m.announce()
	m.mu.Unlock()
	return nil
}

// announce wakes those that wait for applied. m.mu is held.
func (m *Mover) announce() {
	close(m.moved)
	m.moved = make(chan struct{})
}

// commit runs f and stores a state in one transaction, which is the state from then on.
func (w *worker) commit(ctx context.Context, st *state, f func() error) error {
	if err := w.write.transact(ctx, st, f); err != nil {
		return err
	}
	w.m.mu.Lock()
	w.m.state = st
	w.m.mu.Unlock()
	w.saved = time.Now()
	return nil
}

// apply makes the changed rows at the target what they are at the source now. The position
// is stored with the last of them.
func (w *worker) apply(ctx context.Context, f *feed, b *batch) error {
	m := w.m
	n, err := m.visible(w.fresh)
	if err != nil {
		return err
	}
	if err := m.opts.Faults.At("mover.marked"); err != nil {
		return err
	}
	if err := w.committed(ctx, b.xids); err != nil {
		return err
	}
	var parts []part
	for t, keys := range b.keys {
		p := part{t: t}
		for key := range keys {
			if p.keys = append(p.keys, unpackKey(key, nil)); len(p.keys) == keySlice {
				parts = append(parts, p)
				p.keys = nil
			}
		}
		if len(p.keys) > 0 {
			parts = append(parts, p)
		}
	}
	for len(parts) > 0 {
		group, keys := oneTransaction(parts)
		parts = parts[len(group):]
		st := m.state.clone()
		if st.Applied += int64(keys); len(parts) == 0 {
			f.notes(st, b, markName(m.opts.Token, n))
		}
		if err := w.refresh(ctx, group, st); err != nil {
			return err
		}
	}
	return nil
}

// part is some rows of one table.
type part struct {
	t    int
	keys [][][]byte
}

// oneTransaction gives the first parts that go into one transaction: of different tables (rows of
// one that were read by two SELECTs must be inserted by two INSERTs, after the deletions of
// both), and not many rows. keys is how many.
func oneTransaction(parts []part) (group []part, keys int) {
	for i, p := range parts {
		if i > 0 && (p.t == parts[i-1].t || keys+len(p.keys) > keySlice) {
			return parts[:i], keys
		}
		keys += len(p.keys)
	}
	return parts, keys
}

// committed waits until branches have been committed in the engine: their XA COMMIT is
// written to the log before, and apart from that, but they are listed as prepared until after.
// (A locking read would wait for them too, but also for every other transaction that has
// locked one of the rows since.)
func (w *worker) committed(ctx context.Context, xids []string) error {
	if len(xids) == 0 || w.m.opts.Faults.Off("mover.branches") {
		return nil
	}
	for until := time.Now().Add(commitTime); ; {
		listed, err := branches(w.fresh)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(xids, func(x string) bool { return slices.Contains(listed, x) }) {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("shard %s: an XA branch is committed in the binary log and still prepared after %v", w.m.opts.Source.Name, commitTime)
		}
		if err := nap(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
}

// refresh reads rows by their keys and writes them at the target, in one transaction.
func (w *worker) refresh(ctx context.Context, group []part, st *state) error {
	m := w.m
	for len(w.rows) < len(group) {
		w.rows = append(w.rows, rows{})
	}
	for i, p := range group {
		w.rows[i].reset()
		if err := m.tables[p.t].selectKeys(w.fresh, m.layouts[p.t], p.keys, m.within[p.t], &w.rows[i]); err != nil {
			return err
		}
	}
	if err := m.opts.Faults.At("mover.read"); err != nil {
		return err
	}
	return w.commit(ctx, st, func() error {
		for i, p := range group {
			t, within := m.tables[p.t], m.within[p.t]
			if err := w.write.delete(t, p.keys, within); err != nil {
				return err
			}
			if err := w.write.insert(t, m.layouts[p.t], &w.rows[i], within); err != nil {
				return err
			}
		}
		return nil
	})
}

// Drain returns when everything that was committed at the source before it was called has
// been applied, and no XA branch is pending that has changed rows of the slots. Run must be
// running.
func (m *Mover) Drain(ctx context.Context) error {
	s := m.marker.Load()
	if s == nil {
		return errNotRunning
	}
	defer m.calls.hurry()()
	type mark struct {
		n   int64
		err error
	}
	marked := make(chan mark, 1)
	go func() { // it ends with the statement, or with Run, to which the session belongs
		n, err := m.mark(s)
		marked <- mark{n, err}
	}()
	select {
	case got := <-marked:
		if got.err != nil {
			return got.err
		}
		return m.reach(ctx, got.n)
	case <-ctx.Done():
		return fmt.Errorf("a watermark at %s: %w", m.opts.Source.Name, context.Cause(ctx))
	}
}

// reach waits until everything before a watermark is applied.
func (m *Mover) reach(ctx context.Context, n int64) error {
	for {
		m.mu.Lock()
		done, moved, running := m.applied >= n, m.moved, m.running
		m.mu.Unlock()
		f := m.feed.Load()
		if !running || f == nil {
			return errNotRunning
		}
		if done && (len(f.pending()) == 0 || m.opts.Faults.Off("mover.pending")) {
			return nil
		}
		select {
		case <-ctx.Done():
			why := "changes of " + m.opts.Source.Name + " are not applied yet"
			if xids := f.pending(); len(xids) > 0 {
				why = fmt.Sprintf("%d XA branches with rows that move are prepared on %s and not finished: %s", len(xids), m.opts.Source.Name, strings.Join(xids[:min(len(xids), 3)], ", "))
			}
			return fmt.Errorf("%s: %w", why, context.Cause(ctx))
		case <-moved:
		}
	}
}

// set changes the status.
func (m *Mover) set(f func(*Status)) {
	m.mu.Lock()
	f(&m.status)
	m.mu.Unlock()
}
