package router

import (
	"cmp"
	"slices"
	"strconv"

	"sluice/query"
)

// Oracle MySQL opens the tables of a common table expression anew for each mention of it,
// and cannot open a temporary table twice. There, every further mention gets a definition of
// its own, over copies of its own:
//
//	WITH q AS (SELECT … FROM t) SELECT … FROM q a JOIN q b
//	WITH q AS (SELECT … FROM `sluice_g1` AS t), `sluice_c1` AS (SELECT … FROM `sluice_g2` AS t) SELECT … FROM q a JOIN `sluice_c1` b

// maxClones bounds them: mentions within mentions multiply.
const maxClones = 32

// cloner plans these definitions.
type cloner struct {
	*gatherer
	used   []bool // by the expression: one mention has the definition itself
	clones []clone
}

// clone is a further definition.
type clone struct {
	cte  int
	text string
}

func (c cloner) run() error {
	if c.in.Mode.MariaDB || len(c.stmt.CTEs) == 0 {
		return nil
	}
	c.used = make([]bool, len(c.stmt.CTEs))
	if err := c.nestedOnce(); err != nil {
		return err
	}
	edits, err := c.mentions(-1, "")
	if err != nil {
		return err
	}
	if len(c.clones) == 0 {
		return nil
	}
	c.planner.plan.usesText = true // the definitions hold literals of this text
	for _, e := range edits {
		c.spans = append(c.spans, e.Span)
		if err := c.edit(e.Span, e.Text); err != nil {
			return err
		}
	}
	for i := range c.clones {
		end := c.stmt.CTEs[c.clones[i].cte].Span.End
		if err := c.edit(query.Span{Start: end, End: end}, c.clones[i].text); err != nil {
			return err
		}
	}
	c.orderParams()
	return nil
}

// nestedOnce refuses a WITH inside of another query that is mentioned twice.
func (c *cloner) nestedOnce() error {
	for i := range c.stmt.CTEs {
		n := 0
		for _, r := range c.stmt.CTERefs {
			if r.CTE == i && !within(r.Span, c.stmt.CTEs[i].Span) {
				n++
			}
		}
		if c.stmt.CTEs[i].Nested && n > 1 && c.hasCopies(i) {
			return notOverShards("a WITH in a subquery whose "+c.stmt.CTEs[i].Name+" is mentioned more than once", "write it at the beginning of the statement")
		}
	}
	return nil
}

func within(a, b query.Span) bool { return a.Start >= b.Start && a.End <= b.End }

// top gives the expression of the statement's own WITH that a span is within, -1 for none.
func (c *cloner) top(s query.Span) int {
	for i := range c.stmt.CTEs {
		if !c.stmt.CTEs[i].Nested && within(s, c.stmt.CTEs[i].Span) {
			return i
		}
	}
	return -1
}

// hasCopies tells whether an expression reads copies, directly or by others.
func (c *cloner) hasCopies(cte int) bool {
	span := c.stmt.CTEs[cte].Span
	for i := range c.tables {
		if within(c.tables[i].ref.Span, span) && c.isCopied(&c.tables[i]) {
			return true
		}
	}
	for _, r := range c.stmt.CTERefs {
		if within(r.Span, span) && r.CTE < cte && c.hasCopies(r.CTE) {
			return true
		}
	}
	return false
}

// mentions gives each mention within an expression (-1: in the statement itself) its
// definition, and the edits that this needs. name is what the expression itself is called
// there, "" for its own name.
func (c *cloner) mentions(cte int, name string) (edits []query.Edit, err error) {
	for _, r := range c.stmt.CTERefs {
		if c.top(r.Span) != cte || c.stmt.CTEs[r.CTE].Nested {
			continue
		}
		called := ""
		switch {
		case r.CTE == cte:
			called = name
		case !c.used[r.CTE]:
			c.used[r.CTE] = true
			inner, err := c.mentions(r.CTE, "")
			if err != nil {
				return nil, err
			}
			edits = append(edits, inner...)
		case c.hasCopies(r.CTE):
			if called, err = c.clone(r.CTE); err != nil {
				return nil, err
			}
		}
		if called == "" {
			continue
		}
		text := string(query.QuoteName(nil, called))
		if r.Alias == "" {
			text += " AS " + string(r.Span.Of(c.in.SQL))
		}
		edits = append(edits, query.Edit{Span: r.Span, Text: text})
	}
	return edits, nil
}

// clone writes one more definition of an expression, over copies of its own.
func (c *cloner) clone(cte int) (name string, err error) {
	if len(c.clones) == maxClones {
		return "", notOverShards("a WITH whose expressions are mentioned so often", "put them into tables, or "+oneKey)
	}
	at := len(c.clones)
	name = "sluice_c" + strconv.Itoa(at+1)
	c.clones = append(c.clones, clone{cte: cte})
	def := c.stmt.CTEs[cte]
	edits, err := c.mentions(cte, name)
	if err != nil {
		return "", err
	}
	for i := range c.tables {
		if t := &c.tables[i]; within(t.ref.Span, def.Span) && c.isCopied(t) {
			span, text, err := c.copy(i)
			if err != nil {
				return "", err
			}
			edits = append(edits, query.Edit{Span: span, Text: text})
		}
	}
	for b := range c.stmt.Blocks {
		for i := range c.stmt.Blocks[b].Items {
			it := &c.stmt.Blocks[b].Items[i]
			if within(it.Span, def.Span) && unnamed(it, edits) {
				edits = append(edits, query.Edit{Span: query.Span{Start: it.Span.End, End: it.Span.End}, Text: " AS " + string(query.QuoteName(nil, it.Label))})
			}
		}
	}
	rest := query.Span{Start: def.Named.End, End: def.Span.End}
	for i := range edits {
		edits[i].Span.Start -= rest.Start
		edits[i].Span.End -= rest.Start
	}
	body, err := query.Apply(nil, rest.Of(c.in.SQL), edits)
	if err != nil {
		return "", refuse(1105, "HY000", "the statement could not be changed: %v", err)
	}
	c.clones[at].text = ", " + string(query.QuoteName(nil, name)) + string(body)
	return name, nil
}

// unnamed tells whether a select item is called by its text, which edits change.
func unnamed(it *query.Item, edits []query.Edit) bool {
	return !it.Star && it.Alias == "" && it.Label != "" && slices.ContainsFunc(edits, func(e query.Edit) bool {
		return !e.Span.Empty() && within(e.Span, it.Span)
	})
}

// orderParams puts the parameters of the definitions where these are.
func (c *cloner) orderParams() {
	type mention struct{ at, clone, param int }
	var order []mention
	n := 0
	for _, l := range c.in.Scan.Literals {
		if l.Kind != query.Param {
			continue
		}
		order = append(order, mention{int(l.Start), -1, n})
		for i := range c.clones {
			if def := c.stmt.CTEs[c.clones[i].cte].Span; within(l.Span, def) {
				order = append(order, mention{int(def.End), i, n})
			}
		}
		n++
	}
	if n == len(order) {
		return
	}
	slices.SortStableFunc(order, func(a, b mention) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.clone, b.clone))
	})
	for _, m := range order {
		c.plan.params = append(c.plan.params, m.param)
	}
}
