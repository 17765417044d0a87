package advise

import (
	"bytes"
	"strings"

	"sluice/query"
)

// world is what is known of the server and its log.
type world struct {
	src      *source
	opts     Options
	tables   []*Table
	programs []program
	byName   map[tableKey]*Table
	entities map[[2]string]*Table // what entity has found, by schema and column
	analyzer query.Analyzer

	digests map[digestKey]*digest
	order   []*digest
	total   int // statements of the log, in all schemas
	rest    int // of digests beyond maxDigests
	broken  int // that could not be scanned
	use     map[tableKey]*usage
	joins   map[[2]node]int // columns that were joined
}

// node is a column of a table; names of columns are in lower case.
type node struct {
	tableKey
	column string
}

// usage is what the log does with a table.
type usage struct {
	reads, writes int
	eq            map[string]int // statements that give a column a value
}

type digestKey struct{ schema, fingerprint string }

// digest is one kind of statement.
type digest struct {
	digestKey
	count int
	first []byte // the first of them
	mode  query.Mode
}

const (
	maxDigests = 20_000
	maxKept    = 256 << 10 // of a digest's first statement; longer ones are planned in the second pass only
)

func (w *world) index() {
	w.byName, w.entities = map[tableKey]*Table{}, map[[2]string]*Table{}
	for _, t := range w.tables {
		w.byName[t.tableKey] = t
	}
	w.use, w.joins = map[tableKey]*usage{}, map[[2]node]int{}
	w.digests = map[digestKey]*digest{}
}

// clients follow what the log says of connections: their schema, sql_mode and character set.
type clients struct {
	w     *world
	first string // schema of a connection of which nothing is known
	by    map[uint64]*client
	scan  query.Scan
}

type client struct {
	schema string
	mode   query.Mode
}

const maxClients = 100_000

func (w *world) clients() *clients {
	return &clients{w: w, first: w.opts.DSN.Schemas[0], by: map[uint64]*client{}}
}

// each calls f for every statement of the log.
func (w *world) each(f func(c *client, sql []byte, scan *query.Scan)) (broken int, err error) {
	file, err := w.opts.Log()
	if err != nil {
		return 0, err
	}
	defer file.Close()
	cs := w.clients()
	mode := w.src.mode
	err = readLog(file, mode, func(l logged) {
		if w.src.ctx.Err() != nil {
			return
		}
		if !cs.step(l, f) {
			broken++
		}
	})
	if err == nil {
		err = w.src.ctx.Err()
	}
	return broken, err
}

// step takes one entry; ok is false for a text that is no statement.
func (cs *clients) step(l logged, f func(c *client, sql []byte, scan *query.Scan)) (ok bool) {
	if l.ended {
		delete(cs.by, l.conn)
		return true
	}
	c := cs.by[l.conn]
	if c == nil {
		c = &client{schema: cs.first, mode: cs.w.src.mode}
		if len(cs.by) < maxClients {
			cs.by[l.conn] = c
		}
	}
	if l.schema != "" {
		c.schema = l.schema
	}
	sql := []byte(strings.TrimSpace(l.sql))
	for len(sql) > 0 {
		if cs.scan.Run(sql, c.mode) != nil {
			return false
		}
		end := int(cs.scan.End)
		if len(cs.scan.Fingerprint) > 0 && !bytes.HasPrefix(cs.scan.Fingerprint, []byte("administrator command")) {
			f(c, sql[:end], &cs.scan)
			cs.follow(c, sql[:end])
		}
		sql = bytes.TrimSpace(sql[min(end+1, len(sql)):])
	}
	return true
}

// follow takes over what USE and SET change for the statements after.
func (cs *clients) follow(c *client, sql []byte) {
	word, _, _ := bytes.Cut(cs.scan.Fingerprint, []byte(" "))
	if !bytes.EqualFold(word, []byte("use")) && !bytes.EqualFold(word, []byte("set")) {
		return
	}
	stmt := cs.w.analyzer.Analyze(sql, &cs.scan, c.mode)
	if stmt.Opaque {
		return
	}
	if stmt.Kind == query.Use {
		c.schema = stmt.Schema
		return
	}
	for _, s := range stmt.Sets {
		if !s.IsPlain {
			continue
		}
		switch s.Name {
		case "sql_mode":
			c.mode = c.mode.With(s.Plain)
		case "names", "character set", "character_set_client":
			if charset, ok := query.CharsetOf(strings.ToLower(s.Plain)); ok {
				c.mode.Charset = charset
			}
		}
	}
}

