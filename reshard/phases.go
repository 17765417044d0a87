package reshard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/internal/sleep"
	"sluice/mover"
	"sluice/shard"
)

// How many migrations carry rows at once in a cluster, and for two servers. Those that are
// switched and wait for COMPLETE do not count.
const (
	maxRunning = 4
	maxPair    = 1
)

// fenceFirst is the time from writing the fence rows to the first row that is copied: a
// proxy without etcd looks at them once a second.
const fenceFirst = 2 * time.Second

// queued waits for its turn and lists the migration in the map, from where on every
// statement leaves out what its shard does not own.
func (r *run) queued(ctx context.Context) error {
	wait := ""
	m, err := r.s.opts.Topology.Update(ctx, func(spec *shard.Spec) error {
		wait = ""
		if moveIn(spec, r.id) != nil {
			return errListed
		}
		if wait = full(spec, r.rec); wait != "" {
			return errWait
		}
		for _, s := range r.rec.Slots {
			for slot := int(s.First); slot <= int(s.Last); slot++ {
				if v := moving(spec, uint16(slot)); v != nil {
					return lasting(fmt.Errorf("slot %d is part of migration %d by now", slot, v.ID))
				}
			}
		}
		if !owns(spec, r.rec.Slots, r.rec.Source) {
			return lasting(fmt.Errorf("shard %s does not own all of the slots any more", r.rec.Source))
		}
		if !slices.ContainsFunc(spec.Shards, func(s shard.Shard) bool { return s.Name == r.rec.Target }) {
			return lasting(fmt.Errorf("there is no shard %s any more", r.rec.Target))
		}
		spec.Moves = append(spec.Moves, r.rec.move())
		return nil
	})
	switch {
	case errors.Is(err, errWait):
		sleep.For(ctx, lookEvery)
		return waiting{r}.waits(ctx, "it waits for its turn: "+wait)
	case err != nil && !errors.Is(err, errListed):
		return err
	}
	version := r.s.opts.Topology.Map().Version
	if m != nil {
		version = m.Version
	}
	return r.enterWith(ctx, Preparing, func(rec *Record) { rec.Version = version }, "the map lists it, and every proxy hears of it")
}

var (
	errListed = errors.New("the map lists the migration")
	errWait   = errors.New("it has to wait")
)

// full says why a migration has to wait for others, "" if it has not.
func full(spec *shard.Spec, r *Record) string {
	running := 0
	for i := range spec.Moves {
		v := &spec.Moves[i]
		if owns(spec, v.Slots, v.Target) {
			continue
		}
		if v.Target == r.Target && slices.ContainsFunc(spec.Shards, func(s shard.Shard) bool { return s.Name == v.Target && s.State == shard.Joining }) {
			return fmt.Sprintf("migration %d brings shard %s the reference tables first", v.ID, v.Target)
		}
		if running++; v.Source == r.Source && v.Target == r.Target || v.Source == r.Target && v.Target == r.Source {
			return fmt.Sprintf("migration %d between the same servers goes first", v.ID)
		}
	}
	if running >= maxRunning {
		return fmt.Sprintf("%d migrations are running; %d may at once", running, maxRunning)
	}
	return ""
}

// prepare checks both servers, writes the fence rows, and waits until no proxy would take
// the copies for rows.
func (r *run) prepare(ctx context.Context) error {
	warnings, err := r.list(ctx)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		if err := r.note(ctx, "beware: %s", w); err != nil {
			return err
		}
	}
	if err := r.step1("fence-rows", func() error {
		return r.both(ctx, func(source, target *backend.Conn) error {
			if err := makeFence(ctx, target, r.rec, fenced); err != nil {
				return err
			}
			return makeFence(ctx, source, r.rec, open)
		})
	}); err != nil {
		return err
	}
	if err := r.note(ctx, "the fence rows are written; every proxy has to know of the migration before a row is copied"); err != nil {
		return err
	}
	if !sleep.For(ctx, fenceFirst) {
		return ctx.Err()
	}
	wait, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("they did not within 30 s"))
	defer cancel()
	if err := r.step1("known", func() error { return cutover{r}.acknowledged(wait, 0) }); err != nil {
		return err
	}
	// Until now, DDL may have run that was begun before the map listed the migration.
	if _, err := r.list(ctx); err != nil {
		return err
	}
	if err := r.step1("stream", func() error { return r.following(ctx, mover.Forward) }); err != nil {
		return err
	}
	return r.enter(ctx, Copying, "%d tables begin to be copied", len(r.rec.Tables))
}

// list stores what the migration carries, and checks it.
func (r *run) list(ctx context.Context) (warnings []string, err error) {
	tables, references, joins, err := content(ctx, r.s, r.s.opts.Topology.Map(), r.rec.Source, r.rec.Target)
	if err != nil {
		return nil, err
	}
	if err := r.store(ctx, func(rec *Record) error {
		rec.Tables, rec.References, rec.Joins, rec.Begun = tables, references, joins, true
		return nil
	}); err != nil {
		return nil, err
	}
	faults, warnings, err := r.s.preflight(ctx, r.rec)
	if err == nil && len(faults) > 0 {
		err = lasting(errors.New(strings.Join(faults, "; ")))
	}
	return warnings, err
}

