package router

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"sluice/query"
	"sluice/shard"
)

// TestGolden plans and binds the statements of testdata: cluster rules, catalog and SQL in,
// plan and legs out.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := &world{t: t, cat: &shard.Catalog{Version: 1, Tables: map[[2]string]*shard.TableInfo{}}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t = t
			switch d.Cmd {
			case "cluster":
				return w.cluster(d.Input)
			case "catalog":
				return w.catalog(d.Input)
			case "plan":
				return w.plans(d)
			case "routines":
				return w.programs(d.Input)
			case "rebind":
				return w.rebind(d)
			}
			t.Fatalf("%s: unknown directive %s", d.Pos, d.Cmd)
			return ""
		})
	})
}

type world struct {
	t   *testing.T
	m   *shard.Map
	cat *shard.Catalog
}

// programs reads stored programs, one a line: name: body, of every schema, or schema.name: body; triggers: name event table: body; and views: view name: text.
func (w *world) programs(input string) string {
	all := &shard.Programs{Routines: map[string]shard.Routine{}, Tables: map[string]shard.Name{}}
	for at := range w.cat.Tables {
		all.Tables[strings.ToLower(at[1])] = shard.Name{Name: at[1]}
	}
	for _, view := range []string{"all_users", "over_users", "all_countries"} {
		all.Tables[view] = shard.Name{Name: view, View: true}
	}
	w.cat.Triggers = map[string]map[string][]shard.Trigger{"shop": {}, "crm": {}}
	views := map[string]string{}
	hidden := "" // a schema, of which not all are seen
	for _, line := range strings.Split(input, "\n") {
		name, body, _ := strings.Cut(line, ": ")
		if of, is := strings.CutPrefix(name, "hidden "); is {
			hidden = of
			continue
		}
		if view, is := strings.CutPrefix(name, "view "); is {
			views[view], all.Tables[view] = body, shard.Name{Name: view, View: true}
			continue
		}
		if f := strings.Fields(name); len(f) > 2 { // name event table [uneven] [definer] [before]
			schema, table, qualified := strings.Cut(f[2], ".")
			if !qualified {
				schema, table = "shop", f[2]
			}
			w.cat.Triggers[schema][table] = append(w.cat.Triggers[schema][table], shard.Trigger{Name: f[0], Event: f[1],
				Uneven: slices.Contains(f, "uneven"), Before: slices.Contains(f, "before"), Routine: shard.Routine{Body: body, Definer: slices.Contains(f, "definer")}})
			continue
		}
		all.Routines[name] = shard.Routine{Body: body, Unseen: body == "?"}
	}
	w.cat.Views = map[string]map[string]shard.View{}
	for i := range w.m.Spec.Schemas {
		of := map[string]string{
			"all_users":     "select `shop`.`users`.`name` AS `name` from `shop`.`users`",
			"parts":         "select `shop`.`settings`.`id` AS `id`,`shop`.`outer_part`() AS `c` from `shop`.`settings`",
			"over":          "select `parts`.`c` AS `c` from `shop`.`parts`",
			"copies":        "select `shop`.`settings`.`id` AS `id`,`shop`.`renames`() AS `c` from `shop`.`settings`",
			"closed":        "select `shop`.`settings`.`id` AS `id`,`shop`.`unseen`() AS `c` from `shop`.`settings`",
			"plain":         "select `shop`.`settings`.`id` AS `id`,`shop`.`reads`(concat(1)) AS `part` from `shop`.`settings`",
			"titles":        "select `shop`.`countries`.`iso` AS `iso`,`shop`.`countries`.`title` AS `title` from `shop`.`countries`",
			"veiled":        "",
			"over_users":    "select `all_users`.`name` AS `name` from `shop`.`all_users`",
			"all_countries": "select `shop`.`countries`.`title` AS `title` from `shop`.`countries`",
		}
		maps.Copy(of, views)
		w.cat.Views[w.m.Spec.Schemas[i].Name] = map[string]shard.View{}
		for name, text := range of {
			definer, text := strings.HasPrefix(text, "definer "), strings.TrimPrefix(text, "definer ")
			w.cat.Views[w.m.Spec.Schemas[i].Name][name] = shard.View{Text: text, Definer: definer}
		}
	}
	w.cat.Programs = map[string]*shard.Programs{}
	for i := range w.m.Spec.Schemas {
		of := &shard.Programs{Routines: map[string]shard.Routine{}, Tables: all.Tables, Hidden: w.m.Spec.Schemas[i].Name == hidden}
		for name, r := range all.Routines {
			if schema, own, qualified := strings.Cut(name, "."); !qualified {
				of.Routines[name] = r
			} else if schema == w.m.Spec.Schemas[i].Name {
				of.Routines[own] = r
			}
		}
		w.cat.Programs[w.m.Spec.Schemas[i].Name] = of
	}
	return "ok\n"
}

