package router

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/query"
	"sluice/shard"
)

// insertPlan is an INSERT or REPLACE with rows of values: which shard each row goes to,
// and which rows get an id of the cluster's sequence.
type insertPlan struct {
	stmt       *query.InsertInfo
	table      string // schema.table
	typ        keyType
	keyAt      int // of the shard key in a row; -1 when it is the sequence column that is added
	everywhere bool

	seqColumn string // "" when ids are not counted
	seqAt     int    // in a row; -1 when the column is not given
	zeroIsID  bool   // 0 is an id like any other
	width     int    // values in a row

	columnsEnd place // where the column list goes on, when columns are added
	columnText string
	rows       []rowPlace // how the id is found in a row; as many as Rows of the statement
	charset    string
	kept       keptKey
	perServer  bool // RETURNING has a function whose value each server has of its own
}

// rowPlace is where an id goes in a row: behind a literal of it, or its beginning.
type rowPlace struct {
	literal  int // of the row, -1: from the row's "("
	gapFrom  string
	gapTo    string
	after    int // as literal, for the end of the span
	appended bool
}

// insertSharded plans the rows of an INSERT into a sharded table.
func (p inserter) insertSharded() error {
	t := p.first(func(t *table) bool { return t.ref.Target })
	ins := &insertPlan{stmt: p.stmt.Insert, table: t.name(), typ: t.typ, charset: p.in.Charset}
	if len(p.tables) > 1 {
		return ErrStage
	}
	keeps, why := p.assignsOnDuplicate(t)
	if ins.kept = keeps; why != nil {
		if ins.kept.given = literalsOnDuplicate(p.stmt.Insert, t.rule.ShardKey); ins.kept.given == nil {
			return why
		}
		ins.kept.moves = why
	}
	ins.keyAt = p.columnPosition(t)
	if err := p.sequence(ins, t); err != nil {
		return err
	}
	generatedKey := ins.seqColumn != "" && strings.EqualFold(ins.seqColumn, t.rule.ShardKey)
	if ins.keyAt < 0 && !generatedKey {
		return refuse(1364, "HY000", "Field '%s' doesn't have a default value: it is the shard key of %s and must be given", t.rule.ShardKey, t.name())
	}
	p.plan.Strategy, p.plan.Target = SplitInsert, ToKey
	return p.finishInsert(ins, t)
}

// insertReference plans an INSERT into a reference table, which needs rows of its own only
// for ids that all copies must agree on.
func (p inserter) insertReference() error {
	t := p.first(func(t *table) bool { return t.ref.Target })
	seq := autoColumn(t)
	switch {
	case seq == "":
		return nil
	case p.stmt.Insert.FromSelect:
		return ErrStage
	}
	ins := &insertPlan{stmt: p.stmt.Insert, table: t.name(), everywhere: true, keyAt: -1, charset: p.in.Charset}
	if err := p.sequence(ins, t); err != nil {
		return err
	}
	return p.finishInsert(ins, t)
}

// sequence finds the column that gets ids of the cluster's sequence.
func (p inserter) sequence(ins *insertPlan, t *table) error {
	ins.seqColumn = autoColumn(t)
	ins.seqAt = -1
	ins.zeroIsID = p.in.NoAutoValueOnZero
	if ins.seqColumn == "" {
		return nil
	}
	for i, c := range p.stmt.Insert.Columns {
		if strings.EqualFold(c, ins.seqColumn) {
			ins.seqAt = i
		}
	}
	if p.stmt.Insert.Columns == nil && !p.emptyRows() {
		ins.seqAt = t.info.Index(ins.seqColumn)
		if ins.seqAt < 0 {
			return refuse(1105, "HY000", "%s has no column %s, which its rule names as the sequence", t.name(), ins.seqColumn)
		}
	}
	return nil
}

// perServer tells whether a statement may have a function whose value depends on what else
// its server has done: of the rows before, or of other statements.
func perServer(st *query.Statement, w words) bool {
	for _, f := range [...]string{"rand", "last_insert_id", "row_count", "found_rows", "nextval", "lastval", "setval"} {
		if w.calls(f) {
			return true
		}
	}
	return len(st.Routines) > 0 || w.follows("value", "for")
}

// emptyRows tells whether the rows are VALUES (), ().
func (p inserter) emptyRows() bool {
	rows := p.stmt.Insert.Rows
	return len(rows) > 0 && len(rows[0]) == 0
}

