package reshard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/backend"
	"sluice/internal/sleep"
	"sluice/mover"
	"sluice/topo"
)

// ledger is a migration's record in the hands of the run that has its claim.
type ledger struct {
	s     *Service
	id    int64
	token int64 // of the record while this run has it
	rec   *Record
	seen  map[string]bool // proxies that were listed when an acknowledgement was waited for
}

// streams is what carries its rows.
type streams struct {
	ledger
	flow   *flow       // the stream of changes, while there is one
	pair   *mover.Pair // the views of the switch's moment, until they are compared
	tokens int64       // rights to write that this run has given out
	told   time.Time   // when progress was reported last
}

// run is one migration being run by this proxy, under its claim. What it does in its phases
// is in parts of their own: cutover, waiting (for what the DBA wants) and ending.
type run struct {
	streams
	failures int // of the phase that is at work, in a row

	heldSince time.Time // a switch waits because all is slow; zero: none does

	begun   int64         // the attempt that this run goes through with
	paused  time.Duration // statements waited in it
	version int64         // of the map that committed it
}

func newRun(s *Service, id int64) *run {
	return &run{streams: streams{ledger: ledger{s: s, id: id, seen: map[string]bool{}}}}
}

type (
	cutover struct{ *run }
	waiting struct{ *run }
	ending  struct{ *run }
)

// run works until the migration is over, has failed, is paused or belongs to somebody else.
func (r *run) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	claimed := make(chan struct{})
	go func() {
		defer close(claimed)
		r.keepClaim(ctx, cancel)
	}()
	err := r.take(ctx)
	for err == nil && ctx.Err() == nil && !r.rec.Phase.Over() && r.rec.Phase != Failed {
		err = r.step(ctx)
	}
	r.stopFlow()
	r.dropPair()
	cancel()
	<-claimed
	if err != nil && !errors.Is(err, context.Canceled) {
		r.s.opts.Log.Warn("a migration is left to others", "migration", r.id, "error", err)
	}
	release, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	if err := r.s.opts.Migrations.Release(release, claimOf(r.id)); err != nil {
		r.s.opts.Log.Warn("the claim of a migration was not given up", "migration", r.id, "error", err)
	}
}

// keepClaim ends the run when the claim may be another's.
func (r *run) keepClaim(ctx context.Context, lost context.CancelFunc) {
	failed := 0
	for sleep.For(ctx, time.Second) {
		mine, err := r.s.opts.Migrations.Claim(ctx, claimOf(r.id))
		switch {
		case err == nil && mine:
			failed = 0
			continue
		case err != nil && ctx.Err() == nil:
			if failed++; failed < 5 {
				continue // the numbers keep it safe; this is only to leave in time
			}
		}
		lost()
		return
	}
}

// take makes this run the one that may store steps: those of others are refused from now on.
func (r *ledger) take(ctx context.Context) error {
	err := r.store(ctx, func(rec *Record) error {
		rec.Token++
		r.token = rec.Token
		return nil
	})
	if err == nil {
		r.s.opts.Log.Info("this proxy runs the migration", "migration", r.id, "phase", r.rec.Phase)
	}
	return err
}

// load reads the record again: a DBA may have asked for something.
func (r *ledger) load(ctx context.Context) error {
	stored, err := r.s.opts.Migrations.Read(ctx, r.id)
	if err != nil {
		return err
	}
	rec, err := decode(stored.Value)
	if err != nil {
		return err
	}
	if rec.Token != r.token {
		return errReplaced
	}
	r.rec = rec
	return nil
}

// store changes the record by compare-and-swap. change is called with the newest one, and
// again when a DBA was first.
func (r *ledger) store(ctx context.Context, change func(*Record) error) error {
	token, migrations := r.token, r.s.opts.Migrations
	for try := 0; ; try++ {
		stored, err := migrations.Read(ctx, r.id)
		if err != nil {
			return err
		}
		rec, err := decode(stored.Value)
		if err != nil {
			return err
		}
		if token != 0 && rec.Token != token {
			return errReplaced
		}
		if err := change(rec); err != nil {
			return err
		}
		value, err := rec.encode()
		if err != nil {
			return err
		}
		_, err = migrations.Write(ctx, stored, value, claimOf(r.id))
		if err == nil {
			r.rec = rec
			return nil
		}
		if !errors.Is(err, topo.ErrMigrationChanged) || try == 20 {
			return err
		}
		if mine, err := migrations.Claim(ctx, claimOf(r.id)); err != nil || !mine {
			return errors.Join(errReplaced, err)
		}
	}
}

// enter stores the next phase with a line of the log.
func (r *ledger) enter(ctx context.Context, p Phase, format string, args ...any) error {
	return r.enterWith(ctx, p, nil, format, args...)
}

func (r *ledger) enterWith(ctx context.Context, p Phase, change func(*Record), format string, args ...any) error {
	if err := r.point("before-" + string(p)); err != nil {
		return err
	}
	from := r.rec.Phase
	err := r.store(ctx, func(rec *Record) error {
		if rec.Phase != from {
			return errMoved // a DBA's CANCEL was first
		}
		rec.Phase, rec.Error = p, ""
		if change != nil {
			change(rec)
		}
		for node := range r.seen {
			if !slices.Contains(rec.Seen, node) {
				rec.Seen = append(rec.Seen, node)
			}
		}
		rec.say(r.s.opts.Node, format, args...)
		return nil
	})
	if err != nil {
		return err
	}
	r.s.opts.Log.Info("migration: "+fmt.Sprintf(format, args...), "migration", r.id, "phase", p)
	return r.point("after-" + string(p))
}

