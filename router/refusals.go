package router

import (
	"fmt"
	"strings"
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
	return &Refusal{1044, "42000", fmt.Sprintf("Access denied for user '%s'@'%%' to database '%s'", p.in.User.Name, name)}
}

func unknownSchema(name string) *Refusal {
	return &Refusal{1049, "42000", fmt.Sprintf("Unknown database '%s'", name)}
}

func noSchema() *Refusal { return &Refusal{1046, "3D000", "No database selected"} }

func (p access) deniedTable(name string) *Refusal {
	verb := strings.ToUpper(p.stmt.Verb)
	if verb == "" || strings.Contains(verb, " ") {
		verb = "SELECT"
	}
	return &Refusal{1142, "42000", fmt.Sprintf("%s command denied to user '%s'@'%%' for table '%s'", verb, p.in.User.Name, name)}
}

// deniedPrivilege is for statements that need a right which no application account has.
func deniedPrivilege(what, right string) *Refusal {
	return refuse(1227, "42000", "Access denied; %s needs the %s privilege, which accounts of the data port do not have; "+
		"run it on the shards themselves", what, right)
}
