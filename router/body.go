package router

import (
	"slices"
	"strings"

	"sluice/query"
)

// body is the text of a stored program.
type body struct {
	list    []query.Word
	source  string
	own     map[string]bool // its variables, in lower case
	definer bool            // CURRENT_USER() is its definer, as on one server
	made    bool            // by another account than the proxies'
}

func (b body) at(i int) string {
	if i < 0 || i >= len(b.list) {
		return ""
	}
	return strings.ToLower(b.list[i].Text)
}

// effects adds what word i says of a program.
func (b body) effects(c *Called, name string, i int) {
	called := b.list[i].Called
	if b.at(i) != "" && b.assignsOthers(i) {
		c.Settings, c.Sets = true, append(c.Sets, Setting{Name: b.at(i)})
	}
	if row := b.at(i - 2); !called && b.at(i-1) == "." && (row == "new" || row == "old") { // a column
		return
	}
	b.ends(c, i)
	c.selects = c.selects || b.at(i) == "select" || b.begins(i) && slices.Contains(answersRows, b.at(i))
	switch b.at(i) {
	case "insert", "replace":
		if !called {
			c.Writes, c.changes = true, c.changes|inserts
			if b.at(i) == "replace" {
				c.changes |= deletes
			}
		}
	case "truncate":
		c.Writes = c.Writes || !called
	case "update", "share":
		if b.at(i-1) == "for" || b.at(i) == "share" {
			c.locks = true
		} else {
			c.Writes, c.changes = true, c.changes|updates
		}
	case "delete":
		c.Writes, c.changes = true, c.changes|deletes
	case "load":
		c.Writes, c.changes = true, anyChange
	case "create", "drop", "alter", "rename", "nextval", "setval":
		c.Writes = true
	case "next", "previous":
		c.Writes = c.Writes || b.at(i+1) == "value"
	case "last_insert_id", "identity":
		c.InsertID = true
	case "@@":
		switch variable := b.at(i + 1); variable {
		case "warning_count", "error_count":
			if !b.ran(i, changesRows) {
				c.cannot(name, "asks for @@"+variable+" of the statement before it")
			}
		case "pseudo_thread_id":
			c.cannot(name, "asks for @@pseudo_thread_id, which is Sluice's connection to the shard")
		}
		c.Settings = c.Settings || b.at(i-1) == "set" || b.at(i-1) == ""
	case "session", "global":
		c.Settings = true
	case "set":
		c.Settings = c.Settings || b.setsOthers(i)
		b.sets(c, name, i)
	case "found_rows":
		if called && !b.ran(i, givesRows) {
			c.cannot(name, "asks for FOUND_ROWS() of the statement before it")
		}
	case "row_count":
		if called && !b.ran(i, countsRows) {
			c.cannot(name, "asks for ROW_COUNT() of the statement before it")
		}
	case "get_lock", "release_lock", "release_all_locks", "is_free_lock":
		c.namedLock = c.namedLock || called
	case "connection_id", "session_user", "system_user", "user", "is_used_lock", "lastval":
		if called {
			c.cannot(name, "asks for "+strings.ToUpper(b.at(i))+"(), which is of Sluice's connection to the shard")
		}
	case "current_user":
		if !b.definer {
			c.cannot(name, "asks for CURRENT_USER, which is Sluice's account on the shards")
		}
	case "kill":
		if b.begins(i) {
			c.cannot(name, "has KILL, with the shard's numbers of connections")
		}
	case "processlist":
		c.cannot(name, "asks for the process list, which is that of the shard")
	}
}

// Statements after which a function about the one before is answered by it.
var (
	changesRows = []string{"insert", "replace", "update", "delete"}
	givesRows   = []string{"select"}
	countsRows  = []string{"insert", "replace", "update", "delete", "select", "call"}
)

// answersRows are the words besides SELECT with which what may change FOUND_ROWS() begins.
var answersRows = []string{"show", "explain", "describe", "desc", "analyze", "check", "checksum", "optimize", "repair", "help", "values", "table", "handler"}

