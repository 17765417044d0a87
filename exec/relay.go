package exec

import (
	"context"
	"errors"
	"time"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// relay runs a statement on one shard, whose bytes are the client's answer.
func relay(ctx context.Context, client *wire.Conn, leases Leases, req *Request) (Outcome, error) {
	leg := &req.Bound.Legs[0]
	c, err := leases.Lease(ctx, leg.Shard, req.Bound.Plan.Write)
	if err != nil {
		return Outcome{}, err
	}
	_, timed := ctx.Deadline()
	opts := wire.RelayOptions{HoldErrors: timed, More: req.More, LocalFile: req.LocalFile, HoldError: req.HoldError, MaxRows: req.MaxRows}
	if req.Execute == nil {
		err = sendQuery(c, req.text(leg))
	} else {
		opts.Cursor = req.Execute.Flags != wire.CursorNone
		err = prepareAndSend(c, req, leg)
	}
	if err != nil {
		return Outcome{Legs: 1}, notSent(leases, c, err)
	}
	resp, err := wire.Relay(client, c.Conn, opts)
	out := Outcome{Response: resp, Legs: 1, Answered: err == nil, Started: resp.Bytes > 0}
	if errors.Is(err, wire.ErrTooManyRows) {
		return out, tooMany(client, leases, c, req, &out)
	}
	if err != nil {
		leases.Done(c, 0, false)
		if e := early(err); e != nil {
			return out, e
		}
		return out, relayBroke(client, c, &out, err)
	}
	if timed && resp.Err != nil {
		return out, timeUp(ctx, client, leases, c, &out)
	}
	if resp.Err != nil {
		if req.HoldError && resp.Columns == 0 && resp.OK.Status == 0 { // it was the first packet
			out.Answered, out.Started = false, false
		}
		leases.Done(c, 0, true) // an ERR has no status flags; the session asks
		return out, nil
	}
	if resp.OK.Warnings > 0 {
		out.Warned = append(out.Warned, leg.Shard)
	}
	leases.Done(c, resp.OK.Status, true)
	return out, nil
}

// timeUp ends the answer of a statement with a time limit in an error, which has not been relayed: the
// server's own, or that its time is up.
func timeUp(ctx context.Context, client *wire.Conn, leases Leases, c *backend.Conn, out *Outcome) error {
	leases.Done(c, 0, true)
	var we *wire.Error // of its own: out is not to be on the heap for that
	if errors.As(interrupted(ctx), &we) && out.Response.Err.Code == 1317 {
		out.Response.Err = we
	}
	out.Answered = false
	if out.Response.Columns == 0 && out.Response.OK.Status == 0 { // it was the first packet
		out.Started = false
		return nil
	}
	if err := client.WriteError(out.Response.Err); err != nil {
		return clientGone(err)
	}
	out.Answered = true
	return nil
}

// tooMany ends an answer that has as many rows as it may: the rest is stopped at the shard and
// dropped, so that a transaction on the connection goes on.
func tooMany(client *wire.Conn, leases Leases, c *backend.Conn, req *Request, out *Outcome) error {
	status, ok := dropRows(c)
	leases.Done(c, status, ok)
	e := req.TooMany()
	if err := client.WriteError(e); err != nil {
		return clientGone(err)
	}
	out.Response.Err, out.Answered = e, true
	return nil
}

// dropRows reads the rest of a result, of which rows were relayed, and lets the server stop the
// statement. status is 0 when the server did not say it.
func dropRows(c *backend.Conn) (status uint16, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if c.SetDeadline(time.Now().Add(stopTimeout)) != nil {
		return 0, false
	}
	s := newStopper(ctx, c)
	resp, err := wire.DiscardRows(c.Conn)
	asked, told := s.stop()
	if err != nil || asked && !told {
		return 0, false // or the KILL may still come, and meet a later statement
	}
	if asked || resp.Err != nil {
		ended, err := c.Exec("DO 0") // for its status; it takes a late KILL upon itself
		if err != nil {
			ended, err = c.Exec("DO 0")
		}
		if err != nil {
			return 0, false
		}
		resp.OK = ended
	}
	return resp.OK.Status, c.SetDeadline(time.Time{}) == nil
}

// prepareAndSend sends a prepared execution with the cursor that the client asked for.
func prepareAndSend(c *backend.Conn, req *Request, leg *router.Leg) error {
	stmt, err := req.prepare(c, leg)
	if err != nil {
		return err
	}
	return sendExecute(c, stmt, req, leg, req.Execute.Flags)
}

// notSent ends a lease on which no command runs because err came before. A server's ERR
// and a refusal leave the connection in order.
func notSent(leases Leases, c *backend.Conn, err error) error {
	if inOrder(err) {
		leases.Done(c, 0, true)
		return err
	}
	leases.Done(c, 0, false)
	if e := early(err); e != nil {
		return e
	}
	return lost(c, err)
}

// early gives a server's refusal of what went out before the statement, which then has to be as if it had not run: its
// transaction was not opened.
func early(err error) error {
	var e *wire.Early
	if errors.As(err, &e) {
		return e.Err
	}
	return nil
}

// inOrder tells whether the connection that gave err is between commands.
func inOrder(err error) bool {
	var we *wire.Error
	var refusal *router.Refusal
	return errors.As(err, &we) || errors.As(err, &refusal)
}

// relayBroke ends an answer that stopped half-way: with an ERR packet in place of the
// next one, when the client stands between two packets.
func relayBroke(client *wire.Conn, c *backend.Conn, out *Outcome, err error) error {
	var broke *wire.RelayError
	if !errors.As(err, &broke) || broke.Client {
		return err
	}
	named := lost(c, broke.Err)
	named.Torn = broke.Torn
	if !out.Started || broke.Torn {
		return named
	}
	e := asClientError(named)
	if err := client.WriteError(e); err != nil {
		return clientGone(err)
	}
	out.Response.Err, out.Answered = e, true
	return nil
}
