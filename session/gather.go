package session

import (
	"context"
	"errors"

	"sluice/backend"
	"sluice/exec"
	"sluice/router"
	"sluice/wire"
)

// What a session adds to a SELECT whose rows come together on one shard (router.Gather).

// Apart implements exec.Leases.
func (s *Session) Apart(ctx context.Context, shard int) (*backend.Conn, error) {
	name := s.args.Map.ShardName(shard)
	c, err := s.h.pools.Get(ctx, name, s.class, s.schema, s.vars.backend)
	if err != nil {
		return nil, err
	}
	s.held = append(s.held, lease{conn: c, shard: name, kind: fromApart})
	if err := s.watch(c); err != nil {
		s.Done(c, 0, true)
		return nil, err
	}
	return c, nil
}

// Interrupted implements exec.Leases.
func (s *Session) Interrupted() error {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if s.shared.kill != notKilled {
		return interrupted()
	}
	return nil
}

// planApart plans a gathering again, outside of the transaction, which allows no temporary
// tables. Variables of the session's own connection are not to be had there.
func (s *Session) planApart(ctx context.Context, st *statement, e *entry) (*entry, error) {
	if st.scan.UserVariable {
		return nil, notBuilt("a SELECT over several shards with user variables, in a transaction which is read only or has " +
			"written on several shards; put the value into the statement instead")
	}
	if e.stmt.NamedLock {
		return nil, notBuilt("a function of named locks in a SELECT over several shards, in a transaction which is read only or has " +
			"written on several shards; ask for the lock in a statement of its own")
	}
	s.apart = true
	defer func() { s.apart = false }()
	return s.makePlan(ctx, st, false)
}

// isApart tells whether a statement has to be planned again, outside of the transaction.
func isApart(err error) bool { return errors.Is(err, exec.ErrApart) }

// atHome gives the lease of the connection that a statement's answer came from, nil when it
// came from several.
func (s *Session) atHome(out *exec.Outcome) *lease {
	if out.Home == nil && len(s.held) == 1 {
		return &s.held[0]
	}
	for i := range s.held {
		if s.held[i].conn == out.Home {
			return &s.held[i]
		}
	}
	return nil
}

// cleanUp removes what a statement has left on its home connection. Where that fails the
// connection is lost, and with it what else it carries.
func (s *Session) cleanUp(out *exec.Outcome) {
	if out.Cleanup == nil {
		return
	}
	if err := out.Cleanup(); err != nil {
		s.h.log.Warn("what a gathering left could not be removed; its connection is closed", "connection", s.c.ID, "error", err)
		if l := s.atHome(out); l != nil {
			l.ok = false
		}
	}
}

// endApart ends the lease of a connection outside of the transaction.
func (s *Session) endApart(l *lease, killed bool) {
	if l.done && l.ok && !killed {
		l.conn.Put()
		return
	}
	l.conn.Close()
}

// severalShards tells whether the bound statement reads or writes on more than one shard.
func (s *Session) severalShards() bool {
	if s.bound.Gathering == nil || len(s.bound.Legs) == 0 { // none: a statement that the session carries out itself
		return len(s.bound.Legs) > 1
	}
	for i := range s.bound.Gathering.Tables {
		for _, l := range s.bound.Gathering.Tables[i].Legs {
			if l.Shard != s.bound.Legs[0].Shard {
				return true
			}
		}
	}
	return false
}

// keeps tells whether a lease's connection is one that carries what a statement leaves
// behind: the one that answered.
func (s *Session) keeps(l *lease) bool {
	if s.bound.Gathering == nil {
		return true
	}
	return l.kind != fromApart && len(s.bound.Legs) == 1 && l.shard == s.args.Map.ShardName(s.bound.Legs[0].Shard)
}

// holdFor says where a statement that may run anywhere has to run: where the session's
// variables are, if it reads them.
func (s *Session) holdFor(st *statement) {
	s.args.Pinned = false
	if home := s.home(); home != nil && st.scan.UserVariable {
		if i, ok := s.args.Map.ShardIndex(home.shard); ok {
			s.args.Held, s.args.Pinned = i, true
		}
	}
}

// describeGathering gives the columns of a statement whose tables are on no single shard
// together. done is false when one shard can be asked as for others.
func (s *Session) describeGathering(ctx context.Context, e *entry, p *prepared) (cols []wire.Column, done bool, err error) {
	var b router.Bound
	bound, err := e.plan.Bind(&s.args, &b)
	if err != nil || bound.Gathering == nil {
		return nil, false, nil
	}
	for i := range bound.Gathering.Tables {
		if bound.Gathering.Tables[i].Foreign {
			l := &describers{s: s}
			cols, err := exec.DescribeGather(ctx, l, &exec.Request{Bound: bound, SQL: p.sql, Execute: unknownParams(p.params)})
			return cols, true, err
		}
	}
	cols, err = s.describeOn(ctx, s.args.Map.ShardName(bound.Legs[0].Shard), p)
	return cols, true, err
}

// describers are connections on which a statement is only described: they see nothing of
// the session's transaction and go back when that is done.
type describers struct{ s *Session }

func (d *describers) Lease(ctx context.Context, shard int, _ bool) (*backend.Conn, error) {
	return d.s.h.pools.Get(ctx, d.s.args.Map.ShardName(shard), d.s.class, d.s.schema, d.s.vars.backend)
}

func (d *describers) Apart(ctx context.Context, shard int) (*backend.Conn, error) {
	return d.Lease(ctx, shard, false)
}

func (d *describers) Done(c *backend.Conn, _ uint16, ok bool) {
	if ok {
		c.Put()
		return
	}
	c.Close()
}

func (d *describers) Interrupted() error { return d.s.Interrupted() }