// readLog counts the kinds of statements, and what they do with the tables.
func (w *world) readLog() (err error) {
	w.broken, err = w.each(func(c *client, sql []byte, scan *query.Scan) {
		w.total++
		key := digestKey{c.schema, string(scan.Fingerprint)}
		d := w.digests[key]
		if d == nil {
			if len(w.digests) >= maxDigests {
				w.rest++
				return
			}
			d = &digest{digestKey: key, mode: c.mode}
			if len(sql) <= maxKept {
				d.first = bytes.Clone(sql)
			}
			w.digests[key] = d
			w.order = append(w.order, d)
		}
		d.count++
	})
	if err != nil {
		return err
	}
	for _, d := range w.order {
		w.count(d)
	}
	return nil
}

// count adds a digest's statements to the usage of its tables.
func (w *world) count(d *digest) {
	var scan query.Scan
	if d.first == nil || scan.Run(d.first, d.mode) != nil {
		return
	}
	stmt := w.analyzer.Analyze(d.first, &scan, d.mode)
	switch stmt.Kind {
	case query.Select, query.Insert, query.Replace, query.Update, query.Delete, query.LoadData:
	default:
		return
	}
	if stmt.Opaque {
		return
	}
	for i := range stmt.Tables {
		t := &stmt.Tables[i]
		u := w.usageOf(w.named(d, t))
		if u == nil {
			continue
		}
		if t.Target {
			u.writes += d.count
		} else {
			u.reads += d.count
		}
		if in := stmt.Insert; in != nil && t.Target {
			for _, c := range in.Columns {
				u.eq[strings.ToLower(c)] += d.count
			}
		}
	}
	seen := map[node]bool{}
	for i := range stmt.Predicates {
		p := &stmt.Predicates[i]
		n, ok := w.column(d, stmt, p.Block, p.Col)
		if ok && !seen[n] {
			seen[n] = true
			w.usageOf(n.tableKey).eq[n.column] += d.count
		}
	}
	for i := range stmt.Equalities {
		e := &stmt.Equalities[i]
		a, okA := w.column(d, stmt, e.Block, e.A)
		b, okB := w.column(d, stmt, e.Block, e.B)
		if okA && okB && a != b {
			w.joins[[2]node{a, b}] += d.count
		}
	}
}

func (w *world) named(d *digest, t *query.TableRef) tableKey {
	if t.Schema != "" {
		return tableKey{t.Schema, t.Name}
	}
	return tableKey{d.schema, t.Name}
}

// usageOf gives the counters of a table, nil for one that is not looked at.
func (w *world) usageOf(k tableKey) *usage {
	if w.byName[k] == nil {
		return nil
	}
	u := w.use[k]
	if u == nil {
		u = &usage{eq: map[string]int{}}
		w.use[k] = u
	}
	return u
}

// column finds the one column of a known table that a name means, in its block or around it.
func (w *world) column(d *digest, stmt *query.Statement, block int, c query.ColumnRef) (node, bool) {
	for b := block; b >= 0; b = stmt.Blocks[b].Parent {
		var found []node
		for i := range stmt.Tables {
			t := &stmt.Tables[i]
			name := t.Alias
			if name == "" {
				name = t.Name
			}
			if t.Block != b || c.Table != "" && !strings.EqualFold(name, c.Table) {
				continue
			}
			if table := w.byName[w.named(d, t)]; table != nil && table.info.Index(c.Column) >= 0 {
				found = append(found, node{table.tableKey, strings.ToLower(c.Column)})
			}
		}
		if len(found) == 1 {
			return found[0], true
		}
		if len(found) > 1 {
			return node{}, false
		}
	}
	return node{}, false
}
