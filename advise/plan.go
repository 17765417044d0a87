package advise

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/query"
	"sluice/router"
	"sluice/session"
	"sluice/shard"
	"sluice/wire"
)

// LogAdvice says how the statements of the log would be answered.
type LogAdvice struct {
	Statements int // all
	Kinds      int // different ones
	Broken     int // entries that are no statement that can be scanned
	Rest       int // statements of kinds beyond the bound, which were not planned
	Ways       []Way
	Digests    []Digest // most frequent first
}

// Way is a strategy and how many statements it would answer.
type Way struct {
	Name  string
	Count int
}

// Digest is one kind of statement.
type Digest struct {
	Schema, Fingerprint string
	Count               int
	Ways                []Way  // with the numbers of shards: "merge-sort, 4 shards"
	Why                 string // of a refusal or an error
}

// Ways beside the router's strategies.
const (
	wayOwn     = "by Sluice" // the session answers
	wayRefused = "refused"
	wayError   = "error" // as one server would say: an unknown table, say
)

// outcome is what would become of one statement.
type outcome struct {
	way    string
	shards int
	why    string
}

func (o outcome) String() string {
	switch {
	case o.shards == 1:
		return o.way + ", 1 shard"
	case o.shards > 1:
		return fmt.Sprintf("%s, %d shards", o.way, o.shards)
	}
	return o.way
}

// planner plans statements under proposed rules, as a session does.
type planner struct {
	w       *world
	m       *shard.Map
	user    *shard.User
	catalog *shard.Catalog // grows by what is looked up: nothing else plans with it
	cache   map[planKey]*planned
}

type planKey struct {
	schema, fingerprint string
	mode                query.Mode
}

// planned is what is kept of a kind of statement.
type planned struct {
	plan *router.Plan
	done *outcome // decided without values
	text string   // it holds for this text only; "" for all of the fingerprint
}

const maxPlans = 50_000

// planner makes one for the choices: a cluster of Options.Shards shards, all schemas on s0.
func (w *world) planner(choices []Choice) (*planner, error) {
	spec := shard.Spec{}
	for i := range w.opts.Shards {
		spec.Shards = append(spec.Shards, shard.Shard{Name: fmt.Sprintf("s%d", i), Primary: fmt.Sprintf("shard%d:3306", i)})
	}
	spec.Ranges = shard.Deal(spec.Shards)
	user := shard.User{Name: "app", Password: "app", Schemas: w.opts.DSN.Schemas}
	for _, name := range w.opts.DSN.Schemas {
		spec.Schemas = append(spec.Schemas, shard.Schema{Name: name, DefaultShard: "s0", Tables: rules(choices, name)})
	}
	spec.Users = []shard.User{user}
	m, err := shard.New(1, spec)
	if err != nil {
		return nil, fmt.Errorf("the rules would not be valid: %w", err)
	}
	p := &planner{w: w, m: m, user: m.User("app"), cache: map[planKey]*planned{}}
	p.catalog = &shard.Catalog{Version: 1, Tables: make(map[[2]string]*shard.TableInfo, len(w.src.infos)), Programs: map[string]*shard.Programs{}}
	for k, info := range w.src.infos {
		p.catalog.Tables[[2]string{k.schema, k.table}] = info
	}
	return p, nil
}

// rules gives the rules of a schema's tables.
func rules(choices []Choice, schema string) (out []shard.Table) {
	for _, c := range choices {
		if c.Schema == schema && c.Kind != shard.Unsharded {
			out = append(out, shard.Table{Name: c.Table, Kind: c.Kind, ShardKey: c.Key})
		}
	}
	return out
}

// outcome plans and binds one statement.
func (p *planner) outcome(schema string, mode query.Mode, sql []byte, scan *query.Scan) outcome {
	key := planKey{schema, string(scan.Fingerprint), mode}
	e := p.cache[key]
	if e == nil || e.text != "" && e.text != string(sql) {
		e = p.plan(schema, mode, sql, scan)
		if len(p.cache) < maxPlans && scan.Hint.Empty() {
			p.cache[key] = e
		}
	}
	if e.done != nil {
		return *e.done
	}
	o, err := p.bind(e.plan, mode, sql, scan)
	if errors.Is(err, router.ErrStage) {
		staged, serr := p.route(schema, mode, sql, scan, true)
		if err = serr; err == nil {
			o, err = p.bind(staged, mode, sql, scan)
		}
	}
	if err != nil {
		return p.reworded(schema, mode, sql, scan, err)
	}
	return o
}

