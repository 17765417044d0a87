package router

import (
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// The parts of planning, each with what it alone knows.
type (
	access   struct{ *planner } // what the user may name and run
	opaque   struct{ *planner } // statements that are not understood
	hinted   struct{ *planner } // shard=… and key=…
	reader   struct{ *planner } // SELECT
	writer   struct{ *planner } // UPDATE, DELETE and reference tables
	filer    struct{ *planner } // LOAD DATA
	inserter struct{ *planner } // INSERT and REPLACE
	stager   struct{ inserter } // those whose rows are computed first
	changer  struct{ *planner } // DDL
	creator  struct{ changer }  // CREATE TABLE
	shower   struct{ *planner } // SHOW, DESCRIBE, EXPLAIN
)

// New plans a statement. Errors: *Refusal, *NeedTable.
func New(stmt *query.Statement, in *Input) (*Plan, error) {
	p := &planner{in: in, stmt: stmt, words: wordsOf(query.Bare(in.Scan.Fingerprint, in.Mode))}
	p.plan = &Plan{Stmt: stmt, slot: -1, charset: in.Charset, usesText: stmt.TextBound}
	if err := (access{p}).guard(); err != nil {
		return nil, err
	}
	p.plan.Strict = in.Strict && stmt.Insert != nil && stmt.Insert.FromSelect && !stmt.Insert.Ignore
	p.plan.home = p.currentHome()
	p.plan.Write, p.plan.Locking = writes(p.stmt, p.words)
	if err := (programs{p}).examine(); err != nil {
		return nil, err
	}
	if err := (programs{p}).compound(); err != nil {
		return nil, err
	}
	if err := p.run(); err != nil {
		return nil, err
	}
	if p.err != nil {
		return nil, p.err
	}
	if err := givesIDs(p); err != nil {
		return nil, err
	}
	if err := (programs{p}).asIs(); err != nil {
		return nil, err
	}
	if err := (triggers{p}).examine(); err != nil {
		return nil, err
	}
	if err := (views{p}).keep(); err != nil {
		return nil, err
	}
	p.plan.sharded = p.plan.sharded || p.first((*table).sharded) != nil
	if in.Hints.DenyScatter {
		hinted{p}.denyScatter()
	}
	p.plan.Clock = p.plan.Clock || stmt.Clock || (writer{p}).stampsRows()
	return p.plan, nil
}

// stampsRows tells whether a write may store the time in a column that it does not name.
func (p writer) stampsRows() bool {
	switch p.stmt.Kind {
	case query.Insert, query.Replace, query.Update, query.LoadData:
		return p.first(func(t *table) bool {
			stamped := func(c shard.Column) bool { return c.Computed || c.OnUpdate }
			return t.info != nil && (slices.ContainsFunc(t.info.Columns, stamped) || slices.ContainsFunc(t.info.Hidden, stamped))
		}) != nil
	}
	return false
}

// run plans by what the statement is.
func (p *planner) run() error {
	if err := columnsOfSession(p); err != nil {
		return err
	}
	if p.stmt.Opaque {
		return opaque{p}.opaque()
	}
	if err := (access{p}).namedSchema(); err != nil {
		return err
	}
	if err := p.classify(); err != nil {
		return err
	}
	if err := (views{p}).examine(); err != nil {
		return err
	}
	p.plan.Table = p.decider()
	if h := &p.in.Hints; h.Shard != "" || h.HasKey {
		return hinted{p}.hinted()
	}
	switch p.stmt.Kind {
	case query.Select, query.Values, query.Set, query.Do:
		return reader{p}.read()
	case query.Insert, query.Replace, query.Update, query.Delete, query.LoadData:
		return writer{p}.write()
	case query.Explain:
		return shower{p}.explain()
	case query.Show:
		return shower{p}.show()
	case query.CreateTable, query.AlterTable, query.DropTable, query.TruncateTable, query.RenameTable,
		query.CreateIndex, query.DropIndex, query.OtherDDL:
		return changer{p}.ddl()
	case query.Other:
		return changer{p}.maintenance()
	case query.LockTables:
		return changer{p}.lock()
	case query.Call, query.Handler:
		return p.onDefault()
	}
	return unsupported("%s is not a statement that a shard can be asked", strings.ToUpper(p.stmt.Verb))
}

// writes tells whether a statement changes data or takes locks.
func writes(st *query.Statement, w words) (write, locking bool) {
	switch st.Kind {
	case query.Select, query.Values, query.Set, query.Do:
		locking = locks(st)
		return locking, locking
	case query.Explain:
		if !st.InnerRuns {
			return false, false
		}
		switch st.InnerKind {
		case query.Insert, query.Replace, query.Update, query.Delete, query.Other:
			return true, false
		}
		locking = locks(st)
		return locking, locking
	case query.Show, query.Handler:
		return false, false
	case query.Other:
		switch w.at(0) {
		case "select", "show", "explain", "describe", "desc", "values", "table", "help", "checksum":
			return false, false
		}
	}
	return true, false
}

// locks tells whether a query locks the rows that it reads.
func locks(st *query.Statement) bool {
	return slices.ContainsFunc(st.Blocks, func(b query.Block) bool { return b.Locking }) || mentionsLock(st)
}

// mentionsLock tells whether a query that is not understood locks rows.
func mentionsLock(st *query.Statement) bool {
	return !st.MentionLock.Empty() || slices.ContainsFunc(st.Mentions, func(r query.TableRef) bool { return !r.Lock.Empty() })
}

// namedSchema checks the schema of SHOW … FROM x and CREATE DATABASE x.
func (p access) namedSchema() error {
	name := p.stmt.Schema
	if name == "" || p.stmt.Kind == query.Show && (strings.EqualFold(name, informationSchema) || len(p.stmt.Tables) > 0) {
		return nil
	}
	s, err := p.schema(name)
	if err != nil {
		return err
	}
	p.plan.home = s.DefaultShard
	return nil
}

// opaque plans a statement that is not understood: it is relayed when no name in it can be
// a table that Sluice would have to understand it for.
func (p opaque) opaque() error {
	switch {
	case p.stmt.AnyTable:
		return p.notUnderstood("a text within it can name any table")
	case p.words.at(0) == "show":
		return unsupported("this form of SHOW is not known; ask information_schema, or the shard itself")
	}
	if err := views(p).names(); err != nil {
		return err
	}
	var err error
	if p.plan.Program, err = (triggers(p)).definition(); err != nil {
		return err
	}
	aliases := p.words.aliases()
	home := p.plan.home
	for i := range p.stmt.Tables {
		h, err := p.possible(&p.stmt.Tables[i], aliases)
		if err != nil {
			if done, other := p.gather(); done {
				return other
			}
			return err
		}
		if h == "" {
			continue
		}
		if home != "" && h != home {
			if done, other := p.gather(); done {
				return other
			}
			return p.notUnderstood("it names schemas of two shards")
		}
		home = h
	}
	if c := p.plan.Called; c != nil && c.sharded != "" {
		if done, other := p.gather(); done {
			return other
		}
		return p.plan.Called.readsSharded(p.plan.Table)
	}
	p.plan.home, p.plan.atHome = home, false
	p.plan.DDL = isDDLVerb(p.stmt.Verb)
	p.plan.usesText = true
	if p.in.Hints.Shard != "" {
		if err := (hinted(p)).guardOpaque(); err != nil {
			return err
		}
		p.ownOpaque()
		return hinted(p).named()
	}
	return nil
}

// possible checks a name that could be a table and gives the shard that it would be on, ""
// when it decides nothing.
func (p opaque) possible(r *query.TableRef, aliases map[string]bool) (home string, err error) {
	name := r.Schema
	if name == "" {
		name = p.in.Schema
	}
	if isSystemSchema(name) {
		if r.Schema == "" {
			return "", nil
		}
		return "", p.notUnderstood("it names the server's own schema " + r.Schema)
	}
	s := p.in.Map.Schema(name)
	switch {
	case name == "":
		return "", nil
	case s == nil && r.Schema != "" && aliases[strings.ToLower(r.Schema)]:
		return "", nil // alias.column
	case !p.in.User.May(name):
		return "", access(p).deniedTable(name, r)
	case s == nil:
		return "", unknownSchema(name)
	}
	if rule := s.Rule(r.Name); rule.Kind != shard.Unsharded && p.in.Hints.Shard == "" {
		return "", p.notUnderstood("it names " + name + "." + r.Name + ", which is " + article(rule.Kind) + " table")
	}
	if r.Schema == "" {
		return "", nil
	}
	return s.DefaultShard, nil
}

func article(k shard.Kind) string {
	if k == shard.Unsharded {
		return "an " + k.String()
	}
	return "a " + k.String()
}

func (p opaque) notUnderstood(why string) *Refusal {
	reason := p.stmt.Reason
	if reason == "" {
		reason = "unknown syntax"
	}
	return unsupported("this statement is relayed only where it need not be understood, but %s (%s); "+
		"write it in plainer SQL or name a shard with /*sluice: shard=…*/", why, reason)
}

func isDDLVerb(verb string) bool {
	first, _, _ := strings.Cut(verb, " ")
	return slices.Contains([]string{"create", "alter", "drop", "truncate", "rename", "analyze", "optimize", "repair"}, first)
}

// onDefault plans what works on tables of the default shard only.
func (p *planner) onDefault() error {
	if t := p.first(func(t *table) bool { return t.sharded() || t.reference() }); t != nil {
		return unsupported("%s on the %s table %s would see one shard only; it works on unsharded tables",
			strings.ToUpper(p.stmt.Verb), t.rule.Kind, t.name())
	}
	if c := p.plan.Called; c != nil && c.sharded != "" {
		return p.plan.Called.readsSharded(p.plan.Table)
	}
	home, err := p.oneHome()
	if err != nil {
		return err
	}
	if s := p.in.Map.Schema(p.stmt.Schema); p.stmt.Kind == query.Call && s != nil {
		if t := p.first(func(t *table) bool { return t.unsharded() && t.home != s.DefaultShard }); t != nil {
			return unsupported("the procedure is on shard %s and %s, in an argument, on shard %s; read the value first, and write it as a literal", s.DefaultShard, t.name(), t.home)
		}
		home = s.DefaultShard
	}
	p.plan.home = home
	return access{p}.filterInformationSchema()
}

// hinted sends the statement where a hint says, as it is.
func (p hinted) hinted() error {
	if err := p.guardWrite(); err != nil {
		return err
	}
	if err := access(p).filterInformationSchema(); err != nil {
		return err
	}
	p.plan.DDL = isDDLVerb(p.stmt.Verb) && p.stmt.Kind != query.Other
	if err := p.hintedDDL(); err != nil {
		return err
	}
	if err := p.ownHinted(); err != nil {
		return err
	}
	if p.in.Hints.Shard != "" {
		return p.named()
	}
	key := []byte(p.in.Hints.Key)
	k := keyType{bits: 64}
	if t := p.first((*table).sharded); t != nil {
		if err := p.loadTable(t); err != nil {
			return err
		}
		k = t.typ
	} else if _, _, _, ok := parseInt(key); !ok {
		k = keyType{text: true, charset: "binary", size: 1 << 31}
	}
	var s scratch
	canonical, why := s.stored(&k, literal{text: key, isString: true}, "utf8mb4")
	if why != "" {
		return refuse(1105, "HY000", "the key of the hint, %q, %s", p.in.Hints.Key, why)
	}
	p.plan.Target, p.plan.slot = ToKey, int(shard.SlotOf(canonical))
	return nil
}

// named sends the statement to the shard of a hint.
func (p hinted) named() error {
	if _, ok := p.in.Map.ShardIndex(p.in.Hints.Shard); !ok {
		var names []string
		for _, s := range p.in.Map.Spec.Shards {
			names = append(names, s.Name)
		}
		return refuse(1105, "HY000", "the hint names shard %s, which does not exist; shards are %s", p.in.Hints.Shard, strings.Join(names, ", "))
	}
	p.plan.Target, p.plan.home, p.plan.pinned = ToNamed, p.in.Hints.Shard, true
	return nil
}

// denyScatter holds a plan to one shard.
func (p hinted) denyScatter() {
	why := refuse(1235, "42000", "the hint scatter=deny refuses a statement that goes to several shards; %s", oneKey)
	if p.plan.oneOnly == nil {
		p.plan.oneOnly = why
	}
	if p.plan.gather != nil {
		p.plan.gather.denied = why
	}
	if p.plan.stage != nil {
		p.plan.stage.gather.denied = why
	}
}
