package session

import (
	"context"
	"errors"
	"time"

	"sluice/limit"
	"sluice/wire"
)

// bounding runs statements for which a DBA has set limits. Others never come here.
type bounding struct{ *Session }

// run waits for a place, then runs the statement for as long as it may.
func (s bounding) run(ctx context.Context, st *statement, e *entry) error {
	s.c.Task.Leave() // it may wait for a place, and timers and a kill may stop it
	b := e.bounds
	if err := s.enter(ctx, b); err != nil {
		var refused *limit.Refused
		switch {
		case errors.As(err, &refused) && refused.Never:
			return refuse(1226, "42000", "%v", err)
		case errors.As(err, &refused):
			return overloaded(err)
		}
		return err
	}
	defer b.Leave()
	s.running.bounds, s.kept.patience = b, b.Wait
	if b.Time == 0 {
		return s.routed(ctx, st, e)
	}
	left := b.Time - time.Since(st.started) // a wait for a place is part of it
	ctx, cancel := context.WithTimeoutCause(ctx, left, s.timedOut(b))
	defer cancel()
	t := allow(&s.shared, left)
	err := s.routed(ctx, st, e)
	if t.end() {
		b.TimedOut()
		if codeOf(err) == queryInterrupted {
			err = s.timedOut(b)
		}
	}
	return err
}

// enter waits for a place until a Kill ends that.
func (s bounding) enter(ctx context.Context, b *limit.Bounds) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sh := &s.shared
	sh.mu.Lock() // the session has left its loop
	if sh.kill != notKilled {
		cancel(interrupted())
	}
	sh.give = cancel
	sh.mu.Unlock()
	defer func() {
		sh.mu.Lock()
		sh.give = nil
		sh.mu.Unlock()
	}()
	return b.Enter(ctx, wants(&s.kept).Held)
}

// queryInterrupted is ER_QUERY_INTERRUPTED.
const queryInterrupted = 1317

// timedOut is what a server of the kind says of a statement that it has stopped for its time.
func (s bounding) timedOut(b *limit.Bounds) error {
	text := "the statement took longer than " + b.Time.String() + ", the limit of the " + b.TimeOf() + ", and was stopped. "
	if s.state.mode.MariaDB {
		return refuse(1969, "70100", "%sQuery execution was interrupted (max_statement_time exceeded)", text)
	}
	return refuse(3024, "HY000", "%sQuery execution was interrupted, maximum statement execution time exceeded", text)
}

// allowance is the time that the running statement has. At its end the statement is killed on its
// shards as by KILL QUERY; where a server does not obey, its connection is closed.
type allowance struct {
	sh    *shared
	timer *time.Timer
	over  chan struct{} // the statement has ended
	done  chan struct{} // the kill has ended
	late  bool          // it was killed; to be read after done
}

// disobeys is how long a server may take to end a killed statement: it may have much to roll back.
const disobeys = 30 * time.Second

// allow gives the statement that runs in sh the time d from now on.
func allow(sh *shared, d time.Duration) *allowance {
	a := &allowance{sh: sh, over: make(chan struct{}), done: make(chan struct{})}
	a.timer = time.AfterFunc(max(d, 0), a.expire)
	return a
}

// end tells whether the statement was killed for its time.
func (a *allowance) end() bool {
	close(a.over)
	if a.timer.Stop() {
		return false
	}
	<-a.done
	return a.late
}

func (a *allowance) expire() {
	defer close(a.done)
	select {
	case <-a.over:
		return
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	go func() {
		select {
		case <-a.over: // a KILL that is under way for nothing is given up
			cancel()
		case <-ctx.Done():
		}
	}()
	a.late = a.kill(ctx)
	limit := time.NewTimer(disobeys)
	defer limit.Stop()
	select {
	case <-a.over:
	case <-limit.C:
		a.sh.mu.Lock()
		defer a.sh.mu.Unlock()
		for _, c := range a.sh.conns {
			_ = c.Conn.Close() // its owner sees the error
		}
	}
}

// kill stops the statement, unless somebody has already or it has ended.
func (a *allowance) kill(ctx context.Context) bool {
	sh := a.sh
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !sh.running || sh.kill != notKilled {
		return false
	}
	select {
	case <-a.over:
		return false
	default:
	}
	sh.kill = killQuery
	sh.stop(ctx)
	return true
}

// tooManyRows ends an answer that has more rows than a limit allows.
func tooManyRows(b *limit.Bounds) *wire.Error {
	return refuse(1104, "42000", "the answer has more than %d rows, the limit of the %s; add a LIMIT or a condition", b.Rows, b.RowsOf())
}
