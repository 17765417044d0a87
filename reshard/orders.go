package reshard

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/shard"
	"sluice/topo"
)

// Refused is an order that cannot be carried out, and why.
type Refused struct{ Text string }

func (e *Refused) Error() string { return e.Text }

func refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

// Move starts the migrations that bring slots to a shard, one for each shard that owns some
// of them, and gives their numbers. Everything that stands against them is said at once, and
// then none is started.
func (s *Service) Move(ctx context.Context, slots, target string, auto bool, by string) ([]int64, error) {
	spans, err := ParseSlots(slots)
	if err != nil {
		return nil, refuse("%v", err)
	}
	m, err := s.opts.Topology.Refresh(ctx)
	if err != nil {
		return nil, err
	}
	steps, err := planMove(&m.Spec, spans, target)
	if err != nil {
		return nil, refuse("%v", err)
	}
	return s.startAll(ctx, m, steps, auto, by)
}

// Rebalance starts the migrations after which all shards own the same number of slots; they
// switch and complete by themselves.
func (s *Service) Rebalance(ctx context.Context, by string) ([]int64, []Step, error) {
	m, err := s.opts.Topology.Refresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	spec := m.Spec.Clone()
	waiting, err := s.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range waiting { // those that are not in the map yet count like those that are
		if !w.Phase.Over() && moveIn(&spec, w.ID) == nil {
			spec.Moves = append(spec.Moves, w.move())
		}
	}
	steps := planRebalance(&spec)
	if len(steps) == 0 {
		return nil, nil, nil
	}
	ids, err := s.startAll(ctx, m, steps, true, by)
	return ids, steps, err
}

// startAll checks all steps, then stores their records.
func (s *Service) startAll(ctx context.Context, m *shard.Map, steps []Step, auto bool, by string) (ids []int64, err error) {
	cluster, err := s.opts.Topology.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	open, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var faults []string
	for _, step := range steps {
		for _, o := range open {
			if !o.Phase.Over() && meet(o.Slots, step.Slots) {
				return nil, refuse("migration %d moves some of these slots already; SHOW MIGRATIONS", o.ID)
			}
		}
		r := &Record{Slots: step.Slots, Source: step.Source, Target: step.Target}
		if r.Tables, r.References, r.Joins, err = content(ctx, s, m, step.Source, step.Target); err != nil {
			return nil, err
		}
		list, _, err := s.preflight(ctx, r)
		if err != nil {
			return nil, err
		}
		faults = append(faults, list...)
	}
	if len(faults) > 0 {
		return nil, refuse("the slots cannot be moved: %s", strings.Join(unique(faults), "; "))
	}
	for _, step := range steps {
		var secret [16]byte
		rand.Read(secret[:]) // never fails
		stored, err := s.opts.Migrations.Create(ctx, func(id int64) ([]byte, error) {
			r := &Record{ID: id, Slots: step.Slots, Source: step.Source, Target: step.Target, Auto: auto, Phase: Queued, Created: time.Now().UTC(),
				Secret: hex.EncodeToString(secret[:]), Cluster: cluster}
			r.say(s.opts.Node, "%s moves %d slots from %s to %s", by, step.Count(), step.Source, step.Target)
			return r.encode()
		})
		if err != nil {
			return ids, err
		}
		ids = append(ids, stored.ID)
	}
	s.nudge()
	return ids, nil
}

// meet tells whether two lists of slots have one in common.
func meet(a, b []shard.Span) bool { return count(without(a, b)) < count(a) }

func unique(list []string) (out []string) {
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			out = append(out, s)
		}
		seen[s] = true
	}
	return out
}

