package router

import (
	"iter"
	"slices"
	"strings"

	"sluice/query"
)

// read plans SELECT, VALUES, TABLE, and SET @x or DO with tables in them.
func (p reader) read() error {
	sharded, reference, unsharded, system := p.count()
	if err := access(p).filterInformationSchema(); err != nil {
		return err
	}
	switch {
	case p.plan.Called != nil && p.plan.Called.sharded != "":
		return p.gatherFunctions()
	case len(p.tables) == 0:
		// A named lock must be on one server for all clients; the session holds it there.
		p.plan.pinned = p.stmt.NamedLock || p.plan.Called != nil
		if p.stmt.NamedLock && p.plan.Called == nil {
			p.plan.home = ""
		}
		if c := p.plan.Called; c != nil && len(c.homes) == 1 {
			p.plan.home = c.homes[0]
		}
		return nil
	case sharded == 0 && unsharded == 0 && system == 0 && reference > 0 && !p.plan.Write && p.stmt.Kind == query.Select && len(p.stmt.Routines) == 0:
		p.plan.Target = ToAny
		return nil
	case sharded == 0 && unsharded == 0 && system == 0 && p.plan.Locking && len(p.stmt.Routines) == 0:
		p.plan.home, p.plan.pinned = "", true // all lock the same copy first
		return nil
	case sharded == 0:
		return p.readDefault()
	case len(p.stmt.Routines) > 0:
		return p.gatherFunctions()
	case unsharded > 0 || system > 0:
		return p.gatherUnsharded()
	}
	if err := p.load(); err != nil {
		return err
	}
	if err := p.readSharded(); err != nil || !p.in.Scan.UserVariable || p.plan.gather != nil || p.plan.Locking {
		return err
	}
	err := p.gather(false, nil) // where another shard has the variables
	if _, refused := err.(*Refusal); refused {
		return nil
	}
	return err
}

// readDefault plans a read of unsharded tables, with copies of reference tables beside them.
func (p reader) readDefault() error {
	home, err := p.oneHome()
	if err != nil {
		return p.gatherUnsharded()
	}
	onlyReference := p.first(func(t *table) bool { return !t.reference() }) == nil
	if c := p.plan.Called; c != nil && len(c.homes) == 1 && onlyReference && !p.plan.Locking { // every shard has the tables
		home = c.homes[0]
	}
	p.plan.home, p.plan.pinned = home, true
	return nil
}

// readSharded plans a read of sharded tables.
func (p reader) readSharded() error {
	g := newGraph(p.planner)
	uses, complete := g.locate()
	if complete {
		p.plan.Target, p.plan.keys = ToKey, uses
	} else {
		p.plan.Target = ToAll
	}
	usesText := p.plan.usesText
	refusal := p.scatter(g)
	if r, ok := refusal.(*Refusal); ok {
		p.plan.dropMany(r)
		p.plan.usesText, p.err = usesText, nil
		return p.gatherInstead()
	}
	if refusal != nil {
		return refusal
	}
	switch {
	case complete && p.certain(uses): // several shards are never reached
		p.plan.dropMany(nil)
		p.plan.usesText = usesText
	case complete && len(uses) == 1 && single(&uses[0]) && p.plan.Probe != "":
		p.plan.dropMany(unsupported("the value of the shard key of %s is not certain here (a key is a plain integer, or a string in the column's "+
			"character set), and with ORDER BY, DISTINCT or aggregates it is not looked for on all shards; give the value in the column's type", uses[0].table))
		p.plan.usesText = usesText
		return p.gatherInstead()
	case complete && (len(uses) > 1 || uses[0].nullable): // their values may turn out to be on different shards
		return p.gatherInstead()
	}
	return nil
}

// dropMany makes a plan one for a single shard; why is the answer when there are several.
func (p *Plan) dropMany(why *Refusal) {
	p.many, p.edits, p.own, p.resolver, p.Probe, p.Strategy, p.oneOnly = nil, nil, nil, nil, "", Relay, why
}

// single tells whether a key has one value.
func single(u *keyUse) bool { return !u.all && len(u.values) == 1 }