// plan decides what holds for all statements of the fingerprint.
func (p *planner) plan(schema string, mode query.Mode, sql []byte, scan *query.Scan) *planned {
	done := func(o outcome, text string) *planned { return &planned{done: &o, text: text} }
	stmt := p.w.analyzer.Analyze(sql, scan, mode)
	if stmt.Kind == query.SetStatement {
		return done(p.again(schema, mode, stmt.Inner.Of(sql)), string(sql))
	}
	own, text, err := session.Way(sql, stmt, mode)
	switch {
	case err != nil:
		return done(failed(err), string(sql))
	case own:
		return done(outcome{way: wayOwn}, "")
	case string(text) != string(sql):
		return done(p.again(schema, mode, text), string(sql))
	}
	plan, err := p.route(schema, mode, sql, scan, false)
	if err != nil {
		return done(p.reworded(schema, mode, sql, scan, err), string(sql))
	}
	e := &planned{plan: plan}
	if stmt.TextBound || plan.UsesText() || plan.Momentary() {
		e.text = string(sql)
	}
	return e
}

// again plans a text that was made of a statement.
func (p *planner) again(schema string, mode query.Mode, text []byte) outcome {
	var scan query.Scan
	if err := scan.Run(text, mode); err != nil {
		return failed(err)
	}
	return p.outcome(schema, mode, text, &scan)
}

// reworded plans a refused statement without its executable comments, as a session does.
func (p *planner) reworded(schema string, mode query.Mode, sql []byte, scan *query.Scan, err error) outcome {
	var why *router.Refusal
	if scan.ExecutableComment && errors.As(err, &why) && why.Code == notSupportedYet {
		if text, ok := query.Unwrap(sql, mode); ok && string(text) != string(sql) {
			return p.again(schema, mode, text)
		}
	}
	return failed(err)
}

const notSupportedYet = 1235 // ER_NOT_SUPPORTED_YET

// failed tells a refusal of Sluice's own from an error that one server would give, too.
func failed(err error) outcome {
	var refusal *router.Refusal
	var we *wire.Error
	code, text := uint16(0), err.Error()
	switch {
	case errors.As(err, &refusal):
		code, text = refusal.Code, refusal.Message
	case errors.As(err, &we):
		code, text = we.Code, we.Message
	}
	own := strings.HasPrefix(text, "sluice: ")
	text = strings.TrimPrefix(text, "sluice: ")
	if code > 0 {
		text = fmt.Sprintf("%d %s", code, text)
	}
	if own {
		return outcome{way: wayRefused, why: text}
	}
	return outcome{way: wayError, why: text}
}

// route asks the router, looking up what it needs on the existing server.
func (p *planner) route(schema string, mode query.Mode, sql []byte, scan *query.Scan, staged bool) (*router.Plan, error) {
	hints, err := query.ParseHints(scan.Hint.Of(sql))
	if err != nil {
		return nil, err
	}
	stmt := p.w.analyzer.Analyze(sql, scan, mode)
	in := &router.Input{SQL: sql, Scan: scan, Mode: mode, Schema: schema, User: p.user, Map: p.m, Hints: hints, Charset: "utf8mb4", Staged: staged,
		Catalog: p.catalog, Sizes: map[string][]router.Size{}, Rows: map[string][][][]byte{}}
	if mode.Charset != query.Plain {
		in.Charset = ""
	}
	const maxTables = 64
	for range maxTables {
		plan, err := router.New(stmt, in)
		var sizes *router.NeedSizes
		if errors.As(err, &sizes) {
			in.Sizes[sizes.Of.Name] = []router.Size{}
			continue
		}
		var others *router.NeedRows
		if errors.As(err, &others) {
			in.Rows[others.Name] = [][][]byte{}
			continue
		}
		var routines *router.NeedRoutines
		if errors.As(err, &routines) {
			if p.catalog.Programs[routines.Schema], err = p.w.src.called(routines.Schema); err != nil {
				return nil, err
			}
			continue
		}
		var need *router.NeedTable
		if errors.As(err, &need) {
			info, err := p.w.src.info(tableKey{need.Schema, need.Table})
			if err != nil {
				return nil, err
			}
			p.catalog.Tables[[2]string{need.Schema, need.Table}] = info
			continue
		}
		if err != nil || plan.Probe == "" {
			return plan, err
		}
		cols, err := p.w.src.describe(schema, plan.Probe)
		if err != nil {
			return nil, err
		}
		return plan, plan.Resolve(cols)
	}
	return nil, errors.New("the statement names too many tables")
}