// finishInsert checks the shape of the rows and finds the places that change.
func (p inserter) finishInsert(ins *insertPlan, t *table) error {
	st := p.stmt.Insert
	ins.perServer = st.Returning && perServer(p.stmt, p.words)
	ins.width = len(st.Columns)
	if st.Columns == nil && !p.emptyRows() {
		ins.width = len(t.info.Columns)
	}
	for i, row := range st.Rows {
		if len(row) != ins.width {
			return &Refusal{1136, "21S01", "Column count doesn't match value count at row " + strconv.Itoa(i+1)}
		}
	}
	if p.in.Scan.ExecutableComment || !st.SetForm && len(p.in.Scan.Rows) == 0 {
		return ErrStage
	}
	if !st.Collapsed && (!st.SetForm || ins.seqColumn != "" && bytes.IndexByte(p.in.Scan.Fingerprint, '+') >= 0) {
		p.plan.usesText = true // the rows' shapes differ, or a list of varying length is among the values
	}
	if ins.seqColumn != "" {
		if err := p.sequencePlaces(ins); err != nil {
			return err
		}
	}
	if st.Columns == nil && ins.width > 0 && !ins.everywhere && p.asciiColumns(t) {
		var names []string
		for i := range t.info.Columns {
			names = append(names, string(query.QuoteName(nil, t.info.Columns[i].Name)))
		}
		if err := p.addColumns(ins, st.ColumnsAt, " ("+strings.Join(names, ", ")+")"); err != nil {
			return err
		}
	}
	p.plan.insert = ins
	return p.err
}

// addColumns plans the insertion of text into, or as, the column list.
func (p inserter) addColumns(ins *insertPlan, at int32, text string) error {
	e := p.appendEdit(nil, query.Span{Start: at, End: at}, "", noLimitEdit)
	if len(e) == 0 {
		return p.err
	}
	ins.columnsEnd, ins.columnText = e[0].from, text
	return nil
}

// asciiColumns tells whether the names of the columns are the same bytes in the client's
// character set, whatever that is.
func (p inserter) asciiColumns(t *table) bool {
	for i := range t.info.Columns {
		for _, c := range []byte(t.info.Columns[i].Name) {
			if c >= utf8.RuneSelf {
				return false
			}
		}
	}
	return true
}

// sequencePlaces finds where the id goes, in the column list and in each row.
func (p inserter) sequencePlaces(ins *insertPlan) error {
	st := p.stmt.Insert
	if ins.seqAt < 0 && !st.SetForm {
		text, at := string(query.QuoteName(nil, ins.seqColumn)), st.ColumnsSpan.End-1
		switch {
		case st.ColumnsSpan.Empty():
			text, at = " ("+text+")", st.ColumnsAt
		case len(st.Columns) > 0:
			text = ", " + text
		}
		if err := p.addColumns(ins, at, text); err != nil {
			return err
		}
	}
	for i := range st.Rows {
		r, err := p.rowPlace(ins, i)
		if err != nil {
			return err
		}
		ins.rows = append(ins.rows, r)
	}
	return nil
}

// rowPlace describes where the id of row i goes, by the literals of the row.
func (p inserter) rowPlace(ins *insertPlan, i int) (rowPlace, error) {
	st := p.stmt.Insert
	row := query.Span{Start: 0, End: p.in.Scan.End}
	if !st.SetForm {
		row = p.in.Scan.Rows[i]
	}
	var span query.Span
	r := rowPlace{}
	switch {
	case ins.seqAt >= 0:
		span = st.ValueSpans[i][ins.seqAt]
	case st.SetForm:
		values := st.ValueSpans[0]
		r.appended = true
		span = query.Span{Start: values[len(values)-1].End, End: values[len(values)-1].End}
	default:
		r.appended = true
		span = query.Span{Start: row.End - 1, End: row.End - 1}
	}
	r.literal, r.gapFrom = p.behind(row, span.Start)
	r.after, r.gapTo = p.behind(row, span.End)
	if len(r.gapFrom)+len(r.gapTo) > maxGap {
		p.plan.usesText = true
	}
	return r, nil
}

// behind gives the last literal of a row that ends at or before a position, and the text
// between.
func (p inserter) behind(row query.Span, pos int32) (literal int, gap string) {
	first := firstLiteral(p.in.Scan, row)
	from := row.Start
	literal = -1
	for i := first; i < len(p.in.Scan.Literals) && p.in.Scan.Literals[i].End <= pos; i++ {
		literal, from = i-first, p.in.Scan.Literals[i].End
	}
	return literal, string(p.in.SQL[from:pos])
}

