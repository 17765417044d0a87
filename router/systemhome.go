package router

import (
	"slices"
	"strings"

	"sluice/query"
)

// systemHome says which schemas a statement asks information_schema about, when the user's
// schemas have their tables on several shards: only the schema's own shard has all of them.
type systemHome struct {
	uses []schemaUse
	home string // of unsharded tables in the statement
}

// schemaUse is a predicate that names schemas.
type schemaUse struct {
	values  []query.Value
	all     bool   // all literals of the hole of values[0]
	current string // TABLE_SCHEMA = DATABASE(): that one
}

// severalSystems tells whether the rows that a statement asks information_schema about have to come
// from several shards; where it says which schemas are meant, it is placed by their values.
func (p access) severalSystems() bool {
	if h := &p.in.Hints; h.Shard != "" || h.HasKey || !p.severalHomes() || p.stmt.Kind == query.Explain {
		return false
	}
	asked := p.askedSchemas()
	if asked == 0 {
		return false
	}
	uses := append(p.schemaPredicates(), p.currentPredicates()...)
	if p.bringsRows(uses, asked) {
		return true
	}
	p.plan.system = &systemHome{uses: uses}
	if t := p.first((*table).unsharded); t != nil {
		p.plan.system.home = t.home
	}
	return false
}

// severalHomes tells whether the user's schemas have different default shards.
func (p access) severalHomes() bool {
	home := ""
	for _, name := range p.in.User.Schemas {
		s := p.in.Map.Schema(name)
		if s == nil {
			continue
		}
		if home != "" && s.DefaultShard != home {
			return true
		}
		home = s.DefaultShard
	}
	return false
}

func isSchemaColumn(name string) bool {
	switch strings.ToUpper(name) {
	case "TABLE_SCHEMA", "CONSTRAINT_SCHEMA", "SCHEMA_NAME", "TRIGGER_SCHEMA", "ROUTINE_SCHEMA", "SPECIFIC_SCHEMA", "EVENT_SCHEMA", "LIBRARY_SCHEMA",
		"EVENT_OBJECT_SCHEMA", "REFERENCED_TABLE_SCHEMA", "UNIQUE_CONSTRAINT_SCHEMA":
		return true
	}
	return false
}

func (p access) schemaPredicates() (uses []schemaUse) {
	for i := range p.stmt.Predicates {
		if pred := &p.stmt.Predicates[i]; isSchemaColumn(pred.Col.Column) {
			uses = append(uses, schemaUse{values: pred.Values, all: pred.All})
		}
	}
	return uses
}

// currentPredicates finds TABLE_SCHEMA = DATABASE(), which is no literal, in a statement
// without anything by which it might not hold for all rows.
func (p access) currentPredicates() (uses []schemaUse) {
	w := p.words
	for _, word := range [...]string{"or", "xor", "not", "|", "!", "if", "case", "ifnull", "coalesce"} {
		if slices.Contains(w, word) {
			return nil
		}
	}
	isCurrent := func(i int) bool {
		return (w.at(i) == "database" || w.at(i) == "schema") && w.at(i+1) == "(" && w.at(i+2) == ")"
	}
	for i, s := range w {
		if s != "=" || i == 0 {
			continue
		}
		right, _ := w.column(min(i+1, len(w)-1))
		if isSchemaColumn(unquoted(w[i-1])) && isCurrent(i+1) || isCurrent(i-3) && isSchemaColumn(right.Column) {
			uses = append(uses, schemaUse{current: p.in.Schema})
		}
	}
	return uses
}

// shard finds the one that has the tables of all schemas that are asked about.
func (h *systemHome) shard(p *Plan, a *Args, s *scratch) (int, error) {
	home := h.home
	take := func(name string) error {
		for i := range a.Map.Spec.Schemas {
			schema := &a.Map.Spec.Schemas[i]
			if !strings.EqualFold(schema.Name, name) { // servers compare these names without case, some of them
				continue
			}
			if home != "" && home != schema.DefaultShard {
				return ErrHomes
			}
			home = schema.DefaultShard
		}
		return nil
	}
	for i := range h.uses {
		u := &h.uses[i]
		if err := take(u.current); err != nil {
			return 0, err
		}
		n := len(u.values)
		if u.all {
			n = int(a.Scan.Holes[u.values[0].Hole].Count)
		}
		for j := range n {
			v := u.values[0]
			if u.all {
				v.Pos = j
			} else {
				v = u.values[j]
			}
			if v.Kind != query.ValLiteral {
				continue
			}
			if err := take(string(s.literal(a, literalIndex(a.Scan, v.Hole, v.Pos)).text)); err != nil {
				return 0, err
			}
		}
	}
	if at, ok := a.Map.ShardIndex(home); ok {
		return at, nil
	}
	return p.homeIndex(a.Map), nil
}