// order changes a record as a DBA wants it. change says why it cannot be.
func (s *Service) order(ctx context.Context, id int64, by, what string, change func(*Record) error) error {
	migrations := s.opts.Migrations
	for try := 0; ; try++ {
		stored, err := migrations.Read(ctx, id)
		if errors.Is(err, topo.ErrNoMigration) {
			return refuse("there is no migration %d; SHOW MIGRATIONS lists them", id)
		}
		if err != nil {
			return err
		}
		r, err := decode(stored.Value)
		if err != nil {
			return err
		}
		if r.Phase.Over() {
			return refuse("migration %d is %s", id, r.Phase)
		}
		if err := change(r); err != nil {
			return err
		}
		r.say(s.opts.Node, "%s: %s MIGRATION", by, what)
		value, err := r.encode()
		if err != nil {
			return err
		}
		if _, err = migrations.Write(ctx, stored, value, ""); errors.Is(err, topo.ErrMigrationChanged) && try < 50 {
			continue
		} else if err != nil {
			return err
		}
		s.opts.Log.Info("a DBA steers a migration", "migration", id, "order", what, "admin", by)
		s.nudge()
		return nil
	}
}

// Cutover has a migration that is ready switch; one that is not yet does so when it is.
func (s *Service) Cutover(ctx context.Context, id int64, by string) error {
	return s.order(ctx, id, by, "CUTOVER", func(r *Record) error {
		switch {
		case r.Paused:
			return refuse("migration %d is paused; RESUME MIGRATION %d first", id, id)
		case r.Phase != Ready:
			return refuse("migration %d is %s; CUTOVER is for one that is ready", id, r.State())
		}
		r.Wish, r.RetryAt, r.Tries = wishCutover, time.Time{}, 0
		return nil
	})
}

// Verify has both sides compared.
func (s *Service) Verify(ctx context.Context, id int64, by string) error {
	return s.order(ctx, id, by, "VERIFY", func(r *Record) error {
		switch {
		case r.Paused:
			return refuse("migration %d is paused; RESUME MIGRATION %d first", id, id)
		case r.Phase == Verifying:
			return nil // it does
		case r.Phase == Copying || r.Phase == CatchingUp || r.Phase == Preparing || r.Phase == Queued:
			return refuse("migration %d is %s, and is verified when all rows are copied", id, r.State())
		case r.Phase != Ready && r.Phase != Switched:
			return refuse("migration %d is %s; VERIFY is for one that is ready or switched", id, r.State())
		case r.Wish != "" && r.Wish != wishVerify:
			return refuse("migration %d waits for its %s (SHOW MIGRATIONS says what for); VERIFY it afterwards", id, strings.ToUpper(r.Wish))
		}
		r.Wish = wishVerify
		return nil
	})
}

// Cancel gives a migration up before its switch, and leaves nothing of it.
func (s *Service) Cancel(ctx context.Context, id int64, by string) error {
	return s.order(ctx, id, by, "CANCEL", func(r *Record) error {
		switch {
		case r.Phase == Cancelling:
			return nil
		case r.Phase == Freezing || r.Phase == Aborting:
			return refuse("migration %d is cutting over at this moment; CANCEL it when it is ready again, or REVERT it when it has switched", id)
		case !r.Phase.before():
			return refuse("migration %d has switched; REVERT MIGRATION %d takes it back without loss", id, id)
		}
		from := r.Phase
		if from == Failed {
			from = r.From
		}
		r.Phase, r.From, r.Paused, r.Wish, r.Error = Cancelling, from, false, "", ""
		return nil
	})
}

