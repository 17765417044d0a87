package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/backend"
	"sluice/exec"
	"sluice/limit"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// running is the statement that runs on shards: its plan bound to its values, and the executor's
// way to the session's connections (exec.Leases). One value serves all statements of a session.
type running struct {
	*core
	held    *held
	reply   *reply
	planner *planner
	args    *router.Args

	bound    router.Bound
	ids      ids // of the sequence of its table
	req      exec.Request
	plain    bool          // it waits for one shard's answer, and nothing else
	mayWrite bool          // it may change data although its plan is a read's
	bounds   *limit.Bounds // of it; nil: none
	seen     bool          // the shards' fences have been looked at for it
	declared int64         // stamp of the rule that it has added; 0: none
}

// start forgets the statement before.
func (r *running) start() {
	r.bounds, r.kept.patience, r.plain = nil, 0, false
	r.bound.Legs, r.bound.Gathering, r.bound.Load, r.bound.Staging, r.bound.Creation = r.bound.Legs[:0], nil, nil, nil, nil
	r.held.asked = asked{}
	if r.shared.touch.m != nil { // only this goroutine sets it
		(admission{r}).next()
	}
	r.reply.failed, r.reply.diagnosed, r.reply.rows = false, false, 0
}

// bind computes what goes to which shard, with ids of the table's sequence taken first.
func (r *running) bind(ctx context.Context, st *statement, e *entry) error {
	r.holdFor(st)
	r.args.Unlocked = e.stmt.Insert != nil && e.stmt.Insert.FromSelect && r.unlocked()
	seq := e.plan.Sequence()
	r.ids = ids{r: r, seq: seq}
	if seq != "" {
		if n := e.plan.IDs(r.args); n > 0 {
			first, err := r.ids.Take(ctx, n)
			if err != nil {
				return err
			}
			r.args.FirstID = first
		}
	}
	b, err := e.plan.Bind(r.args, &r.bound)
	if err != nil {
		return err
	}
	if b != &r.bound {
		r.bound = *b
	}
	if r.bound.MaxExplicitID > 0 {
		if err := r.ids.Keep(ctx, r.bound.MinExplicitID, r.bound.MaxExplicitID); err != nil {
			return err
		}
	}
	if err := r.place(st, e); err != nil {
		return err
	}
	if r.kept.pins.temporary() {
		if err := (temporaryTables{r.planner}).hidden(e); err != nil {
			return err
		}
	}
	return admission{r}.admit(ctx, st)
}

// holdFor says where a statement that may run anywhere should run: where the transaction is
// already, and has to: where the session's variables are, if it reads them.
func (r *running) holdFor(st *statement) {
	r.args.Pinned = false
	if legs := r.kept.tx.Legs(); len(legs) > 0 {
		if i, ok := r.args.Map.ShardIndex(legs[0].Shard); ok {
			r.args.Held = i
		}
	}
	if home := r.kept.pins.home(); home != nil && st.scan.UserVariable {
		if i, ok := r.args.Map.ShardIndex(home.shard); ok {
			r.args.Held, r.args.Pinned = i, true
		}
	}
}

// place sends a statement without tables to the shard whose connection carries the
// session's state, and refuses one that reads such state elsewhere. Named locks are those
// of the first shard, whatever the schema, so that all sessions mean the same ones.
func (r *running) place(st *statement, e *entry) error {
	if e.stmt.NamedLock {
		return r.placeLock(e)
	}
	home := r.kept.pins.home()
	if home == nil || len(r.bound.Legs) == 0 || r.bound.Load != nil { // a load reads no variable that it has not assigned
		return nil
	}
	i, ok := r.args.Map.ShardIndex(home.shard)
	if !ok {
		return refuse(1105, "HY000", "shard %s, which carries the session's %s, was removed; connect again", home.shard, home.reason)
	}
	if c := e.plan.Called; c != nil && e.stmt.Kind != query.Call {
		if g := r.bound.Gathering; r.bound.Legs[0].Shard != i && (g == nil || !g.Apart) {
			r.held.lent.called(st, c, r.args.Mode)
		}
		return nil
	}
	procedure := e.stmt.Kind == query.Call && e.plan.Called != nil // which is on its schema's default shard
	if e.plan.Target == router.ToDefault && len(r.bound.Legs) == 1 && mayLookAtState(st.scan, e.stmt) && !procedure {
		r.bound.Legs[0].Shard = i
		return nil
	}
	elsewhere := len(r.bound.Legs) > 1 || r.bound.Legs[0].Shard != i
	if g := r.bound.Gathering; st.scan.UserVariable && (g != nil && g.Apart || elsewhere && lendable(e.stmt)) {
		r.held.lent = lent{names: query.UserVariables(st.sql[:st.scan.End], r.args.Mode), all: true}
		return nil
	}
	if elsewhere && len(r.bound.Legs) == 1 && assignable(st.scan, e.stmt) {
		r.held.lent = lent{names: query.UserVariables(st.sql[:st.scan.End], r.args.Mode), all: true, back: true}
		return nil
	}
	if readsState(st.scan, e.stmt) && elsewhere {
		return notBuilt("the session's %s live on shard %s, but this statement goes to another; "+
			"put the value into the statement instead", home.reason, home.shard)
	}
	return nil
}