// errMoved says that the phase was changed by a DBA's order; the loop looks again.
var errMoved = errors.New("the phase was changed")

// note adds a line to the log.
func (r *ledger) note(ctx context.Context, format string, args ...any) error {
	r.s.opts.Log.Info("migration: "+fmt.Sprintf(format, args...), "migration", r.id, "phase", r.rec.Phase)
	return r.store(ctx, func(rec *Record) error {
		rec.say(r.s.opts.Node, format, args...)
		return nil
	})
}

// point is a fault point of the tests.
func (r *ledger) point(step string) error { return r.s.opts.Faults.At("reshard-" + step) }

// Bounds of trying again.
const (
	maxFailures = 10
	maxWait     = 30 * time.Second
)

// step does the work of the phase and judges its error.
func (r *run) step(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	if r.rec.Paused && r.rec.Phase.before() {
		if err := r.stand(ctx); err != nil {
			return r.failed(ctx, err)
		}
		return nil
	}
	err := r.work(ctx)
	switch {
	case err == nil:
		r.failures = 0
		return nil
	case errors.Is(err, errMoved):
		return nil
	case errors.Is(err, errReplaced) && !r.stillMine(ctx), ctx.Err() != nil, errors.Is(err, topo.ErrNoMigration):
		return err
	}
	r.stopFlow()
	return r.failed(ctx, err)
}

// stand is what a paused migration does: nothing is copied or switched, but changes are
// followed, so that they do not become too many to catch up with.
func (r *run) stand(ctx context.Context) error {
	if r.rec.Phase == Queued || r.rec.Phase == Preparing {
		sleep.For(ctx, lookEvery)
		return nil
	}
	if err := r.following(ctx, mover.Forward); err != nil {
		return err
	}
	r.flow.Pause()
	defer r.flow.Resume()
	for r.rec.Paused && r.rec.Phase.before() {
		if !sleep.For(ctx, lookEvery) {
			return ctx.Err()
		}
		r.report(ctx)
		if err := errors.Join(r.load(ctx), r.flow.err()); err != nil {
			return err
		}
	}
	return nil
}

// stillMine tells whether the record is still this run's: a fence of a later attempt may be
// of this very migration, after an answer that was lost.
func (r *ledger) stillMine(ctx context.Context) bool { return r.load(ctx) == nil }

// failed stores an error. Before the switch the migration stops when trying again is of no
// use; after it, there is nothing but to go on.
func (r *run) failed(ctx context.Context, cause error) error {
	r.failures++
	stop := r.rec.Phase.before() && (isLasting(cause) || r.failures >= maxFailures)
	text := cause.Error()
	var down *backend.Unavailable
	if errors.As(cause, &down) && down.Shard == r.rec.Target && r.rec.Phase == Cancelling && !r.rec.Reverted {
		text += "; it is cancelled when that shard can be reached again; if its server is gone for good, DROP SHARD " + r.rec.Target
	}
	r.s.opts.Log.Warn("a step of a migration failed", "migration", r.id, "phase", r.rec.Phase, "failures", r.failures, "error", cause)
	err := r.store(ctx, func(rec *Record) error {
		if !stop {
			if rec.Error != text {
				rec.say(r.s.opts.Node, "failed, and is tried again: %s", text)
			}
			rec.Error = text
			return nil
		}
		if !rec.Phase.before() {
			return nil
		}
		rec.From, rec.Phase = rec.Phase, Failed
		rec.Error = text + "; mend that and RESUME MIGRATION " + number(rec.ID) + ", or CANCEL MIGRATION " + number(rec.ID)
		rec.say(r.s.opts.Node, "failed: %s", text)
		return nil
	})
	if err != nil || stop {
		return err
	}
	sleep.For(ctx, min(maxWait, 250*time.Millisecond<<min(r.failures-1, 7)))
	return nil
}

// work is the state machine: one step of the phase.
func (r *run) work(ctx context.Context) error {
	switch r.rec.Phase {
	case Queued:
		return r.queued(ctx)
	case Preparing:
		return r.prepare(ctx)
	case Copying:
		return r.copy(ctx)
	case CatchingUp:
		return r.catchUp(ctx)
	case Verifying:
		return r.verify(ctx)
	case Ready:
		return waiting{r}.ready(ctx)
	case Freezing, BackFreezing:
		return cutover{r}.freeze(ctx)
	case Aborting, BackAborting:
		return cutover{r}.abort(ctx)
	case Switched:
		return waiting{r}.switched(ctx)
	case Completing:
		return ending{r}.complete(ctx)
	case Cancelling:
		return ending{r}.cancel(ctx)
	}
	return lasting(fmt.Errorf("the phase %q is not known to this version", r.rec.Phase))
}

func (r *ledger) on(ctx context.Context, shard string, f func(*backend.Conn) error) error {
	return r.s.on(ctx, shard, f)
}

// both runs f with connections to the source and the target.
func (r *ledger) both(ctx context.Context, f func(source, target *backend.Conn) error) error {
	return r.on(ctx, r.rec.Source, func(source *backend.Conn) error {
		return r.on(ctx, r.rec.Target, func(target *backend.Conn) error { return f(source, target) })
	})
}
