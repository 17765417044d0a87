package router

import (
	"bytes"
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// Gathering says how one shard's server answers a SELECT over the rows of several: the rows
// that each mention of a table needs are copied into a temporary table of its own on that
// shard (a server cannot open one temporary table twice in a statement), where the
// client's statement then runs over them. So the answer is the database's own, in every
// function, collation and type.
//
//	s0 ─SELECT─▶ ┐
//	s1 ─SELECT─▶ ├─ rows ─INSERT─▶ home: TEMPORARY sluice_g1, sluice_g2 ─ the statement ─▶ client
//	s2 ─SELECT─▶ ┘
type Gathering struct {
	Tables []GatherTable
	// Apart: the statement runs on a connection outside of the session's transaction. All its
	// tables are copied then, also those that the home shard has.
	Apart  bool
	Sifted bool // MATCH … AGAINST was asked of the shards, where that can be
	Ranks  bool // MATCH … AGAINST stands in the statement over the copies
	Ranked bool // there are copies with FULLTEXT keys, where tables have some (Input.Scratch)
	Limits shard.Gather
	// Check is the shard (map index) that has all tables of the statement, whose server can say
	// whether it is one; -1 for none. For GatherWrite.
	Check int
}

// Original puts the names of the tables in the places of their copies' in what a server says.
func (g *Gathering) Original(text string) string {
	if !strings.Contains(text, copyName) {
		return text
	}
	for i := len(g.Tables) - 1; i >= 0; i-- { // sluice_g10 before sluice_g1
		text = strings.ReplaceAll(text, g.Tables[i].Name, g.Tables[i].Table)
	}
	return text
}

// GatherTable is one mention of a table that is copied.
type GatherTable struct {
	Name          string // of the temporary table, in Schema
	Schema, Table string // the original
	Foreign       bool   // the home shard does not have the original
	CopyOf        string // an earlier copy that has the same rows, "" for none
	Scratch       bool   // no temporary table where the original has FULLTEXT keys
	Shadow        bool   // it has the original's name, for stored functions that read it
	Columns       []GatherColumn
	Legs          []Leg      // SELECTs of these columns, one a shard that may have rows
	Write         *WriteBack // the statement changes the rows of this copy; nil: it reads them
}

// GatherColumn is a column of a copy and what its values look like in the legs' rows.
type GatherColumn struct {
	Name string
	Form Form
}

// Form is how a value comes from a shard, so that it can be put into a copy unchanged
// whatever character set, time zone and sql_mode the client has.
type Form uint8

const (
	AsNumber  Form = iota // an integer or decimal; an ENUM or SET as its number
	AsFloat               // FLOAT or DOUBLE
	AsTime                // the text of a DATE, TIME or DATETIME
	AsInstant             // TIMESTAMP, in seconds since 1970
	AsBytes               // a string, in the bytes that its column has
	AsJSON                // JSON, in utf8mb4
)

// gatherPlan is a Gathering before values are known.
type gatherPlan struct {
	only   bool     // there is no other way to answer the statement
	denied *Refusal // of the hint scatter=deny
	apart  bool
	sifted bool
	ranks  bool
	ranked bool
	locks  string // what a source's SELECT ends with: it locks what it reads
	fixed  bool   // home is meant: tables are there that are read in place
	home   string // "" is the first shard
	base   int    // of edits: those that the statement needs on any shard
	tables []copied
	edits  []edit // of the client's statement
	params []int  // the client's parameters in the order of the statement's text, nil: as they are
	names  []edit // spans of select items that need their own text as an alias
	write  bool   // GatherWrite
}

// copied is a mention of a table that is copied.
type copied struct {
	to      GatherTable // without legs
	columns string      // the select list of its columns
	parts   string      // the PARTITION (…) that rows are of, "" for all
	on      string      // the shard of an unsharded table
	anyOne  bool        // a reference table
	key     *keyUse     // of a sharded table, nil when all shards may have rows
	slot    string      // of a sharded table's row, "" when each shard holds its own rows only
	filters []filter
	alias   string // what the conditions call the table, "" for its own name
	where   []condition
	order   *condition  // ORDER BY: with limit, only the first rows matter
	limit   query.Limit // that a shard's rows need not be more than
	lock    string      // how the rows are locked, "" for not at all
	write   *writeBack
}

// filter is a predicate of the statement that rows of one mention of a table must hold.
type filter struct {
	column   string // quoted
	values   []query.Value
	all      bool // all literals of the hole of values[0]
	nullable bool // a NULL among the values could also mean that there is no row
	whole    bool // a list of them cannot be taken apart: Oracle MySQL compares strings as times where one of the list or the column is one
}

// condition is a part of the statement's WHERE that rows of one mention of a table must
// fulfil: what stands between two places.
type condition struct {
	from, to place
	must     bool // the statement does not say it again
}

// gatherer plans statements that no merge answers.
type gatherer struct {
	*planner
	graph *graph
	plan  *gatherPlan
	spans []query.Span    // of the names that are edited
	names map[string]bool // all words and names of the statement, in lower case
	write *targets        // what a GatherWrite writes; nil for reads

	matched int // MATCH … AGAINST that shards are asked
}

// gather plans the last step of the ladder before a refusal. base are edits that the
// statement needs anyway. Errors: *Refusal, *NeedTable.
func (p reader) gather(only bool, base []edit) error {
	g := &gatherer{planner: p.planner, plan: &gatherPlan{only: only, apart: p.in.Apart, sifted: p.in.Sift, edits: base, base: len(base)}}
	ranks := len(wordsAt(p.in.SQL[:p.in.Scan.End], "match"))
	g.plan.ranks = ranks > 0
	if err := (copier{g}).run(); err != nil {
		return err
	}
	g.plan.ranks = ranks > g.matched
	p.plan.gather = g.plan
	if p.plan.many == nil {
		p.plan.Strategy = Gather
	}
	return nil
}

// copier plans the copies of a statement.
type copier struct{ *gatherer }

// run plans the copies and where the statement runs over them.
func (g copier) run() error {
	g.placeHome()
	if err := g.loadCopied(); err != nil {
		return err
	}
	g.graph = newGraph(g.planner)
	for i := range g.tables {
		if !g.isCopied(&g.tables[i]) {
			continue
		}
		span, text, err := g.copy(i)
		if err == nil {
			g.spans = append(g.spans, span)
			err = g.edit(span, text)
		}
		if err != nil {
			return err
		}
	}
	return g.finish()
}

// finish edits what the copies' names change elsewhere.
func (g *gatherer) finish() error {
	if err := (cloner{gatherer: g}).run(); err != nil {
		return err
	}
	if err := (shadower{g}).add(); err != nil {
		return err
	}
	return g.nameItems()
}

// placeHome finds the shard that the statement runs on: that of the unsharded tables.
func (g *gatherer) placeHome() {
	u := g.first((*table).unsharded)
	g.plan.ranked = g.in.Scratch != ""
	switch {
	case g.planner.plan.atHome:
		g.plan.home, g.plan.fixed = g.currentHome(), true
	case g.in.Scratch != "":
		g.plan.home, g.plan.fixed = scratchHome(g.planner), true
	case u != nil && !g.plan.apart:
		g.plan.home, g.plan.fixed = u.home, true
	case g.stmt.NamedLock: // locks are those of the first shard for all clients
		g.plan.fixed = true
	case g.first(func(t *table) bool { return t.system }) != nil:
		g.plan.home, g.plan.fixed = homeOfSystem(g.planner), true
	}
}

// isCopied tells whether a table's rows must be brought to the home shard.
func (g *gatherer) isCopied(t *table) bool {
	switch {
	case t.system, t.ref.Target && g.stmt.Insert != nil:
		return false
	case t.sharded() || g.plan.apart:
		return true
	case t.reference(): // locked rows are those of one shard for all statements, not of any home
		return g.lockOf(t) != ""
	}
	return t.unsharded() && t.home != g.plan.home
}

func (g *gatherer) loadCopied() error {
	for i := range g.tables {
		if t := &g.tables[i]; t.info == nil && g.isCopied(t) {
			if err := g.loadTable(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole plans a copy of one mention of a table, with all of its rows.
func (g copier) whole(i int) (c copied, err error) {
	t := &g.tables[i]
	c = copied{anyOne: t.reference()}
	c.to = GatherTable{Name: temporaryName(len(g.plan.tables) + 1), Schema: t.schema, Table: t.rule.Name, Scratch: g.in.Scratch != "" && g.hasText(t) && (g.write == nil || !g.write.of[i].written)}
	if c.to.Scratch {
		c.to.Name += "_" + g.in.Scratch
	}
	if t.unsharded() {
		c.on = t.home
		c.to.Foreign = true // the home shard may be another one
	}
	if err := g.selectColumns(i, &c); err != nil {
		return c, err
	}
	if t.sharded() && g.in.Map.HasMoves() {
		c.slot = slotOf(&t.typ, string(query.QuoteName(nil, t.info.Columns[t.key].Name)), t.info.Columns[t.key].Flags)
		if !g.nameable(t.info.Columns[t.key].Name) {
			return c, foreignRows(g.in.Map, t.name())
		}
	}
	return c, nil
}

// copy plans a copy for one mention of a table, and gives what to write in its place.
func (g *gatherer) copy(i int) (at query.Span, text string, err error) {
	t := &g.tables[i]
	c, err := copier{g}.whole(i)
	if err != nil {
		return at, "", err
	}
	at = t.ref.Span
	if n := partitionClause(g.in.SQL[at.End:]); n > 0 {
		if g.write != nil && g.write.of[i].written { // rows may leave a partition, which is an error of the original only
			return at, "", notOverShards("PARTITION (…) of "+t.name()+", which is written,", "say in WHERE which rows are meant")
		}
		c.parts = string(g.in.SQL[at.End : at.End+int32(n)])
	}
	if t.sharded() {
		c.key = g.keyOf(i)
	}
	if g.write != nil {
		return locker{g}.copyLocked(i, &c)
	}
	c.lock = g.lockOf(t)
	if (!g.plan.ranks || g.in.Sift || !g.hasText(t)) && !(shadower{g}).counted() { // else the rank is that of all rows
		sifter{g}.addFilters(i, &c)
	}
	if err := (sifter{g}).addMatches(i, &c); err != nil {
		return at, "", err
	}
	if same := g.sameRows(&c); same != "" {
		if g.in.Mode.MariaDB { // which can open a temporary table twice
			return g.renamed(t, same)
		}
		c.to.CopyOf = same
	}
	g.plan.tables = append(g.plan.tables, c)
	return g.renamed(t, c.to.Name)
}

// sifter finds which rows of a table a statement needs.
type sifter struct{ *gatherer }

// addFilters adds what the statement says of the rows of one mention of a table.
func (g sifter) addFilters(i int, c *copied) {
	t := &g.tables[i]
	for _, np := range g.graph.filtering(i) {
		col := &t.info.Columns[np.at.column]
		_, form, _ := sourceOf(col, "")
		c.filters = append(c.filters, filter{
			column: string(query.QuoteName(nil, col.Name)), values: np.pred.Values, all: np.pred.All, nullable: t.ref.Nullable || np.stored,
			whole: form == AsTime || form == AsInstant,
		})
	}
	g.addConditions(i, c)
}

// addConditions adds the parts of the WHERE that speak of the table alone.
func (g sifter) addConditions(i int, c *copied) {
	t := &g.tables[i]
	if t.ref.Nullable || !g.nameable(t.ref.Alias) {
		return
	}
	c.alias = t.ref.Alias
	for _, f := range g.stmt.Filters {
		if f.Block != t.ref.Block || !g.allOf(f.Cols, f.Block, i) {
			continue
		}
		from, ok1 := placeOf(g.in.SQL, g.in.Scan, f.Span.Start)
		to, ok2 := placeOf(g.in.SQL, g.in.Scan, f.Span.End)
		if !ok1 || !ok2 || len(from.gap)+len(to.gap) > maxGap {
			continue
		}
		c.where = append(c.where, condition{from: from, to: to})
	}
}

// allOf tells whether columns are all a table's own for certain.
func (g sifter) allOf(cols []query.ColumnRef, block, table int) bool {
	for _, col := range cols {
		if at := g.column(block, col); at.table != table {
			return false
		}
	}
	return true
}

// sameRows gives the name of an earlier copy that has the same rows and columns.
func (g *gatherer) sameRows(c *copied) string {
	for i := range g.plan.tables {
		o := &g.plan.tables[i]
		if o.to.CopyOf == "" && o.to.Schema == c.to.Schema && o.to.Table == c.to.Table && o.columns == c.columns && o.parts == c.parts &&
			o.lock == c.lock && slices.EqualFunc(o.filters, c.filters, sameFilter) && slices.Equal(o.where, c.where) && (o.alias == c.alias || len(c.where) == 0) {
			return o.to.Name
		}
	}
	return ""
}

// lockOf gives how the statement locks the rows of a table: as its query block says.
func (g *gatherer) lockOf(t *table) string {
	if !g.planner.plan.Locking && g.stmt.Insert == nil {
		return ""
	}
	b := &query.Block{Lock: g.stmt.MentionLock}
	if !t.ref.Lock.Empty() {
		b.Lock = t.ref.Lock
	}
	if !g.stmt.Opaque {
		b = &g.stmt.Blocks[t.ref.Block]
	}
	s := b.Lock
	switch {
	case b.LockText != "" && (len(b.LockOf) == 0 || slices.ContainsFunc(b.LockOf, t.isNamed)):
		return " " + b.LockText
	case s.Empty():
		for i := range b.LockMore {
			if slices.ContainsFunc(b.LockMore[i].Of, t.isNamed) {
				return " " + b.LockMore[i].Text
			}
		}
		return ""
	}
	for _, l := range g.in.Scan.Literals {
		if l.Start >= s.Start && l.End <= s.End { // WAIT 5
			g.planner.plan.usesText = true
		}
	}
	return " " + string(s.Of(g.in.SQL))
}

func sameFilter(a, b filter) bool {
	return a.column == b.column && a.all == b.all && a.nullable == b.nullable && slices.Equal(a.values, b.values)
}

// temporaryName is the name of the n-th copy. It hides a table of the same name from the
// statement's connection, which no application has.
func temporaryName(n int) string { return copyName + string(appendInt(nil, false, uint64(n))) }

const copyName = "sluice_g"

// keyOf finds the values of the key of a sharded table's rows.
func (g *gatherer) keyOf(i int) *keyUse {
	np := g.graph.use(i)
	if np == nil {
		return nil
	}
	return &keyUse{
		typ: *g.graph.type_(np), table: g.tables[np.at.table].name(), values: np.pred.Values, all: np.pred.All,
		nullable: g.tables[np.at.table].ref.Nullable, stored: np.stored,
	}
}

// filtering gives what the statement says of the rows of one mention of a table, directly
// or (marked as stored) by columns that are equal, each as a predicate of its own column.
func (g *graph) filtering(i int) (out []nodePredicate) {
	for j := range g.preds {
		np := g.preds[j]
		if np.at.table == i {
			out = append(out, np)
			continue
		}
		if !g.usable(&np) {
			continue
		}
		for at := range g.reach(np.at, true) {
			if at.table == i {
				out = append(out, nodePredicate{at: at, pred: np.pred, stored: true})
			}
		}
	}
	return distinct(out)
}

// distinct leaves out what is there twice, in a certain order.
func distinct(list []nodePredicate) (out []nodePredicate) {
	for _, np := range list {
		at := len(out)
		known := false
		for k := range out {
			known = known || out[k].at == np.at && out[k].pred == np.pred
			if out[k].at.column > np.at.column && at == len(out) {
				at = k
			}
		}
		if !known {
			out = append(out[:at], append([]nodePredicate{np}, out[at:]...)...)
		}
	}
	return out
}

// renamed puts the copy's name in the place of the table's, which stays as an alias, so
// that columns are still called by it.
func (g *gatherer) renamed(t *table, name string) (span query.Span, text string, err error) {
	sql := g.in.SQL
	span = t.ref.Span
	schema, own := cutName(span.Of(sql))
	span.End += int32(partitionClause(sql[span.End:])) // a copy has no partitions
	text = string(query.QuoteName(nil, name))
	if schema != "" {
		text = schema + "." + text
	}
	if t.ref.Alias == "" {
		text += " AS " + own
	}
	if at := tableKeyword(sql[:span.Start]); at >= 0 { // TABLE x has no place for an alias
		span.Start, text = int32(at), "SELECT * FROM "+text
	}
	return span, text, nil
}

func (g *gatherer) edit(span query.Span, text string) error {
	g.plan.edits = g.appendEdit(g.plan.edits, span, text, noLimitEdit)
	return g.takeError()
}

// takeError gives the error of an edit, which is only the gathering's.
func (g *gatherer) takeError() error {
	err := g.err
	g.err = nil
	return err
}

// tableKeyword finds the keyword of TABLE x at the end of the text before x, -1 when it is
// not there.
func tableKeyword(before []byte) int {
	text := bytes.TrimRight(before, " \t\r\n")
	at := len(text) - len("TABLE")
	if at < 0 || len(text) == len(before) || !bytes.EqualFold(text[at:], []byte("TABLE")) || at > 0 && isWordByte(text[at-1]) {
		return -1
	}
	return at
}

// nameItems keeps the names of select items whose text is edited and who are called by it.
func (g *gatherer) nameItems() error {
	for _, at := range g.stmt.MentionItems {
		if slices.ContainsFunc(g.spans, func(s query.Span) bool { return within(s, at) }) {
			if g.plan.names = g.appendEdit(g.plan.names, at, "", noLimitEdit); g.err != nil {
				return g.takeError()
			}
		}
	}
	for b := range g.stmt.Blocks {
		for i := range g.stmt.Blocks[b].Items {
			it := &g.stmt.Blocks[b].Items[i]
			if it.Star || it.Alias != "" || it.Label == "" || !slices.ContainsFunc(g.spans, func(s query.Span) bool {
				return s.Start >= it.Span.Start && s.End <= it.Span.End
			}) {
				continue
			}
			if g.plan.names = g.appendEdit(g.plan.names, it.Span, "", noLimitEdit); g.err != nil {
				return g.takeError()
			}
		}
	}
	return nil
}

// cutName cuts the text of [schema.]name, each part with its quotes.
func cutName(text []byte) (schema, own string) {
	n := 0
	if quote := text[0]; quote == '`' || quote == '"' {
		n = quotedName(text)
		for n < len(text) && text[n] == quote { // a doubled one within the name
			n += quotedName(text[n:])
		}
	} else {
		for n < len(text) && text[n] != '.' && blanks(text[n:]) == 0 {
			n++
		}
	}
	rest := n + blanks(text[n:])
	if rest >= len(text) || text[rest] != '.' {
		return "", string(text)
	}
	rest++
	return string(text[:n]), string(text[rest+blanks(text[rest:]):])
}

// partitionClause gives the length of a PARTITION (…) at the start of the text behind a
// table's name, 0 for none.
func partitionClause(sql []byte) int {
	if !strings.EqualFold(nextWord(sql), "partition") {
		return 0
	}
	i := blanks(sql) + len("partition")
	if i += blanks(sql[i:]); i == len(sql) || sql[i] != '(' {
		return 0
	}
	for i < len(sql) && sql[i] != ')' {
		if n := blanks(sql[i:]); n > 0 {
			i += n
		} else {
			i += quotedName(sql[i:])
		}
	}
	return min(i+1, len(sql))
}

// nextWord gives the unquoted word at the start of a text.
func nextWord(sql []byte) string {
	i := blanks(sql)
	j := i
	for j < len(sql) && isWordByte(sql[j]) {
		j++
	}
	return string(sql[i:j])
}

// gatherUnsharded plans a read of sharded and unsharded tables, or of unsharded ones on
// several shards.
func (p reader) gatherUnsharded() error {
	if len(p.stmt.Routines) > 0 {
		return p.gatherFunctions()
	}
	p.plan.Target = ToAll
	return p.gather(true, p.plan.edits)
}

// gatherInstead plans what is not proven to be the sum of the shards' answers. Where that
// is refused, too, the statement may still go to one shard.
func (p reader) gatherInstead() error {
	err := p.gather(false, nil)
	why, refused := err.(*Refusal)
	if !refused {
		return err
	}
	if p.plan.many == nil {
		p.plan.oneOnly = why
	}
	if p.plan.Target == ToAll && len(p.in.Map.Spec.Shards) > 1 {
		return why
	}
	return nil
}