// bringBack makes sure that user variables which are assigned outside of the transaction have
// a connection to come back to.
func (r *running) bringBack(ctx context.Context, st *statement, e *entry) error {
	c := e.plan.Called
	if g := r.bound.Gathering; g == nil || !g.Apart || stateReason(st.scan, e.stmt) != pinUserVars && (c == nil || len(c.Variables) == 0) {
		return nil
	}
	if r.kept.pins.home() == nil {
		if err := r.held.onHome(ctx, pinUserVars, func(*backend.Conn) error { return nil }); err != nil {
			return err
		}
	}
	r.held.lent = lent{names: query.UserVariables(st.sql[:st.scan.End], r.args.Mode), back: true}
	if c != nil {
		r.held.lent.add(c.Variables)
	}
	return nil
}

func (r *running) placeLock(e *entry) error {
	if len(r.bound.Legs) != 1 {
		return notBuilt("a function of named locks in a statement over several shards; ask for the lock in a statement of its own")
	}
	if len(e.stmt.Tables) == 0 && e.plan.Called == nil {
		r.bound.Legs[0].Shard = 0
	}
	if r.bound.Legs[0].Shard != 0 {
		return notBuilt("named locks live on shard %s, but this statement goes to shard %s; ask for the lock in a statement of its own",
			r.args.Map.ShardName(0), r.args.Map.ShardName(r.bound.Legs[0].Shard))
	}
	if home := r.kept.pins.home(); home != nil && home.shard != r.args.Map.ShardName(0) && r.args.Scan.UserVariable {
		return notBuilt("named locks live on shard %s and the session's %s on shard %s; put the value into the statement instead",
			r.args.Map.ShardName(0), home.reason, home.shard)
	}
	return nil
}

