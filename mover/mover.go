// Package mover is the data plane of a migration: it copies the rows of some slots from one
// server to another while applications write, follows their changes, and proves that both
// sides are the same. It knows nothing of maps, proxies and phases; the package reshard
// calls it, and decides when.
//
//	Preflight                      everything that is in the way, at once
//	New → Prepare → Run            copy, then follow until ctx ends (or Stopped, ErrReplaced)
//	        Status, Pause, Resume    at any time
//	        Verify                   while Run runs: finds, repairs and reports differences
//	        Drain                    while Run runs: everything committed before it was called is at the target
//	        Freeze → Pair.Compare    while nothing writes the slots: the same instant on both sides
//	Take                           takes the right to write away from an older mover, once and for all
//	Clean, Forget                  deletes rows that a server does not own, then the notes about the migration
//
// The stream of changes (package binlog) says only which rows changed. What they are is
// always read from the source itself, in SQL and after a watermark transaction of the
// mover's own was acknowledged: engines commit in the order of their binary log, so whatever
// the log has shown before is visible then. (XA COMMIT is the exception: the rows
// of a branch are read when the server does not list it as prepared any more.) Copying a range, and reading changed rows
// again, are done in turn by one goroutine, so that no older image can overwrite a newer
// one; whatever changes meanwhile is still to come in the stream, and a change is applied
// by taking the row's present image, not by repeating the change. So it does not matter how
// often anything is done again, and a mover may be killed at any point and resumed from
// what it has stored in the same transactions as the rows.
//
// It never compares or orders keys itself, save for equality of bytes: collations are the
// server's. It never uses REPLACE or ON DUPLICATE KEY UPDATE, whose effects may hit rows
// that do not move.
package mover

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"sluice/backend"
	"sluice/internal/fault"
	"sluice/shard"
)

// Server is one side of a migration.
type Server struct {
	Name string // the shard's, for messages
	// Dial gives a connection as a fresh session has it. The mover closes it after use, also
	// when it is in order: what it sets there must meet nobody else.
	Dial func(ctx context.Context) (*backend.Conn, error)

	asked *atomic.Int64 // counts the mover's own statements there
}

// Shards gives connections to primaries.
type Shards interface {
	Get(ctx context.Context, shard string, class backend.Class, schema string, s *backend.Settings) (*backend.Conn, error)
}

// Shard is the primary of a shard. A mover has connections for as long as it runs, and finds its
// own pace: they are none of the statements of which a busy server is given only some.
func Shard(p Shards, name string) Server {
	return Server{Name: name, Dial: func(ctx context.Context) (*backend.Conn, error) {
		c, err := p.Get(ctx, name, backend.Class{}, "", nil)
		if err == nil {
			c.Rest()
		}
		return c, err
	}}
}

// Table is a table whose rows move.
type Table struct {
	Schema, Name string
	Key          string // the shard key; the rows of Spec.Slots move
	Whole        bool   // every row moves: a reference table for a server that has none yet
}

func (t Table) String() string { return t.Schema + "." + t.Name }

// The streams of a migration.
const (
	Forward = "forward"
	Reverse = "reverse" // the other way, after the switch
)

// Spec says what moves.
type Spec struct {
	ID     int64  // the migration's number
	Stream string // Forward or Reverse; each has notes of its own at its target
	Tables []Table
	Slots  []shard.Span // sorted, disjoint
	// Present are tables that both sides have as a whole already, and Share is which part of the
	// source's rows moves: both for Preflight.
	Present []Table
	Share   float64
	// Secret is the value of @_sluice_mover that lets a session pass the migration's fence.
	Secret string
	// Token is the right to write: the mover with the greatest one writes, others get
	// ErrReplaced. A process that takes a migration over uses a greater one.
	Token int64
}

// Options configures a Mover.
type Options struct {
	Spec
	Source Server
	// Target has a row of _sluice.fence for the migration, which must be fenced while rows are
	// written there.
	Target Server
	// Follow says that the target has the rows already: nothing is copied, and the stream
	// starts at the source's position at the first Prepare. The way back is such a stream.
	Follow   bool
	Replicas []Server // whose lag slows the copy down, and stops it from replicaLag on
	Rate     int      // most rows a second that are copied; 0 is no limit
	Free     int64    // bytes of disk that the copy leaves at both sides; 0: a gigabyte or a twentieth
	Log      *slog.Logger
	Faults   *fault.Points
}

// Stopped is an error that trying again does not help: a person has to do something.
type Stopped struct {
	Reason string // what was found
	Do     string // what to do about it
}

func (e *Stopped) Error() string {
	if e.Do == "" {
		return e.Reason
	}
	return e.Reason + "; " + e.Do
}

// ErrReplaced says that a mover with a greater token has taken over: this one has changed
// nothing since, and must not be started again.
var ErrReplaced = errors.New("another mover has taken this migration over")

// Lasting tells whether an error of Run, Verify, Prepare or Clean is one that trying again does not help.
func Lasting(err error) bool {
	var s *Stopped
	return errors.As(err, &s) || errors.Is(err, ErrReplaced)
}