// move reads "move 7 s0 s1 0-99 200-299 [switched] [frozen]"; slots are those of one range.
func (w *world) move(spec *shard.Spec, f []string) {
	id, _ := strconv.ParseInt(f[1], 10, 64)
	v := shard.Move{ID: id, Source: f[2], Target: f[3], Attempt: 1}
	for _, word := range f[4:] {
		switch word {
		case "frozen":
			v.Frozen = true
		case "switched":
			var ranges []shard.Range
			for _, r := range spec.Ranges {
				next := r.First
				for _, s := range v.Slots {
					if s.First < r.First || s.Last > r.Last {
						continue
					}
					if s.First > next {
						ranges = append(ranges, shard.Range{First: next, Last: s.First - 1, Shard: r.Shard})
					}
					ranges = append(ranges, shard.Range{First: s.First, Last: s.Last, Shard: v.Target})
					next = s.Last + 1
				}
				if next <= r.Last {
					ranges = append(ranges, shard.Range{First: next, Last: r.Last, Shard: r.Shard})
				}
			}
			spec.Ranges = ranges
		default:
			var s shard.Span
			if _, err := fmt.Sscanf(word, "%d-%d", &s.First, &s.Last); err != nil {
				w.t.Fatalf("%s: %v", word, err)
			}
			v.Slots = append(v.Slots, s)
		}
	}
	spec.Moves = append(spec.Moves, v)
}

// cluster reads rules: "shards s0 s1", "schema shop s0 [auto=column]", "table shop.users
// sharded key [sequence=column]", "user app shop crm", "joining s4", and moves.
func (w *world) cluster(input string) string {
	spec := shard.Spec{}
	for _, line := range strings.Split(input, "\n") {
		f := strings.Fields(line)
		switch f[0] {
		case "shards":
			for i, name := range f[1:] {
				spec.Shards = append(spec.Shards, shard.Shard{Name: name, Primary: fmt.Sprintf("127.0.0.1:%d", 33060+i)})
			}
			spec.Ranges = shard.Deal(spec.Shards)
		case "schema":
			s := shard.Schema{Name: f[1], DefaultShard: f[2]}
			for _, o := range f[3:] {
				s.AutoShardKey = append(s.AutoShardKey, strings.TrimPrefix(o, "auto="))
			}
			spec.Schemas = append(spec.Schemas, s)
		case "table":
			schema, name, _ := strings.Cut(f[1], ".")
			r := shard.Table{Name: name}
			switch f[2] {
			case "sharded":
				r.Kind, r.ShardKey = shard.Sharded, f[3]
			case "reference":
				r.Kind = shard.Reference
			}
			if seq := f[len(f)-1]; strings.HasPrefix(seq, "sequence=") {
				r.Sequence = strings.TrimPrefix(seq, "sequence=")
			}
			for i := range spec.Schemas {
				if spec.Schemas[i].Name == schema {
					spec.Schemas[i].Tables = append(spec.Schemas[i].Tables, r)
				}
			}
		case "move":
			w.move(&spec, f)
		case "joining":
			spec.Shards = append(spec.Shards, shard.Shard{Name: f[1], Primary: "127.0.0.1:33090", State: shard.Joining})
		case "user":
			spec.Users = append(spec.Users, shard.User{Name: f[1], Password: "x", Schemas: f[2:]})
		}
	}
	m, err := shard.New(1, spec)
	if err != nil {
		return err.Error()
	}
	w.m = m
	return "ok"
}

