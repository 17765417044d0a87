// Package exec runs a bound plan: it sends each leg to its shard and makes one answer of
// theirs: relayed bytes, concatenated or merge-sorted rows, combined aggregates, added
// counts. Results stream; memory is bounded by the number of shards, not of rows. It
// decides nothing: where things go is the router's, which connection is the session's.
//
// A lease is given back clean only between two commands. Whatever is left of a leg's
// answer, after an error elsewhere or a LIMIT that is reached, is read or stopped first.
package exec

import (
	"context"
	"errors"
	"fmt"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// Leases is how the executor gets the session's connections.
type Leases interface {
	// Lease gives a connection of the shard (index in the map), in the session's state and,
	// if one is open, in its transaction. write: the leg changes data or takes locks.
	// Errors are what the client should see (*wire.Error, *router.Refusal, *backend.Unavailable).
	Lease(ctx context.Context, shard int, write bool) (*backend.Conn, error)
	// Done ends a lease. status are the server's status flags after the leg's response, 0
	// when they are not known: after an ERR, which has none, or when nothing was sent. ok is
	// false when the connection is broken or has unread bytes: it will be closed.
	Done(c *backend.Conn, status uint16, ok bool)
	// Apart leases one more connection of a shard, in the session's state but outside of its
	// transaction. Errors as Lease.
	Apart(ctx context.Context, shard int) (*backend.Conn, error)
	// Interrupted gives the error of a statement that was killed between two commands.
	Interrupted() error
}

// Request is one statement to run.
type Request struct {
	Bound        *router.Bound
	SQL          []byte             // the client's text of this one statement
	Execute      *wire.Execute      // a prepared execution; nil for a text statement
	Long         map[int][]byte     // its long data by parameter number
	Charset      string             // of the connection, for parameters that must become text
	More         bool               // further statements of the same client packet follow
	LocalFile    bool               // LOAD DATA LOCAL
	Sequence     Sequence           // of the table that an InsertSelect or LOAD DATA writes; nil for none
	MariaDB      bool               // the kind of the servers, else Oracle MySQL
	Status       uint16             // status flags for an answer that no single shard gave
	HomeShard    int                // LOAD DATA: index of the shard that has the session's user variables, -1 for none of the map
	Quiet        bool               // a part of the client's statement: its OK is not written
	MaxRows      uint64             // that the answer may have; 0 is no limit
	TooMany      func() *wire.Error // what ends an answer that has more
	ReadUnder    string             // collation_connection under which the text is read, CollationOwn being the connection's; "" for that
	CollationOwn string
	HoldError    bool // an ERR that is the whole answer is given in Outcome.Response, not written
}

// Outcome says what happened. For strategies that answer with an OK (SplitInsert,
// Everywhere, a Relay of nothing, and a Relay whose insert id is the sequence's) the OK
// is NOT written: the session commits first if it must, then answers. For everything that
// relays or merges rows, and for ERR packets of a Relay, the answer has been written to
// the client (not flushed).
type Outcome struct {
	Response wire.Response // of the whole statement; Response.OK sums counts up
	Answered bool          // the client's answer is written completely
	Started  bool          // some bytes of an answer have been written
	Unended  bool          // rows have been written, but not what ends them: the session commits first
	Skipped  uint64        // rows that the merge has left out for OFFSET
	Legs     int
	Warned   []int // shards (map index) that reported warnings
	Uneven   []int // Everywhere: shards (map index) whose affected rows differ from the first leg's: their copies are not alike
	// Home is the connection that a Gather's answer came from. Cleanup, if there is one, removes
	// what the statement has left on it: to be called after its warnings were asked for and
	// before it is used for anything else. If that fails, Home has to be closed.
	Home    *backend.Conn
	Cleanup func() error
	// Conditions are rows of SHOW WARNINGS that were asked for already, because the connections
	// have done other things since; nil when there are none.
	Conditions [][][]byte
}

// Run runs a request. An error that is not answered yet (Outcome.Answered false) is for
// the session to answer: *wire.Error from a shard, *router.Refusal, *backend.Unavailable,
// *wire.RelayError (Client: the client is gone; else a shard's connection broke). When a
// shard fails after the answer has begun, Run ends it with an ERR packet in place of the
// next row (the shard's own, or 2013 "sluice: …") and returns no error: Answered and
// Response.Err say so. Only if that is not possible, in the middle of a packet, is it a
// *wire.RelayError with Outcome.Started: the client's connection must be closed. ctx is
// looked at before anything is sent; running legs are stopped by Conn.Kill.
func Run(ctx context.Context, client *wire.Conn, leases Leases, req *Request) (Outcome, error) {
	if err := interrupted(ctx); err != nil {
		return Outcome{}, err
	}
	b := req.Bound
	switch {
	case len(b.Legs) == 0:
		return Outcome{Response: wire.Response{OK: wire.OK{Status: req.Status}}}, nil
	case relayable(b) && !req.Quiet:
		return relay(ctx, client, leases, req)
	case b.Strategy == router.Gather:
		return gather(ctx, client, leases, req)
	case b.Strategy == router.GatherWrite:
		return gatherWrite(ctx, client, leases, req)
	case b.Strategy == router.InsertSelect:
		return insertStaged(ctx, client, leases, req)
	}
	s := &scatter{ctx: ctx, client: client, leases: leases, req: req}
	return s.run()
}

// full gives the error that ends an answer which has so many rows already, or nil.
func (r *Request) full(rows uint64) error {
	if r.MaxRows == 0 || rows < r.MaxRows {
		return nil
	}
	return r.TooMany()
}

// relayable tells whether one shard's bytes are the answer: the plan says so, or a single
// leg runs the client's own text. With an id of the sequence the server's OK would report
// another insert id than the statement's.
func relayable(b *router.Bound) bool {
	if len(b.Legs) != 1 || b.InsertID != 0 {
		return false
	}
	switch b.Strategy {
	case router.Relay:
		return true
	case router.Concatenate, router.MergeSort, router.Aggregate:
		return b.Legs[0].SQL == nil
	}
	return false
}

// interrupted is what the client sees of a ctx that has ended.
func interrupted(ctx context.Context) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		var we *wire.Error
		if errors.As(context.Cause(ctx), &we) {
			return we
		}
		return &wire.Error{Code: 3024, SQLState: "HY000",
			Message: "Query execution was interrupted, maximum statement execution time exceeded"}
	}
	return &wire.Error{Code: 1317, SQLState: "70100", Message: "Query execution was interrupted"}
}

