package router

import (
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// Stored functions live on their schema's default shard, where they find its unsharded tables
// and copies of the reference tables. What they do is read in their texts: NO SQL and CONTAINS
// SQL are not checked by servers.

// NeedRoutines is returned by New when the plan depends on a schema's stored programs: put them
// into the Catalog, and plan again.
type NeedRoutines struct{ Schema string }

func (e *NeedRoutines) Error() string { return "the stored programs of " + e.Schema + " are not known" }

// Called is what the stored programs that a statement calls do to the session, with those that they
// call themselves.
type Called struct {
	Variables []string // user variables, as their texts write them
	InsertID  bool     // they look at LAST_INSERT_ID(), or set it
	Settings  bool     // they may set variables of the server
	Writes    bool

	names   []string         // of the statement's own
	locks   bool             // they lock rows that they read
	unread  bool             // the text of one cannot be read
	unfit   string           // why nothing can be said of them, or no connection but the client's would do
	views   bool             // some of tables are views
	tables  []query.TableRef // those that they may name
	sharded string           // the first of tables that is
	homes   []string         // default shards of their schemas
}

// pure tells whether calls depend on nothing but their arguments, and leave nothing.
func (c *Called) pure() bool {
	return !c.Writes && !c.locks && !c.InsertID && !c.Settings && len(c.Variables) == 0 && c.unfit == ""
}

// programs looks at the stored programs that a statement calls.
type programs struct{ *planner }

// examine reads the stored programs that the statement calls. Errors: *NeedRoutines.
func (p programs) examine() error {
	names := p.stmt.Routines
	if p.stmt.Opaque {
		names = p.stmt.MentionCalls
	}
	if len(names) == 0 {
		return nil
	}
	c := &Called{}
	seen := map[[2]string]bool{}
	for _, schema := range append(p.words.schemasOfFunctions(), p.in.Schema) {
		for _, name := range names {
			if err := p.read(c, schema, name, seen); err != nil {
				return err
			}
		}
	}
	if len(seen) == 0 { // functions of the server's that Sluice does not know
		return nil
	}
	c.names = names
	p.plan.Called = c
	return nil
}

// read adds what a program does, if there is one of that name.
func (p programs) read(c *Called, schema, name string, seen map[[2]string]bool) error {
	s := p.in.Map.Schema(schema)
	if s == nil || seen[[2]string{schema, name}] {
		return nil
	}
	all := p.in.Catalog.Program(schema)
	if all == nil {
		return &NeedRoutines{schema}
	}
	r, stored := all.Routines[name]
	if !stored {
		return nil
	}
	seen[[2]string{schema, name}] = true
	if !slices.Contains(c.homes, s.DefaultShard) {
		c.homes = append(c.homes, s.DefaultShard)
	}
	list, ok := query.Words([]byte(r.Body), p.in.Mode)
	if r.Unseen || !ok {
		c.cannot(name, "cannot be read")
		c.unread = true
		return nil
	}
	c.Variables = append(c.Variables, query.UserVariables([]byte(r.Body), p.in.Mode)...)
	body := body{list}
	for i := range list {
		body.effects(c, name, i)
		of := schema
		if body.at(i-1) == "." && i >= 2 && p.in.Map.Schema(list[i-2].Text) != nil {
			of = list[i-2].Text
		}
		if err := p.named(c, of, list[i].Text); err != nil {
			return err
		}
		if err := p.read(c, of, strings.ToLower(list[i].Text), seen); err != nil {
			return err
		}
	}
	return nil
}

// named adds a table, if there is one of that name.
func (p programs) named(c *Called, schema, name string) error {
	if name == "" {
		return nil
	}
	all := p.in.Catalog.Program(schema)
	if all == nil {
		return &NeedRoutines{schema}
	}
	t, ok := all.Tables[strings.ToLower(name)]
	if !ok || slices.ContainsFunc(c.tables, func(r query.TableRef) bool { return r.Schema == schema && r.Name == t.Name }) {
		return nil
	}
	c.tables = append(c.tables, query.TableRef{Schema: schema, Name: t.Name})
	c.views = c.views || t.View
	if c.sharded == "" && p.in.Map.Schema(schema).Rule(t.Name).Kind == shard.Sharded {
		c.sharded = schema + "." + t.Name
	}
	return nil
}

func (c *Called) cannot(name, why string) {
	if c.unfit == "" {
		c.unfit = name + "(), which " + why
	}
}

// body is the text of a stored program.
type body struct{ list []query.Word }

func (b body) at(i int) string {
	if i < 0 || i >= len(b.list) {
		return ""
	}
	return strings.ToLower(b.list[i].Text)
}

// effects adds what word i says of a program.
func (b body) effects(c *Called, name string, i int) {
	called := b.list[i].Called
	switch b.at(i) {
	case "insert", "replace", "truncate":
		c.Writes = c.Writes || !called
	case "update", "share":
		if b.at(i-1) == "for" || b.at(i) == "share" {
			c.locks = true
		} else {
			c.Writes = true
		}
	case "delete", "load", "create", "drop", "alter", "nextval", "setval", "handler":
		c.Writes = true
	case "next", "previous":
		c.Writes = c.Writes || b.at(i+1) == "value"
	case "last_insert_id", "identity":
		c.InsertID = true
	case "@@":
		switch b.at(i + 1) {
		case "warning_count", "error_count", "pseudo_thread_id":
			c.cannot(name, "asks for the state of the session")
		}
		c.Settings = c.Settings || b.at(i-1) == "set" || b.at(i-1) == ""
	case "session", "global":
		c.Settings = true
	case "found_rows", "row_count", "connection_id", "session_user", "system_user", "user", "get_lock", "release_lock", "release_all_locks",
		"is_free_lock", "is_used_lock", "lastval":
		if called {
			c.cannot(name, "asks for the state of the session")
		}
	case "current_user":
		c.cannot(name, "asks for the state of the session")
	}
}