// before does what must come before a statement: refusals that depend on where it goes,
// the implicit commit of DDL, the transaction around one statement that writes on several
// shards, a table's new rule.
func (r *running) before(ctx context.Context, st *statement, e *entry) error {
	p := e.plan
	if asksConditions(e.stmt) {
		r.held.counts = len(e.stmt.Tables) == 0 // where tables are opened MariaDB begins at none
		if e.stmt.Kind != query.Select || e.stmt.Opaque || len(r.bound.Legs) != 1 || r.held.counts && r.answers.count > maxCounts {
			return notBuilt("@@warning_count and @@error_count in a statement that may raise warnings of its own; select them alone")
		}
	}
	if e.stmt.Verb == "get" { // another statement may have run on the connection since
		return notBuilt("GET DIAGNOSTICS outside of a stored program; ask SHOW WARNINGS instead")
	}
	if e.stmt.Opaque && !p.Program {
		if name := unanswered(st.scan.Fingerprint); name != "" {
			return notBuilt("%s() in a statement that is not understood (%s); select it alone", name, e.stmt.Reason)
		}
	}
	if r.bound.Gathering != nil || r.bound.Staging != nil {
		if err := (temporaryTables{r.planner}).check(ctx, &r.bound); err != nil {
			return err
		}
	}
	if err := r.bringBack(ctx, st, e); err != nil {
		return err
	}
	if err := (calling{r}).check(p); err != nil {
		return err
	}
	r.held.several = severalShards(&r.bound)
	if r.held.now = ""; r.held.several && p.Clock {
		r.held.now = unixSeconds(st.started)
	}
	r.held.preset = e.ids == idsAsked || readsInsertID(st.scan, e.stmt) || p.Called != nil && p.Called.InsertID || p.Runs != nil && p.Runs.Inserts()
	r.held.calls = p.Called != nil
	r.mayWrite = mayWrite(e)
	r.held.lockless = !p.Write && !r.mayWrite && r.bound.Gathering == nil && !e.sequences && !r.held.calls
	r.held.reads = r.plain && r.held.lockless && !r.held.preset && len(r.held.lent.names) == 0
	locked := r.kept.pins.locked()
	if locked {
		if err := (locking{r}).check(e); err != nil {
			return err
		}
	}
	if e.stmt.LocalFile && r.c.Capabilities&wire.ClientLocalFiles == 0 {
		return &wire.Error{Code: 3948, SQLState: "42000", Message: "Loading local data is disabled; this must be enabled on both the client and server sides"}
	}
	if len(r.bound.Legs) > 1 {
		if err := r.refuseSpread(e.stmt); err != nil {
			return err
		}
	}
	switch {
	case p.DDL && !e.stmt.Temporary:
		if err := r.kept.commit(); err != nil {
			return err
		}
		if err := (defining{r}).before(ctx, p); err != nil {
			return err
		}
		if err := (defining{r}).passIDs(ctx, p); err != nil {
			return err
		}
		return r.declare(ctx, e)
	case r.kept.tx.Open() || !r.held.several || p.DDL:
	case locked: // neither BEGIN nor XA is possible
		if r.held.plain = r.state.autocommit() && p.Write && !p.Locking; !r.state.autocommit() && p.Write {
			r.kept.tx.startImplicit()
		}
	case !r.state.autocommit() && (p.Write || e.stmt.Kind == query.Select):
		// The servers would open a transaction each, none of which can be a branch of one.
		r.kept.tx.startImplicit()
	case p.Write && !p.Locking && !(temporaryTables{r.planner}).filled(ctx, e, &r.bound):
		r.kept.tx.startStatement()
	}
	return r.kept.guard(p, r.held.several)
}

// plain tells whether the bound statement waits for nothing but one shard's answer.
func plain(r *running, e *entry) bool {
	b := &r.bound
	return len(b.Legs) == 1 && b.Strategy == router.Relay && !e.plan.DDL && !e.stmt.Opaque && !e.stmt.LocalFile && !r.kept.pins.any()
}

