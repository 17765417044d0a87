package router

import (
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// loadPlan is a LOAD DATA LOCAL whose rows are dealt to shards while they stream.
type loadPlan struct {
	table, shardKey string // schema.table
	typ             keyType
	everywhere      bool  // every shard gets every row
	keyAt           int   // field of the shard key; -1 when the id that is added is the key
	columns         int   // fields of a row
	binary          []int // those of columns without a character set

	seqColumn string // "" when ids are not counted
	idAt      int    // field of the id; -1 when it is added in front
	zeroIsID  bool
}

// Load deals the rows of a bound LOAD DATA LOCAL to the legs.
type Load struct {
	Everywhere bool   // every leg gets every row
	Columns    int    // fields of a row
	Binary     []int  // those of columns without a character set
	Key, ID    int    // fields of the shard key and of the sequence column, -1 for none
	Sequence   string // "schema.table" whose ids rows without one get, "" for none
	AddID      bool   // the id goes in front of the row's fields
	plan       *loadPlan
	m          *shard.Map
	legs       []int // by shard, -1 for none
	scratch    scratch
}

// OfID gives the leg of a row whose shard key is an id.
func (l *Load) OfID(id uint64) int { return l.legs[l.m.Owner(shard.SlotOfUint(id))] }

// KeyIsID tells whether the shard key is the column that the sequence counts.
func (l *Load) KeyIsID() bool {
	return l.plan.seqColumn != "" && strings.EqualFold(l.plan.seqColumn, l.plan.shardKey)
}

// OfKey gives the leg of a row by the value of its shard key in a file's character set. why,
// if it is not "", says that it is not certain what would be stored.
func (l *Load) OfKey(value []byte, charset string) (leg int, why string) {
	key, why := l.scratch.stored(&l.plan.typ, literal{text: value, isString: true}, charset)
	if why != "" {
		return 0, why
	}
	return l.legs[l.m.Owner(shard.SlotOf(key))], ""
}

// IDOf reads a value of the sequence column: a new id is to be generated, or it is an
// explicit one; 0 for one that no sequence gives out. why as in OfKey.
func (l *Load) IDOf(value []byte) (generated bool, explicit uint64, why string) {
	negative, n, fits, ok := parseInt(value)
	switch {
	case !ok:
		return false, 0, "is not a plain integer"
	case !fits:
		return false, 0, "is out of the column's range"
	case n == 0:
		return !l.plan.zeroIsID, 0, ""
	case negative:
		return false, 0, ""
	}
	return false, n, ""
}

// Names gives the shard key and the sequence column, "" for none, of the table.
func (l *Load) Names() (table, key, id string) {
	return l.plan.table, l.plan.shardKey, l.plan.seqColumn
}

// planLoad plans LOAD DATA LOCAL into a sharded or reference table.
func (p filer) planLoad() error {
	t := p.first(func(t *table) bool { return t.ref.Target })
	in := p.stmt.Load
	what := "LOAD DATA LOCAL into the " + t.rule.Kind.String() + " table " + t.name()
	switch {
	case p.words.at(1) == "xml":
		return unsupported("LOAD XML into the %s table %s is not split; load a text file with LOAD DATA LOCAL", t.rule.Kind, t.name())
	case in == nil || p.in.Scan.ExecutableComment:
		return unsupported("%s with clauses that are not understood; write the clauses of the manual, strings in quotes, without /*! … */", what)
	case in.Assigns:
		return unsupported("%s that assigns variables in SET would count on each shard by itself; compute the value in the file", what)
	}
	if v := p.foreignVariable(); v != "" {
		return unsupported("%s that reads the session's variable @%s, which lives on one shard; write the value as a literal", what, v)
	}
	if err := p.load(); err != nil {
		return err
	}
	l := &loadPlan{table: t.name(), everywhere: t.reference(), keyAt: -1, idAt: -1, zeroIsID: p.in.NoAutoValueOnZero, seqColumn: autoColumn(t)}
	if in.Fields == nil {
		l.columns = len(t.info.Columns)
		if slices.ContainsFunc(t.info.Columns, func(c shard.Column) bool { return c.Generated }) {
			return unsupported("%s, which has generated columns, needs the list of the columns that the file has", what)
		}
	} else {
		l.columns = len(in.Fields)
	}
	for i := range l.columns {
		at := i
		if in.Fields != nil {
			if at = -1; !in.Fields[i].Var {
				at = t.info.Index(in.Fields[i].Name)
			}
		}
		if at >= 0 && t.info.Columns[at].Collation == collationBinary {
			l.binary = append(l.binary, i)
		}
	}
	if l.everywhere {
		if err := p.sameEverywhere(t, what); err != nil {
			return err
		}
	}
	if err := p.loadFields(l, t, what); err != nil {
		return err
	}
	if !in.IgnoreSpan.Empty() {
		p.addEdit(in.IgnoreSpan, "", noLimitEdit)
	}
	p.plan.Target, p.plan.Strategy, p.plan.load = ToAll, SplitLoad, l
	return p.err
}

// foreignVariable gives a user variable that SET reads and no field assigns.
func (p filer) foreignVariable() string {
	for _, v := range p.stmt.Load.Reads {
		if !slices.Contains(p.stmt.Load.Fields, query.LoadField{Name: v, Var: true}) {
			return v
		}
	}
	return ""
}

// loadFields finds the fields of the shard key and of the sequence column.
func (p filer) loadFields(l *loadPlan, t *table, what string) error {
	in := p.stmt.Load
	at := func(column string) int {
		if in.Fields == nil {
			return t.info.Index(column)
		}
		return slices.IndexFunc(in.Fields, func(f query.LoadField) bool { return !f.Var && strings.EqualFold(f.Name, column) })
	}
	for _, c := range [...]string{t.rule.ShardKey, l.seqColumn} {
		if c != "" && containsFold(in.Sets, c) {
			return unsupported("%s that computes %s in SET; let a field of the file be %s", what, c, c)
		}
	}
	if !l.everywhere {
		l.shardKey, l.typ, l.keyAt = t.rule.ShardKey, t.typ, at(t.rule.ShardKey)
		if l.keyAt < 0 && !strings.EqualFold(l.seqColumn, l.shardKey) {
			return refuse(1364, "HY000", "Field '%s' doesn't have a default value: it is the shard key of %s and must be a field of the file", l.shardKey, t.name())
		}
	}
	if l.seqColumn == "" {
		return nil
	}
	for _, d := range [...]string{in.FieldEnd, in.LineEnd, in.Enclosed, in.Escaped} {
		if strings.ContainsAny(d, "0123456789") {
			return unsupported("%s, whose %s the cluster's sequence counts, with a digit as delimiter", what, l.seqColumn)
		}
	}
	if l.idAt = at(l.seqColumn); l.idAt >= 0 {
		return nil
	}
	if in.Fields == nil {
		return refuse(1105, "HY000", "%s has no visible column %s, which its rule names as the sequence; give a list of columns", t.name(), l.seqColumn)
	}
	from := in.FieldsSpan.Start + 1
	p.addEdit(query.Span{Start: from, End: from}, string(query.QuoteName(nil, l.seqColumn))+", ", noLimitEdit)
	return p.err
}

// sameEverywhere refuses what would make the copies of a reference table differ.
func (p filer) sameEverywhere(t *table, what string) error {
	in := p.stmt.Load
	if p.stmt.Nondeterministic || len(p.stmt.SysVars) > 0 || len(p.stmt.Calls) > 0 {
		return unsupported("%s that computes values in SET which differ between the shards (NOW(), RAND(), UUID(), system variables …); write them into the file", what)
	}
	for _, list := range [][]shard.Column{t.info.Columns, t.info.Hidden} {
		for j := range list {
			c := &list[j]
			given := containsFold(in.Sets, c.Name) || in.Fields == nil && t.info.Index(c.Name) >= 0 ||
				slices.ContainsFunc(in.Fields, func(f query.LoadField) bool { return !f.Var && strings.EqualFold(f.Name, c.Name) })
			if c.Computed && !given {
				return unsupported("each shard would compute its own value of %s.%s (the time, a UUID …); let a field of the file give it", t.name(), c.Name)
			}
		}
	}
	return nil
}

// bind gives every shard the statement and the load its legs.
func (l *loadPlan) bind(p *Plan, a *Args, b *Bound) error {
	b.Strategy = SplitLoad
	if l.everywhere {
		b.every(a.Map, false)
	} else {
		b.owners(a.Map)
	}
	load := &Load{Everywhere: l.everywhere, Columns: l.columns, Binary: l.binary, Key: l.keyAt, ID: l.idAt, AddID: l.seqColumn != "" && l.idAt < 0, plan: l, m: a.Map}
	if l.seqColumn != "" {
		load.Sequence = l.table
	}
	load.legs = make([]int, len(a.Map.Spec.Shards))
	for i := range load.legs {
		load.legs[i] = slices.IndexFunc(b.Legs, func(leg Leg) bool { return leg.Shard == i })
	}
	b.Load = load
	if len(p.edits) == 0 {
		return nil
	}
	return p.editLegs(a, b, "")
}
