package router

import (
	"strings"

	"sluice/query"
	"sluice/shard"
)

// writeReference plans a write of reference tables: every shard makes it on its own copy
// or, where that could come out differently, an UPDATE or DELETE runs once and its changes
// go to all.
func (p writer) writeReference() error {
	err := p.writeCopies()
	if err == ErrStage && p.changes() {
		return p.gatherWrite(true)
	}
	return err
}

// writeCopies plans a write that every shard makes on its own copy. ErrStage says that it
// could come out differently on two servers with the same rows.
func (p writer) writeCopies() error {
	st := p.stmt
	switch {
	case st.Kind == query.LoadData:
		return filer(p).planLoad()
	case p.first(func(t *table) bool { return !t.reference() }) != nil,
		st.Nondeterministic, p.words.calls("ps_current_thread_id"), p.words.calls("ps_thread_id"),
		len(st.SysVars) > 0, p.in.Scan.SystemVariable, st.UserVarAssign,
		p.words.has("returning") && (st.Insert == nil || !st.Insert.Returning || st.Insert.FromSelect || perServer(st, p.words)),
		p.orderMatters():
		return ErrStage
	}
	if err := p.load(); err != nil {
		return err
	}
	if p.storedByServer() {
		return ErrStage
	}
	p.plan.Target, p.plan.Strategy = ToAll, Everywhere
	if st.Insert == nil {
		return nil
	}
	return inserter(p).insertReference()
}

// orderMatters tells whether a write depends on the order in which a server happens to find
// the rows.
func (p writer) orderMatters() bool {
	st := p.stmt
	for i := range st.Blocks {
		switch b := &st.Blocks[i]; {
		case b.Limit.Has:
			return true
		case len(b.GroupBy) > 0 || b.Distinct:
			return true
		}
	}
	for _, f := range [...]string{"group_concat", "json_arrayagg", "json_objectagg", "any_value", "st_collect"} {
		if p.words.calls(f) {
			return true
		}
	}
	switch {
	case st.Window:
		return true
	case st.Kind == query.Update && st.MultiTable:
		return true
	case st.Kind == query.Update && (p.words.follows("update", "ignore") || p.words.follows("low_priority", "ignore")):
		return true
	case st.Insert != nil && st.Insert.FromSelect && (st.Kind == query.Replace || st.Insert.Ignore || st.Insert.OnDuplicate):
		return true
	}
	return false
}

// storedByServer tells whether each server would compute a value of its own: its clock's
// time, a UUID.
func (p writer) storedByServer() bool {
	keyword := p.words.has("default") // DEFAULT or DEFAULT(column)
	for i := range p.tables {
		t := &p.tables[i]
		for _, list := range [][]shard.Column{t.info.Columns, t.info.Hidden} {
			for j := range list {
				if c := &list[j]; c.Computed && keyword || t.ref.Target && p.isComputed(t, c) {
					return true
				}
			}
		}
	}
	return false
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
