package mover

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/sleep"
)

const (
	insertBytes = 1 << 20 // of one INSERT, unless one row is longer
	insertRows  = 2000
	keySlice    = 500 // keys in one statement
	maxTries    = 20  // of a transaction that met a deadlock or a lock
)

// writer changes rows at the target.
type writer struct {
	s      *session
	m      *Mover
	sql    []byte
	values [][]byte
}

// transact runs f in a transaction that begins with the stream's notes, again when it met a
// deadlock or a lock that was not given.
func (w *writer) transact(ctx context.Context, st *state, f func() error) error {
	for try := 1; ; try++ {
		err := w.once(st, f)
		if c := code(err); c != errDeadlock && c != errLockTimeout || try == maxTries || ctx.Err() != nil {
			return err
		}
		if err := nap(ctx, time.Duration(try)*10*time.Millisecond); err != nil {
			return err
		}
	}
}

func (w *writer) once(st *state, f func() error) (err error) {
	if err := w.s.run("BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = w.s.run("ROLLBACK") // if it cannot be, the connection is gone and the transaction with it
		}
	}()
	if err := store(w.s, w.m.opts.ID, w.m.opts.Stream, w.m.opts.Token, st); err != nil {
		return err
	}
	if err := w.fenced(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	if err := w.m.opts.Faults.At("mover.commit"); err != nil {
		return err
	}
	began := time.Now()
	err = w.s.run("COMMIT")
	w.m.pace.committed(time.Since(began))
	return err
}

// fenced stops a mover whose target has become the slots' owner: what it would write there is
// older than what clients have written since. The lock keeps the fence shut until the end of
// the transaction.
func (w *writer) fenced() error {
	shut, err := isFenced(w.s, w.m.opts.ID)
	if err == nil && !shut {
		err = &Stopped{fmt.Sprintf("the shard %s lets clients write the rows of migration %d, or has no fence for it", w.s.server, w.m.opts.ID), "nothing was written there; RESUME looks again which way the rows go"}
	}
	return err
}

// isFenced tells whether a server's fence keeps clients out, which it does then until the end
// of the transaction.
func isFenced(s *session, id int64) (bool, error) {
	rows, err := s.query(fmt.Sprintf("SELECT state FROM _sluice.fence WHERE move_id = %d LOCK IN SHARE MODE", id))
	return len(rows) == 1 && string(rows[0][0]) == "fenced", err
}

// delete deletes rows that move by their keys.
func (w *writer) delete(t *table, keys [][][]byte, within string) error {
	w.sql = append(w.sql[:0], "DELETE FROM "+t.sqlName()+" WHERE "...)
	w.sql = append(t.matches(w.sql, t.keyColumns(), nil, keys), " AND "+within...)
	_, err := w.s.exec(w.sql)
	return err
}

// insert inserts rows. Rows that move and have a unique value of one of them give way: their
// own change is still to come in the stream, or the source would not be unique.
func (w *writer) insert(t *table, l *layout, r *rows, within string) error {
	head := l.insert(t)
	for from := 0; from < r.len(); {
		w.sql = append(w.sql[:0], head...)
		to := from
		for ; to < r.len() && to-from < insertRows && (to == from || len(w.sql) < insertBytes); to++ {
			v, err := r.values(to, len(l.columns), w.values)
			if err != nil {
				return err
			}
			w.values = v
			if to > from {
				w.sql = append(w.sql, ',')
			}
			w.sql = append(w.sql, '(')
			for i, c := range l.columns[:l.stored] {
				if i > 0 {
					w.sql = append(w.sql, ',')
				}
				w.sql = t.value(w.sql, &t.columns[c], v[i])
			}
			w.sql = append(w.sql, ')')
		}
		_, err := w.s.exec(w.sql)
		if code(err) == errDuplicate {
			insert := append([]byte(nil), w.sql...)
			if err := w.giveWay(t, l, r, from, to, within); err != nil {
				return err
			}
			if _, err = w.s.exec(insert); code(err) == errDuplicate {
				return w.collision(t, l, r, from, to, within, err)
			}
		}
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// giveWay deletes the rows that move and have a unique value of the rows from…to.
func (w *writer) giveWay(t *table, l *layout, r *rows, from, to int, within string) error {
	for _, u := range t.uniques {
		for at := from; at < to; at += keySlice {
			values, err := w.uniqueValues(l, r, at, min(at+keySlice, to), u.columns)
			if err != nil {
				return err
			}
			if len(values) == 0 {
				continue
			}
			sql := append([]byte("DELETE FROM "), t.sqlName()+" WHERE "...)
			sql = append(t.matches(sql, u.columns, u.prefix, values), " AND "+within...)
			if _, err := w.s.exec(sql); err != nil {
				return err
			}
		}
	}
	return nil
}

// uniqueValues gives the values of some columns of the rows from…to, without those that have NULL.
func (w *writer) uniqueValues(l *layout, r *rows, from, to int, columns []int) (all [][][]byte, err error) {
	for i := from; i < to; i++ {
		v, err := r.values(i, len(l.columns), w.values)
		if err != nil {
			return nil, err
		}
		w.values = v
		if picked := l.pick(v, columns); picked != nil {
			all = append(all, picked)
		}
	}
	return all, nil
}

// collision names the row at the target that does not move and has a unique value of a row
// that does.
func (w *writer) collision(t *table, l *layout, r *rows, from, to int, within string, refused error) error {
	stop := &Stopped{Reason: fmt.Sprintf("rows of %s cannot be written to the shard %s: %v", t, w.s.server, refused),
		Do: "make the values unique over both shards, then RESUME"}
	for _, u := range t.uniques {
		for i := from; i < to; i++ {
			one, err := w.uniqueValues(l, r, i, i+1, u.columns)
			if err != nil || len(one) == 0 {
				continue
			}
			sql := append([]byte("SELECT "), t.keyRead()+" FROM "+t.sqlName()+" WHERE "...)
			sql = append(t.matches(sql, u.columns, u.prefix, one), " AND NOT "+within+" LIMIT 1"...)
			got, err := w.s.query(string(sql))
			if err != nil {
				return err
			}
			if len(got) == 1 {
				v, _ := r.values(i, len(l.columns), nil) // was read above
				stop.Reason = fmt.Sprintf("the row %s of %s cannot be moved to the shard %s: the row %s there, which does not move, has the same value of the unique key %s",
					t.show(l.pick(v, t.keyColumns())), t, w.s.server, t.show(got[0]), quote(u.name))
				return stop
			}
		}
	}
	return stop
}

// nap waits, or until ctx ends.
func nap(ctx context.Context, d time.Duration) error {
	if !sleep.For(ctx, d) {
		return context.Cause(ctx)
	}
	return nil
}
