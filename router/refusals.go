package router

import (
	"fmt"
	"strings"

	"sluice/query"
)

// NeedTable is returned by New when the catalog lacks a table that the plan depends on:
// look it up (columns of schema.table on the default shard), then plan again.
type NeedTable struct{ Schema, Table string }

func (e *NeedTable) Error() string {
	return "table " + e.Schema + "." + e.Table + " is not in the catalog"
}

// Refusal is a numbered refusal: the client gets it as an ERR packet.
type Refusal struct {
	Code     uint16 // MySQL error number
	SQLState string
	Message  string // begins with "sluice: " when Sluice itself refuses
}

func (r *Refusal) Error() string { return r.Message }

// refuse makes a refusal of Sluice's own.
func refuse(code uint16, state, format string, args ...any) *Refusal {
	return &Refusal{Code: code, SQLState: state, Message: "sluice: " + fmt.Sprintf(format, args...)}
}

// unsupported is ER_NOT_SUPPORTED_YET: what one server could do and Sluice does not, with
// what to do instead.
func unsupported(format string, args ...any) *Refusal { return refuse(1235, "42000", format, args...) }

// notOverShards refuses what is right on one shard only.
func notOverShards(what, instead string) *Refusal {
	return unsupported("%s is not answered over several shards yet; %s", what, instead)
}

const oneKey = "give the shard key a value (WHERE key = …) so that one shard has all the rows"

// deniedSchema, unknownSchema, noSchema and deniedTable are MySQL's own words: they say
// nothing about sharding.
func (p *planner) deniedSchema(name string) *Refusal {
	if looksForSchema(p, name) {
		return unknownSchema(name)
	}
	return &Refusal{1044, "42000", fmt.Sprintf("Access denied for user '%s'@'%%' to database '%s'", p.in.User.Name, name)}
}

// looksForSchema tells whether MySQL looks first whether there is such a schema, and then for
// rights: when it shows what is in it.
func looksForSchema(p *planner, name string) bool {
	if p.in.Mode.MariaDB || isSystemSchema(name) || p.in.Map.Schema(name) != nil {
		return false
	}
	if p.stmt.Kind == query.Explain {
		return p.stmt.Verb == "describe"
	}
	switch p.stmt.ShowWhat {
	case "columns", "full columns", "fields", "index", "indexes", "keys", "tables", "full tables", "table status", "triggers", "events":
		return p.stmt.Kind == query.Show
	}
	return false
}

func unknownSchema(name string) *Refusal {
	return &Refusal{1049, "42000", fmt.Sprintf("Unknown database '%s'", name)}
}

func noSchema() *Refusal { return &Refusal{1046, "3D000", "No database selected"} }

// deniedTable is what a server says of a table in a schema that the user was not given,
// whether it exists or not. LOCK TABLES, temporary tables and information_schema are a
// matter of the whole schema to servers.
func (p access) deniedTable(schema string, ref *query.TableRef) *Refusal {
	if p.stmt.Kind == query.LockTables || p.stmt.Temporary && ref.Target || ref.Target && strings.EqualFold(schema, informationSchema) {
		return p.deniedSchema(schema)
	}
	if looksForSchema(p.planner, schema) {
		return unknownSchema(schema)
	}
	name := "'" + ref.Name + "'"
	if p.in.Mode.MariaDB {
		name = string(query.QuoteName(nil, schema)) + "." + string(query.QuoteName(nil, ref.Name))
	}
	return &Refusal{1142, "42000", fmt.Sprintf("%s command denied to user '%s'@'%%' for table %s", p.rightsOn(ref), p.in.User.Name, name)}
}

// rightsOn names the rights that a statement needs on a table, in the servers' order.
func (p access) rightsOn(ref *query.TableRef) string {
	kind := p.stmt.Kind
	if kind == query.Explain {
		kind = p.stmt.InnerKind
	}
	switch {
	case kind == query.Show && p.stmt.ShowWhat == "create table":
		return "SHOW"
	case p.stmt.Opaque && !ref.Target:
		return "SELECT"
	case !ref.Target || p.stmt.MultiTable:
		return "SELECT"
	}
	switch kind {
	case query.Insert:
		if p.stmt.Insert != nil && p.stmt.Insert.OnDuplicate {
			return "INSERT, UPDATE"
		}
		return "INSERT"
	case query.Replace:
		return "INSERT, DELETE"
	case query.LoadData:
		return "INSERT"
	case query.Update:
		return "UPDATE"
	case query.Delete:
		return "DELETE"
	case query.CreateTable:
		if p.stmt.CreateSelect {
			return "INSERT, CREATE"
		}
		return "CREATE"
	case query.DropTable, query.TruncateTable:
		return "DROP"
	case query.AlterTable:
		if p.words.has("rename") {
			return "DROP, ALTER"
		}
		return "ALTER"
	case query.RenameTable:
		return "DROP, ALTER"
	case query.CreateIndex, query.DropIndex:
		return "INDEX"
	case query.OtherDDL:
		return strings.ToUpper(p.words.at(0))
	}
	return "SELECT"
}

// deniedLock is what a server says of FLUSH TABLES WITH READ LOCK to an application's account, in
// its own words: tools show them and go on.
func (p access) deniedLock() *Refusal {
	right := "RELOAD or FLUSH_TABLES"
	if p.in.Mode.MariaDB {
		right = "RELOAD"
	}
	return &Refusal{1227, "42000", "Access denied; you need (at least one of) the " + right + " privilege(s) for this operation"}
}

// deniedPrivilege is for statements that need a right which no application account has.
func deniedPrivilege(what, right string) *Refusal {
	return refuse(1227, "42000", "Access denied; %s needs the %s privilege, which accounts of the data port do not have; "+
		"run it on the shards themselves", what, right)
}