// bind finds the shards.
func (p *planner) bind(plan *router.Plan, mode query.Mode, sql []byte, scan *query.Scan) (outcome, error) {
	args := router.Args{SQL: sql, Scan: scan, Mode: mode, Map: p.m, Held: -1, FirstID: 1}
	b, err := plan.Bind(&args, nil)
	if err != nil {
		return outcome{}, err
	}
	shards := map[int]bool{}
	for i := range b.Legs {
		shards[b.Legs[i].Shard] = true
	}
	if g := b.Gathering; g != nil {
		for i := range g.Tables {
			for _, l := range g.Tables[i].Legs {
				shards[l.Shard] = true
			}
		}
	}
	n := len(shards)
	if b.Load != nil || b.Staging != nil || b.Creation != nil {
		n = len(p.m.Spec.Shards)
	}
	return outcome{way: b.Strategy.String(), shards: n}, nil
}

// rate plans the first statement of each kind: share is 1 where one shard answers everything,
// one the share of statements that one shard answers.
func (w chooser) rate(choices []Choice) (share, one float64, err error) {
	p, err := w.planner(choices)
	if err != nil {
		return 0, 0, err
	}
	var sum, single, all float64
	for _, d := range w.order {
		var scan query.Scan
		if d.first == nil || !slices.Contains(w.opts.DSN.Schemas, d.schema) || scan.Run(d.first, d.mode) != nil {
			continue
		}
		o := p.outcome(d.schema, d.mode, d.first, &scan)
		n := float64(d.count)
		switch {
		case o.way == wayOwn || o.way == wayError:
			continue
		case o.shards == 1:
			sum += n
			single += n
		case o.way == wayRefused:
		case o.way == router.Gather.String() || o.way == router.GatherWrite.String():
			sum += gatherWeight * n
		default:
			sum += mergeWeight * n
		}
		all += n
	}
	return sum / max(all, 1), single / max(all, 1), w.src.ctx.Err()
}

// planLog plans every statement of the log under the choices.
func (w *world) planLog(a *Advice) (*LogAdvice, error) {
	p, err := w.planner(a.Choices)
	if err != nil {
		return nil, err
	}
	l := &LogAdvice{Statements: w.total, Kinds: len(w.order), Broken: w.broken, Rest: w.rest}
	ways := map[string]int{}
	of := map[digestKey]map[string]int{}
	why := map[digestKey]string{}
	_, err = w.each(func(c *client, sql []byte, scan *query.Scan) {
		key := digestKey{c.schema, string(scan.Fingerprint)}
		if w.digests[key] == nil {
			return
		}
		o := outcome{way: "other schemas"}
		if slices.Contains(w.opts.DSN.Schemas, c.schema) {
			o = p.outcome(c.schema, c.mode, sql, scan)
		}
		name := o.way
		if name == router.Relay.String() {
			name = "one shard"
		}
		ways[name]++
		if of[key] == nil {
			of[key] = map[string]int{}
		}
		of[key][o.String()]++
		if o.why != "" && why[key] == "" {
			why[key] = o.why
		}
	})
	if err != nil {
		return nil, err
	}
	l.Ways = sorted(ways)
	for _, d := range w.order {
		l.Digests = append(l.Digests, Digest{Schema: d.schema, Fingerprint: d.fingerprint, Count: d.count, Ways: sorted(of[d.digestKey]), Why: why[d.digestKey]})
	}
	slices.SortStableFunc(l.Digests, func(a, b Digest) int { return cmp.Compare(b.Count, a.Count) })
	return l, nil
}

func sorted(counts map[string]int) []Way {
	var out []Way
	for name, n := range counts {
		out = append(out, Way{name, n})
	}
	slices.SortFunc(out, func(a, b Way) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name)) })
	return out
}
