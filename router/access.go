package router

import (
	"fmt"
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

const (
	informationSchema = "information_schema"
	performanceSchema = "performance_schema"
)

// isSystemSchema tells whether a schema is the server's own. Their names ignore case.
func isSystemSchema(name string) bool {
	switch strings.ToLower(name) {
	case informationSchema, performanceSchema, "mysql", "sys":
		return true
	}
	return false
}

// schema gives a schema that the user was given.
func (p *planner) schema(name string) (*shard.Schema, error) {
	if !p.in.User.May(name) {
		return nil, p.deniedSchema(name)
	}
	s := p.in.Map.Schema(name)
	if s == nil {
		return nil, unknownSchema(name)
	}
	return s, nil
}

// systemTable tells whether a table of a system schema may be read.
func (p access) systemTable(t *table) error {
	if t.ref.Target {
		return p.deniedTable(t.schema, t.ref)
	}
	name := strings.ToUpper(t.ref.Name)
	switch strings.ToLower(t.schema) {
	case informationSchema:
		if _, ok := schemaColumn(name); ok || harmless(name) || grantsBelow(name) || name == ProcessList {
			return nil
		}
		if name == "FILES" || strings.HasPrefix(name, "INNODB_") {
			return deniedPrivilege(name+" of information_schema", "PROCESS")
		}
		return refuse(1142, "42000", "%s of information_schema shows what belongs to all users of a shard; ask the shard itself", name)
	case performanceSchema:
		switch strings.ToLower(name) {
		case "session_variables", "global_variables", "session_status", "global_status":
			return nil
		}
	}
	return p.deniedTable(t.schema, t.ref)
}

// schemaColumn gives the column of an information_schema table by which rows belong to a
// schema.
func schemaColumn(table string) (string, bool) {
	switch table {
	case "TABLES", "COLUMNS", "STATISTICS", "KEY_COLUMN_USAGE", "TABLE_CONSTRAINTS", "VIEWS", "PARTITIONS",
		"TABLES_EXTENSIONS", "COLUMNS_EXTENSIONS", "VIEW_ROUTINE_USAGE", "VIEW_TABLE_USAGE", "PERIODS", "KEY_PERIOD_USAGE":
		return "TABLE_SCHEMA", true
	case "REFERENTIAL_CONSTRAINTS", "CHECK_CONSTRAINTS", "TABLE_CONSTRAINTS_EXTENSIONS":
		return "CONSTRAINT_SCHEMA", true
	case "SCHEMATA":
		return "SCHEMA_NAME", true
	case "TRIGGERS":
		return "TRIGGER_SCHEMA", true
	case "ROUTINES", "ROUTINE_LIBRARIES":
		return "ROUTINE_SCHEMA", true
	case "LIBRARIES":
		return "LIBRARY_SCHEMA", true
	case "PARAMETERS":
		return "SPECIFIC_SCHEMA", true
	case "EVENTS":
		return "EVENT_SCHEMA", true
	}
	return "", false
}

// grantsBelow tells whether an information_schema table lists grants of tables and columns. The
// users of a cluster have none: their grants are of whole schemas.
func grantsBelow(table string) bool {
	return table == "TABLE_PRIVILEGES" || table == "COLUMN_PRIVILEGES"
}

// harmless tells whether an information_schema table speaks of the server alone.
func harmless(table string) bool {
	switch table {
	case "ENGINES", "COLLATIONS", "CHARACTER_SETS", "COLLATION_CHARACTER_SET_APPLICABILITY", "KEYWORDS", "SQL_FUNCTIONS",
		"PLUGINS", "ALL_PLUGINS", "GLOBAL_VARIABLES", "SESSION_VARIABLES", "SYSTEM_VARIABLES", "GLOBAL_STATUS",
		"SESSION_STATUS", "ST_SPATIAL_REFERENCE_SYSTEMS", "ST_UNITS_OF_MEASURE", "SPATIAL_REF_SYS":
		return true
	}
	return false
}

// filterInformationSchema lets the user see only his own schemas: each table becomes a
// derived one of the same name with the rows of these.
func (p access) filterInformationSchema() error {
	if p.stmt.Kind == query.Explain && p.stmt.Verb == "describe" {
		return p.err // its columns are everybody's
	}
	var derived []query.Span
	several := p.severalSystems()
	for i := range p.tables {
		t := &p.tables[i]
		if !t.system || !strings.EqualFold(t.schema, informationSchema) {
			continue
		}
		column, ok := schemaColumn(strings.ToUpper(t.ref.Name))
		none, sessions := grantsBelow(strings.ToUpper(t.ref.Name)), strings.EqualFold(t.ref.Name, ProcessList)
		if !ok && !none && !sessions {
			continue
		}
		rows := ""
		if several && t.perSchema() != "" || sessions {
			var err error
			if rows, err = p.rowsOf(t, column); err != nil {
				return err
			}
		}
		text, err := p.sums(t, rows)
		if err != nil {
			return err
		}
		if none {
			text = "(SELECT * FROM information_schema." + t.ref.Name + " WHERE 1 = 0)"
		}
		if text == "" {
			text = rows
		}
		if text == "" {
			list := p.schemaList()
			if column == "SCHEMA_NAME" && !p.in.Mode.MariaDB {
				list += ", '" + performanceSchema + "'" // MySQL lets all see that it is there
			}
			text = "(SELECT * FROM information_schema." + t.ref.Name + " WHERE " + column + " IN (" + list + "))"
		}
		if t.ref.Alias == "" {
			text += " AS " + t.ref.Name
		}
		p.addEdit(t.ref.Span, text, noLimitEdit)
		derived = append(derived, t.ref.Span)
	}
	if derived != nil {
		p.keepNames(derived, several)
	}
	return p.err
}

// schemaList gives the user's schemas as SQL strings.
func (p access) schemaList() string {
	var b []byte
	for _, s := range append(slices.Clone(p.in.User.Schemas), informationSchema) {
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = query.QuoteString(b, s, p.in.Mode)
	}
	return string(b)
}

// guard refuses what reaches beyond the user's schemas: the server's files, its
// administration, its accounts (RELIABILITY S13, S14). The backend's own account, without
// these rights, is the first line; this is the second.
func (p access) guard() error {
	switch {
	case p.words.has("outfile"), p.words.has("dumpfile") && p.stmt.Into, p.words.follows("into", "dumpfile"):
		return deniedPrivilege("SELECT … INTO OUTFILE", "FILE")
	case p.words.calls("load_file"):
		return deniedPrivilege("LOAD_FILE()", "FILE")
	case p.stmt.Kind == query.LoadData && !p.stmt.LocalFile:
		return deniedPrivilege("LOAD DATA INFILE without LOCAL", "FILE")
	case p.stmt.Kind == query.XA:
		return unsupported("XA statements of clients are not relayed: Sluice's own transactions over shards use them; use BEGIN and COMMIT")
	case p.words.follows("for", "connection") && (p.stmt.Kind == query.Explain || strings.HasPrefix(p.words.at(0), "desc") || p.words.at(0) == "explain"):
		return deniedPrivilege("EXPLAIN FOR CONNECTION", "PROCESS")
	case p.words.has("soname") && strings.HasSuffix(p.stmt.Verb, " function"):
		return deniedPrivilege("CREATE FUNCTION … SONAME", "SUPER")
	}
	for _, s := range p.stmt.Sets {
		if s.Scope == "global" || strings.HasPrefix(s.Scope, "persist") {
			return deniedPrivilege("SET "+strings.ToUpper(s.Scope), "SUPER")
		}
	}
	for _, i := range p.words.qualifiedFunctions() {
		schema := unquoted(p.words[i])
		if !p.stmt.Opaque && slices.ContainsFunc(p.stmt.Tables, func(r query.TableRef) bool { return r.Schema == schema }) {
			continue // CREATE TABLE schema.t ( …; where it is a function as well, the table is denied
		}
		if !slices.ContainsFunc(p.in.User.Schemas, func(s string) bool { return strings.EqualFold(s, schema) }) {
			return p.deniedRoutine(schema, i)
		}
	}
	if p.words.at(0) == "flush" && (p.words.follows("with", "read") || p.words.follows("for", "export")) {
		return p.deniedLock()
	}
	if what, right := administrative(p.words.at(0), p.words.at(1), p.stmt.Verb); right != "" {
		return deniedPrivilege(what, right)
	}
	return nil
}

// deniedRoutine is what a server says of a stored program in a schema that the user was not given,
// whether it is there or not. i is where the schema's name stands among the statement's words.
func (p access) deniedRoutine(schema string, i int) *Refusal {
	switch p.words.at(0) {
	case "create", "alter", "drop", "grant", "revoke", "show":
		return p.deniedSchema(schema)
	}
	if p.words.at(i+3) != "(" || p.words.at(i-1) == "(" && slices.Contains([]string{"nextval", "lastval", "setval"}, p.words.at(i-2)) {
		return p.deniedSchema(schema)
	}
	spelled := spelledWords(query.Bare(p.in.Scan.Fingerprint, p.in.Mode))
	return &Refusal{1370, "42000", fmt.Sprintf("execute command denied to user '%s'@'%%' for routine '%s.%s'",
		p.in.User.Name, unquoted(spelled.at(i)), unquoted(spelled.at(i+2)))}
}

// administrative gives the privilege that a statement's leading words need, "" for
// ordinary ones.
func administrative(first, second, verb string) (what, right string) {
	what = strings.ToUpper(first)
	if second != "" {
		what += " " + strings.ToUpper(second)
	}
	switch first {
	case "shutdown", "restart", "install", "uninstall", "purge", "reset", "clone", "binlog", "change", "backup":
		return what, "SUPER"
	case "start", "stop":
		switch second {
		case "slave", "replica", "all", "group_replication":
			return what, "SUPER"
		}
	case "flush":
		switch second {
		case "table", "tables":
			return what, ""
		}
		return what, "RELOAD"
	case "grant", "revoke":
		return strings.ToUpper(first), "GRANT OPTION"
	case "cache", "import":
		return what, "SUPER"
	case "lock", "unlock":
		if second == "instance" {
			return what, "BACKUP_ADMIN"
		}
	case "load":
		if second == "index" {
			return what, "SUPER"
		}
	case "set":
		switch second {
		case "password":
			return what, "CREATE USER"
		case "default": // SET DEFAULT ROLE
			return what, "CREATE USER"
		case "global", "persist", "persist_only":
			return what, "SUPER"
		}
	}
	return administrativeObject(first, verb)
}

func administrativeObject(first, verb string) (what, right string) {
	switch first {
	case "create", "drop", "alter", "rename":
	default:
		return "", ""
	}
	switch _, object, _ := strings.Cut(verb, " "); object {
	case "user", "role":
		return strings.ToUpper(verb), "CREATE USER"
	case "server", "tablespace", "undo", "logfile", "instance", "resource":
		return strings.ToUpper(verb), "SUPER"
	}
	return "", ""
}
