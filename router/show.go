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
	if v := (views(p)); p.stmt.ShowWhere && v.asked() {
		if err := v.text("SHOW with a condition", map[[2]string]bool{}); err != nil {
			return err
		}
	}
	p.plan.pinned = true
	p.plan.Write = false
	what := p.stmt.ShowWhat
	switch what {
	case "function status", "procedure status", "package status", "package body status":
		return p.ownRoutines()
	case "table status":
		if p.stmt.Schema == "" && p.in.Schema == "" {
			return noSchema()
		}
		return p.tableStatus()
	case "open tables":
		if p.stmt.Schema == "" && p.in.Schema == "" {
			return noSchema()
		}
		if p.stmt.Schema == "" {
			return refuse(1227, "42000", "Access denied; SHOW OPEN TABLES shows all users' tables; name a schema: SHOW OPEN TABLES FROM %s", p.in.Schema)
		}
		return nil
	}
	if slices.Contains([]string{"tables", "full tables", "triggers", "events"}, what) && p.stmt.Schema == "" && p.in.Schema == "" {
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

// statusColumns are those of SHOW TABLE STATUS, in the words of information_schema.TABLES.
var statusColumns = [][2]string{
	{"TABLE_NAME", "Name"}, {"ENGINE", "Engine"}, {"VERSION", "Version"}, {"ROW_FORMAT", "Row_format"}, {"TABLE_ROWS", "Rows"},
	{"AVG_ROW_LENGTH", "Avg_row_length"}, {"DATA_LENGTH", "Data_length"}, {"MAX_DATA_LENGTH", "Max_data_length"},
	{"INDEX_LENGTH", "Index_length"}, {"DATA_FREE", "Data_free"}, {"AUTO_INCREMENT", "Auto_increment"}, {"CREATE_TIME", "Create_time"},
	{"UPDATE_TIME", "Update_time"}, {"CHECK_TIME", "Check_time"}, {"TABLE_COLLATION", "Collation"}, {"CHECKSUM", "Checksum"},
	{"CREATE_OPTIONS", "Create_options"}, {"TABLE_COMMENT", "Comment"}, {"MAX_INDEX_LENGTH", "Max_index_length"}, {"TEMPORARY", "Temporary"},
}

// tableStatus asks information_schema instead, where the sizes of all shards are added up.
func (p shower) tableStatus() error {
	text, err := access(p).sums(&table{ref: &query.TableRef{Name: "TABLES"}}, "")
	if err != nil || text == "" {
		return err
	}
	schema := p.stmt.Schema
	if schema == "" {
		schema = p.in.Schema
	}
	info := p.in.Catalog.Table(informationSchema, "TABLES")
	var list []string
	for _, c := range statusColumns {
		if info.Index(c[0]) >= 0 {
			list = append(list, c[0]+" AS `"+c[1]+"`")
		}
	}
	text = "SELECT * FROM (SELECT " + strings.Join(list, ", ") + " FROM " + text + " AS t WHERE TABLE_SCHEMA = " +
		string(query.QuoteString(nil, schema, p.in.Mode)) + ") AS s"
	p.plan.usesText = true
	end := p.in.Scan.End
	switch at, word := p.clause("where", "like"); word {
	case "where":
		p.addEdit(query.Span{Start: 0, End: at + 5}, text+" WHERE (", noLimitEdit)
		p.addEdit(query.Span{Start: end, End: end}, ") ORDER BY `Name`", noLimitEdit)
	case "like":
		p.addEdit(query.Span{Start: 0, End: at}, text+" WHERE `Name` ", noLimitEdit)
		p.addEdit(query.Span{Start: end, End: end}, " ORDER BY `Name`", noLimitEdit)
	default:
		p.addEdit(query.Span{Start: 0, End: end}, text+" ORDER BY `Name`", noLimitEdit)
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