// refuse makes a numbered refusal. 1235 is ER_NOT_SUPPORTED_YET, 1105 ER_UNKNOWN_ERROR.
func refuse(code uint16, state, format string, args ...any) *router.Refusal {
	return &router.Refusal{Code: code, SQLState: state, Message: "sluice: " + fmt.Sprintf(format, args...)}
}

// lost says that a shard's connection broke.
func lost(c *backend.Conn, err error) *wire.RelayError {
	if c.Severed() {
		err = backend.ErrHung
	}
	return &wire.RelayError{Err: fmt.Errorf("shard %s: %w", c.Shard(), err)}
}

// clientGone says that nothing can be written to the client any more.
func clientGone(err error) *wire.RelayError { return &wire.RelayError{Client: true, Err: err} }

// asClientError is what ends an answer that has begun: the server's own error, a refusal
// as an ERR packet, 2013 (CR_SERVER_LOST) for a connection that broke, 1105 for a value
// that cannot be merged. It is nil when the client's side failed.
func asClientError(err error) *wire.Error {
	var we *wire.Error
	var refusal *router.Refusal
	var relay *wire.RelayError
	switch {
	case errors.As(err, &we):
		return we
	case errors.As(err, &refusal):
		return &wire.Error{Code: refusal.Code, SQLState: refusal.SQLState, Message: refusal.Message}
	case errors.As(err, &relay) && relay.Client:
		return nil
	case errors.As(err, &relay):
		return &wire.Error{Code: 2013, SQLState: "HY000", Message: "sluice: lost connection to a shard during query: " + err.Error()}
	}
	return &wire.Error{Code: 1105, SQLState: "HY000", Message: "sluice: " + err.Error()}
}
