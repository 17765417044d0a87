package router

import (
	"cmp"
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// Stored functions live on their schema's default shard, where they find its unsharded tables
// and copies of the reference tables. What they do is read in their texts: NO SQL and CONTAINS
// SQL are not checked by servers.

// NeedRoutines is returned by New when the plan depends on a schema's stored programs: put them
// into the Catalog, and plan again.
type NeedRoutines struct{ Schema string }

func (e *NeedRoutines) Error() string { return "the stored programs of " + e.Schema + " are not known" }

// Called is what the stored programs that a statement calls, or that it fires, do to the session, with those
// that they call themselves.
type Called struct {
	Variables []string // user variables, as their texts write them
	InsertID  bool     // they look at LAST_INSERT_ID(), or set it
	Settings  bool     // they may set variables of the server
	Sets      []Setting
	Writes    bool
	Found     Found // of a CALL, or a compound statement

	names      []string         // of the statement's own
	fired      string           // the trigger that is being read, and the table, in words
	changes    changes          // what they do to tables
	namedLock  bool             // they take and give back named locks
	locks      bool             // they lock rows that they read
	unfit      string           // why nothing can be said of them, or no connection but the client's would do
	views      bool             // some of tables are views
	tables     []query.TableRef // those that they may name
	texts      []string         // schemas in which they run texts that they make
	sharded    string           // the first of tables that is
	reference  string           // the first of tables, or of those behind views, that is
	homes      []string         // default shards of their schemas
	under      string           // the one that is being read
	unread     bool             // the text of one cannot be read
	ends       bool             // they may end the transaction
	savepoints bool             // they may set savepoints, or go back to them
	selects    bool             // they may change what FOUND_ROWS() is
	blind      bool             // unfit says only that a text cannot be read
}

// pure tells whether calls depend on nothing but their arguments, and leave nothing.
func (c *Called) pure() bool {
	return !c.Writes && !c.locks && !c.InsertID && !c.Settings && len(c.Variables) == 0 && c.unfit == ""
}

// marks tells whether calls leave anything in the session, or look at what is there.
func (c *Called) marks() bool { return c.InsertID || c.Settings || len(c.Variables) > 0 }

// adopt adds what programs do to the session that the statement does not call by name.
func adopt(p *Plan, c *Called) {
	all := Called{}
	if p.Called != nil {
		all = *p.Called // it is not changed: others may look at it
	}
	all.Variables = append(slices.Clone(all.Variables), c.Variables...)
	all.Sets = append(slices.Clip(all.Sets), c.Sets...)
	all.InsertID, all.Settings, all.Writes = all.InsertID || c.InsertID, all.Settings || c.Settings, all.Writes || c.Writes
	p.Called = &all
}

// programs looks at the stored programs that a statement calls.
type programs struct{ *planner }

// examine reads the stored programs that the statement calls. Errors: *NeedRoutines.
func (p programs) examine() error {
	names, schemas := p.stmt.Routines, append(p.words.schemasOfFunctions(), p.in.Schema)
	if p.stmt.Opaque {
		names = p.stmt.MentionCalls
	}
	if p.stmt.Opaque && len(names) == 0 && !p.words.defines() {
		var of []string
		names, of = p.words.mayCall()
		schemas = append(of, schemas...)
	}
	if len(names) == 0 {
		return nil
	}
	c, all := &Called{}, names
	seen := map[[2]string]bool{}
	if p.stmt.Kind == query.Call && !p.stmt.Opaque && p.stmt.Schema != "" { // the procedure is the first name
		if err := p.read(c, p.stmt.Schema, names[0], seen); err != nil {
			return err
		}
		names, schemas = names[1:], append(schemas, p.stmt.Schema)
	}
	for _, schema := range schemas {
		for _, name := range names {
			if err := p.read(c, schema, name, seen); err != nil {
				return err
			}
		}
	}
	if len(seen) == 0 { // functions of the server's that Sluice does not know
		return nil
	}
	c.names = slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return !slices.ContainsFunc(schemas, func(of string) bool { return seen[[2]string{of, name}] })
	})
	p.plan.Called = c
	if p.stmt.Kind == query.Call {
		p.called(c, all[0])
	}
	return nil
}

// read adds what a program does, if there is one of that name.
func (p programs) read(c *Called, schema, name string, seen map[[2]string]bool) error {
	s := p.in.Map.Schema(schema)
	if s == nil || seen[[2]string{schema, name}] {
		return nil
	}
	all := p.in.Catalog.Program(schema)
	if all == nil {
		return &NeedRoutines{schema}
	}
	r, stored := all.Routines[name]
	if !stored {
		return nil
	}
	seen[[2]string{schema, name}] = true
	if !slices.Contains(c.homes, s.DefaultShard) {
		c.homes = append(c.homes, s.DefaultShard)
	}
	return p.text(c, schema, name, r, seen)
}

