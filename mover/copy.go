package mover

import (
	"context"
	"time"
)

// copyRound copies chunks for a moment, reading one while the one before is written, and gives
// the stream its turn then. false: there is nothing to copy, or it rests, waits or is paused.
func (w *worker) copyRound(ctx context.Context, f *feed) (bool, error) {
	m := w.m
	if m.pace.paused.Load() || m.state.next() < 0 {
		phase := "following"
		if m.state.next() >= 0 {
			phase = "paused"
		}
		m.set(func(s *Status) { s.Phase, s.Waiting = phase, "" })
		return false, nil
	}
	stop := m.pace.stopped()
	m.set(func(s *Status) { s.Phase, s.Waiting = "copying", stop })
	if stop != "" || time.Now().Before(w.until) {
		return false, nil
	}
	if err := w.turns.works(); err != nil {
		return true, err
	}
	began := time.Now()
	if _, err := m.visible(w.fresh); err != nil { // what was applied is visible to the chunks
		return true, err
	}
	m.pace.committed(time.Since(began))
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	st := m.state
	chunks, failed := make(chan *chunk, 1), make(chan error, 1)
	go func() {
		defer close(chunks)
		failed <- w.readChunks(inner, f, st, began.Add(round), chunks)
	}()
	var err error
	for c := range chunks {
		if err == nil {
			if err = w.writeChunk(ctx, c); err != nil {
				cancel()
			}
		}
	}
	if readErr := <-failed; err == nil {
		err = readErr
	}
	if err != nil {
		return true, err
	}
	took := time.Since(began)
	rest, err := w.turns.rests()
	w.until = time.Now().Add(max(rest, m.pace.rest(took)))
	m.pace.shared(took, max(rest, time.Until(w.until)), w.turns.why())
	return true, err
}

// next gives the table that is to be copied, -1 if all are.
func (st *state) next() int {
	for i := range st.Tables {
		if !st.Tables[i].Done {
			return i
		}
	}
	return -1
}

// readChunks reads chunks from where the copy is until a time.
func (w *worker) readChunks(ctx context.Context, f *feed, st *state, until time.Time, to chan<- *chunk) error {
	m := w.m
	at := st.next()
	after := st.Tables[at].Cursor
	for at >= 0 && time.Now().Before(until) && !f.pressing() && !m.pace.paused.Load() {
		began := time.Now()
		c, err := m.tables[at].readChunk(w.read, m.layouts[at], after, m.pace.size(), m.within[at])
		if err != nil {
			return err
		}
		took := time.Since(began)
		last := c.upTo == nil
		after = c.upTo
		m.pace.read(c, took)
		select {
		case to <- c:
		case <-ctx.Done():
			return nil
		}
		if err := nap(ctx, m.pace.limit(c, took)); err != nil {
			return nil
		}
		if last {
			for at++; at < len(m.tables) && st.Tables[at].Done; at++ {
			}
			if at == len(m.tables) {
				return nil
			}
			after = st.Tables[at].Cursor
		}
	}
	return nil
}

// writeChunk writes a chunk with the copy's new place. Rows of it that the stream has
// brought before are in the way, and give way.
func (w *worker) writeChunk(ctx context.Context, c *chunk) error {
	m := w.m
	st := m.state.clone()
	ts := &st.Tables[c.t.id]
	ts.Scanned += int64(c.scanned)
	ts.Copied += int64(c.rows.len())
	if ts.Cursor = c.upTo; c.upTo == nil {
		ts.Done = true
	}
	if err := m.opts.Faults.At("mover.chunk"); err != nil {
		return err
	}
	err := w.commit(ctx, st, func() error {
		return w.write.insert(c.t, m.layouts[c.t.id], &c.rows, m.within[c.t.id])
	})
	m.pace.wrote(c.rows.len())
	return err
}