// catalog reads "shop.users: user_id bigint, name varchar(40) ci, …".
func (w *world) catalog(input string) string {
	for _, line := range strings.Split(input, "\n") {
		name, columns, _ := strings.Cut(line, ":")
		schema, table, _ := strings.Cut(name, ".")
		info := &shard.TableInfo{}
		for _, c := range strings.Split(columns, ",") {
			f := strings.Fields(c)
			switch {
			case f[0] == "tied":
				info.Tied = true
			case f[0] == "period":
				info.Period = f[1:]
			case f[len(f)-1] == "hidden":
				info.Hidden = append(info.Hidden, column(f[0], f[1:]))
			default:
				info.Columns = append(info.Columns, column(f[0], f[1:]))
			}
		}
		w.cat.Tables[[2]string{schema, table}] = info
	}
	return "ok"
}

func column(name string, words []string) shard.Column {
	c := shard.Column{Name: name, Collation: collationBinary}
	typ, size, _ := strings.Cut(strings.TrimSuffix(words[0], ")"), "(")
	n, _ := strconv.Atoi(size)
	types := map[string]byte{"tinyint": typeTiny, "smallint": typeShort, "int": typeLong, "mediumint": typeInt24, "bigint": typeLongLong,
		"decimal": typeNewDecimal, "float": typeFloat, "double": typeDouble, "date": typeDate, "datetime": typeDatetime,
		"timestamp": typeTimestamp, "time": typeTime, "year": typeYear, "bit": typeBit, "char": typeString, "varchar": typeVarString,
		"binary": typeString, "varbinary": typeVarString, "text": typeBlob, "blob": typeBlob, "enum": typeString, "null": typeNull, "json": typeJSON,
		"inet4": typeString, "inet6": typeString, "uuid": typeString, "set": typeSet, "geometry": typeGeometry, "vector": typeVector, "odd": 0xf1}
	b, ok := types[typ]
	if !ok {
		panic("unknown type " + words[0])
	}
	c.Type, c.Length = b, uint32(n)
	width := uint32(1)
	switch typ {
	case "char", "varchar", "text", "enum":
		c.Collation, width = 45, 4
	}
	switch typ {
	case "inet4", "inet6", "uuid":
		c.Native, c.Collation, c.Length = typ, 8, 39
	}
	if typ == "enum" {
		c.Flags |= flagEnum
	}
	for _, w := range words[1:] {
		switch w {
		case "unsigned":
			c.Flags |= flagUnsigned
		case "zerofill":
			c.Flags |= flagZerofill
		case "primary":
			c.Flags |= flagPrimary | flagPartOfKey
		case "key":
			c.Flags |= flagPartOfKey
		case "generated":
			c.Generated = true
		case "notnull":
			c.Flags |= flagNotNull
		case "auto":
			c.Flags |= flagAutoIncrement
		case "now":
			c.Computed = true
		case "onupdate":
			c.OnUpdate = true
		case "bin":
			c.Collation = 46
		case "nopad":
			c.Collation = 1070
		case "latin1_bin":
			c.Collation, width = 47, 1
		}
		if id, ok := strings.CutPrefix(w, "collation="); ok {
			n, _ := strconv.Atoi(id)
			c.Collation, width = uint16(n), bytesPerCharacter(uint16(n))
		}
	}
	c.Length *= width
	return c
}

// request is what a directive says beside the SQL.
type request struct {
	in    Input
	args  Args
	probe []shard.Column
}

func (w *world) request(d *datadriven.TestData) *request {
	r := &request{}
	if w.cat.Programs == nil {
		w.programs("")
	}
	r.in = Input{Schema: "shop", User: w.m.User("app"), Map: w.m, Catalog: w.cat, Charset: "utf8mb4", Strict: true}
	r.in.Mode = query.Mode{MariaDB: true, ServerVersion: 101119}
	r.args = Args{Map: w.m, Held: -1, FirstID: 1000}
	for _, a := range d.CmdArgs {
		v := strings.Join(a.Vals, ",")
		switch a.Key {
		case "schema":
			r.in.Schema = v
		case "user":
			r.in.User = w.m.User(v)
		case "charset":
			r.in.Charset = v
		case "ansi":
			r.in.Mode.ANSIQuotes = true
		case "nobackslash":
			r.in.Mode.NoBackslashEscapes = true
		case "lax":
			r.in.Strict = false
		case "short":
			r.in.ShortSort = true
		case "zero":
			r.in.NoAutoValueOnZero = true
		case "mysql":
			r.in.Mode.MariaDB, r.in.Mode.ServerVersion = false, 90700
		case "gbk":
			r.in.Mode.Charset = query.GBK
		case "sift":
			r.in.Sift = true
		case "scratch":
			r.in.Apart, r.in.Scratch = true, "5f"
		case "apart":
			r.in.Apart = true
		case "pinned":
			r.args.Pinned = true
		case "held":
			r.args.Held, _ = strconv.Atoi(v)
		case "params":
			r.args.Params = values(a.Vals)
		case "probe":
			for _, typ := range a.Vals {
				r.probe = append(r.probe, column("p", strings.Split(typ, "_")))
			}
		default:
			w.t.Fatalf("%s: unknown argument %s", d.Pos, a.Key)
		}
	}
	r.args.Mode = r.in.Mode
	return r
}

