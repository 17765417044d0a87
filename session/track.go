package session

import (
	"slices"
	"strings"

	"sluice/server"
	"sluice/wire"
)

// tracker tells a client that has asked for it at its login (CLIENT_SESSION_TRACK) what its
// statement has changed of the session, in the statement's OK: the schema, and those variables that
// session_track_system_variables lists. What a stored program sets is not told.
type tracker struct {
	c       *server.Client
	state   *state
	changed []string // variables, as the session carries them
	used    bool     // the schema
}

func (t *tracker) on() bool { return t.c.Capabilities&wire.ClientSessionTrack != 0 }

// variables notes that a statement has set some, also to what they were.
func (t *tracker) variables(names ...string) {
	if t.on() {
		t.changed = append(t.changed, names...)
	}
}

// schema notes USE, unless it failed.
func (t *tracker) schema(err error) {
	t.used = t.used || err == nil && t.on()
}

// take gives the entries of the next OK.
func (t *tracker) take() (entries []byte) {
	if len(t.changed) == 0 && !t.used {
		return nil
	}
	slices.Sort(t.changed) // as MySQL does
	for _, name := range slices.Compact(t.changed) {
		if t.tracks(name) {
			entries = wire.AppendVariableChange(entries, name, t.value(name))
		}
	}
	if t.used && !isOff(strings.ToUpper(t.state.vars.plain("session_track_schema"))) {
		entries = wire.AppendSchemaChange(entries, t.state.schema)
	}
	t.changed, t.used = t.changed[:0], false
	return entries
}

// value gives a variable's value as SHOW VARIABLES has it.
func (t *tracker) value(name string) string {
	d := &t.state.h.defaults
	switch name {
	case connectionCharset:
		return d.collations[d.byName[t.state.vars.plain("collation_connection")]].charset
	case "transaction_isolation", "tx_isolation":
		return t.state.vars.plain(d.isolationVar())
	case "transaction_read_only", "tx_read_only":
		name = d.readOnlyVar()
	}
	value := t.state.vars.plain(name)
	switch {
	case value == "NULL":
		return ""
	case switches[name] && isOn(value):
		return "ON"
	case switches[name] && isOff(value):
		return "OFF"
	}
	return value
}

const connectionCharset = "character_set_connection"

// tracks tells whether the client wants to hear of a variable.
func (t *tracker) tracks(name string) bool {
	const byDefault = "autocommit,character_set_client,character_set_connection,character_set_results,time_zone"
	list, set := t.state.vars.values["session_track_system_variables"]
	if list = strings.ToLower(strings.Trim(list, "'")); !set {
		list = byDefault
	}
	for _, wanted := range strings.Split(list, ",") {
		if wanted = strings.TrimSpace(wanted); wanted == "*" || wanted == name {
			return true
		}
	}
	return false
}

// switches are the variables that are ON or OFF, and read as 1 or 0.
var switches = map[string]bool{
	"autocommit": true, "foreign_key_checks": true, "unique_checks": true, "check_constraint_checks": true, "sql_safe_updates": true,
	"sql_notes": true, "sql_warnings": true, "sql_quote_show_create": true, "sql_big_selects": true, "low_priority_updates": true,
	"big_tables": true, "windowing_use_high_precision": true, "explicit_defaults_for_timestamp": true, "sql_require_primary_key": true,
	"transaction_read_only": true, "tx_read_only": true, "session_track_schema": true,
	"print_identified_with_as_hex": true,
}
