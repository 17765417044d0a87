package router

import (
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// ddl plans statements that change tables and other objects.
func (p changer) ddl() error {
	p.plan.DDL, p.plan.Write = true, true
	switch p.stmt.Kind {
	case query.OtherDDL:
		return p.otherDDL()
	case query.CreateTable:
		return creator{p}.createTable()
	}
	for i := range p.tables {
		if p.tables[i].system {
			return p.deniedSchema(p.tables[i].schema)
		}
	}
	if p.stmt.Temporary {
		return p.temporary()
	}
	p.onlyChanged()
	if p.stmt.Kind == query.DropTable && severalKinds(p.tables) {
		return p.dropKinds()
	}
	switch {
	case p.stmt.Kind == query.RenameTable:
		giveRules(p)
	case p.stmt.Kind == query.AlterTable && !p.tables[0].unsharded() && renamesTable(p.words):
		return unsupported("ALTER TABLE … RENAME of the %s table %s beside other changes is not available; use RENAME TABLE … TO … for it", p.tables[0].rule.Kind, p.tables[0].name())
	}
	kind, err := p.oneKind()
	if err != nil {
		return err
	}
	if kind == shard.Unsharded {
		return p.unshardedDDL()
	}
	if err := whileMoving(p.planner, p.tables[0].name()); err != nil {
		return err
	}
	p.plan.sharded = true // or copied to a new shard: a migration that begins waits for it
	p.everywhere()
	p.plan.Copies = kind == shard.Sharded
	switch p.stmt.Kind {
	case query.AlterTable:
		return p.alterTable(kind)
	case query.RenameTable:
		return p.renameTable()
	case query.DropTable:
		for i := range p.tables {
			p.noteDropped(p.tables[i].schema, p.tables[i].rule)
		}
	case query.TruncateTable:
		for i := range p.tables {
			p.plan.drops = append(p.plan.drops, p.tables[i].name())
		}
	}
	return nil
}

// onlyChanged leaves the tables out that foreign keys refer to.
func (p changer) onlyChanged() {
	if p.stmt.Kind != query.AlterTable || len(p.tables) < 2 {
		return
	}
	p.tables = slices.DeleteFunc(p.tables, func(t table) bool {
		return slices.ContainsFunc(p.stmt.ForeignKeys, func(f query.TableRef) bool { return f.Span == t.ref.Span })
	})
}

// everywhere sends the statement to every shard, and notes which tables it leaves there.
func (p changer) everywhere() {
	p.plan.Target, p.plan.Strategy = ToAll, Everywhere
	p.plan.unique = p.stmt.Kind == query.CreateTable || p.words.has("unique") || p.words.has("primary")
	for i := range p.tables {
		t := &p.tables[i]
		switch p.stmt.Kind {
		case query.CreateTable, query.AlterTable, query.CreateIndex, query.DropIndex, query.TruncateTable:
			if i > 0 {
				return
			}
		case query.RenameTable:
			if i%2 == 0 {
				continue
			}
		default:
			return
		}
		p.plan.defines = append(p.plan.defines, TableName{t.schema, t.rule.Name})
	}
}

// temporary plans a temporary table, which lives on one connection of the default shard.
func (p changer) temporary() error {
	if p.stmt.Kind == query.DropTable { // also one whose name was given a rule since
		for i := range p.tables {
			if t := &p.tables[i]; t.home != p.tables[0].home {
				return unsupported("DROP TEMPORARY TABLE of %s and %s, whose schemas are on different shards, is not available; drop them one by one", p.tables[0].name(), t.name())
			}
		}
		p.plan.home = p.tables[0].home
		return nil
	}
	for i := range p.tables {
		if t := &p.tables[i]; t.ref.Target && !t.unsharded() {
			return unsupported("a temporary table named like the %s table %s would hide it on one shard only; choose another name", t.rule.Kind, t.name())
		}
	}
	return p.onDefault()
}

// unshardedDDL plans DDL of tables on the default shard.
func (p changer) unshardedDDL() error {
	for _, f := range p.stmt.ForeignKeys {
		t, err := p.tableOf(&f)
		if err != nil {
			return err
		}
		if t.sharded() {
			return foreignKey(p.tables[0].name(), t.name())
		}
	}
	home, err := p.oneHome()
	if err != nil {
		return err
	}
	p.plan.home, p.plan.pinned = home, true
	return nil
}

// severalKinds tells whether unsharded tables are named beside others.
func severalKinds(tables []table) bool {
	unsharded := func(t table) bool { return t.unsharded() }
	return slices.ContainsFunc(tables, unsharded) && slices.ContainsFunc(tables, func(t table) bool { return !unsharded(t) })
}

// dropKinds plans DROP TABLE of unsharded tables and others: the default shard gets the
// statement as it is, the other shards without the names of tables that they do not have.
func (p changer) dropKinds() error {
	home, err := p.oneHome()
	if err == nil {
		err = whileMoving(p.planner, p.tables[0].name())
	}
	if err != nil {
		return err
	}
	p.everywhere()
	p.plan.home = home
	first, last := p.tables[0].ref.Span.Start, p.tables[len(p.tables)-1].ref.Span.End
	text := slices.Clone(p.in.SQL[:first])
	for i := range p.tables {
		t := &p.tables[i]
		if t.unsharded() {
			continue
		}
		if len(p.plan.drops) > 0 {
			text = append(text, ", "...)
		}
		text = append(text, p.in.SQL[t.ref.Span.Start:t.ref.Span.End]...)
		p.noteDropped(t.schema, t.rule)
	}
	p.plan.elsewhere = append(text, p.in.SQL[last:]...)
	return nil
}

// oneKind gives the kind of all tables, which must be the same.
func (p changer) oneKind() (shard.Kind, error) {
	kind := shard.Unsharded
	for i := range p.tables {
		t := &p.tables[i]
		if i > 0 && (t.rule.Kind == shard.Unsharded) != (kind == shard.Unsharded) {
			if err := replaces(p); err != nil {
				return 0, err
			}
			return 0, unsupported("%s of %s and %s at once, which are of different kinds, is not available; name them in statements of their own",
				strings.ToUpper(p.stmt.Verb), p.tables[0].name(), t.name())
		}
		kind = t.rule.Kind
	}
	return kind, nil
}

// replaces refuses RENAME TABLE of an unsharded table beside others: a statement for each would leave a name without a table.
func replaces(p changer) error {
	if p.stmt.Kind != query.RenameTable {
		return nil
	}
	of := p.tables[slices.IndexFunc(p.tables, func(t table) bool { return !t.unsharded() })]
	for i := 0; i < len(p.tables); i += 2 {
		t := &p.tables[i]
		made := slices.ContainsFunc(p.tables[:i], func(o table) bool { return o.name() == t.name() })
		if t.unsharded() && !made {
			return unsupported("RENAME TABLE of the unsharded table %s beside the %s table %s is not available; give it the same rule first (CREATE TABLE … LIKE %s makes a table that has it, for the rows)",
				t.name(), of.rule.Kind, of.name(), of.rule.Name)
		}
	}
	return nil
}

// alterTable keeps the shard key what it is.
func (p changer) alterTable(kind shard.Kind) error {
	p.plan.Nameless = nameless(p.words)
	t := &p.tables[0]
	if err := (referring{p}).foreignKeys(t.schema, t.rule); err != nil {
		return err
	}
	if p.words.has("exchange") && p.words.has("partition") {
		return unsupported("EXCHANGE PARTITION of the %s table %s is not available", kind, t.name())
	}
	if kind == shard.Sharded {
		if err := p.alterKey(t); err != nil {
			return err
		}
		if p.words.follows("convert", "to") {
			if err := p.loadTable(t); err != nil {
				return err
			}
		}
	}
	return p.alterRows(t)
}

// alterKey refuses a change of the shard-key column, but for another size of integer, under its own name.
func (p changer) alterKey(t *table) error {
	key := strings.ToLower(t.rule.ShardKey)
	for i, w := range p.words {
		switch w {
		case "drop", "modify", "change", "rename":
		default:
			continue
		}
		j := i + 1
		for slices.Contains([]string{"column", "if", "exists"}, p.words.at(j)) {
			j++
		}
		named := func(w string) bool { return strings.ToLower(strings.Trim(w, "`\"")) == key }
		if !named(p.words.at(j)) {
			continue
		}
		if w == "change" && named(p.words.at(j+1)) {
			j++
		}
		if (w == "modify" || j > i+1 && named(p.words.at(j-1))) && isIntegerType(p.words.at(j+1)) {
			if err := keptType(p, t, p.words.clause(j+1)); err != nil {
				return err
			}
			continue
		}
		return unsupported("%s of %s, the shard key of %s, would leave its rows on the wrong shards; copy them into a new table instead", strings.ToUpper(w), t.rule.ShardKey, t.name())
	}
	return nil
}

// keptType refuses an integer type for the shard key by which the value of a row that is there would
// become another, on the shard of the old one: where values that do not fit are cut to size, where 0 gets an
// id, where the column is computed; and with leading zeros, by which slots are computed in SQL.
func keptType(p changer, t *table, clause words) error {
	for _, w := range []string{"zerofill", "as", "generated"} {
		if clause.has(w) {
			return unsupported("MODIFY of %s, the shard key of %s, with %s, would leave its rows on the wrong shards; leave that out", t.rule.ShardKey, t.name(), strings.ToUpper(w))
		}
	}
	numbers := clause.has("auto_increment") && !p.in.NoAutoValueOnZero
	cuts := !p.in.Strict || p.words.at(1) == "ignore" || p.words.at(2) == "ignore"
	if !numbers && !cuts {
		return nil
	}
	info := p.in.Catalog.Table(t.schema, t.rule.Name)
	if info == nil {
		return &NeedTable{t.schema, t.rule.Name}
	}
	at := info.Index(t.rule.ShardKey)
	if at < 0 {
		return nil // its own error is told by the server
	}
	flags := info.Columns[at].Flags
	if numbers && flags&flagAutoIncrement == 0 {
		return unsupported("MODIFY of %s, the shard key of %s, to AUTO_INCREMENT, would give a row of 0 an id that belongs to another shard; SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO') first",
			t.rule.ShardKey, t.name())
	}
	if cuts && (clause.at(0) != "bigint" || clause.has("unsigned") != (flags&flagUnsigned != 0)) {
		return unsupported("MODIFY of %s, the shard key of %s, where sql_mode is not strict or IGNORE is said, could change values and leave rows on the wrong shards; do it under STRICT_ALL_TABLES",
			t.rule.ShardKey, t.name())
	}
	return nil
}

func isIntegerType(t string) bool {
	return slices.Contains([]string{"tinyint", "smallint", "mediumint", "int", "integer", "bigint", "int1", "int2", "int3", "int4", "int8", "middleint"}, t)
}

// renamesTable tells whether ALTER TABLE gives the table another name.
func renamesTable(w words) bool {
	for i, s := range w {
		if s == "rename" && !slices.Contains([]string{"column", "index", "key", "constraint"}, w.at(i+1)) {
			return true
		}
	}
	return false
}

// giveRules gives a new name that has no rule that of the table which gets it: one in a statement, which is stored before.
func giveRules(p changer) {
	if p.stmt.IfExists {
		return
	}
	for i := 0; i+1 < len(p.tables); i += 2 {
		from, to := &p.tables[i], &p.tables[i+1]
		s := p.in.Map.Schema(to.schema)
		if from.unsharded() || from.schema != to.schema || s == nil || hasRule(s, to.rule.Name) {
			continue
		}
		named := func(t table) bool { return t.schema == to.schema && t.rule.Name == to.rule.Name }
		if slices.ContainsFunc(p.tables[:i+1], named) || slices.ContainsFunc(p.tables[i+2:], named) {
			return // it is on its way to a third name
		}
		rule := from.rule
		rule.Name, rule.Auto = to.rule.Name, 0
		to.rule = rule
		p.plan.Declares, p.plan.declareSchema = &rule, to.schema
		return
	}
}

// renameTable renames tables on every shard when their rules stay the same. Rules that auto_shard_key has made go with their
// tables, as sequences do.
func (p changer) renameTable() error {
	for i := 0; i+1 < len(p.tables); i += 2 {
		from, to := &p.tables[i], &p.tables[i+1]
		rule := from.rule
		rule.Name = to.rule.Name
		if !rule.SameRule(to.rule) || from.schema != to.schema {
			return unsupported("RENAME TABLE of %s to %s, for which there is another rule, is not available; give the new name the same rule first", from.name(), to.name())
		}
		p.plan.renames = append(p.plan.renames, [2]string{from.name(), to.name()})
		filled := false
		for j := 1; j < len(p.tables); j += 2 {
			filled = filled || p.tables[j].name() == from.name()
		}
		if filled {
			continue
		}
		p.plan.drops = append(p.plan.drops, from.name())
		p.plan.Leaves = append(p.plan.Leaves, TableName{from.schema, from.rule.Name})
		if from.rule.Auto != 0 {
			p.plan.undeclares = append(p.plan.undeclares, ruled{from.schema, from.rule})
		}
	}
	return nil
}

// otherDDL plans databases, views, triggers, routines and events.
func (p changer) otherDDL() error {
	_, object, _ := strings.Cut(p.stmt.Verb, " ")
	if object == "database" || object == "schema" {
		return p.database()
	}
	for i := range p.tables {
		t := &p.tables[i]
		if t.system {
			return p.deniedSchema(t.schema)
		}
		if !t.unsharded() {
			return unsupported("%s over the %s table %s is not available: it would work on one shard only; views, triggers, routines and events may name unsharded tables",
				strings.ToUpper(p.stmt.Verb), t.rule.Kind, t.name())
		}
	}
	if s := p.in.Map.Schema(p.stmt.Schema); s != nil { // DROP TRIGGER schema.name
		p.plan.home, p.plan.pinned = s.DefaultShard, true
		return nil
	}
	if len(p.tables) == 0 && p.in.Schema == "" {
		return nil
	}
	home, err := p.oneHome()
	if err != nil {
		return err
	}
	p.plan.home, p.plan.pinned = home, true
	return nil
}

// database plans CREATE, ALTER and DROP DATABASE of a configured schema, which every shard
// has.
func (p changer) database() error {
	name := p.stmt.Schema
	if name == "" {
		name = p.in.Schema
	}
	if name == "" {
		return noSchema()
	}
	s, err := p.schema(name)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(p.stmt.Verb, "create ") && !s.PassThrough() {
		if err := whileMoving(p.planner, name); err != nil {
			return err
		}
	}
	p.everywhere()
	p.plan.home = s.DefaultShard
	if strings.HasPrefix(p.stmt.Verb, "drop ") {
		for _, t := range s.Tables {
			if t.Kind != shard.Unsharded && !shard.IsGlob(t.Name) {
				p.noteDropped(s.Name, t)
			}
		}
	}
	return nil
}

// maintenance plans ANALYZE, OPTIMIZE, CHECK, REPAIR TABLE and what else is known by its
// verb only.
func (p changer) maintenance() error {
	verb := p.stmt.Verb
	switch verb {
	case "checksum table", "checksum tables":
		return checksum(p)
	case "analyze table", "optimize table", "check table", "repair table", "analyze tables", "optimize tables", "check tables", "repair tables":
	default:
		return p.onDefault()
	}
	kind, err := p.oneKind()
	if err != nil {
		return err
	}
	p.plan.DDL, p.plan.Write = true, true
	if kind == shard.Unsharded {
		return p.onDefault()
	}
	if strings.HasPrefix(verb, "optimize") || strings.HasPrefix(verb, "repair") {
		if err := whileMoving(p.planner, p.tables[0].name()); err != nil {
			return err
		}
	}
	p.plan.Target, p.plan.Strategy = ToAll, Concatenate
	p.plan.many = &many{merge: &Merge{Reports: true}}
	return nil
}

// checksum plans CHECKSUM TABLE: a table's is the sum of its shards'.
func checksum(p changer) error {
	others := p.first(func(t *table) bool { return !t.sharded() }) != nil
	switch {
	case p.first((*table).sharded) == nil && p.first((*table).unsharded) == nil:
		p.plan.Target = ToAny
		return nil
	case !others:
		p.plan.Target, p.plan.Strategy = ToAll, Concatenate
		p.plan.many = &many{merge: &Merge{Checksums: true}}
		return whileMoving(p.planner, p.tables[0].name()) // shards may hold rows that they do not own
	case p.first((*table).sharded) != nil || p.first((*table).reference) != nil:
		return unsupported("CHECKSUM TABLE of tables of different kinds at once is not available; name them in statements of their own")
	}
	return p.onDefault()
}