// values are parameters: 5, 'abc', null, f for a float, or t for a time.
type values []string

func (v values) Key(i int) (key []byte, isString, ok bool) {
	switch s := v[i]; {
	case s == "null" || s == "f" || s == "t":
		return nil, false, false
	case strings.HasPrefix(s, "'"):
		return []byte(strings.Trim(s, "'")), true, true
	default:
		return []byte(s), false, true
	}
}

func (v values) Null(i int) bool { return v[i] == "null" }

func (v values) Temporal(i int) bool { return v[i] == "t" }

// statements cuts the input into statements: a line that begins with a blank goes on.
func statements(input string) []string {
	var out []string
	for _, line := range strings.Split(input, "\n") {
		if strings.HasPrefix(line, "  ") && len(out) > 0 {
			out[len(out)-1] += "\n" + line
			continue
		}
		out = append(out, line)
	}
	return out
}

func (w *world) plans(d *datadriven.TestData) string {
	var b strings.Builder
	for _, sql := range statements(d.Input) {
		r := w.request(d)
		fmt.Fprintf(&b, "%s\n", sql)
		p, err := w.plan(r, sql, &b)
		if err == nil {
			err = w.bind(p, r, sql, &b)
		}
		if errors.Is(err, ErrStage) {
			b.WriteString("    rows are computed first\n")
			r.in.Staged = true
			if p, err = w.plan(r, sql, &b); err == nil {
				err = w.bind(p, r, sql, &b)
			}
		}
		if errors.Is(err, ErrHomes) {
			b.WriteString("    asks several shards\n")
			r.in.Homes = true
			if p, err = w.plan(r, sql, &b); err == nil {
				err = w.bind(p, r, sql, &b)
			}
		}
		if err != nil {
			b.WriteString(problem(err))
		}
	}
	return b.String()
}

func problem(err error) string {
	var r *Refusal
	var need *NeedTable
	switch {
	case errors.As(err, &r):
		return fmt.Sprintf("    %d (%s) %s\n", r.Code, r.SQLState, r.Message)
	case errors.As(err, &need):
		return fmt.Sprintf("    needs %s.%s\n", need.Schema, need.Table)
	}
	return "    unexpected error: " + err.Error() + "\n"
}

