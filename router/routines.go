package router

import (
	"fmt"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// Stored functions live on their schema's default shard. A SELECT of sharded tables that calls one
// is gathered there, where the function finds the unsharded tables and copies of the reference
// tables. What a function does is read in its text: NO SQL and CONTAINS SQL are not checked by
// servers.

// NeedRoutines is returned by New when the plan depends on a schema's stored programs: put them
// into Input.Routines, by their names in lower case, and plan again.
type NeedRoutines struct{ Schema string }

func (e *NeedRoutines) Error() string { return "the stored programs of " + e.Schema + " are not known" }

// Routine is a stored function or procedure.
type Routine struct {
	Body   string
	Unseen bool // the proxies' account may not read it
}

// programs looks at the stored programs that a statement calls.
type programs struct{ *planner }

// functions tells whether the statement calls stored functions, all of the current schema,
// and refuses those that would not give on its default shard what they give on one server.
func (p programs) functions() (stored bool, err error) {
	if len(p.stmt.Routines) == 0 {
		return false, nil
	}
	for _, schema := range p.words.schemasOfFunctions() {
		if schema != p.in.Schema {
			return false, p.noRoutines()
		}
	}
	if p.in.Map.Schema(p.in.Schema) == nil {
		return false, p.noRoutines()
	}
	if p.in.Routines == nil {
		return false, &NeedRoutines{p.in.Schema}
	}
	p.plan.momentary = true
	seen := map[string]bool{}
	for _, name := range p.stmt.Routines {
		if _, stored := p.in.Routines[name]; !stored {
			continue // a function of the server's that Sluice does not know
		}
		if why := p.unfit(name, seen); why != "" {
			return true, notOverShards(fmt.Sprintf("a call of %s(), which %s, in a statement on %s", name, why, p.plan.Table),
				"compute the value first and write it as a literal")
		}
	}
	if len(seen) == 0 {
		return false, nil
	}
	if p.in.Apart {
		return true, notOverShards("a call of a stored function in a transaction that is read only or has written on several shards", "compute the value first")
	}
	return true, nil
}

// unfit says why a function, or one that it calls, cannot run beside copies of rows.
func (p programs) unfit(name string, seen map[string]bool) string {
	if seen[name] {
		return ""
	}
	seen[name] = true
	r := p.in.Routines[name]
	words, ok := query.Words([]byte(r.Body), p.in.Mode)
	if r.Unseen || !ok {
		return "cannot be read"
	}
	for i, w := range words {
		lower := strings.ToLower(w.Text)
		switch lower {
		case "":
			continue
		case "@":
			return "uses variables of the session"
		case "insert", "replace", "truncate":
			if !w.Called {
				return "writes"
			}
		case "update", "delete", "call", "load", "create", "drop", "alter", "nextval", "setval", "lastval", "handler", "lock":
			return "writes"
		case "last_insert_id", "found_rows", "row_count", "connection_id", "session_user", "system_user", "user", "get_lock", "release_lock", "release_all_locks",
			"is_free_lock", "is_used_lock":
			if w.Called {
				return "asks for the state of the session"
			}
		case "current_user":
			return "asks for the state of the session"
		case "from", "join", "table":
			if t := p.first(func(t *table) bool { return t.ref.Target }); t != nil && !t.sharded() { // of which it may see the statement's own rows
				return "may read " + t.name() + ", which is written"
			}
		case "next", "previous":
			if i+1 < len(words) && strings.EqualFold(words[i+1].Text, "value") {
				return "writes"
			}
		}
		if table := p.shardedNamed(w.Text); table != "" {
			return "names " + table + ", of which a shard has a part"
		}
		if _, calls := p.in.Routines[lower]; calls {
			if why := p.unfit(lower, seen); why != "" {
				return why
			}
		}
	}
	return ""
}

// shardedNamed gives a sharded table of any schema that has a name.
func (p programs) shardedNamed(name string) string {
	for i := range p.in.Map.Spec.Schemas {
		s := &p.in.Map.Spec.Schemas[i]
		if s.Rule(name).Kind == shard.Sharded {
			return s.Name + "." + name
		}
		for j := range s.Tables {
			if t := &s.Tables[j]; t.Kind == shard.Sharded && strings.EqualFold(t.Name, name) {
				return s.Name + "." + t.Name
			}
		}
	}
	return ""
}

// gatherFunctions plans a SELECT of sharded tables, or of tables of several shards, that calls
// stored functions.
func (p reader) gatherFunctions() error {
	stored, err := programs(p).functions()
	if err != nil {
		return err
	}
	home := p.currentHome()
	if u := p.first((*table).unsharded); stored && u != nil && u.home != home {
		return p.noRoutines()
	}
	if err := p.load(); err != nil {
		return err
	}
	p.plan.atHome = stored
	p.plan.Target = ToAll
	return p.gather(true, p.plan.edits)
}