// text adds what the text of a program does.
func (p programs) text(c *Called, schema, name string, r shard.Routine, seen map[[2]string]bool) error {
	mode := p.in.Mode.Stored(r.Mode)
	list, ok := query.Words([]byte(r.Body), mode)
	if r.Unseen || !ok {
		c.unseen(name, "cannot be read")
		return nil
	}
	c.Variables = append(c.Variables, query.UserVariables([]byte(r.Body), mode)...)
	b := body{list: list, source: r.Body, definer: r.Definer, made: r.Definer}
	b.own = b.declared(r.Parameters)
	return p.body(c, schema, name, b, seen)
}

// body is text of one whose words are known.
func (p programs) body(c *Called, schema, name string, b body, seen map[[2]string]bool) error {
	for i := range b.list {
		c.under = name
		b.effects(c, name, i)
		if err := (bodies(p)).forbidden(b, i); err != nil {
			return err
		}
		of := schema
		if b.at(i-1) == "." && i >= 2 {
			if p.in.Map.Schema(b.list[i-2].Text) != nil {
				of = b.list[i-2].Text
			} else if !b.list[i].Called && !b.bare(i-2) { // a column
				continue
			}
		}
		if b.runsText(i) {
			if c.texts = append(c.texts, schema); p.besideSpread(schema, b.source) {
				c.cannot(name, "runs a text that it makes")
			}
		}
		if err := p.named(c, of, b.list[i].Text, seen); err != nil {
			return err
		}
		if err := p.read(c, of, strings.ToLower(b.list[i].Text), seen); err != nil {
			return err
		}
		if err := p.hidden(c, of, b, i); err != nil {
			return err
		}
	}
	return nil
}

// beforeTable are the words before the name of a table that a list of columns follows.
var beforeTable = []string{"into", "insert", "replace", "ignore", "delayed", "low_priority", "high_priority", "table", "exists"}

// hidden adds that word i of a program's text may call one that the proxies' account does not see, and that its definer may call.
// of is the schema where it would be.
func (p programs) hidden(c *Called, of string, b body, i int) error {
	w, first := b.list[i], i
	for b.at(first-1) == "." && first >= 2 {
		first -= 2
	}
	calls := b.at(first-1) == "call"
	if w.Text == "" || !calls && !w.Called || b.at(i+1) == "." || first == i && !calls && w.Native(p.in.Mode) {
		return nil
	}
	all := p.in.Catalog.Program(of)
	if all == nil {
		return &NeedRoutines{of}
	}
	lower, what := strings.ToLower(w.Text), w.Text
	_, stored := all.Routines[lower]
	_, table := all.Tables[lower]
	foreign := false
	if first < i {
		what = b.list[first].Text + "." + what
		foreign = p.in.Map.Schema(b.list[first].Text) == nil && !slices.Contains(beforeTable, b.at(first-1))
	}
	if !foreign && (stored || table || !all.Hidden) {
		return nil
	}
	if foreign {
		c.unseen(what, "is of a schema that is none of Sluice's")
	} else {
		c.unseen(what, "the shards' account, without the privilege EXECUTE on "+of+".*, may not see")
	}
	return nil
}

// named adds a table, if there is one of that name.
func (p programs) named(c *Called, schema, name string, seen map[[2]string]bool) error {
	if name == "" {
		return nil
	}
	all := p.in.Catalog.Program(schema)
	if all == nil {
		return &NeedRoutines{schema}
	}
	t, ok := all.Tables[strings.ToLower(name)]
	if !ok || slices.ContainsFunc(c.tables, func(r query.TableRef) bool { return r.Schema == schema && r.Name == t.Name }) {
		return nil
	}
	c.tables = append(c.tables, query.TableRef{Schema: schema, Name: t.Name})
	if t.View {
		c.views = true
		return p.behind(c, schema, t.Name, seen)
	}
	switch full := schema + "." + t.Name; p.in.Map.Schema(schema).Rule(t.Name).Kind {
	case shard.Sharded:
		c.sharded = cmp.Or(c.sharded, full)
	case shard.Reference:
		c.reference = cmp.Or(c.reference, full)
	}
	return nil
}

