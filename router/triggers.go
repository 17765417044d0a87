package router

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// A trigger runs on the shard where a row is written, over a connection of Sluice's. Those of unsharded
// tables find there what stored programs find; those of tables that several shards have may look at the row
// and at nothing else. They may have been made past Sluice, with an imported database.

// NeedTriggers is returned by New when the plan depends on the triggers of a schema's tables: put them into
// the Catalog, and plan again.
type NeedTriggers struct{ Schema string }

func (e *NeedTriggers) Error() string { return "the triggers of " + e.Schema + " are not known" }

// triggers looks at the triggers that a statement fires.
type triggers struct{ *planner }

// examine refuses those that would not do what they do on one server, and notes what they do to the session.
// Errors: *Refusal, *NeedTriggers, *NeedRoutines, *NeedViews.
func (p triggers) examine() error {
	if p.in.Catalog == nil || p.in.Catalog.Triggers == nil {
		return nil
	}
	seen := map[[2]string]changes{}
	if c := p.plan.Called; c != nil && !p.words.defines() {
		if err := p.written(c, seen); err != nil {
			return err
		}
	}
	if !p.plan.Write || p.plan.Locking || isDDLVerb(p.stmt.Verb) {
		return nil
	}
	for i := range p.tables {
		if t := &p.tables[i]; t.ref.Target && !t.system {
			if err := p.of(t.schema, t.rule.Name, p.changes(), seen); err != nil {
				return err
			}
		}
	}
	if !p.stmt.Opaque {
		return nil
	}
	for _, r := range p.stmt.Tables {
		schema := r.Schema
		if schema == "" {
			schema = p.in.Schema
		}
		if s := p.in.Map.Schema(schema); s != nil && p.in.User.May(schema) {
			if err := p.of(schema, r.Name, anyChange, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// written looks at the triggers of what programs write: of any table, where they run texts that they make.
func (p triggers) written(c *Called, seen map[[2]string]changes) error {
	for _, schema := range c.texts {
		all, known := p.in.Catalog.Triggers[schema]
		if !known {
			return &NeedTriggers{schema}
		}
		for _, table := range slices.Sorted(maps.Keys(all)) {
			if err := p.of(schema, table, anyChange, seen); err != nil {
				return err
			}
		}
	}
	if !c.Writes {
		return nil
	}
	for _, r := range c.tables {
		if err := p.of(r.Schema, r.Name, c.changes, seen); err != nil {
			return err
		}
	}
	return nil
}

// of looks at the triggers of a table, or of what a view is of.
func (p triggers) of(schema, name string, by changes, seen map[[2]string]changes) error {
	at := [2]string{schema, strings.ToLower(name)}
	s := p.in.Map.Schema(schema)
	if by &^= seen[at]; s == nil || by == 0 {
		return nil
	}
	seen[at] |= by
	all, known := p.in.Catalog.Triggers[schema]
	if !known {
		return &NeedTriggers{schema}
	}
	if on := p.in.Catalog.Hidden[schema]; on != nil && p.in.Hints.Shard == "" && slices.ContainsFunc(p.in.Map.Spec.Schemas, isSpread) {
		return notOverShards("a write of "+schema+"."+name+", whose triggers shard "+on[0]+" does not show,",
			"give the shards' account the privilege TRIGGER on "+schema+".*")
	}
	for _, on := range p.in.Catalog.Unasked[schema] {
		if p.in.Hints.Shard == "" && !slices.Contains(p.plan.Unasked, on) {
			p.plan.Unasked = append(p.plan.Unasked, on)
		}
	}
	if len(all) == 0 {
		return nil
	}
	for _, t := range all[at[1]] {
		if by&changeOf(t.Event) == 0 {
			continue
		}
		if err := p.run(s, name, &t, seen); err != nil {
			return err
		}
	}
	if s.Rule(name).Kind != shard.Unsharded || p.in.Catalog.Views == nil {
		return nil
	}
	list, _, is, err := definitionOf(p.in, schema, name)
	if err != nil || !is {
		return err
	}
	for i := 2; i < len(list); i++ {
		if list[i-1].Text == "." {
			if err := p.of(list[i-2].Text, list[i].Text, by, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// changes are events that set triggers off.
type changes uint8

const (
	inserts changes = 1 << iota
	updates
	deletes
	anyChange = inserts | updates | deletes
)

func changeOf(event string) changes {
	switch event {
	case "INSERT":
		return inserts
	case "UPDATE":
		return updates
	}
	return deletes
}

// changes gives those of the statement on the tables that it writes itself.
func (p triggers) changes() changes {
	if g := p.plan.gather; g != nil && g.write { // a row may move
		return anyChange
	}
	switch p.stmt.Kind {
	case query.Insert:
		if p.words.follows("duplicate", "key") {
			return inserts | updates
		}
		return inserts
	case query.Replace:
		return inserts | deletes
	case query.Update:
		return updates
	case query.Delete:
		return deletes
	}
	return anyChange
}

// run looks at one trigger, of a table or of one that others write to.
func (p triggers) run(s *shard.Schema, table string, t *shard.Trigger, seen map[[2]string]changes) error {
	c := &Called{fired: "the trigger " + s.Name + "." + t.Name + " of " + s.Name + "." + table}
	if err := (programs(p)).text(c, s.Name, c.fired, t.Routine, map[[2]string]bool{}); err != nil {
		return err
	}
	if p.in.Hints.Shard == "" {
		var why string
		if rule := s.Rule(table); rule.Kind == shard.Unsharded {
			why = p.misled(c)
		} else if why = p.spread(c, s.Name, rule, t); why == "" {
			p.plan.Clock = true
		}
		if why != "" {
			return firedHere(why)
		}
	}
	p.keep(c)
	return p.written(c, seen)
}

func firedHere(why string) *Refusal {
	return notOverShards("a write that fires "+why+",", "do in the application what the trigger does, and drop it")
}

// keep notes what triggers do to the session.
func (p triggers) keep(c *Called) {
	if c.marks() {
		adopt(p.plan, &Called{Variables: c.Variables, InsertID: c.InsertID, Settings: c.Settings, Sets: c.Sets})
	}
}

// misled says why a program that is run on its schema's default shard, without a statement of its own to
// refuse, does not do what it does on one server; "" when it does.
func (p triggers) misled(c *Called) string {
	of := c.fired
	if of == "" {
		of = "it"
	}
	switch {
	case c.unfit != "" && (!c.blind || slices.ContainsFunc(p.in.Map.Spec.Schemas, isSpread)):
		return between(of, c.unfit)
	case c.namedLock:
		return of + ", which uses named locks"
	case c.sharded != "":
		return of + ", which names " + c.sharded + ", of which a shard has a part"
	case c.Writes && c.reference != "":
		return of + ", which writes, and names the reference table " + c.reference + ", of which every shard has a copy"
	}
	return ""
}

// between puts the trigger before the program that it calls.
func between(trigger, unfit string) string {
	if strings.HasPrefix(unfit, trigger) {
		return unfit
	}
	return trigger + ", which calls " + unfit
}

// spread says why a trigger of a table that several shards have does more than to look at the row.
func (p triggers) spread(c *Called, schema string, rule shard.Table, t *shard.Trigger) string {
	list, _ := query.Words([]byte(t.Body), p.in.Mode.Stored(t.Mode))
	g := p.plan.gather
	switch {
	case t.Uneven:
		return c.fired + ", which not all shards have"
	case c.unfit != "":
		return between(c.fired, c.unfit)
	case len(c.tables) > 0:
		return c.fired + ", which names " + c.tables[0].Schema + "." + c.tables[0].Name
	case !c.pure(), c.namedLock, len(c.homes) > 0:
		return c.fired + ", which does more than to look at the row"
	case assignsNew(list, rule.ShardKey):
		return c.fired + ", which sets the shard key " + rule.ShardKey
	case p.plan.Sequence() != "" && assignsNew(list, p.sequenceOf(schema, rule)):
		return c.fired + ", which sets the AUTO_INCREMENT column " + p.sequenceOf(schema, rule)
	case p.plan.Sequence() != "" && t.Before && t.Event == "INSERT" && len(namesNew(list, p.sequenceOf(schema, rule))) > 0:
		return c.fired + ", which looks at the AUTO_INCREMENT column " + p.sequenceOf(schema, rule) + " before a server has given it a value"
	case rule.Kind == shard.Reference && slices.ContainsFunc(list, differs):
		return c.fired + ", which may do something else on each shard"
	case g != nil && g.write || p.plan.staying != nil:
		return c.fired + ", by way of copies of rows"
	}
	return ""
}

// sequenceOf names the column that a table's sequence feeds.
func (p triggers) sequenceOf(schema string, rule shard.Table) string {
	if rule.Sequence != "" {
		return rule.Sequence
	}
	if info := p.in.Catalog.Table(schema, rule.Name); info != nil {
		for _, c := range info.Columns {
			if c.Flags&flagAutoIncrement != 0 {
				return c.Name
			}
		}
	}
	return ""
}

// differs tells whether a word of a trigger may give something else on each shard.
func differs(w query.Word) bool {
	switch strings.ToLower(w.Text) {
	case "rand", "uuid", "uuid_short", "random_bytes", "sys_guid", "nextval", "sysdate", "encrypt":
		return w.Called
	case "@@":
		return true
	}
	return false
}

// namesNew gives the places of NEW.column.
func namesNew(list []query.Word, column string) (at []int) {
	for i := 2; i < len(list) && column != ""; i++ {
		if strings.EqualFold(list[i].Text, column) && list[i-1].Text == "." && strings.EqualFold(list[i-2].Text, "new") {
			at = append(at, i)
		}
	}
	return at
}

// assignsNew tells whether a trigger sets a column of the row.
func assignsNew(list []query.Word, column string) bool {
	return slices.ContainsFunc(namesNew(list, column), func(i int) bool { return assigned(list, i) || filled(list, i-2) })
}

// assigned tells whether SET or := assigns to the NEW.column that ends at word i.
func assigned(list []query.Word, i int) bool {
	before := i - 3
	if before >= 0 && list[before].Mark == ':' { // MariaDB's sql_mode ORACLE: :NEW
		before--
	}
	switch {
	case i+1 == len(list):
		return false
	case list[i+1].Mark == ':':
		return true
	}
	return list[i+1].Mark == '=' && before >= 0 && (list[before].Mark == ',' || strings.EqualFold(list[before].Text, "set"))
}

// filled tells whether the name at word i is in a list behind INTO.
func filled(list []query.Word, i int) bool {
	b := body{list: list}
	for at := range list[:i] {
		if b.at(at) != "into" {
			continue
		}
		for at < i {
			if at++; list[at].Mark == ':' {
				at++
			}
			if at == i {
				return true
			}
			for b.at(at+1) == "." {
				at += 2
			}
			if at++; at >= i || list[at].Mark != ',' {
				break
			}
		}
	}
	return false
}

// definition reads the statement that makes a trigger or an event, whose text is not looked at, or not
// through Sluice, when it runs. done: the statement makes a stored program, and what it says was looked at
// or will be.
// Errors: *Refusal, *NeedRoutines, *NeedViews, *NeedTriggers.
func (p triggers) definition() (done bool, err error) {
	if verb := verbOf(p.words); verb != "create" && verb != "alter" {
		return false, nil
	}
	kind := definedBy(p.words)
	switch kind {
	case "procedure", "function", "package":
		list, _ := query.Words(p.in.SQL[:p.in.Scan.End], p.in.Mode)
		return kind != "package", bodies(p).defined(body{list: list}) // the rest when it is called
	case "trigger", "event":
	default:
		return false, nil
	}
	list, ok := query.Words(p.in.SQL[:p.in.Scan.End], p.in.Mode)
	b := body{list: list, source: string(p.in.SQL[:p.in.Scan.End])}
	for i := range list {
		if kind == "trigger" && b.at(i) == "row" && b.at(i-1) == "each" || kind == "event" && b.at(i) == "do" {
			b.definer = slices.ContainsFunc(list[:i], func(w query.Word) bool { return strings.EqualFold(w.Text, "definer") }) &&
				!slices.ContainsFunc(list[:i], func(w query.Word) bool { return strings.EqualFold(w.Text, "current_user") })
			b.list = list[i+1:]
			b.own = b.declared(nil)
			break
		}
	}
	head := body{list: list[:len(list)-len(b.list)]}
	alone := len(head.list) == 0
	if alone {
		head.list = list
	}
	schema, to := p.places(head, kind)
	if s := p.in.Map.Schema(to); s != nil && to != schema && isSpread(*s) {
		return false, notOverShards("ALTER EVENT that renames an event into the schema "+to+", which has sharded or reference tables,", "drop the event, and create it there")
	}
	if alone && kind == "event" && ok { // ALTER EVENT … DISABLE
		return true, nil
	}
	const what = "a text"
	c := &Called{fired: what}
	if !ok {
		c.cannot(what, "cannot be read")
	} else if err := (programs(p)).body(c, schema, what, b, map[[2]string]bool{}); err != nil {
		return false, err
	}
	if why := p.misled(c); why != "" {
		return false, notOverShards(fmt.Sprintf("%s of %s,", strings.ToUpper(p.stmt.Verb), why), "do in the application what it would do")
	}
	if kind == "event" && p.in.Catalog != nil && p.in.Catalog.Triggers != nil {
		err = p.written(c, map[[2]string]changes{})
	}
	return err == nil, err
}

// places gives the schema that the trigger or event is in of which head is what stands before the text, and the
// one that it is renamed into.
func (p triggers) places(head body, kind string) (schema, to string) {
	qualifies := func(i int) string {
		if head.at(i+1) == "." && p.in.User.May(head.list[i].Text) {
			return head.list[i].Text
		}
		return p.in.Schema
	}
	for i := range head.list {
		switch {
		case head.at(i) == kind && schema == "" && (i == 0 || head.list[i-1].Mark != '='): // no DEFINER = event@localhost
			i++
			if head.at(i) == "if" && (head.at(i+1) == "exists" || head.at(i+2) == "exists") { // IF NOT EXISTS
				for head.at(i) != "exists" {
					i++
				}
				i++
			}
			schema = qualifies(i)
		case head.at(i) == "rename" && head.at(i+1) == "to":
			to = qualifies(i + 2)
		}
	}
	return cmp.Or(schema, p.in.Schema), to
}
