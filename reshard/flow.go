package reshard

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sluice/backend"
	"sluice/internal/sleep"
	"sluice/mover"
)

// flow is a stream of changes that runs: from source to target, or back after the switch.
type flow struct {
	*mover.Mover
	stream string
	cancel context.CancelFunc
	done   chan struct{}
	failed atomic.Pointer[error] // one that lasts, or the newest one
	lasts  atomic.Bool
}

// server is a shard as the mover takes it.
func (s *Service) server(shard string) mover.Server { return mover.Shard(s.opts.Shards, shard) }

// replicas are those of both sides, whose lag the copy minds.
func (r *streams) replicas() (list []mover.Server) {
	for _, sh := range r.s.opts.Topology.Map().Spec.Shards {
		if sh.Name != r.rec.Source && sh.Name != r.rec.Target {
			continue
		}
		for _, address := range sh.Replicas {
			list = append(list, mover.Server{Name: "the replica " + address + " of shard " + sh.Name, Dial: func(ctx context.Context) (*backend.Conn, error) {
				return r.s.opts.Shards.Dial(ctx, sh.Name, address)
			}})
		}
	}
	return list
}

// spec is the migration as the mover takes it.
func (r *Record) spec(stream string, token int64) mover.Spec {
	s := mover.Spec{ID: r.ID, Stream: stream, Slots: r.Slots, Secret: r.Secret, Token: token}
	for _, t := range r.Tables {
		s.Tables = append(s.Tables, mover.Table{Schema: t.Schema, Name: t.Name, Key: t.Key})
	}
	if stream == mover.Forward && r.Joins {
		for _, t := range r.References {
			s.Tables = append(s.Tables, mover.Table{Schema: t.Schema, Name: t.Name, Whole: true})
		}
	}
	return s
}

// nextToken gives a right to write that is greater than all before, also of other proxies.
func (r *streams) nextToken() int64 {
	r.tokens++
	return r.token<<20 + r.tokens
}

// newMover makes the mover of a stream.
func (r *streams) newMover(stream string) *mover.Mover {
	o := mover.Options{Spec: r.rec.spec(stream, r.nextToken()), Source: r.s.server(r.rec.Source), Target: r.s.server(r.rec.Target),
		Replicas: r.replicas(), Log: r.s.opts.Log.With("migration", r.id, "stream", stream), Faults: r.s.opts.Faults}
	if stream == mover.Reverse {
		o.Source, o.Target, o.Follow = o.Target, o.Source, true
	}
	return mover.New(o)
}

// following has the stream run, and says why it does not.
func (r *streams) following(ctx context.Context, stream string) error {
	if r.flow != nil && r.flow.stream == stream {
		return r.flow.err()
	}
	r.stopFlow()
	m := r.newMover(stream)
	if err := m.Prepare(ctx); err != nil {
		return moverError(err)
	}
	r.start(ctx, m, stream)
	return nil
}

// start runs a prepared mover.
func (r *streams) start(ctx context.Context, m *mover.Mover, stream string) {
	ctx, cancel := context.WithCancel(ctx)
	f := &flow{Mover: m, stream: stream, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.run(ctx)
	}()
	r.flow = f
}

// run keeps the mover running until ctx ends or trying again is of no use.
func (f *flow) run(ctx context.Context) {
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		began := time.Now()
		err := f.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the stream has ended")
		}
		f.failed.Store(&err)
		if mover.Lasting(err) {
			f.lasts.Store(true)
			return
		}
		if time.Since(began) > 5*time.Second {
			wait = 250 * time.Millisecond
		}
		if !sleep.For(ctx, wait) {
			return
		}
	}
}

// err is why the stream does not run any more, nil while it does or is tried again.
func (f *flow) err() error {
	if !f.lasts.Load() {
		return nil
	}
	return moverError(*f.failed.Load())
}

// trouble is what the stream has last failed with, "" if it has not.
func (f *flow) trouble() string {
	if e := f.failed.Load(); e != nil {
		return (*e).Error()
	}
	return ""
}

// stopFlow ends the stream and waits for it.
func (r *streams) stopFlow() {
	if r.flow == nil {
		return
	}
	r.flow.cancel()
	<-r.flow.done
	r.flow = nil
}

// moverError gives an error of the mover the meaning that it has here.
func moverError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mover.ErrReplaced):
		return errors.Join(errReplaced, err)
	case mover.Lasting(err):
		return lasting(err)
	}
	return err
}