// behind adds what a view reads, whose tables are never the copies that would hide them, and what it calls.
func (p programs) behind(c *Called, schema, name string, seen map[[2]string]bool) error {
	at := [2]string{schema, "\x01" + name} // neither a program's nor that of views.look
	if p.in.Catalog.Views == nil || seen[at] {
		return nil
	}
	seen[at] = true
	list, definer, is, err := definitionOf(p.in, schema, name)
	if err != nil || !is {
		return err
	}
	under, what := c.under, "names the view "+schema+"."+name
	if len(list) == 0 && slices.ContainsFunc(p.in.Map.Spec.Schemas, isSpread) {
		c.cannot(under, what+", whose text cannot be read")
	}
	b := body{list: list}
	for i := range list {
		if asks := asksSession(list, i, definer); asks != "" {
			c.cannot(under, what+", which asks for "+asks)
		}
		if list[i].Called {
			b.effects(c, under, i)
			if err := p.viewCalls(c, schema, list, i, seen); err != nil {
				return err
			}
			c.under = under
		}
		if i < 2 || list[i-1].Text != "." || b.at(i+1) == "." { // schema.table.column
			continue
		}
		of := p.in.Map.Schema(list[i-2].Text)
		if of == nil {
			continue
		}
		switch full := of.Name + "." + list[i].Text; of.Rule(list[i].Text).Kind {
		case shard.Sharded:
			c.cannot(under, what+" of "+full+", of which a shard has a part")
		case shard.Reference:
			c.reference = cmp.Or(c.reference, full)
		default:
			if err := p.behind(c, of.Name, list[i].Text, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// viewCalls adds what word i of a view's text calls, if it is a program.
func (p programs) viewCalls(c *Called, schema string, list []query.Word, i int, seen map[[2]string]bool) error {
	b, home := body{list: list}, schema
	for at := i; at >= 0; at -= 2 { // schema.package.function
		of := schema
		if b.at(at-1) == "." && at >= 2 && p.in.Map.Schema(list[at-2].Text) != nil {
			of = list[at-2].Text
		}
		if err := p.read(c, of, strings.ToLower(list[at].Text), seen); err != nil {
			return err
		}
		home = of
		if b.at(at-1) != "." {
			break
		}
	}
	if b.at(i-1) != "." && !list[i].Quoted { // in a view's text a function of the server's own
		return nil
	}
	return p.hidden(c, home, b, i)
}

// besideSpread tells whether a program's text may, by its schema or by what it says, be made into one on
// tables that several shards have.
func (p programs) besideSpread(schema, text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(p.in.Map.Spec.Schemas, func(s shard.Schema) bool {
		return isSpread(s) && (s.Name == schema || strings.Contains(text, strings.ToLower(s.Name)))
	})
}

func isSpread(s shard.Schema) bool {
	return hasSharded(s) || slices.ContainsFunc(s.Tables, func(t shard.Table) bool { return t.Kind == shard.Reference })
}

// asIs refuses programs that do not give on their schema's default shard, where the statement runs as it
// is, what they give on one server.
func (p programs) asIs() error {
	c := p.plan.Called
	switch {
	case c == nil, p.plan.atHome, p.in.Hints.Shard != "", p.in.Hints.HasKey, p.stmt.Kind == query.Explain && !p.stmt.InnerRuns:
		return nil
	case c.unfit != "" && (!c.blind || slices.ContainsFunc(p.in.Map.Spec.Schemas, isSpread)):
		return cannotCall(p.plan.Table, c.unfit+",")
	case c.namedLock && slices.ContainsFunc(c.homes, func(home string) bool { return home != p.in.Map.ShardName(0) }):
		return cannotCall(p.plan.Table, c.names[0]+"(), which uses named locks, which live on shard "+p.in.Map.ShardName(0)+" and not on its schema's default shard,")
	case c.sharded != "":
		return c.readsSharded(p.plan.Table)
	case c.Writes && c.reference != "":
		return cannotCall(p.plan.Table, c.names[0]+"(), which writes, and names the reference table "+c.reference+", of which every shard has a copy,")
	case p.plan.Target == ToDefault && p.plan.gather == nil && len(c.homes) > 0 && !slices.Contains(c.homes, p.homeName()):
		return cannotCall(p.plan.Table, c.names[0]+"(), which lives on shard "+c.homes[0]+", for a statement that goes to shard "+p.homeName()+",")
	}
	return nil
}

// homeName names the shard of a plan ToDefault.
func (p programs) homeName() string { return cmp.Or(p.plan.home, p.in.Map.ShardName(0)) }

// unseen is cannot where nothing is known but that a text cannot be read.
func (c *Called) unseen(name, why string) {
	c.blind = c.blind || c.unfit == ""
	c.unread = true
	c.cannot(name, why)
}

func (c *Called) cannot(name, why string) {
	switch {
	case c.unfit != "":
	case c.fired != "" && c.fired == name:
		c.unfit = name + ", which " + why
	default:
		c.unfit = name + "(), which " + why
	}
}
