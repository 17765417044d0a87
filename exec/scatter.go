package exec

import (
	"context"
	"fmt"
	"slices"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// scatter is one statement that runs on several shards, or on one with an answer that is
// not simply the shard's. All legs are sent before the first answer is read: the servers
// work at the same time and one goroutine reads them in turn.
type scatter struct {
	ctx    context.Context
	client *wire.Conn
	leases Leases
	req    *Request
	legs   []leg
	out    Outcome
}

// run leases, sends, makes the answer and gives every lease back.
func (s *scatter) run() (Outcome, error) {
	err := leaseLegs(s)
	if err == nil && s.req.Bound.Strategy != router.SplitLoad {
		err = s.start()
	}
	if err == nil {
		switch s.req.Bound.Strategy {
		case router.SplitLoad:
			err = (&fileLoad{scatter: s, load: s.req.Bound.Load}).run()
		case router.Concatenate, router.MergeSort, router.Aggregate:
			err = s.merge()
		case router.SplitInsert, router.Everywhere, router.AddCounts, router.Relay:
			err = s.count()
		default:
			err = refuse(1105, "HY000", "no way to run strategy %d", s.req.Bound.Strategy)
		}
	}
	s.out.Legs = len(s.legs)
	err = s.conclude(err)
	s.end()
	return s.out, err
}

func (s *scatter) conclude(err error) error { return conclude(s.ctx, s.client, &s.out, err) }

// conclude turns an error after the answer began into the ERR packet that ends it.
func conclude(ctx context.Context, client *wire.Conn, out *Outcome, err error) error {
	if err == nil {
		return nil
	}
	if timeUp := interrupted(ctx); timeUp != nil && wire.IsCode(err, 1317) {
		err = timeUp // what stopped the legs was the statement's own time limit
	}
	if !out.Started {
		return err
	}
	e := asClientError(err)
	if e == nil {
		return err
	}
	if werr := client.WriteError(e); werr != nil {
		return clientGone(werr)
	}
	out.Response.Err, out.Answered = e, true
	return nil
}

// leaseLegs leases all connections, in the order of the shards: two statements that each wait
// for the other's connection cannot be.
func leaseLegs(s *scatter) error {
	bound := s.req.Bound
	order := make([]int, len(bound.Legs))
	s.legs = make([]leg, 0, len(bound.Legs))
	for i := range bound.Legs {
		order[i] = i
		s.legs = append(s.legs, leg{index: i, shard: bound.Legs[i].Shard, part: &bound.Legs[i]})
	}
	slices.SortFunc(order, func(a, b int) int { return s.legs[a].shard - s.legs[b].shard })
	for i := 1; i < len(order); i++ {
		if s.legs[order[i]].shard == s.legs[order[i-1]].shard {
			return refuse(1105, "HY000", "two parts of the statement go to one shard")
		}
	}
	for _, i := range order {
		c, err := s.leases.Lease(s.ctx, s.legs[i].shard, bound.Plan.Write && !s.legs[i].part.Nothing)
		if err != nil {
			return err
		}
		s.legs[i].conn = c
	}
	return nil
}

// start prepares where that is needed and sends every command.
func (s *scatter) start() error {
	if s.req.Execute != nil {
		for i := range s.legs {
			if err := s.legs[i].prepare(s.req); err != nil {
				return err
			}
		}
	}
	if err := interrupted(s.ctx); err != nil {
		return err
	}
	return s.send()
}

// send writes the command to every leg. A leg that cannot be written to is left to its
// first read when others must run all the same (DDL).
func (s *scatter) send() error {
	for i := range s.legs {
		l := &s.legs[i]
		err := l.send(s.req)
		if err == nil {
			continue
		}
		if s.req.Bound.Strategy == router.Everywhere && !inOrder(err) {
			l.sendErr = err
			continue
		}
		return err
	}
	return nil
}

// end gives every lease back. What still runs is read to its end or stopped.
func (s *scatter) end() {
	stopAll(s.legs)
	for i := range s.legs {
		l := &s.legs[i]
		if l.conn == nil {
			continue
		}
		if !l.known {
			l.status = 0
		}
		s.leases.Done(l.conn, l.status, l.state == legIdle)
	}
}

// legState says where a leg's connection stands.
//
//	idle ──send──▶ sent ──columns──▶ rows ──EOF, ERR──▶ idle
//	                └──OK, ERR──▶ idle
//
// Anything that is not the protocol, or no bytes at all, makes it broken for good.
type legState uint8

const (
	legIdle legState = iota
	legSent
	legRows
	legBroken
)

// leg is one shard's part of a running statement.
type leg struct {
	index, shard int
	part         *router.Leg
	conn         *backend.Conn
	stmt         *backend.Stmt
	state        legState
	sendErr      error  // the command could not be sent
	status       uint16 // of the last OK or EOF
	known        bool   // status holds now: the last answer did not end in an ERR
	ok           wire.OK
	cols         []wire.Column
	wide         []wire.Column // what the legs agreed on, when rows of cols are written otherwise
	narrow       [][]byte      // of widened
	wideRow      []byte        // of widened

	row  []byte   // the current row; in the connection's buffer, valid until the next is read
	vals [][]byte // its values, when the merge looks at them
	keys []key    // of the current row
	prev []key    // of the row before: memory that is used in turn with keys
}

func (l *leg) prepare(req *Request) error {
	stmt, err := req.prepare(l.conn, l.part)
	if err != nil {
		return l.failed(err)
	}
	l.stmt = stmt
	return nil
}

func (l *leg) send(req *Request) error {
	var err error
	if l.stmt != nil {
		err = sendExecute(l.conn, l.stmt, req, l.part, wire.CursorNone)
	} else {
		err = sendQuery(l.conn, req.text(l.part))
	}
	if err != nil {
		return l.failed(err)
	}
	l.state, l.known = legSent, false
	return nil
}

// failed notes an error of the leg's connection and gives it the shard's name.
func (l *leg) failed(err error) error {
	l.known = false
	if inOrder(err) {
		l.state = legIdle
		return err
	}
	l.state = legBroken
	return lost(l.conn, err)
}

// header reads the start of the answer: column definitions, or the whole of an OK.
func (l *leg) header() error {
	if l.sendErr != nil {
		return l.sendErr
	}
	h, err := l.conn.ReadResultHeader()
	switch {
	case err != nil:
		return l.failed(err)
	case h.LocalFile != nil:
		return l.failed(fmt.Errorf("%w: the server asks for a local file", wire.ErrMalformed))
	case h.OK.Status&wire.StatusMoreResults != 0 && h.Columns == nil:
		return l.severalResults()
	}
	l.ok, l.cols = h.OK, h.Columns
	l.status = h.OK.Status
	if h.Columns != nil {
		l.state = legRows
		return nil
	}
	l.state, l.known = legIdle, true
	return nil
}

// next reads the next row; nil after the last one.
func (l *leg) next() ([]byte, error) {
	row, end, err := l.conn.ReadRow()
	switch {
	case err != nil:
		return nil, l.failed(err)
	case end == nil && l.wide != nil:
		if row, err = l.widened(row); err != nil {
			return nil, l.failed(err)
		}
		return row, nil
	case end == nil:
		return row, nil
	case end.Status&wire.StatusMoreResults != 0:
		return nil, l.severalResults()
	}
	l.ok, l.status = *end, end.Status
	l.state, l.known = legIdle, true
	return nil, nil
}

// severalResults reads the results that follow the first one and refuses them.
func (l *leg) severalResults() error {
	resp, err := wire.Discard(l.conn.Conn)
	if err != nil {
		return l.failed(err)
	}
	l.state, l.status, l.known = legIdle, resp.OK.Status, resp.Err == nil
	return refuse(1235, "42000", "a statement that gives several results can run on one shard only")
}

// rejectColumns is the refusal of a result where none can be used.
func (l *leg) rejectColumns() error {
	return refuse(1235, "42000", "shard %s answered with rows where a count was expected", l.conn.Shard())
}