// GiveUp has the migrations that are being cancelled and cannot be, because their target is
// gone for good, leave it as it is; with the last of them its shard leaves the map. none: there
// is none of these.
func (s *Service) GiveUp(ctx context.Context, target, by string) (none bool, err error) {
	list, err := s.List(ctx)
	if err != nil {
		return false, err
	}
	var ids []int64
	for i := range list {
		switch r := &list[i].Record; {
		case r.Phase.Over() || r.Source != target && r.Target != target:
		case r.Phase != Cancelling || r.Reverted || r.Target != target:
			return false, refuse("shard %s is part of migration %d; COMPLETE or CANCEL it first", target, r.ID)
		default:
			ids = append(ids, r.ID)
		}
	}
	for _, id := range ids {
		err := s.order(ctx, id, by, "give up shard "+target+" and CANCEL", func(r *Record) error {
			if r.Phase != Cancelling || r.Reverted {
				return refuse("migration %d is %s", id, r.describe())
			}
			r.Lost = true
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return len(ids) == 0, nil
}

// Revert gives the slots of a switched migration back, with all that was written since.
func (s *Service) Revert(ctx context.Context, id int64, by string) error {
	return s.order(ctx, id, by, "REVERT", func(r *Record) error {
		if r.Phase != Switched && r.Phase != BackFreezing && r.Phase != BackAborting {
			return refuse("migration %d is %s; REVERT is for one that is switched", id, r.describe())
		}
		r.Wish, r.RetryAt, r.Tries, r.Auto, r.Paused = wishRevert, time.Time{}, 0, false, false
		return nil
	})
}

// Complete ends a switched migration: the way back is closed and the source's rows go.
func (s *Service) Complete(ctx context.Context, id int64, by string) error {
	return s.order(ctx, id, by, "COMPLETE", func(r *Record) error {
		switch {
		case r.Phase == Completing:
			return nil
		case r.Phase != Switched:
			return refuse("migration %d is %s; COMPLETE is for one that is switched", id, r.describe())
		}
		r.Wish, r.Paused = wishComplete, false
		return nil
	})
}

// Pause has a migration stand still until RESUME. A switch that is under way ends first.
func (s *Service) Pause(ctx context.Context, id int64, by string) error {
	return s.order(ctx, id, by, "PAUSE", func(r *Record) error {
		if !r.Phase.before() && r.Phase != Switched {
			return refuse("migration %d is %s and ends by itself", id, r.describe())
		}
		r.Paused = true
		return nil
	})
}

// Resume ends a PAUSE, and has a migration that has failed go on where it was.
func (s *Service) Resume(ctx context.Context, id int64, by string) error {
	return s.order(ctx, id, by, "RESUME", func(r *Record) error {
		switch {
		case r.Phase == Failed:
			r.Phase, r.From, r.Error = r.From, "", ""
			if r.Phase == Ready || r.Phase == CatchingUp || r.Phase == Verifying {
				r.Phase = CatchingUp // what has gone wrong may have left differences: they are looked for again
			}
		case !r.Paused:
			return refuse("migration %d is neither paused nor failed", id)
		}
		r.Paused = false
		return nil
	})
}

// describe names where a migration stands for a refusal.
func (r *Record) describe() string {
	switch r.Phase {
	case Completing:
		return "being completed"
	case Cancelling:
		return "being cancelled"
	case BackFreezing, BackAborting:
		return "being reverted"
	}
	return r.State()
}

// Migration is a migration as it is shown.
type Migration struct {
	Record
	Progress Progress
}

// List gives all migrations by number.
func (s *Service) List(ctx context.Context) ([]Migration, error) {
	stored, err := s.opts.Migrations.List(ctx)
	if err != nil {
		return nil, err
	}
	progress, err := s.opts.Migrations.Progress(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Migration, 0, len(stored))
	for _, one := range stored {
		r, err := decode(one.Value)
		if err != nil {
			return nil, err
		}
		v := Migration{Record: *r}
		if b := progress[one.ID]; b != nil {
			if err := json.Unmarshal(b, &v.Progress); err != nil {
				return nil, fmt.Errorf("the progress of migration %d: %w", one.ID, err)
			}
		}
		list = append(list, v)
	}
	return list, nil
}

// Get gives one migration.
func (s *Service) Get(ctx context.Context, id int64) (*Migration, error) {
	list, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].ID == id {
			return &list[i], nil
		}
	}
	return nil, refuse("there is no migration %d; SHOW MIGRATIONS lists them", id)
}
