package router

import (
	"encoding/hex"
	"errors"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// NeedRows is returned by New when a statement asks information_schema about schemas that have
// their tables on several shards: ask the shards other than Home for the rows of the user's schemas
// whose default shard each is, add them to Input.Rows under the table's name, then plan again.
type NeedRows struct {
	Name    string // of the table, in upper case
	Columns []shard.Column
	Column  string // that says which schema a row is of; "": the rows are Sluice's own, of ProcessList
	Home    string // the shard whose rows the statement reads itself
}

func (e *NeedRows) Error() string { return "the other shards' rows of " + e.Name + " are not known" }

// ProcessList is the table of information_schema whose rows are the sessions of the user with Sluice.
const ProcessList = "PROCESSLIST"

// ErrHomes says that the values of a statement name schemas with tables on several shards. The
// caller plans again with Input.Homes. Nothing has been answered.
var ErrHomes = errors.New("the schemas that the statement asks information_schema about have their tables on several shards")

// homeOfSystem is the shard whose information_schema a statement reads.
func homeOfSystem(p *planner) string {
	if u := p.first((*table).unsharded); u != nil {
		return u.home
	}
	return p.currentHome()
}

// rowsOf gives a table of information_schema with the rows about all of the user's schemas: those
// of schemas that live elsewhere are written into the statement.
func (p access) rowsOf(t *table, column string) (string, error) {
	name, home := strings.ToUpper(t.ref.Name), homeOfSystem(p.planner)
	own := name == ProcessList
	if own {
		column, home = "", p.plan.home
	}
	info := p.in.Catalog.Table(informationSchema, name)
	if info == nil {
		return "", &NeedTable{informationSchema, name}
	}
	rows, known := p.in.Rows[name]
	if !known {
		return "", &NeedRows{name, info.Columns, column, home}
	}
	p.plan.momentary, p.plan.home = true, home
	b := []byte("(SELECT * FROM information_schema." + t.ref.Name + " WHERE ")
	if own {
		b = append(b, "1 = 0"...)
	} else {
		b = append(b, column+" IN ("...)
		for _, s := range p.in.User.Schemas {
			if schema := p.in.Map.Schema(s); schema == nil || schema.DefaultShard == home {
				b = append(query.QuoteString(b, s, p.in.Mode), ", "...)
			}
		}
		b = append(query.QuoteString(b, informationSchema, p.in.Mode), ')')
	}
	for _, row := range rows {
		b = append(b, " UNION ALL SELECT "...)
		for i, v := range row {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendValue(b, v, &info.Columns[i])
		}
	}
	return string(append(b, ')')), nil
}

// appendValue writes a value of information_schema, which is in UTF-8, as an expression of its column's
// kind. Strings are in hexadecimal, so that the client's character set and sql_mode say nothing.
func appendValue(b, v []byte, c *shard.Column) []byte {
	if v == nil && c.Flags&flagUnsigned != 0 { // a NULL of its own is signed to MariaDB, and makes a DECIMAL of the column
		return append(b, "CAST(NULL AS UNSIGNED)"...)
	}
	text := "x'" + hex.EncodeToString(v) + "'"
	switch c.Type {
	case typeTiny, typeShort, typeLong, typeLongLong, typeInt24, typeYear, typeDecimal, typeNewDecimal:
		if text = string(v); c.Flags&flagUnsigned != 0 {
			text = "CAST(" + text + " AS UNSIGNED)"
		}
	case typeDatetime, typeTimestamp:
		text = "CAST(" + text + " AS DATETIME)"
	case typeDate:
		text = "CAST(" + text + " AS DATE)"
	default:
		if c.Collation != collationBinary {
			text = "_utf8mb4 " + text
		}
	}
	if v == nil {
		text = "NULL"
	}
	return append(b, text...)
}

// bringsRows tells whether a statement needs the rows of several shards' information_schema: it may
// ask about schemas of all of them, does not say about which, or is beside tables of all shards.
func (p access) bringsRows(uses []schemaUse, asked int) bool {
	tied := 0
	for i := range p.stmt.Equalities {
		if e := &p.stmt.Equalities[i]; isSchemaColumn(e.A.Column) && isSchemaColumn(e.B.Column) {
			tied++
		}
	}
	return p.in.Homes || len(uses) == 0 || len(uses)+tied < asked || p.first((*table).sharded) != nil
}

// askedSchemas counts the tables of information_schema whose rows are about the tables of schemas.
func (p access) askedSchemas() (asked int) {
	for i := range p.tables {
		if t := &p.tables[i]; t.system && strings.EqualFold(t.schema, informationSchema) && t.perSchema() != "" {
			asked++
		}
	}
	return asked
}

// perSchema gives the column that says of which schema a row of an information_schema table is, ""
// where each shard has all rows.
func (t *table) perSchema() string {
	if column, ok := schemaColumn(strings.ToUpper(t.ref.Name)); ok && column != "SCHEMA_NAME" {
		return column
	}
	return ""
}
