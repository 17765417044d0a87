package router

import (
	"slices"
	"strings"

	"sluice/query"
)

// show plans a SHOW that a shard answers: the default shard of the schema that it names.
func (p shower) show() error {
	for i := range p.tables {
		t := &p.tables[i]
		if t.system && !strings.EqualFold(t.schema, informationSchema) {
			return access(p).deniedTable(t.schema, t.ref)
		}
		if !t.system {
			p.plan.home = t.home
		}
	}
	p.plan.pinned = true
	p.plan.Write = false
	what := p.stmt.ShowWhat
	switch what {
	case "function status", "procedure status", "package status", "package body status":
		return p.ownRoutines()
	case "open tables":
		if p.stmt.Schema == "" && p.in.Schema == "" {
			return noSchema()
		}
		if p.stmt.Schema == "" {
			return refuse(1227, "42000", "Access denied; SHOW OPEN TABLES shows all users' tables; name a schema: SHOW OPEN TABLES FROM %s", p.in.Schema)
		}
		return nil
	}
	if slices.Contains([]string{"tables", "full tables", "table status", "triggers", "events"}, what) && p.stmt.Schema == "" && p.in.Schema == "" {
		return noSchema()
	}
	if !showable(what) {
		return refuse(1227, "42000", "Access denied; SHOW %s shows what belongs to the server or to other users; ask the shard itself", strings.ToUpper(what))
	}
	return nil
}

// showable tells whether a SHOW speaks of the user's own schemas or of the server in
// general.
func showable(what string) bool {
	switch what {
	case "tables", "full tables", "table status", "triggers", "events", "columns", "full columns", "fields", "index", "indexes", "keys",
		"create table", "create view", "create database", "create schema", "create trigger", "create procedure", "create function",
		"create event", "create sequence", "variables", "status", "engines", "storage engines", "character set", "charset",
		"collation", "plugins", "privileges", "count", "profiles", "profile", "function code", "procedure code", "locales":
		return true
	}
	return false
}

// ownRoutines adds to SHOW FUNCTION STATUS that only the user's schemas are shown.
func (p shower) ownRoutines() error {
	p.plan.usesText = true
	own := "`Db` IN (" + access(p).schemaList() + ")"
	end := p.in.Scan.End
	at, word := p.clause("where", "like")
	switch word {
	case "where":
		p.addEdit(query.Span{Start: at + 5, End: at + 5}, " "+own+" AND (", noLimitEdit)
		p.addEdit(query.Span{Start: end, End: end}, ")", noLimitEdit)
	case "like":
		p.addEdit(query.Span{Start: at, End: at}, "WHERE "+own+" AND `Name` ", noLimitEdit)
	default:
		p.addEdit(query.Span{Start: end, End: end}, " WHERE "+own, noLimitEdit)
	}
	return p.err
}

// clause finds the first of the words in the statement, outside of quotes and comments.
func (p shower) clause(wanted ...string) (at int32, word string) {
	for i, w := range eachWord(p.in.SQL[:p.in.Scan.End]) {
		if lower := strings.ToLower(string(w)); slices.Contains(wanted, lower) {
			return i, lower
		}
	}
	return 0, ""
}
