package mover

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"
)

const (
	verifyChunk  = 2000 // keys that are compared at a time
	verifyRounds = 10   // looks at a row that changes all the time
)

// digest is a row's hash. Two seeds of this process make 128 bits.
type digest [2]uint64

// comparer compares the rows that move on both sides, range by range.
type comparer struct {
	src, dst *session
	seeds    [2]maphash.Seed
}

func newComparer(src, dst *session) *comparer {
	return &comparer{src: src, dst: dst, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

func (c *comparer) sum(row []byte) digest {
	return digest{maphash.Bytes(c.seeds[0], row), maphash.Bytes(c.seeds[1], row)}
}

// differing is a row that is not the same on both sides.
type differing struct {
	key  [][]byte
	what string
}

// What a row at the target is.
const (
	missing   = "missing"
	extra     = "extra"
	different = "different"
)

// digests reads the rows of a statement's condition into a map by key.
func (c *comparer) digests(s *session, t *table, l *layout, read func(f func(row []byte) error) error) (map[string]digest, error) {
	all := make(map[string]digest)
	r := &rows{}
	var values [][]byte
	err := read(func(row []byte) error {
		r.reset()
		r.add(row)
		v, err := r.values(0, len(l.columns), values)
		if err != nil {
			return err
		}
		values = v
		all[packKey(l.pick(v, t.keyColumns()))] = c.sum(row)
		return nil
	})
	return all, err
}

// both reads both sides at the same time and gives what differs, and how many rows the source has.
func (c *comparer) both(t *table, l *layout, read func(s *session, f func(row []byte) error) error) (diff []differing, n int, err error) {
	var a, b map[string]digest
	err = together(func() (err error) {
		a, err = c.digests(c.src, t, l, func(f func([]byte) error) error { return read(c.src, f) })
		return err
	}, func() (err error) {
		b, err = c.digests(c.dst, t, l, func(f func([]byte) error) error { return read(c.dst, f) })
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	for key, sum := range a {
		got, ok := b[key]
		switch {
		case !ok:
			diff = append(diff, differing{unpackKey(key, nil), missing})
		case got != sum:
			diff = append(diff, differing{unpackKey(key, nil), different})
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			diff = append(diff, differing{unpackKey(key, nil), extra})
		}
	}
	return diff, len(a), nil
}

// together runs two things at the same time.
func together(a, b func() error) error {
	done := make(chan error, 1)
	go func() { done <- a() }()
	err := b()
	return errors.Join(err, <-done)
}

// span compares a range of about n keys after a key, and gives the last of them, nil at the end.
func (c *comparer) span(t *table, l *layout, within string, after [][]byte) (diff []differing, upTo [][]byte, n int, err error) {
	if upTo, err = t.bound(c.src, after, verifyChunk); err != nil {
		return nil, nil, 0, err
	}
	diff, n, err = c.both(t, l, func(s *session, f func([]byte) error) error {
		return t.selectSpan(s, l, after, upTo, within, f)
	})
	return diff, upTo, n, err
}

// keys compares some rows.
func (c *comparer) keys(t *table, l *layout, within string, keys [][][]byte) (diff []differing, err error) {
	for at := 0; at < len(keys); at += keySlice {
		part := keys[at:min(at+keySlice, len(keys))]
		d, _, err := c.both(t, l, func(s *session, f func([]byte) error) error {
			r := &rows{}
			if err := t.selectKeys(s, l, part, within, r); err != nil {
				return err
			}
			from := 0
			for _, end := range r.ends {
				if err := f(r.data[from:end]); err != nil {
					return err
				}
				from = end
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		diff = append(diff, d...)
	}
	return diff, nil
}

// inquiry asks the goroutine that applies changes about rows that were not the same.
type inquiry struct {
	ctx    context.Context
	table  int
	keys   [][][]byte
	report *Report
	done   chan error
}

// Verify compares both sides row by row while Run follows, repairs what differs, and reports
// it. A stream that only follows repairs nothing: what its target has alone may be the last copy. A row counts as different only if it has not changed between two looks, with all
// changes of before applied. Run must be running and must have copied everything.
func (m *Mover) Verify(ctx context.Context) (report Report, err error) {
	began := time.Now()
	src, err := dial(ctx, m.opts.Source, m.opts.Secret)
	if err != nil {
		return report, err
	}
	defer src.close()
	dst, err := dial(ctx, m.opts.Target, m.opts.Secret)
	if err != nil {
		return report, err
	}
	defer dst.close()
	c := newComparer(src, dst)
	turns := newTurns(&m.asked, src, dst)
	if err := turns.works(); err != nil {
		return report, judge(ctx, err)
	}
	for i, t := range m.tables {
		for after, first := [][]byte(nil), true; first || after != nil; first = false {
			chunkBegan := time.Now()
			diff, upTo, n, err := c.span(t, m.layouts[i], m.within[i], after)
			if err != nil {
				return report, judge(ctx, err)
			}
			report.Rows += int64(n)
			after = upTo
			var meanwhile func() error
			if len(diff) > 0 {
				meanwhile = func() error { return m.ask(ctx, i, diff, &report) }
			}
			rest := m.pace.rest(time.Since(chunkBegan))
			if err := turns.pause(ctx, meanwhile); err != nil {
				return report, judge(ctx, err)
			}
			if err := nap(ctx, rest); err != nil {
				return report, err
			}
		}
	}
	report.Took = time.Since(began)
	if report.Differing == 0 {
		m.set(func(s *Status) { s.Verified = time.Now() })
	}
	return report, nil
}

// ask has rows looked at by the goroutine that applies changes.
func (m *Mover) ask(ctx context.Context, table int, diff []differing, report *Report) error {
	q := &inquiry{ctx: ctx, table: table, report: report, done: make(chan error, 1)}
	for _, d := range diff {
		q.keys = append(q.keys, d.key)
	}
	m.mu.Lock()
	running := m.running
	if running {
		m.calls.put(q)
	}
	m.mu.Unlock()
	if !running {
		return errNotRunning
	}
	select {
	case err := <-q.done:
		return err
	case <-ctx.Done():
		if !m.calls.withdraw(q) {
			<-q.done // it writes into the report
		}
		return context.Cause(ctx)
	}
}

var errNotRunning = errors.New("the mover does not run; try again")

// inquire looks at rows again, after everything that had changed them was applied.
func (w *worker) inquire(ctx context.Context, f *feed, q *inquiry) (err error) {
	defer func() { q.done <- judged(err) }()
	m, t, l := w.m, w.m.tables[q.table], w.m.layouts[q.table]
	c := newComparer(w.fresh, w.write.s)
	keys := q.keys
	for range verifyRounds {
		if err := w.catchUp(ctx, f); err != nil {
			return err
		}
		diff, err := c.keys(t, l, m.within[q.table], keys)
		if err != nil {
			return err
		}
		if len(diff) == 0 {
			return nil
		}
		n, err := m.mark(w.fresh)
		if err != nil {
			return err
		}
		if err := f.passed(ctx, n); err != nil {
			return err
		}
		var real []differing
		keys = nil
		for _, d := range diff {
			if f.touched(t.id, packKey(d.key)) {
				keys = append(keys, d.key)
			} else {
				real = append(real, d)
			}
		}
		if err := w.repair(ctx, q, real); err != nil {
			return err
		}
		if len(keys) == 0 || q.ctx.Err() != nil {
			return nil
		}
	}
	q.report.Unsettled += int64(len(keys))
	return nil
}

// catchUp applies everything that is committed at the source.
func (w *worker) catchUp(ctx context.Context, f *feed) error {
	n, err := w.m.mark(w.fresh)
	if err != nil {
		return err
	}
	for w.m.applied < n {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := w.follow(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// repair reports rows and, on the way there, writes them again.
func (w *worker) repair(ctx context.Context, q *inquiry, real []differing) error {
	m, t := w.m, w.m.tables[q.table]
	for at := 0; at < len(real); at += keySlice {
		var keys [][][]byte
		for _, d := range real[at:min(at+keySlice, len(real))] {
			keys = append(keys, d.key)
			q.report.note(t, d)
			m.opts.Log.Warn("a row was not the same on both sides", "migration", m.opts.ID, "table", t.String(), "row", t.show(d.key), "at the target", d.what)
		}
		if m.opts.Follow {
			continue
		}
		st := m.state.clone()
		st.Repaired += int64(len(keys))
		if err := w.refresh(ctx, []part{{q.table, keys}}, st); err != nil {
			return err
		}
		q.report.Repaired += int64(len(keys))
	}
	return nil
}

func (r *Report) note(t *table, d differing) {
	r.Differing++
	if len(r.Differences) < maxDifferences {
		r.Differences = append(r.Differences, Difference{Table: t.String(), Key: t.show(d.key), What: d.what})
	}
}

// Pair is two views of the same instant.
type Pair struct {
	c       *comparer
	tables  []*table
	layouts []*layout
	within  []string
	asked   *atomic.Int64
}

// Pair opens the connections of two views, which Freeze takes. The caller closes it; ctx
// bounds only the opening.
func (m *Mover) Pair(ctx context.Context) (*Pair, error) {
	p := &Pair{c: newComparer(nil, nil), tables: m.tables, layouts: m.layouts, within: m.within, asked: &m.asked}
	open := func(on Server, at **session) error {
		s, err := dial(ctx, on, m.opts.Secret)
		if err != nil {
			return err
		}
		*at = s
		if err := s.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
			return err
		}
		if !s.stop() {
			return context.Cause(ctx)
		}
		return nil
	}
	err := together(func() error { return open(m.opts.Source, &p.c.src) }, func() error { return open(m.opts.Target, &p.c.dst) })
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("opening views of both sides: %w", err)
	}
	return p, nil
}

// Freeze opens a consistent snapshot on each side. When nothing writes the slots and Drain
// has returned, both are the same logical instant.
func (p *Pair) Freeze(ctx context.Context) error {
	stop := context.AfterFunc(ctx, p.Close)
	defer stop()
	begin := func(s *session) error { return s.run("START TRANSACTION WITH CONSISTENT SNAPSHOT") }
	err := together(func() error { return begin(p.c.src) }, func() error { return begin(p.c.dst) })
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("opening a snapshot on both sides: %w", err)
	}
	return nil
}

// Compare compares both snapshots row by row; nothing is repaired.
func (p *Pair) Compare(ctx context.Context) (report Report, err error) {
	began := time.Now()
	stop := context.AfterFunc(ctx, p.Close)
	defer stop()
	turns := newTurns(p.asked, p.c.src, p.c.dst)
	if err := turns.works(); err != nil {
		return report, err
	}
	for i, t := range p.tables {
		for after, first := [][]byte(nil), true; first || after != nil; first = false {
			diff, upTo, n, err := p.c.span(t, p.layouts[i], p.within[i], after)
			if err != nil {
				if ctx.Err() != nil {
					err = context.Cause(ctx)
				}
				return report, err
			}
			report.Rows += int64(n)
			for _, d := range diff {
				report.note(t, d)
			}
			after = upTo
			if err := turns.pause(ctx, nil); err != nil {
				if ctx.Err() != nil {
					err = context.Cause(ctx)
				}
				return report, err
			}
		}
	}
	report.Took = time.Since(began)
	return report, nil
}

// Close ends the snapshots; safe more than once, and from any goroutine.
func (p *Pair) Close() {
	p.c.src.close()
	p.c.dst.close()
}
