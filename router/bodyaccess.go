package router

import (
	"slices"
	"strings"
)

// A program runs with the rights of the proxies' account. What its user may not do in a statement of his own is refused where it
// is made, and where it is used; but not to one that somebody else made on the shard, who has given these rights with it.

// bodies looks at whether the statements of programs are the user's to run.
type bodies struct{ *planner }

// forbidden refuses the statement that begins with word i.
func (p bodies) forbidden(b body, i int) error {
	w := b.at(i)
	if w == "" || b.list[i].Quoted || b.at(i-1) == "." || b.at(i+1) == "." {
		return nil
	}
	object := i + 1
	if b.at(object) == "or" && b.at(object+1) == "replace" {
		object += 2
	}
	switch of := b.at(object); {
	case (w == "create" || w == "alter" || w == "drop") && (of == "database" || of == "schema") && b.at(i-1) != "show":
		return unsupported("%s %s in a stored program would be carried out on one shard; send it as a statement of its own", strings.ToUpper(w), strings.ToUpper(of))
	case b.made:
		return nil
	case w == "show":
		return p.shownBy(b, i+1)
	case w == "soname":
		return deniedPrivilege("CREATE FUNCTION … SONAME", "SUPER")
	case w == "set":
		if scope := b.globally(i); scope != "" {
			return deniedPrivilege("SET "+strings.ToUpper(scope), "SUPER")
		}
	}
	if w == "connection" && b.at(i-1) == "for" {
		return deniedPrivilege("EXPLAIN FOR CONNECTION", "PROCESS")
	}
	if w != "grant" && w != "revoke" && (!b.begins(i) && !b.handles(i) || b.isValue(i)) {
		return nil
	}
	if w == "xa" {
		return noXA()
	}
	if what, right := administrative(w, b.at(i+1), w+" "+b.at(object)); right != "" {
		return deniedPrivilege(what, right)
	}
	return nil
}

func noXA() *Refusal {
	return unsupported("XA statements in a stored program: Sluice's own transactions over shards use them; use START TRANSACTION and COMMIT")
}

// globally gives the scope beyond the session of what the SET at word i sets.
func (b body) globally(i int) string {
	if !b.setsOthers(i) {
		return ""
	}
	for j := i + 1; j < len(b.list) && b.list[j].Mark != ';'; j++ {
		at := j
		if b.at(at) == "@@" {
			at++
		}
		if scope := b.at(at); (j == i+1 || b.list[j-1].Mark == ',') && slices.Contains([]string{"global", "persist", "persist_only"}, scope) && !b.isAssigned(at+1) {
			return scope
		}
	}
	return ""
}

// shownBy refuses a SHOW, of which i is the second word, of what is not the user's.
func (p bodies) shownBy(b body, i int) error {
	for slices.Contains([]string{"full", "extended", "global", "session", "local"}, b.at(i)) {
		i++
	}
	what := b.at(i)
	switch {
	case what == "warnings" || what == "errors" || what == "table" || what == "open" && b.at(i+1) == "tables":
	case what == "create" || what == "storage" || what == "character":
		what += " " + b.at(i+1)
		fallthrough
	default:
		if !showable(what) || what == "create database" || what == "create schema" {
			return refuse(1227, "42000", "Access denied; SHOW %s in a stored program shows what belongs to the server or to other users", strings.ToUpper(what))
		}
	}
	for i++; i < len(b.list) && b.list[i].Mark != ';' && b.at(i) != "where" && b.at(i) != "like"; i++ {
		schema := ""
		switch of := b.at(i - 1); {
		case b.at(i+1) == ".":
			schema = b.list[i].Text
		case of != "from" && of != "in" || b.at(i-2) == ".":
		case slices.Contains([]string{"columns", "fields", "index", "indexes", "keys"}, what) && !b.again(i-1):
		default:
			schema = b.list[i].Text
		}
		if schema != "" && !strings.EqualFold(schema, informationSchema) && !p.in.User.May(schema) {
			return p.deniedSchema(schema)
		}
	}
	return nil
}

// again tells whether the FROM at word i is the second one of a SHOW.
func (b body) again(i int) bool {
	for i--; i >= 0 && b.at(i) != "show" && b.list[i].Mark != ';'; i-- {
		if b.at(i) == "from" || b.at(i) == "in" {
			return true
		}
	}
	return false
}

// defined looks at a statement that makes a program whose text is looked at when it runs.
func (p bodies) defined(b body) error {
	for i := range b.list {
		if err := p.forbidden(b, i); err != nil {
			return err
		}
	}
	at := slices.IndexFunc(p.words, func(w string) bool { return w == "procedure" || w == "function" })
	for at >= 0 && at < len(p.words) && p.words[at] != "(" {
		at++
	}
	if at < 0 || at >= len(p.words) {
		return nil
	}
	for i := p.words.close(at) + 1; i < len(p.words) && !slices.Contains(ordinary, p.words[i]); i++ { // its first statement
		if p.words[i] == "xa" {
			return noXA()
		}
		if what, right := administrative(p.words[i], p.words.at(i+1), p.words[i]+" "+p.words.at(i+1)); right != "" {
			return deniedPrivilege(what, right)
		}
	}
	return nil
}

// ordinary are words with which the first statement of a program begins, behind what is said of the program.
var ordinary = []string{"begin", "select", "insert", "update", "delete", "replace", "return", "call", "if", "case", "while", "repeat", "loop", "with", "do"}