// ran tells whether a statement that begins with one of the words has surely ended before word i of the
// program: not one in a branch, a loop, a handler, or a block that may be left early, which i is behind.
func (b body) ran(i int, first []string) bool {
	type block struct {
		always bool // it runs, and to its end
		before bool // what was sure where it began
	}
	var blocks []block
	sure, now := false, false // behind the statement before; behind the one that is read
	declares, cases := false, 0
	for j := range i {
		word := b.at(j)
		switch {
		case cases > 0 || word == "case" && !b.begins(j): // an expression
			if word == "case" {
				cases++
			} else if word == "end" {
				cases--
			}
		case b.list[j].Mark == ';':
			sure, now, declares = sure || now, false, false
		case word == "end":
			if len(blocks) == 0 {
				return false
			}
			of := blocks[len(blocks)-1]
			if blocks = blocks[:len(blocks)-1]; !of.always {
				sure = of.before
			}
		case word == "begin" && (declares || b.begins(j)):
			blocks = append(blocks, block{!declares, sure})
			declares = false
		case word == "leave" || word == "handler":
			for k := range blocks {
				blocks[k].always = false
			}
		case !b.begins(j):
		case word == "if" || word == "case" || word == "loop" || word == "while" || word == "repeat" || word == "for":
			blocks = append(blocks, block{false, sure})
		case word == "else" || word == "elseif" || word == "when":
			if len(blocks) > 0 {
				sure = blocks[len(blocks)-1].before
			}
		case word == "declare":
			declares = true
		default:
			now = now || slices.Contains(first, word)
		}
	}
	return sure
}

// begins tells whether a statement begins with word i.
func (b body) begins(i int) bool {
	if i == 0 {
		return true
	}
	switch b.list[i-1].Mark {
	case ';':
		return true
	case ':': // a label, or :=
		return i > 1 && b.begins(i-2)
	}
	if b.list[i-1].Called { // REPEAT (…)
		return false
	}
	switch b.at(i - 1) {
	case "then", "else", "do", "begin", "loop", "repeat", "atomic":
		return true
	}
	return false
}

// bare tells whether a dot behind word i begins the name of a table, which MariaDB takes for one of the current schema.
func (b body) bare(i int) bool {
	switch b.at(i) {
	case "", "from", "join", "straight_join", "oj", "update", "into", "table", "tables", "insert", "replace", "delete", "truncate", "select",
		"ignore", "low_priority", "high_priority", "delayed", "quick", "on", "using", "references", "to", "like", "exists", "for":
		return true
	}
	return false
}

// setsOthers tells whether the SET at word i assigns what is neither declared nor a parameter.
func (b body) setsOthers(i int) bool {
	for j := i - 1; !b.begins(i) && j >= 0 && b.list[j].Mark != ';'; j-- {
		switch b.at(j) {
		case "insert", "replace", "update", "load", "signal", "resignal":
			if !b.list[j].Called {
				return false // of columns, or of what an error says
			}
		}
	}
	if w := b.at(i - 1); w == "character" || w == "char" {
		return false
	}
	for j := i + 1; j < len(b.list) && b.list[j].Mark != ';'; j++ {
		name := b.at(j)
		assigned := j == i+1
		if !assigned && b.list[j-1].Mark == ',' && j+1 < len(b.list) {
			assigned = b.list[j+1].Mark == '=' || b.list[j+1].Mark == ':' || slices.Contains(withoutSign, name)
		}
		if assigned && name != "" && name != "@" && name != "@@" && !b.own[name] {
			return true
		}
	}
	return false
}

// withoutSign are the words of SET that stand before what is set.
var withoutSign = []string{"session", "local", "global", "persist", "persist_only", "names", "character", "char", "charset"}

// assignsOthers tells whether a statement begins with word i that is an assignment without SET, of MariaDB's sql_mode ORACLE,
// to what is neither declared nor a parameter.
func (b body) assignsOthers(i int) bool {
	if !b.begins(i) || b.own[b.at(i)] {
		return false
	}
	for b.at(i+1) == "." {
		i += 2
	}
	return i+1 < len(b.list) && b.list[i+1].Sets
}

// declared gives the names that DECLARE introduces, with the parameters.
func (b body) declared(parameters []string) map[string]bool {
	own := map[string]bool{"new": true, "old": true} // a trigger's
	for _, name := range parameters {
		own[strings.ToLower(name)] = true
	}
	for i := range b.list {
		if w := b.at(i - 1); b.at(i+1) != "" && b.at(i+1) != "." && (i == 1 && (w == "as" || w == "is") || i > 0 && b.list[i-1].Mark == ';') {
			own[b.at(i)] = true // name type, of MariaDB's sql_mode ORACLE; other statements begin with a keyword
		}
		if b.at(i) != "declare" {
			continue
		}
		for i++; b.at(i) != ""; i += 2 {
			own[b.at(i)] = true
			if i+1 >= len(b.list) || b.list[i+1].Mark != ',' {
				break
			}
		}
	}
	return own
}
