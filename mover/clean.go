package mover

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"sluice/shard"
)

const (
	cleanStream = "clean" // whose notes are those of Clean
	cleanRows   = 500     // deleted in one transaction
	cleanKeys   = 5000    // looked at for one
)

// Clean deletes from a server the rows of those of s.Slots that owned does not have, a few
// hundred a transaction, throttled; owned is asked before each, and each takes s.Token
// first (in the notes of the stream "clean"): a cleaner that was replaced deletes nothing
// any more. Nor does one whose migration is over, and whose notes and map may be old: the
// migration's fence has to keep clients out. It goes on where an earlier one was. Whole
// tables are left alone, and tables that the server does not have.
func Clean(ctx context.Context, on Server, s Spec, owned func(slot uint16) bool, deleted func(rows int64)) error {
	return judge(ctx, clean(ctx, on, s, owned, deleted))
}

func clean(ctx context.Context, on Server, s Spec, owned func(slot uint16) bool, deleted func(rows int64)) error {
	var asked atomic.Int64
	on.asked = &asked
	names, err := plain(ctx, on)
	if err != nil {
		return err
	}
	defer names.close()
	c, err := dial(ctx, on, s.Secret)
	if err != nil {
		return err
	}
	defer c.close()
	if err := makeNotes(c, createProgress, "progress"); err != nil {
		return err
	}
	if err := c.run(fmt.Sprintf("INSERT IGNORE INTO _sluice.progress (move_id, stream, token, seq, state) VALUES (%d, '%s', %d, 0, '')", s.ID, cleanStream, s.Token)); err != nil {
		return err
	}
	if err := claim(c, s.ID, cleanStream, s.Token); err != nil {
		return err
	}
	st, _, err := readState(c, s.ID, cleanStream)
	if err != nil {
		return err
	}
	if st == nil || st.next() < 0 || len(st.Tables) != len(s.Tables) {
		st = &state{}
		for _, t := range s.Tables {
			st.Tables = append(st.Tables, tableState{Name: t.String(), Done: t.Whole})
		}
	}
	k := &cleaner{c: c, spec: s, owned: owned, deleted: deleted, turns: newTurns(&asked, c)}
	if err := k.turns.works(); err != nil {
		return err
	}
	for i := st.next(); i >= 0; i = st.next() {
		t, err := load(names.Conn, on.Name, s.Tables[i], i)
		if missing, _ := err.(*errNoTable); missing != nil {
			st.Tables[i].Done = true
			continue
		}
		if err != nil {
			return err
		}
		if t.key < 0 || t.shard < 0 {
			return &Stopped{"the table " + t.String() + " on the shard " + on.Name + " has no key by which its rows can be found", "delete the rows by hand"}
		}
		if st, err = k.table(ctx, t, st); err != nil {
			return err
		}
	}
	return nil
}

// cleaner deletes rows of one server.
type cleaner struct {
	c       *session
	spec    Spec
	owned   func(slot uint16) bool
	deleted func(rows int64)
	turns   *turns
	looked  time.Time
	load    float64
}

// table cleans one table from where it is.
func (k *cleaner) table(ctx context.Context, t *table, st *state) (*state, error) {
	for !st.Tables[t.id].Done {
		began := time.Now()
		after := st.Tables[t.id].Cursor
		upTo, err := t.bound(k.c, after, cleanKeys)
		if err != nil {
			return st, err
		}
		for more := true; more; {
			next := st.clone()
			next.Tables[t.id].Cursor, next.Tables[t.id].Done = upTo, upTo == nil
			n, err := k.delete(t, after, upTo, st, next)
			if c := code(err); c == errDeadlock || c == errLockTimeout {
				if err := nap(ctx, 100*time.Millisecond); err != nil {
					return st, err
				}
				continue
			}
			if err != nil {
				return st, err
			}
			if more = n == cleanRows; !more {
				st = next
			}
			if k.deleted != nil && n > 0 {
				k.deleted(n)
			}
			if err := nap(ctx, k.rest(time.Since(began))); err != nil {
				return st, err
			}
			if err := k.turns.pause(ctx, nil); err != nil {
				return st, err
			}
			began = time.Now()
		}
	}
	return st, nil
}

// delete deletes rows of a range in one transaction, which stores next when there can be no
// more of them. The owners are asked when the right to delete is taken.
func (k *cleaner) delete(t *table, after, upTo [][]byte, now, next *state) (n int64, err error) {
	if err := k.c.run("BEGIN"); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = k.c.run("ROLLBACK") // if it cannot be, the connection is gone
		}
	}()
	if err := store(k.c, k.spec.ID, cleanStream, k.spec.Token, now); err != nil {
		return 0, err
	}
	if shut, err := isFenced(k.c, k.spec.ID); err != nil {
		return 0, err
	} else if !shut {
		return 0, &Stopped{fmt.Sprintf("the shard %s lets clients write the rows of migration %d, or has no fence for it", k.c.server, k.spec.ID), "nothing was deleted; RESUME looks again whose they are"}
	}
	if gone := k.notOwned(); len(gone) > 0 {
		sql := append([]byte("DELETE FROM "), t.sqlName()+" WHERE "...)
		sql = append(t.span(sql, after, upTo), Within(t.slotSQL, gone)+" ORDER BY "+t.keyOrder()+" LIMIT "+itoa(cleanRows)...)
		if n, err = k.c.exec(sql); err != nil {
			return 0, err
		}
	}
	if n < cleanRows {
		if err := store(k.c, k.spec.ID, cleanStream, k.spec.Token, next); err != nil {
			return 0, err
		}
	}
	return n, k.c.run("COMMIT")
}

// notOwned gives the slots whose rows may be deleted now.
func (k *cleaner) notOwned() (gone []shard.Span) {
	for _, s := range k.spec.Slots {
		for slot := int(s.First); slot <= int(s.Last); slot++ {
			switch n := len(gone); {
			case k.owned(uint16(slot)):
			case n > 0 && int(gone[n-1].Last)+1 == slot:
				gone[n-1].Last = uint16(slot)
			default:
				gone = append(gone, shard.Span{First: uint16(slot), Last: uint16(slot)})
			}
		}
	}
	return gone
}

// rest is what the server's load asks for.
func (k *cleaner) rest(took time.Duration) time.Duration {
	if time.Since(k.looked) > lookTime {
		k.looked = time.Now()
		k.load, _, _ = look(k.c, 0, false) // no answer: the next statement will say it
	}
	return min(time.Duration(float64(took)*10*k.load), 2*time.Second)
}
