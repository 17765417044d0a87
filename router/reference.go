package router

import (
	"errors"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// writeReference plans a write of reference tables: every shard makes it on its own copy
// or, where that could come out differently, an UPDATE or DELETE runs once and its changes
// go to all.
func (p writer) writeReference() error {
	err := p.writeCopies()
	var refusal *Refusal
	if errors.As(err, &refusal) && p.changes() {
		return p.gatherWrite(true)
	}
	return err
}

// writeCopies plans a write that every shard makes on its own copy. What could come
// out differently on two servers with the same rows is refused.
func (p writer) writeCopies() error {
	st := p.stmt
	name := p.targetNames()
	if t := p.first(func(t *table) bool { return !t.reference() }); t != nil {
		return notOverShards("a write of the reference table "+name+" that reads "+t.name(), "read the rows first, then write them")
	}
	switch {
	case st.Kind == query.LoadData:
		return filer(p).planLoad()
	case st.Nondeterministic || p.words.calls("ps_current_thread_id") || p.words.calls("ps_thread_id"):
		return unsupported("this statement would store different values in the copies of the reference table %s on the shards "+
			"(NOW(), RAND(), UUID() …); compute the value first and write it as a literal", name)
	case len(st.SysVars) > 0 || p.in.Scan.SystemVariable:
		return unsupported("a write of the reference table %s may not use system variables, which differ between the shards; write the value as a literal", name)
	case st.UserVarAssign || p.in.Scan.UserVariable:
		return unsupported("a write of the reference table %s may not use user variables, which live on one shard; write the value as a literal", name)
	case st.Insert != nil && st.Insert.Returning || p.words.has("returning"):
		return unsupported("RETURNING on the reference table %s is not available yet; SELECT the rows afterwards", name)
	}
	if why := p.orderMatters(); why != "" {
		return unsupported("%s in a write of the reference table %s could pick other rows on each shard; read the rows first, then write them by their primary key", why, name)
	}
	if err := p.load(); err != nil {
		return err
	}
	if err := p.storedByServer(); err != nil {
		return err
	}
	p.plan.Target, p.plan.Strategy = ToAll, Everywhere
	if st.Insert == nil {
		return nil
	}
	return inserter(p).insertReference()
}

// orderMatters says what makes a write depend on the order in which a server happens to
// find the rows; "" when nothing does.
func (p writer) orderMatters() string {
	st := p.stmt
	for i := range st.Blocks {
		switch b := &st.Blocks[i]; {
		case b.Limit.Has:
			return "LIMIT"
		case len(b.GroupBy) > 0 || b.Distinct:
			return "GROUP BY or DISTINCT"
		}
	}
	for _, f := range [...]string{"group_concat", "json_arrayagg", "json_objectagg", "any_value", "st_collect"} {
		if p.words.calls(f) {
			return strings.ToUpper(f)
		}
	}
	switch {
	case st.Window:
		return "a window function"
	case st.Kind == query.Update && st.MultiTable:
		return "an UPDATE of several tables, in which a row may meet several others,"
	case st.Kind == query.Update && (p.words.follows("update", "ignore") || p.words.follows("low_priority", "ignore")):
		return "UPDATE IGNORE"
	case st.Insert != nil && st.Insert.FromSelect && (st.Kind == query.Replace || st.Insert.Ignore || st.Insert.OnDuplicate):
		return "a SELECT whose rows may replace each other"
	}
	return ""
}

// storedByServer refuses writes in which each server would compute a value of its own: its
// clock's time, a UUID.
func (p writer) storedByServer() error {
	keyword := p.words.has("default") // DEFAULT or DEFAULT(column)
	for i := range p.tables {
		t := &p.tables[i]
		for _, list := range [][]shard.Column{t.info.Columns, t.info.Hidden} {
			for j := range list {
				if c := &list[j]; c.Computed && keyword || t.ref.Target && p.isComputed(t, c) {
					return unsupported("each shard would compute its own value of %s.%s (the time, a UUID …); name the column and give it a literal", t.name(), c.Name)
				}
			}
		}
	}
	return nil
}

// isComputed tells whether the statement leaves it to the servers what they store in a
// column of the table that it writes.
func (p writer) isComputed(t *table, c *shard.Column) bool {
	in := p.stmt.Insert
	switch {
	case p.stmt.Kind == query.Update:
		return c.OnUpdate && !p.sets(t, c.Name)
	case in == nil:
		return false
	case in.OnDuplicate && c.OnUpdate && !containsFold(in.OnDuplicateCols, c.Name):
		return true
	case !c.Computed:
		return false
	case in.Columns == nil && !inserter(p).emptyRows():
		return t.info.Index(c.Name) < 0 // without a column list all but the invisible ones are given
	}
	return !containsFold(in.Columns, c.Name)
}

// sets tells whether an UPDATE assigns a column of a table.
func (p writer) sets(t *table, column string) bool {
	for i := range p.stmt.Sets {
		c := p.stmt.Sets[i].Col
		if strings.EqualFold(c.Column, column) && (c.Table == "" || t.isCalled(c)) {
			return true
		}
	}
	return false
}

func containsFold(list []string, name string) bool {
	for _, s := range list {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}