func (w *world) plan(r *request, sql string, b *strings.Builder) (*Plan, error) {
	scan := new(query.Scan)
	if err := scan.Run([]byte(sql), r.in.Mode); err != nil {
		return nil, err
	}
	hints, err := query.ParseHints(scan.Hint.Of([]byte(sql)))
	if err != nil {
		return nil, err
	}
	r.in.SQL, r.in.Scan, r.in.Hints = []byte(sql), scan, hints
	stmt := query.Analyze(r.in.SQL, scan, r.in.Mode)
	p, err := New(stmt, &r.in)
	if p, err = r.system(stmt, p, err); err != nil {
		return nil, err
	}
	if p.Probe != "" {
		fmt.Fprintf(b, "    probe %s\n", p.Probe)
		if r.probe == nil {
			return nil, fmt.Errorf("the directive has no probe=(…)")
		}
		if err := p.Resolve(r.probe); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(b, "    to %s", p.Target)
	for _, f := range []struct {
		on   bool
		name string
	}{{p.Write, "write"}, {p.Locking, "locking"}, {p.DDL, "ddl"}, {p.usesText, "this-text"}, {p.pinned && p.Target == ToDefault, "pinned"}} {
		if f.on {
			b.WriteString(", " + f.name)
		}
	}
	if p.Table != "" {
		b.WriteString(", decided by " + p.Table)
	}
	if p.Sequence() != "" {
		b.WriteString(", sequence " + p.Sequence())
	}
	b.WriteString("\n")
	if p.gather != nil && p.oneOnly != nil {
		fmt.Fprintf(b, "    not merged: %s\n", p.oneOnly.Message)
	}
	if p.Declares != nil {
		fmt.Fprintf(b, "    declares %+v\n", *p.Declares)
	}
	if len(p.renames) > 0 {
		fmt.Fprintf(b, "    renames %v\n", p.renames)
	}
	if len(p.drops) > 0 {
		fmt.Fprintf(b, "    drops %v\n", p.drops)
	}
	return p, nil
}

func (w *world) bind(p *Plan, r *request, sql string, b *strings.Builder) error {
	scan := new(query.Scan)
	if err := scan.Run([]byte(sql), r.in.Mode); err != nil {
		return err
	}
	a := r.args
	a.SQL, a.Scan = []byte(sql), scan
	if n := p.IDs(&a); n > 0 {
		fmt.Fprintf(b, "    %d ids\n", n)
	}
	bound, err := p.Bind(&a, nil)
	if err != nil {
		return err
	}
	text := render(bound, &a)
	b.WriteString(text)
	again, err := p.Bind(&a, bound)
	if err != nil || render(again, &a) != text {
		w.t.Errorf("a second bind of %s gives another result: %v\n%s", sql, err, render(again, &a))
	}
	return nil
}

func render(bound *Bound, a *Args) string {
	var b strings.Builder
	if m := bound.Merge; m != nil {
		fmt.Fprintf(&b, "    merge %s\n", renderMerge(m))
	}
	if bound.Limit >= 0 {
		fmt.Fprintf(&b, "    limit %d offset %d\n", bound.Limit, bound.Offset)
	}
	if bound.MaxExplicitID > 0 {
		fmt.Fprintf(&b, "    explicit ids %d to %d\n", bound.MinExplicitID, bound.MaxExplicitID)
	}
	if bound.InsertID > 0 {
		fmt.Fprintf(&b, "    first id %d\n", bound.InsertID)
	}
	var legs []Leg
	if g := bound.Gathering; g != nil {
		legs = renderCopies(&b, g)
	}
	legs = append(legs, bound.Legs...)
	if bound.Staging != nil {
		for range bound.Staging.Targets {
			legs = append(legs, Leg{SQL: []byte{}})
		}
	}
	rows := bound.Explain(a)
	for i := 0; i < len(rows); {
		j := i + 1
		names := rows[i].Shard
		for j < len(rows) && rows[j].SQL == rows[i].SQL && rows[j].Strategy == rows[i].Strategy {
			names += "," + rows[j].Shard
			j++
		}
		fmt.Fprintf(&b, "    %s %s", names, rows[i].Strategy)
		switch {
		case legs[i].SQL == nil:
			b.WriteString(" as it is")
		default:
			fmt.Fprintf(&b, ": %s", rows[i].SQL)
		}
		if legs[i].Params != nil && (len(legs[i].Params) > 0 || bound.Gathering == nil) {
			fmt.Fprintf(&b, " %v", legs[i].Params)
		}
		b.WriteString("\n")
		i = j
	}
	return b.String()
}

// renderCopies shows what is not seen in the legs' text, and gives these.
func renderCopies(b *strings.Builder, g *Gathering) (legs []Leg) {
	if g.Apart {
		b.WriteString("    apart\n")
	}
	for i := range g.Tables {
		t := &g.Tables[i]
		if t.Foreign || len(t.Legs) == 0 && t.CopyOf == "" {
			fmt.Fprintf(b, "    %s of %s.%s: foreign %v, %d legs\n", t.Name, t.Schema, t.Table, t.Foreign, len(t.Legs))
		}
		if t.CopyOf != "" {
			legs = append(legs, Leg{SQL: []byte(t.CopyOf)})
		}
		legs = append(legs, t.Legs...)
	}
	return legs
}

func renderMerge(m *Merge) string {
	var parts []string
	if m.Visible > 0 {
		parts = append(parts, fmt.Sprintf("%d+%d columns", m.Visible, m.Hidden))
	}
	keys := func(name string, keys []SortKey) {
		if len(keys) == 0 {
			return
		}
		var s []string
		for _, k := range keys {
			text := fmt.Sprintf("%d %s", k.Column, k.Compare)
			if k.Cut > 0 {
				text += fmt.Sprintf(" to %d", k.Cut)
			}
			if k.Desc {
				text += " desc"
			}
			s = append(s, text)
		}
		parts = append(parts, name+" ("+strings.Join(s, ", ")+")")
	}
	keys("sort", m.Sort)
	keys("groups", m.Groups)
	for _, a := range m.Aggs {
		text := fmt.Sprintf("%d=%s", a.Column, [...]string{"", "count", "sum", "avg", "min", "max"}[a.Fn])
		switch a.Fn {
		case query.Avg:
			text += fmt.Sprintf("(%d/%d)", a.Sum, a.Count)
		case query.Min, query.Max:
			text += fmt.Sprintf("(%d %s)", a.Key, a.Compare)
		}
		parts = append(parts, text)
	}
	keys("resort", m.Resort)
	if m.Distinct {
		parts = append(parts, "distinct")
	}
	if m.Checksums {
		parts = append(parts, "checksums")
	}
	if len(parts) == 0 {
		return "as they come"
	}
	return strings.Join(parts, ", ")
}

// rebind plans the first statement and binds the others, which have its fingerprint.
func (w *world) rebind(d *datadriven.TestData) string {
	var b strings.Builder
	list := statements(d.Input)
	r := w.request(d)
	p, err := w.plan(r, list[0], &b)
	if err != nil {
		return problem(err)
	}
	print := string(r.in.Scan.Fingerprint)
	for _, sql := range list {
		fmt.Fprintf(&b, "%s\n", sql)
		var scan query.Scan
		if err := scan.Run([]byte(sql), r.in.Mode); err != nil {
			return problem(err)
		}
		if string(scan.Fingerprint) != print {
			fmt.Fprintf(&b, "    another fingerprint: %s\n", scan.Fingerprint)
			continue
		}
		if p.UsesText() && sql != list[0] {
			b.WriteString("    the plan is for the first text only\n")
			continue
		}
		if err := w.bind(p, r, sql, &b); err != nil {
			b.WriteString(problem(err))
		}
	}
	return b.String()
}

// system gives a plan what it needs of information_schema: some columns, and one shard's part
// of one table.
func (r *request) system(stmt *query.Statement, p *Plan, err error) (*Plan, error) {
	for range 8 {
		var table *NeedTable
		var sizes *NeedSizes
		var rows *NeedRows
		switch {
		case errors.As(err, &table) && table.Schema == informationSchema:
			tables := map[[2]string]*shard.TableInfo{{table.Schema, table.Table}: {Columns: []shard.Column{
				{Name: "TABLE_SCHEMA", Type: typeVarString, Collation: 33}, {Name: "TABLE_NAME", Type: typeVarString, Collation: 33}, {Name: "TABLE_ROWS", Type: typeLongLong, Flags: flagUnsigned}, {Name: "AVG_ROW_LENGTH"}, {Name: "DATA_LENGTH"}, {Name: "AUTO_INCREMENT"}}}}
			for name, t := range r.in.Catalog.Tables {
				tables[name] = t
			}
			r.in.Catalog = &shard.Catalog{Version: r.in.Catalog.Version, Tables: tables}
		case errors.As(err, &sizes):
			n := uint64(7)
			s := Size{Sums: make([]*uint64, len(sizes.Of.Sums)), Largest: make([]*uint64, len(sizes.Of.Largest))}
			s.Keys = [][]byte{[]byte("shop"), []byte("users"), []byte("users"), nil}[:len(sizes.Of.Keys)]
			s.Sums[0] = &n
			r.in.Sizes = map[string][]Size{sizes.Of.Name: {s}}
		case errors.As(err, &rows):
			all := map[string][][][]byte{rows.Name: {{[]byte("else"), []byte("where"), []byte("7"), nil, nil, nil}}}
			maps.Copy(all, r.in.Rows)
			r.in.Rows = all
		default:
			return p, err
		}
		p, err = New(stmt, &r.in)
	}
	return p, err
}