// content lists what a migration between two shards carries.
func content(ctx context.Context, s *Service, m *shard.Map, source, target string) (tables, references []Table, joins bool, err error) {
	i, ok := m.ShardIndex(target)
	joins = ok && m.Joining(i)
	err = s.on(ctx, source, func(c *backend.Conn) (err error) {
		tables, references, err = listTables(ctx, c, &m.Spec)
		return err
	})
	if !joins {
		references = nil
	}
	return tables, references, joins, err
}

// copy waits for the copy; what can be seen of it is reported.
func (r *run) copy(ctx context.Context) error {
	if err := r.following(ctx, mover.Forward); err != nil {
		return err
	}
	for !copied(r.flow.Status()) {
		if again, err := r.linger(ctx); err != nil || again {
			return err
		}
	}
	rows := r.flow.Status().Copied
	return r.enterWith(ctx, CatchingUp, func(rec *Record) { rec.Copied = rows }, "%d rows were copied", rows)
}

func copied(s mover.Status) bool {
	return s.Phase == "following"
}

// linger waits a moment while the stream works. again: the phase has to be looked at anew.
func (r *streams) linger(ctx context.Context) (again bool, err error) {
	if !sleep.For(ctx, 200*time.Millisecond) {
		return false, ctx.Err()
	}
	r.report(ctx)
	was := r.rec.Phase
	if err := r.load(ctx); err != nil {
		return false, err
	}
	if r.rec.Phase != was || r.rec.Paused && was.before() {
		return true, nil
	}
	return false, r.flow.err()
}

// catchUp waits until the changes that wait are few.
func (r *run) catchUp(ctx context.Context) error {
	if err := r.following(ctx, mover.Forward); err != nil {
		return err
	}
	for !copied(r.flow.Status()) || !r.drainsWithin(ctx, 5*time.Second) {
		if again, err := r.linger(ctx); err != nil || again {
			return err
		}
	}
	return r.enter(ctx, Verifying, "the changes are caught up with")
}

// drainsWithin tells whether the stream comes to its end soon enough, which it is asked for.
func (r *streams) drainsWithin(ctx context.Context, most time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return r.flow.Drain(ctx) == nil
}

// verify compares both sides until a pass finds nothing, then has the triggers made.
func (r *run) verify(ctx context.Context) error {
	if err := r.following(ctx, mover.Forward); err != nil {
		return err
	}
	const passes = 5
	for pass := 1; ; pass++ {
		report, err := r.compare(ctx, r.flow.Verify)
		if err != nil {
			return err
		}
		// Rows that change all the time are none that differ: the views of the switch's moment,
		// when nothing changes, have them too.
		if report.Differing == 0 && (report.Unsettled == 0 || pass > 1) {
			break
		}
		if pass == passes {
			return lasting(fmt.Errorf("the sides are still not the same after %d comparisons: %s", passes, describe(report)))
		}
	}
	if err := r.step1("triggers", func() error {
		return r.both(ctx, func(source, target *backend.Conn) error {
			if err := makeTriggers(ctx, target, r.rec); err != nil {
				return err
			}
			return makeTriggers(ctx, source, r.rec)
		})
	}); err != nil {
		return err
	}
	how := "it waits for CUTOVER MIGRATION " + number(r.id)
	if r.rec.Auto {
		how = "it switches by itself"
	}
	return r.enterWith(ctx, Ready, func(rec *Record) { rec.RetryAt = time.Time{} }, "both sides are the same and the triggers are made; %s", how)
}

// compare runs a comparison and stores what it found. A DBA's order interrupts it.
func (r *run) compare(ctx context.Context, do func(context.Context) (mover.Report, error)) (mover.Report, error) {
	if r.s.opts.Faults.Off("reshard-verify") {
		return mover.Report{}, nil
	}
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer func() { <-stop }()
	go func() {
		defer close(stop)
		for sleep.For(within, lookEvery) {
			r.report(within)
			if r.overtaken(within) {
				cancel(errMoved)
				return
			}
		}
	}()
	report, err := do(within)
	cancel(nil)
	<-stop // it reads the record that is stored below
	if context.Cause(within) == errMoved {
		return report, errMoved
	}
	if err != nil {
		return report, moverError(err)
	}
	text := describe(report)
	r.s.opts.Log.Info("migration: compared: "+text, "migration", r.id, "phase", r.rec.Phase)
	return report, r.store(ctx, func(rec *Record) error {
		rec.Verified = time.Now().UTC().Format(time.DateTime) + " " + text
		rec.say(r.s.opts.Node, "compared: %s", text)
		return nil
	})
}

// overtaken tells whether a DBA has changed the phase, without changing what r knows.
func (r *ledger) overtaken(ctx context.Context) bool {
	stored, err := r.s.opts.Migrations.Read(ctx, r.id)
	if err != nil {
		return false
	}
	rec, err := decode(stored.Value)
	return err == nil && (rec.Phase != r.rec.Phase || rec.Token != r.token || rec.Paused && rec.Phase.before())
}

func describe(r mover.Report) string {
	text := fmt.Sprintf("%d rows, none differs", r.Rows)
	if r.Differing+r.Unsettled > 0 {
		text = fmt.Sprintf("%d rows, %d differ, %d of them were repaired, %d changed all the time", r.Rows, r.Differing, r.Repaired, r.Unsettled)
		for i, d := range r.Differences {
			if i == 5 {
				text += " …"
				break
			}
			text += fmt.Sprintf("; %s (%s) is %s", d.Table, d.Key, d.What)
		}
	}
	return text + fmt.Sprintf(", in %v", r.Took.Round(time.Millisecond))
}
