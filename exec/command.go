package exec

import (
	"sync"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// scratch is memory for building one COM_STMT_EXECUTE.
type scratch struct {
	exec   wire.Execute
	params []wire.Param
	buf    []byte
}

// maxScratch is the largest buffer that goes back to the pool.
const maxScratch = 64 << 10

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) give() {
	if cap(s.buf) > maxScratch {
		s.buf = nil
	}
	clear(s.params) // they alias the client's packet
	s.exec.Params = nil
	scratches.Put(s)
}

// text gives the SQL of a leg.
func (r *Request) text(leg *router.Leg) []byte {
	if leg.SQL != nil {
		return leg.SQL
	}
	return r.SQL
}

// sendQuery sends a text statement in one write.
func sendQuery(c *backend.Conn, sql []byte) error {
	if err := c.Command(wire.ComQuery, sql); err != nil {
		return err
	}
	return c.Flush()
}

// sendExecute sends a prepared execution: its long data, then COM_STMT_EXECUTE with all
// types, because this connection may have executed the statement for another client.
// flags is the cursor type.
func sendExecute(c *backend.Conn, stmt *backend.Stmt, req *Request, leg *router.Leg, flags byte) error {
	s := scratches.Get().(*scratch)
	defer s.give()
	s.params = s.params[:0]
	n := len(req.Execute.Params)
	if leg.Params != nil {
		n = len(leg.Params)
	}
	for i := range n {
		from := i
		if leg.Params != nil {
			from = leg.Params[i]
		}
		if from < 0 || from >= len(req.Execute.Params) {
			return refuse(1210, "HY000", "the statement's part for shard %s names parameter %d of %d", c.Shard(), from+1, len(req.Execute.Params))
		}
		s.params = append(s.params, req.Execute.Params[from])
	}
	if n != stmt.Params {
		return refuse(1210, "HY000", "the statement's part for shard %s has %d parameters, not %d", c.Shard(), stmt.Params, n)
	}
	for i := range s.params {
		if !s.params[i].LongData {
			continue
		}
		from := i
		if leg.Params != nil {
			from = leg.Params[i]
		}
		if err := c.WriteLongData(stmt.ID, i, req.Long[from]); err != nil {
			return err
		}
	}
	s.exec = wire.Execute{ID: stmt.ID, Flags: flags, Params: s.params}
	var err error
	if s.buf, err = c.WriteExecute(&s.exec, s.buf); err != nil {
		return err
	}
	return c.Flush()
}
