// Package advise looks at an existing MySQL or MariaDB server before anybody moves it: which
// tables could be sharded, by which key, which could be reference tables, what would be in
// the way, and, for the statements of a query log, how each would be answered. It does not
// guess the last part: every statement of the log is planned and bound by query and router as
// a proxy would, under the rules that are proposed.
//
// What it refuses to do: to write. All that it sends to the server are reads, and statements
// of the log are at most prepared there, never run.
package advise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/backend"
	"sluice/shard"
)

// Options is what is to be looked at.
type Options struct {
	DSN    DSN
	Log    func() (io.ReadCloser, error) // the query log, which is read twice; nil: none
	Shards int                           // over how many shards statements are planned
	Key    string                        // TABLE.COLUMN or COLUMN, several with commas between: the shard key; "": the best that is found
}

// Advice is what came of it.
type Advice struct {
	Address, Version string
	Shards           int
	Domain           string      // the key that rows are spread by: users.user_id; "" when there is none
	Choices          []Choice    // every table of the schemas
	Warnings         []string    // what a DBA has to do or to know
	Others           []Candidate // other keys that were looked at, best first
	Log              *LogAdvice  // nil without a log
	spread           float64     // share of the bytes in sharded tables
	schemas          []string
}

// Choice is what is proposed for a table.
type Choice struct {
	Schema, Table string
	Kind          shard.Kind
	Key           string // of a sharded table
	Why           string
	Rows, Bytes   uint64
}

// Candidate is a key that tables could be sharded by.
type Candidate struct {
	Name     string
	Tables   int
	Spread   float64 // share of the bytes in sharded tables
	OneShard float64 // share of the log's statements that one shard answers; -1 without a log
	score    float64
}

// dialTimeout bounds the login; questions take as long as they take, until ctx ends.
const dialTimeout = 10 * time.Second

// Run looks at the server and gives its advice.
func Run(ctx context.Context, o Options) (*Advice, error) {
	if o.Shards < 1 || o.Shards > 1024 {
		return nil, fmt.Errorf("%d is no number of shards; write 1 to 1024", o.Shards)
	}
	src, end, err := connect(ctx, o.DSN)
	if err != nil {
		return nil, err
	}
	defer end()
	a := &Advice{Address: o.DSN.Address, Version: src.version, Shards: o.Shards, schemas: o.DSN.Schemas}
	w := &world{src: src, opts: o}
	for _, name := range o.DSN.Schemas {
		tables, err := src.tables(name)
		if err != nil {
			return nil, err
		}
		w.tables = append(w.tables, tables...)
		programs, err := src.programs(name)
		if err != nil {
			return nil, err
		}
		w.programs = append(w.programs, programs...)
	}
	if len(w.tables) == 0 {
		return nil, errors.New("the schema has no tables")
	}
	w.index()
	if o.Log != nil {
		if err := w.readLog(); err != nil {
			return nil, fmt.Errorf("the query log: %w", err)
		}
	}
	if err := (chooser{w}).choose(a); err != nil {
		return nil, err
	}
	(warner{w}).warn(a)
	if o.Log != nil {
		if a.Log, err = w.planLog(a); err != nil {
			return nil, fmt.Errorf("the query log: %w", err)
		}
	}
	return a, nil
}

// connect opens the one connection that everything is asked on.
func connect(ctx context.Context, d DSN) (*source, func(), error) {
	spec := shard.Spec{Shards: []shard.Shard{{Name: "source", Primary: d.Address}}, Backend: shard.Backend{User: d.User, Password: d.Password, MaxConnections: 1, TLS: "preferred"}}
	spec.Ranges = shard.Deal(spec.Shards)
	m, err := shard.New(1, spec)
	if err != nil {
		return nil, nil, err
	}
	pools := backend.Open(backend.Options{DialTimeout: dialTimeout, WaitTimeout: dialTimeout}, m)
	conn, err := pools.Get(ctx, "source", backend.Class{}, "", nil)
	if err != nil {
		pools.Close()
		var down *backend.Unavailable
		if errors.As(err, &down) && down.Err != nil {
			err = down.Err
		}
		return nil, nil, fmt.Errorf("%s: %w", d.Address, err)
	}
	end := func() {
		conn.Put() // nobody else gets it: the pool says goodbye and closes
		pools.Close()
	}
	s := &source{ctx: ctx, conn: conn}
	if err := s.begin(); err != nil {
		end()
		return nil, nil, err
	}
	return s, end, nil
}