// unixSeconds writes a time as SET timestamp takes it, to the microsecond.
func unixSeconds(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

// refuseSpread refuses what only the one server that ran the whole statement could answer.
func (r *running) refuseSpread(stmt *query.Statement) error {
	switch {
	case stmt.CalcFoundRows:
		return notBuilt("SQL_CALC_FOUND_ROWS in a statement over several shards; ask with SELECT COUNT(*) instead")
	case r.held.preset:
		return notBuilt("LAST_INSERT_ID(expr) or @@last_insert_id in a statement over several shards")
	}
	return nil
}

// request describes the bound statement to the executor.
func (r *running) request(st *statement, e *entry) *exec.Request {
	r.req = exec.Request{
		Bound: &r.bound, SQL: st.sql, Execute: st.exec, Long: st.long, More: st.more, LocalFile: e.stmt.LocalFile,
		Charset: r.state.charset(), MariaDB: r.state.mode.MariaDB, Status: r.kept.tx.status(), HoldError: r.kept.tx.Open() || r.args.Map.HasMoves(), Quiet: r.reply.part != nil,
	}
	if st.under != "" {
		r.req.ReadUnder, r.req.CollationOwn = st.under, r.state.vars.plain("collation_connection")
	}
	if b := r.bounds; b != nil {
		if b.Rows > 0 && !e.plan.Write {
			r.req.MaxRows, r.req.TooMany = b.Rows, func() *wire.Error {
				b.TooMany()
				return tooManyRows(b)
			}
		}
	}
	seq := e.plan.Sequence()
	if !e.plan.Staged() {
		seq = "" // the ids are in the statement
	}
	if load := r.bound.Load; load != nil {
		seq, r.req.HomeShard = load.Sequence, -1
		if i, ok := r.args.Map.ShardIndex(r.kept.homeShard()); ok {
			r.req.HomeShard = i
		}
	}
	if seq != "" {
		r.req.Sequence = &ids{r: r, seq: seq}
	}
	return &r.req
}

// severalShards tells whether a bound statement reads or writes on more than one shard.
func severalShards(b *router.Bound) bool {
	if b.Staging != nil {
		return true // or several times on one, which must be as once
	}
	if b.Gathering == nil || len(b.Legs) == 0 { // none: a statement that the session carries out itself
		return len(b.Legs) > 1 || b.Load != nil // a load on one shard can be refused when half of it is done
	}
	if b.Strategy == router.GatherWrite { // whose rows may come to any
		return true
	}
	for i := range b.Gathering.Tables {
		for _, l := range b.Gathering.Tables[i].Legs {
			if l.Shard != b.Legs[0].Shard {
				return true
			}
		}
	}
	return false
}

// Lease implements exec.Leases.
func (r *running) Lease(ctx context.Context, shard int, write bool) (*backend.Conn, error) {
	if r.bound.Plan != nil && r.bound.Plan.Locking {
		write = false // a lock is no change: it needs no atomic commit
	}
	write = write || r.mayWrite
	name := r.args.Map.ShardName(shard)
	if write && !r.kept.pins.locked() { // under LOCK TABLES no shard's commit is atomic with another's
		if err := r.kept.tx.MayWrite(ctx, name); err != nil {
			var down *backend.Unavailable
			if errors.As(err, &down) {
				return nil, err
			}
			return nil, refuse(1235, "42000", "%v", err)
		}
	}
	c, err := r.held.lease(ctx, name, write)
	if err == nil && moves(&r.bound) {
		err = (admission{r}).late(c)
	}
	return c, err
}

// Apart implements exec.Leases.
func (r *running) Apart(ctx context.Context, shard int) (*backend.Conn, error) {
	if r.kept.pins.locked() {
		return nil, waitsForItself("a statement that runs over copies of rows cannot be carried out")
	}
	return r.held.apart(ctx, r.args.Map.ShardName(shard))
}

// Done implements exec.Leases.
func (r *running) Done(c *backend.Conn, status uint16, ok bool) { r.held.done(c, status, ok) }

// Interrupted implements exec.Leases.
func (r *running) Interrupted() error { return r.shared.killed() }

// mayWrite tells whether a statement may change data although its plan is that of a read.
func mayWrite(e *entry) bool {
	return e.stmt.Opaque || len(e.stmt.Routines) > 0 || e.stmt.Kind == query.Call || byView(e.plan)
}

// byView tells whether what a view calls may change data.
func byView(p *router.Plan) bool { return p != nil && p.Called != nil && p.Called.Writes }

// explain shows what would go where.
func (r *running) explain(ctx context.Context, inner *statement, e *entry) (rows [][][]byte, err error) {
	var bound router.Bound
	bind := func() (*router.Bound, error) {
		r.holdFor(inner)
		r.args.FirstID = 1
		return e.plan.Bind(r.args, &bound)
	}
	b, err := bind()
	if isStaged(err) {
		if inner, e, err = r.planner.staged(ctx, inner); err == nil {
			b, err = bind()
		}
	}
	if isHomes(err) {
		if e, err = r.planner.makePlan(ctx, inner, false, manner{homes: true}); err == nil {
			b, err = bind()
		}
	}
	if err != nil {
		return nil, err
	}
	r.bound = *b
	if err := r.place(inner, e); err != nil {
		return nil, err
	}
	for _, leg := range r.bound.Explain(r.args) {
		rows = append(rows, [][]byte{[]byte(leg.Shard), []byte(leg.SQL), []byte(leg.Strategy)})
	}
	return rows, nil
}

// observe counts an answered statement. Its time ends when the answer is in the client's
// buffer or socket.
func (r *running) observe(st *statement, e *entry) {
	d := time.Since(st.started)
	label := e.label
	if e.action == route && len(r.bound.Legs) > 0 {
		label = r.bound.Strategy.String()
	}
	r.h.metrics.Statement(label, d, r.reply.failed)
	e.digest.Observe(d, r.reply.rows, r.reply.failed)
	if d >= r.h.slowAfter {
		r.c.Task.Leave()
		slowly{r}.log(st, d, label)
	}
}
