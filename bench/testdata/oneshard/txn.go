// Package txn is what the transactions of Sluice would be if they stayed on one shard: the
// bench builds a proxy with it in place of the real one, to measure what that costs.
package txn

import (
	"context"
	"errors"
	"time"

	"sluice/backend"
	"sluice/internal/fault"
	"sluice/wire"
)

type Tx struct {
	Decisions   *Decisions
	open        bool
	begin, next string
	legs        []Leg
}

type Leg struct {
	Conn  *backend.Conn
	Shard string
	Write bool
}

type Ended struct {
	Conn  *backend.Conn
	Shard string
	Clean bool
}

const Snapshot = "WITH CONSISTENT SNAPSHOT"

var errOneShard = errors.New("transactions stay on one shard")

func (t *Tx) Open() bool { return t.open }

func (t *Tx) Begin(begin, next string) {
	*t = Tx{open: true, begin: begin, next: next, legs: t.legs[:0]}
}

func (t *Tx) BeginStatement(next string) { t.Begin("BEGIN", next) }

func (t *Tx) BeginImplicit(autocommit bool, next string) {
	t.Begin("", next)
	if autocommit {
		t.begin = "BEGIN"
	}
}

func (t *Tx) Marks() bool                            { return t.next != "" }
func (t *Tx) Statement() bool                        { return false }
func (t *Tx) MayWrite(context.Context, string) error { return nil }
func (t *Tx) Several() bool                          { return false }
func (t *Tx) Since() time.Time                       { return time.Time{} }
func (t *Tx) Name() string                           { return "" }
func (t *Tx) Legs() []Leg                            { return t.legs }
func (t *Tx) Branch(string) bool                     { return false }
func (t *Tx) Chain() (begin, next string)            { return t.begin, t.next }
func (t *Tx) Freeze(next string)                     { t.next = next }
func (t *Tx) Savepoint(string) error                 { return errOneShard }
func (t *Tx) RollbackTo(string) ([][][]byte, error)  { return nil, errOneShard }
func (t *Tx) Release(string) error                   { return errOneShard }

func (t *Tx) Leg(shard string) *backend.Conn {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			return t.legs[i].Conn
		}
	}
	return nil
}

func (t *Tx) Wake(shard string) *backend.Conn {
	c := t.Leg(shard)
	if c != nil {
		c.Wake()
	}
	return c
}

func (t *Tx) Rest() {
	for i := range t.legs {
		t.legs[i].Conn.Rest()
	}
}

func (t *Tx) Driven() bool {
	for i := range t.legs {
		if !t.legs[i].Conn.Driven() {
			return false
		}
	}
	return true
}

func (t *Tx) NoteWrite(shard string) {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			t.legs[i].Write = true
		}
	}
}

func (t *Tx) Drop(string) string {
	t.legs = t.legs[:0]
	return ""
}

func (t *Tx) Take(c *backend.Conn, shard string) { t.legs = append(t.legs, Leg{Conn: c, Shard: shard}) }

func (t *Tx) Join(_ context.Context, c *backend.Conn, how Joining) (taken bool, err error) {
	if len(t.legs) > 0 {
		return false, errOneShard
	}
	if t.next != "" {
		if _, err := c.Exec(t.next); err != nil {
			return false, err
		}
	}
	if t.begin == "" {
		return false, nil
	}
	if how.Later {
		err = c.Later(t.begin)
	} else {
		_, err = c.Exec(t.begin)
	}
	if err != nil {
		return false, err
	}
	t.Take(c, c.Shard())
	return true, nil
}

// Joining is what connections join a transaction for.
type Joining struct {
	Several, Later, Lockless bool
	Wait                     string
}

// Bound has nothing to bound.
func (t *Tx) Bound(string, string) error { return nil }

func (t *Tx) Unbound(string) {}

func (t *Tx) JoinAll(context.Context, []*backend.Conn, Joining) error { return errOneShard }

func (t *Tx) Commit(context.Context, bool) ([]Ended, error) { return t.end("COMMIT") }

func (t *Tx) Rollback() ([]Ended, [][][]byte) {
	ended, _ := t.end("ROLLBACK")
	return ended, nil
}

func (t *Tx) end(sql string) (ended []Ended, err error) {
	for _, l := range t.legs {
		_, err = l.Conn.Exec(sql)
		ended = append(ended, Ended{l.Conn, l.Shard, err == nil})
	}
	*t = Tx{legs: t.legs[:0]}
	return ended, err
}

type RolledBack struct{ error }
type Unknown struct{ error }

func LockFailed(error) bool { return false }
func Deadlock() *wire.Error { return &wire.Error{Code: 1213, SQLState: "40001", Message: "deadlock"} }

type Decisions struct{}

type Topology interface{}

type Shards interface{}

type Options struct {
	Topology Topology
	Shards   Shards
	Log      any
	Faults   *fault.Points
	Late     func(func() error) error
}

func NewDecisions(Options) *Decisions { return &Decisions{} }

func (d *Decisions) Run(ctx context.Context) { <-ctx.Done() }

type InDoubt struct {
	GTRID    string
	Age      time.Duration
	Shards   []string
	Decision string
	Note     string
}

func (d *Decisions) InDoubt() []InDoubt { return nil }

type Counts struct {
	Prepared                       int
	Oldest                         time.Duration
	Recovered, RolledBack, Unknown uint64
}

func (d *Decisions) Counts() Counts { return Counts{} }

// Left is of no shard: no transaction runs over several.
func (d *Decisions) Left(context.Context, string) (int, error) { return 0, nil }

func (d *Decisions) Resolve(context.Context, string, bool) (int, error) { return 0, errOneShard }
