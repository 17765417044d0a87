package advise

import (
	"fmt"
	"slices"
	"strings"

	"sluice/shard"
)

// warner looks for what is in the way.
type warner struct{ *world }

// warn lists what is in the way, and what would no longer hold as it does on one server.
func (w warner) warn(a *Advice) {
	kinds := map[tableKey]*Choice{}
	for i := range a.Choices {
		c := &a.Choices[i]
		kinds[tableKey{c.Schema, c.Table}] = c
	}
	add := func(format string, args ...any) { a.Warnings = append(a.Warnings, fmt.Sprintf(format, args...)) }
	for _, t := range w.tables {
		c := kinds[t.tableKey]
		if c.Kind != shard.Unsharded && len(t.primary) == 0 {
			add("%s has no primary key: its slots cannot be moved later; add one", t.table)
		}
		if c.Kind == shard.Sharded {
			w.warnUnique(t, c, add)
		}
		for _, f := range t.foreign {
			w.warnForeign(t, c, kinds[f.parent], f, add)
		}
	}
	for _, p := range w.programs {
		w.warnProgram(p, kinds, add)
	}
}

// warnUnique names the keys that hold on each shard only.
func (w warner) warnUnique(t *Table, c *Choice, add func(string, ...any)) {
	keys := append([]index{{name: "PRIMARY", columns: t.primary, whole: make([]bool, len(t.primary))}}, t.unique...)
	for i := range keys[0].whole {
		keys[0].whole[i] = true
	}
	for _, k := range keys {
		safe := len(k.columns) == 0
		for i, column := range k.columns {
			safe = safe || strings.EqualFold(column, c.Key) && k.whole[i] || t.auto != "" && column == t.auto
		}
		if !safe {
			add("the unique key %s (%s) of %s does not contain the shard key %s: it holds on each shard, not over all of them", k.name, strings.Join(k.columns, ", "), t.table, c.Key)
		}
	}
}

// warnForeign names the foreign keys that cannot be checked where the rows will be.
func (w warner) warnForeign(t *Table, c, parent *Choice, f foreignKey, add func(string, ...any)) {
	name := fmt.Sprintf("the foreign key %s of %s to %s", f.name, t.table, f.parent.table)
	switch {
	case parent == nil:
		if c.Kind != shard.Unsharded {
			add("%s, which is in another schema: drop it before the table is %s", name, c.Kind)
		}
	case parent.Kind == shard.Sharded && c.Kind != shard.Sharded, parent.Kind == shard.Unsharded && c.Kind != shard.Unsharded:
		add("%s cannot be checked when %s is %s and %s %s: drop it first", name, t.table, c.Kind, f.parent.table, parent.Kind)
	case parent.Kind == shard.Sharded:
		i := slices.IndexFunc(f.columns, func(col string) bool { return strings.EqualFold(col, c.Key) })
		if i < 0 || !strings.EqualFold(f.pcolumns[i], parent.Key) {
			add("%s is not over the shard keys: it is checked on each shard alone, so it fails for a row whose parent has another key", name)
		}
	}
}

// warnProgram names views, routines and events that would see one shard's rows only.
func (w warner) warnProgram(p program, kinds map[tableKey]*Choice, add func(string, ...any)) {
	var spread []string
	for _, t := range w.tables {
		if c := kinds[t.tableKey]; c.Kind != shard.Unsharded && mentions(p.text, t.table) {
			spread = append(spread, t.table)
		}
	}
	switch {
	case len(spread) == 0:
	case p.kind == "trigger":
		add("the trigger %s names %s: a trigger sees and writes the rows of its own server only; do in the application what it does", p.table, strings.Join(spread, ", "))
	case p.kind == "function":
		add("the function %s names %s: all of their rows are copied for each statement that calls it; in views, triggers and events it would see the rows of one server only", p.table, strings.Join(spread, ", "))
	default:
		add("the %s %s names %s: it would see the rows of one server only, and Sluice does not look into it; drop it, and let the application send its statements", p.kind, p.table, strings.Join(spread, ", "))
	}
}

// mentions tells whether a word of a text is the name. Words in strings count: rather one
// warning too many.
func mentions(text, name string) bool {
	part := func(c byte) bool {
		return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
	}
	lower := strings.ToLower(text)
	name = strings.ToLower(name)
	for at := 0; ; {
		i := strings.Index(lower[at:], name)
		if i < 0 {
			return false
		}
		i += at
		end := i + len(name)
		if (i == 0 || !part(lower[i-1])) && (end == len(lower) || !part(lower[end])) {
			return true
		}
		at = i + 1
	}
}
