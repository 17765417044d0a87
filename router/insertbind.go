package router

import (
	"slices"
	"strconv"

	"sluice/query"
)

// bind finds the shard of each row and gives each shard its rows.
func (ins *insertPlan) bind(a *Args, b *Bound) error {
	s := &b.scratch
	n := ins.rowCount(a)
	s.shards, s.ids = s.shards[:0], s.ids[:0]
	s.clearSeen(len(a.Map.Spec.Shards))
	next := a.FirstID
	edited := false
	for r := range n {
		generated, err := ins.bindID(a, b, r, &next)
		if err != nil {
			return err
		}
		edited = edited || generated
		s.ids = append(s.ids, generated)
		if ins.everywhere {
			continue
		}
		to, err := ins.keyShard(s, a, r, generated, next-1)
		if err != nil {
			return err
		}
		s.shards = append(s.shards, int16(to))
		s.seen[to] = true
	}
	if ins.everywhere {
		b.every(a.Map, false)
		b.Strategy = Everywhere
	} else {
		for i, on := range s.seen {
			if on {
				b.leg(i)
			}
		}
		if len(b.Legs) > 1 {
			b.Strategy, b.LastRow = SplitInsert, int(s.shards[n-1])
		}
	}
	return ins.legs(a, b, edited)
}

// bindID notes the id of a row: a new one, or the largest explicit one.
func (ins *insertPlan) bindID(a *Args, b *Bound, r int, next *uint64) (generated bool, err error) {
	if ins.seqColumn == "" {
		return false, nil
	}
	generated, explicit, err := ins.id(&b.scratch, a, r)
	if err != nil {
		return false, err
	}
	if explicit > 0 {
		b.MaxExplicitID = max(b.MaxExplicitID, explicit)
		if b.MinExplicitID == 0 || explicit < b.MinExplicitID {
			b.MinExplicitID = explicit
		}
	}
	if generated {
		if b.InsertID == 0 {
			b.InsertID = *next
		}
		*next++
	}
	return generated, nil
}

// legs writes the statement of each shard where it is not the client's own.
func (ins *insertPlan) legs(a *Args, b *Bound, edited bool) error {
	if !edited && ins.columnText == "" && (len(b.Legs) == 1 || ins.everywhere) {
		return nil
	}
	if len(b.Legs) > 1 && !ins.everywhere {
		if b.Plan.oneOnly != nil {
			return b.Plan.oneOnly
		}
		if ins.stmt.Returning {
			if ins.perServer {
				return unsupported("INSERT … RETURNING of rows on several shards with a function whose value each server has of its own; SELECT it afterwards, or insert the rows one by one")
			}
			b.RowShards = b.scratch.shards
		}
	}
	if ins.stmt.SetForm {
		return ins.setForm(a, b)
	}
	for i := range b.Legs {
		w := insertWriter{ins: ins, a: a, s: &b.scratch, next: a.FirstID}
		if err := w.write(b.Legs[i].Shard); err != nil {
			return err
		}
		b.Legs[i].SQL, b.Legs[i].Params = w.sql, w.left()
		if ins.everywhere {
			for j := range b.Legs {
				b.Legs[j].SQL, b.Legs[j].Params = w.sql, w.left()
			}
			break
		}
	}
	return nil
}

// setForm adds or replaces the id in INSERT … SET.
func (ins *insertPlan) setForm(a *Args, b *Bound) error {
	span, ok := ins.rows[0].find(a, query.Span{Start: 0, End: a.Scan.End})
	if !ok {
		return notFound()
	}
	s := &b.scratch
	text := strconv.FormatUint(a.FirstID, 10)
	if ins.rows[0].appended {
		text = ", " + string(query.QuoteName(nil, ins.seqColumn)) + "=" + text
	}
	s.edits = append(s.edits[:0], query.Edit{Span: span, Text: text})
	sql, err := query.Apply(nil, a.SQL, s.edits)
	if err != nil {
		return refuse(1105, "HY000", "the id could not be written into the statement: %v", err)
	}
	params := s.kept(a)
	for i := range b.Legs {
		b.Legs[i].SQL, b.Legs[i].Params = sql, params
	}
	return nil
}

func notFound() *Refusal {
	return refuse(1105, "HY000", "the statement is not written like the one that it was planned by; write its comments and quotes as there")
}

// insertWriter makes the INSERT of one shard: the client's text with only its rows.
type insertWriter struct {
	ins    *insertPlan
	a      *Args
	s      *scratch
	sql    []byte
	params []int
	next   uint64
}

// left gives the parameters of the written text; nil when they are all.
func (w *insertWriter) left() []int {
	if w.a.Scan.Params == 0 || len(w.params) == w.a.Scan.Params {
		return nil
	}
	if w.params == nil {
		return []int{}
	}
	return w.params
}

func (w *insertWriter) write(shard int) error {
	rows := w.a.Scan.Rows
	head := query.Span{Start: 0, End: rows[0].Start}
	tail := query.Span{Start: rows[len(rows)-1].End, End: int32(len(w.a.SQL))}
	w.sql = slices.Grow(w.sql, len(w.a.SQL)/2+64)
	if w.ins.columnText != "" {
		at, ok := w.ins.columnsEnd.find(w.a.SQL, w.a.Scan)
		if !ok || at > head.End {
			return notFound()
		}
		w.copy(query.Span{Start: 0, End: at})
		w.sql = append(w.sql, w.ins.columnText...)
		head.Start = at
	}
	w.copy(head)
	first := true
	for r := range rows {
		id := w.next
		if w.s.ids[r] {
			w.next++
		}
		if !w.ins.everywhere && int(w.s.shards[r]) != shard {
			continue
		}
		if !first {
			w.sql = append(w.sql, ',')
		}
		first = false
		if err := w.row(r, id); err != nil {
			return err
		}
	}
	w.copy(tail)
	return nil
}

// row writes one row, with its id if it gets one.
func (w *insertWriter) row(r int, id uint64) error {
	row := w.a.Scan.Rows[r]
	if !w.s.ids[r] {
		w.copy(row)
		return nil
	}
	place := &w.ins.rows[0]
	if !w.ins.stmt.Collapsed {
		place = &w.ins.rows[r]
	}
	span, ok := place.find(w.a, row)
	if !ok {
		return notFound()
	}
	w.copy(query.Span{Start: row.Start, End: span.Start})
	if place.appended && w.ins.width > 0 {
		w.sql = append(w.sql, ", "...)
	}
	w.sql = strconv.AppendUint(w.sql, id, 10)
	w.copy(query.Span{Start: span.End, End: row.End})
	return nil
}

// copy takes a part of the client's text with its parameters.
func (w *insertWriter) copy(s query.Span) {
	w.sql = append(w.sql, s.Of(w.a.SQL)...)
	if w.a.Scan.Params == 0 {
		return
	}
	for i := firstLiteral(w.a.Scan, s); i < len(w.a.Scan.Literals) && w.a.Scan.Literals[i].End <= s.End; i++ {
		if w.a.Scan.Literals[i].Kind == query.Param {
			w.params = append(w.params, w.s.paramOf(w.a.Scan, i))
		}
	}
}