// certain tells whether the values are one integer literal in every text of the fingerprint.
func (p reader) certain(uses []keyUse) bool {
	if len(uses) != 1 || !single(&uses[0]) || uses[0].typ.text {
		return false
	}
	v := uses[0].values[0]
	lit, ok := p.in.Scan.Value(v.Hole, v.Pos)
	return v.Kind == query.ValNull || ok && lit.Kind == query.Int
}

// scatter plans how the answers of several shards become one. A *Refusal says that the
// statement may go to one shard only.
func (p reader) scatter(g *graph) error {
	if why := p.notMergeable(); why != nil {
		return why
	}
	anchor, why := g.local()
	if why == nil {
		why = keeper(p).ownRows(anchor)
	}
	if why != nil {
		return why
	}
	m := &merger{planner: p.planner, graph: g, anchor: anchor, block: &p.stmt.Blocks[0]}
	return m.run()
}

// notMergeable refuses what no step of the ladder answers.
func (p reader) notMergeable() *Refusal {
	st := p.stmt
	switch {
	case st.Kind == query.Set || st.Kind == query.Do:
		return notOverShards("a subquery in SET or DO", oneKey)
	case st.Union:
		return notOverShards("UNION, EXCEPT or INTERSECT", "send the parts one by one, or "+oneKey)
	case st.CTE:
		return notOverShards("WITH (a common table expression)", oneKey)
	case st.Window:
		return notOverShards("a window function", oneKey)
	case st.Into:
		return notOverShards("SELECT … INTO", oneKey)
	case st.CalcFoundRows:
		return notOverShards("SQL_CALC_FOUND_ROWS", "ask with SELECT COUNT(*) in a second statement, or "+oneKey)
	case st.UserVarAssign:
		return notOverShards("an assignment to a user variable", oneKey)
	case p.tellsInsertID():
		return notOverShards("LAST_INSERT_ID(expr) or @@last_insert_id", oneKey)
	case slices.Contains(st.SysVars, "warning_count") || slices.Contains(st.SysVars, "error_count"):
		return notOverShards("@@warning_count or @@error_count", "select them alone")
	case p.ranksText():
		return notOverShards("MATCH … AGAINST outside of WHERE (each shard ranks by its own rows)", oneKey)
	case st.NamedLock:
		return notOverShards("a named lock", "take the lock in a statement of its own")
	case len(st.Blocks) == 0:
		return notOverShards(st.Verb, oneKey)
	}
	return nil
}

// tellsInsertID tells whether a statement reads or sets the connection's own last insert id.
func (p reader) tellsInsertID() bool {
	for _, c := range p.stmt.Calls {
		if c.Name == "last_insert_id" && c.Args {
			return true
		}
	}
	return slices.Contains(p.stmt.SysVars, "last_insert_id") || slices.Contains(p.stmt.SysVars, "identity")
}

// ranksText tells whether MATCH … AGAINST is anything but a condition of WHERE. Its value
// depends on all rows of the table; whether it is true does not.
func (p reader) ranksText() bool {
	if !p.words.calls("match") {
		return false
	}
	if p.words.has("expansion") || p.words.ranks() { // which words it looks for depends on all rows, too
		return true
	}
	for _, at := range wordsAt(p.in.SQL[:p.in.Scan.End], "match") {
		if !slices.ContainsFunc(p.stmt.Blocks, func(b query.Block) bool { return at >= b.Where.Start && at < b.Where.End }) {
			return true
		}
	}
	return false
}

// wordsAt finds a word outside of quotes and comments.
func wordsAt(sql []byte, word string) (at []int32) {
	for i, w := range eachWord(sql) {
		if strings.EqualFold(string(w), word) {
			at = append(at, i)
		}
	}
	return at
}

// eachWord gives the words outside of quotes and comments, and where they start.
func eachWord(sql []byte) iter.Seq2[int32, []byte] {
	return func(yield func(int32, []byte) bool) {
		for i := 0; i < len(sql); {
			if n := blanks(sql[i:]); n > 0 {
				i += n
				continue
			}
			if !isWordByte(sql[i]) {
				i += quotedName(sql[i:])
				continue
			}
			j := i
			for j < len(sql) && isWordByte(sql[j]) {
				j++
			}
			if !yield(int32(i), sql[i:j]) {
				return
			}
			i = j
		}
	}
}