// firstLiteral gives the index of the first literal of a row.
func firstLiteral(scan *query.Scan, row query.Span) int {
	lo, hi := 0, len(scan.Literals)
	for lo < hi {
		mid := (lo + hi) / 2
		if scan.Literals[mid].Start < row.Start {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// find gives the span of the id in a row of the text.
func (r *rowPlace) find(a *Args, row query.Span) (query.Span, bool) {
	first := firstLiteral(a.Scan, row)
	at := func(literal int, gap string) (int32, bool) {
		from := row.Start
		if literal >= 0 {
			if first+literal >= len(a.Scan.Literals) {
				return 0, false
			}
			from = a.Scan.Literals[first+literal].End
		}
		return follow(gap, a.SQL, from, !a.Scan.ExecutableComment)
	}
	start, ok1 := at(r.literal, r.gapFrom)
	end, ok2 := at(r.after, r.gapTo)
	return query.Span{Start: start, End: end}, ok1 && ok2 && start <= end && end <= row.End
}

// rowCount gives the number of rows.
func (ins *insertPlan) rowCount(a *Args) int {
	if ins.stmt.Collapsed {
		return len(a.Scan.Rows)
	}
	return len(ins.stmt.Rows)
}

// value gives a value of a row.
func (ins *insertPlan) value(r, c int) query.Value {
	if !ins.stmt.Collapsed {
		return ins.stmt.Rows[r][c]
	}
	v := ins.stmt.Rows[0][c]
	v.Pos = r
	return v
}

// read gives a value of a row at bind.
func (ins *insertPlan) read(s *scratch, a *Args, r, c int) literal {
	switch v := ins.value(r, c); v.Kind {
	case query.ValLiteral:
		return s.literal(a, literalIndex(a.Scan, v.Hole, v.Pos))
	case query.ValNull, query.ValDefault:
		return literal{null: true}
	}
	return literal{unknown: true}
}

// IDs tells how many ids of the table's sequence a bind needs (rows without an explicit
// id), so that the caller can take them first; Sequence names the table ("schema.table").
func (p *Plan) IDs(a *Args) int {
	ins := p.insert
	if ins == nil || ins.seqColumn == "" {
		return 0
	}
	if ins.seqAt < 0 {
		return ins.rowCount(a)
	}
	var s scratch
	n := 0
	for r := range ins.rowCount(a) {
		if generated, _, err := ins.id(&s, a, r); err == nil && generated {
			n++
		}
	}
	return n
}

// id tells whether a row gets an id of the sequence, or which one it has.
func (ins *insertPlan) id(s *scratch, a *Args, r int) (generated bool, explicit uint64, err error) {
	if ins.seqAt < 0 {
		return true, 0, nil
	}
	lit := ins.read(s, a, r, ins.seqAt)
	if lit.null {
		return true, 0, nil
	}
	if lit.unknown {
		return false, 0, ErrStage
	}
	negative, n, fits, ok := parseInt(lit.text)
	switch {
	case !ok || !fits:
		return false, 0, ErrStage
	case n == 0:
		return !ins.zeroIsID, 0, nil
	case negative:
		return false, 0, nil
	}
	return false, n, nil
}

// keyShard gives the shard of a row.
func (ins *insertPlan) keyShard(s *scratch, a *Args, r int, generated bool, id uint64) (int, error) {
	generated = generated && (ins.keyAt < 0 || ins.keyAt == ins.seqAt)
	var sum uint32
	var err error
	if generated {
		sum = shard.SumOfUint(id)
	} else if sum, err = ins.keySum(s, a, r); err != nil {
		return 0, err
	}
	if why := ins.kept.stays(ins, s, a, sum, generated); why != nil {
		return 0, why
	}
	return s.rowOf(a.Map, sum), nil
}

// keySum gives the checksum of the key that a row gives.
func (ins *insertPlan) keySum(s *scratch, a *Args, r int) (uint32, error) {
	lit := ins.read(s, a, r, ins.keyAt)
	if lit.null { // without a strict sql_mode, and in one of several rows, it is the type's own default; so is DEFAULT
		return 0, ErrStage
	}
	key, why := s.stored(&ins.typ, lit, ins.charset)
	if why != "" {
		return 0, ErrStage // the server says what is stored
	}
	return shard.Sum(key), nil
}
