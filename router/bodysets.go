package router

import "slices"

// Setting is a variable of the server that a program sets: in lower case, with the word that it is set to, "" where that
// is none. "names" are those of SET NAMES.
type Setting struct{ Name, Value string }

// RunsTexts tells whether they may run what cannot be read.
func (c *Called) RunsTexts() bool { return len(c.texts) > 0 || c.unread }

// sets adds what the SET at word i sets.
func (b body) sets(c *Called, name string, i int) {
	if !b.setsOthers(i) {
		return
	}
	first := true
	for j := i + 1; j < len(b.list) && b.list[j].Mark != ';'; j++ {
		if !first && b.list[j-1].Mark != ',' {
			continue
		}
		at, scoped := j, false
		system := b.at(at) == "@@"
		if system {
			at++
		}
		for slices.Contains(scopes, b.at(at)) {
			if scoped, at = true, at+1; b.at(at) == "." {
				at++
			}
		}
		switch w := b.at(at); {
		case w == "", w == "@", !system && !scoped && b.own[w]:
		case first && w == "transaction":
			if !scoped && !b.starts(i, j) {
				c.cannot(name, "has SET TRANSACTION, which is about the client's next transaction, without START TRANSACTION right behind it")
			}
			c.Sets = append(c.Sets, Setting{Name: "transaction_isolation"}, Setting{Name: "transaction_read_only"})
		case w == "names", w == "character", w == "char", w == "charset":
			c.Sets = append(c.Sets, Setting{Name: "names"})
		case b.isAssigned(at + 1):
			if system && !scoped && slices.Contains(ofTransaction, w) && !b.starts(i, j) {
				c.cannot(name, "sets @@"+w+", which is about the client's next transaction, without START TRANSACTION right behind it")
			}
			c.Sets = append(c.Sets, Setting{w, b.value(at + 2)})
		}
		first = false
	}
}

// scopes are the words before a variable's name.
var scopes = []string{"session", "local", "global", "persist", "persist_only"}

// ofTransaction are the variables that hold for the next transaction only where no scope is written.
var ofTransaction = []string{"transaction_isolation", "tx_isolation", "transaction_read_only", "tx_read_only"}

func (b body) isAssigned(i int) bool {
	return i < len(b.list) && (b.list[i].Mark == '=' || b.list[i].Mark == ':')
}

// value is the word, or the first byte of what else is there, of a value.
func (b body) value(i int) string {
	switch {
	case i >= len(b.list):
		return ""
	case b.list[i].Mark != 0:
		return string(rune(b.list[i].Mark))
	}
	return b.at(i)
}

// starts tells whether START TRANSACTION follows the statement that has word i.
func (b body) starts(i, from int) bool {
	for i = max(i, from); i < len(b.list) && b.list[i].Mark != ';'; i++ {
	}
	return b.at(i+1) == "start" && b.at(i+2) == "transaction"
}

// ends adds that the statement which begins with word i ends the transaction, or changes its savepoints.
func (b body) ends(c *Called, i int) {
	if b.list[i].Quoted || b.at(i-1) == "." || !b.begins(i) && !b.handles(i) || b.isValue(i) {
		return
	}
	switch w := b.at(i); w {
	case "savepoint", "release":
		c.savepoints = c.savepoints || w == "savepoint" || b.at(i+1) == "savepoint"
	case "rollback":
		if b.at(i+1) == "to" || b.at(i+1) == "work" && b.at(i+2) == "to" {
			c.savepoints = true
		} else {
			c.ends = true
		}
	case "commit":
		c.ends = true
	case "start":
		c.ends = c.ends || b.at(i+1) == "transaction"
	case "create", "drop", "alter", "rename", "truncate", "analyze", "optimize", "repair", "check", "lock", "unlock", "flush":
		c.ends = c.ends || b.at(i+1) != "temporary" && !b.list[i].Called
	}
}

// isValue tells whether word i, which may begin a statement, is a value of CASE, or a label.
func (b body) isValue(i int) bool {
	if i+1 >= len(b.list) {
		return false
	}
	mark := b.list[i+1].Mark
	return mark != 0 && mark != ';' || slices.Contains([]string{"else", "end", "when"}, b.at(i+1))
}

// handles tells whether word i stands in what DECLARE … HANDLER FOR does in one statement.
func (b body) handles(i int) bool {
	handler := false
	for i--; i >= 0 && b.list[i].Mark != ';'; i-- {
		switch b.at(i) {
		case "handler":
			handler = true
		case "declare":
			return handler
		case "begin":
			return false
		}
	}
	return false
}

// Ends tells whether they may end the transaction that they are called in.
func (c *Called) Ends() bool { return c.ends || c.RunsTexts() }

// Savepoints tells whether they may set savepoints, or go back to them.
func (c *Called) Savepoints() bool { return c.savepoints }
