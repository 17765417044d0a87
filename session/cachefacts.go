package session

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/shard"
)

// facts are what the definitions on the shards say about which tables a write changes besides
// those that it names, and which cannot be cached.
type facts struct {
	catVersion int64
	unknown    bool                      // they could not be had: a write may change everything, nothing is cached
	views      map[[2]string]bool        // {schema, name}
	triggers   map[[2]string]bool        // tables whose triggers may write any other
	children   map[[2]string][][2]string // tables whose rows a foreign key changes with the parent's, also indirectly
	programs   bool                      // a stored program writes
	mu         sync.Mutex
	plain      map[[2]string]bool // base tables of InnoDB, as far as looked up
}

// factsOf gives the facts that hold under a catalog's version.
func (r *results) factsOf(ctx context.Context, m *shard.Map, catVersion int64) *facts {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.facts != nil && r.facts.catVersion == catVersion {
		return r.facts
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	f := &facts{catVersion: catVersion, views: map[[2]string]bool{}, triggers: map[[2]string]bool{}, children: map[[2]string][][2]string{}, plain: map[[2]string]bool{}}
	for _, sh := range m.Spec.Shards {
		if err := r.on(ctx, sh.Name, func(c *backend.Conn) error { return f.load(c, m) }); err != nil {
			r.h.log.Warn("what the result cache must know of the tables could not be read; every write drops all of it", "shard", sh.Name, "error", err)
			return &facts{catVersion: catVersion, unknown: true}
		}
	}
	f.close()
	r.facts = f
	return f
}

// on runs f on a connection of its own.
func (r *results) on(ctx context.Context, shard string, f func(*backend.Conn) error) error {
	c, err := r.h.pools.Get(ctx, shard, backend.Class{}, "", noSettings.backend)
	if err != nil {
		return err
	}
	if err = f(c); inOrder(err) {
		c.Put()
	} else {
		c.Close()
	}
	return err
}

// load adds what one shard's definitions say.
func (f *facts) load(c *backend.Conn, m *shard.Map) error {
	var list, names []string
	for _, s := range m.Spec.Schemas {
		names = append(names, s.Name)
		list = append(list, string(query.QuoteString(nil, s.Name, query.Mode{})))
	}
	if len(list) == 0 {
		return nil
	}
	in := "(" + strings.Join(list, ",") + ")"
	grants, all, err := grantsOf(c)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !all && !granted(grants, "TRIGGER", name) { // it does not see all
			return fmt.Errorf("the account of the proxies needs TRIGGER on %s.*, to see which tables have triggers", name)
		}
	}
	for _, q := range []struct {
		sql string
		add func(r []string)
	}{
		{"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA IN " + in, func(r []string) { f.views[[2]string{r[0], r[1]}] = true }},
		{"SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA IN " + in, func(r []string) {
			if !strings.HasPrefix(r[2], "_sluice_m") { // a migration's, which writes nothing
				f.triggers[[2]string{r[0], r[1]}] = true
			}
		}},
		{"SELECT UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, CONSTRAINT_SCHEMA, TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS " +
			"WHERE CONSTRAINT_SCHEMA IN " + in + " AND (DELETE_RULE NOT IN ('RESTRICT', 'NO ACTION') OR UPDATE_RULE NOT IN ('RESTRICT', 'NO ACTION'))", func(r []string) {
			parent := [2]string{r[0], r[1]}
			f.children[parent] = append(f.children[parent], [2]string{r[2], r[3]})
		}},
		{"SELECT IFNULL(ROUTINE_DEFINITION, 'insert') FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN " + in, func(r []string) { f.programs = f.programs || mayWriteBody(r[0]) }},
	} {
		rows, err := textRows(c, q.sql)
		if err != nil {
			return err
		}
		for _, r := range rows {
			q.add(r)
		}
	}
	return nil
}

func textRows(c *backend.Conn, sql string) (list [][]string, err error) {
	_, rows, err := c.Query(sql)
	for _, r := range rows {
		text := make([]string, len(r))
		for i := range r {
			text[i] = string(r[i])
		}
		list = append(list, text)
	}
	return list, err
}

// mayWriteBody tells whether a stored program's text has a word that writes, or runs what does.
func mayWriteBody(body string) bool {
	body = strings.ToLower(body)
	for _, word := range []string{"insert", "update", "delete", "replace", "truncate", "load", "call", "execute", "alter", "drop", "create", "rename", "commit"} {
		if strings.Contains(body, word) {
			return true
		}
	}
	return false
}

// close makes children those of children, too.
func (f *facts) close() {
	for parent := range f.children {
		seen, list := map[[2]string]bool{}, f.children[parent]
		for i := 0; i < len(list); i++ {
			if !seen[list[i]] {
				seen[list[i]] = true
				list = append(list, f.children[list[i]]...)
			}
		}
		f.children[parent] = list
	}
}

// isPlain tells whether a name is a table of InnoDB, whose commits are those of its transactions.
func (r *results) isPlain(ctx context.Context, f *facts, m *shard.Map, schema, table string) bool {
	name := [2]string{schema, table}
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.plain[name]; ok {
		return known
	}
	sc := m.Schema(schema)
	if f.unknown || sc == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	plain := false
	err := r.on(ctx, sc.DefaultShard, func(c *backend.Conn) error {
		rows, err := textRows(c, "SELECT TABLE_TYPE, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = "+string(query.QuoteString(nil, schema, query.Mode{}))+
			" AND TABLE_NAME = "+string(query.QuoteString(nil, table, query.Mode{})))
		plain = len(rows) == 1 && rows[0][0] == "BASE TABLE" && strings.EqualFold(rows[0][1], "InnoDB")
		return err
	})
	if err == nil {
		f.plain[name] = plain
	}
	return plain
}
