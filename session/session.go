package session

import (
	"context"
	"errors"
	"os"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/server"
	"sluice/txn"
	"sluice/wire"
)

// Session is one client connection on the data port: its parts, each of which knows only
// those above it. Its goroutine owns them all; other goroutines only touch shared.
type Session struct {
	h *Handler
	c *server.Client

	shared  shared  // what other goroutines look at and touch: SHOW SESSIONS, KILL
	state   state   // what the client has set: variables, schema
	answers answers // what LAST_INSERT_ID(), ROW_COUNT(), SHOW WARNINGS … say
	kept    kept    // connections between statements: of the transaction, or pinned
	held    held    // connections of the running statement
	reply   reply   // what the client is answered

	planner planner // text → plan
	running running // plan → shards
	settle  settling

	setter   setter   // SET
	verbs    verbs    // BEGIN, COMMIT, SAVEPOINT, XA …
	shows    shows    // SHOW
	peers    peers    // KILL, SHOW PROCESSLIST
	values   values   // LAST_INSERT_ID() and its like, written into statements
	preparer preparer // PREPARE, in text and in the protocol
	handles  handles  // prepared by the protocol's commands
	cursors  cursors

	scan query.Scan  // of the running text
	args router.Args // of the running statement

	// apart: the last statement was answered from the cache, off the engine's loop, and the next one most likely will be. To go to the
	// loop and to leave it again would cost a fifth of such an answer.
	apart bool
}

func newSession(h *Handler, c *server.Client) *Session {
	s := &Session{h: h, c: c}
	s.shared = shared{c: c, log: h.log, info: server.SessionInfo{
		ID: c.ID, User: c.User, Remote: c.Remote.String(), Schema: c.Schema, Command: "Sleep", Since: time.Now(),
		Attributes: c.Attributes,
	}}
	s.state = state{h: h, c: c, shared: &s.shared, vars: noSettings, schema: c.Schema}
	s.state.class = backend.Class{FoundRows: c.Capabilities&wire.ClientFoundRows != 0, LocalFile: c.Capabilities&wire.ClientLocalFiles != 0, Extended: c.Extended}
	s.kept = kept{h: h, state: &s.state}
	s.kept.tx = transaction{Tx: txn.Tx{Decisions: h.decisions}, state: &s.state}
	s.kept.pins.shared = &s.shared
	s.held = held{h: h, state: &s.state, shared: &s.shared, kept: &s.kept, answers: &s.answers}
	s.reply = reply{c: c, answers: &s.answers, kept: &s.kept, tracker: tracker{c: c, state: &s.state}}

	s.planner = planner{h: h, c: c, state: &s.state, kept: &s.kept, args: &s.args}
	s.running = running{
		h: h, c: c, shared: &s.shared, state: &s.state, answers: &s.answers, kept: &s.kept, held: &s.held, reply: &s.reply,
		planner: &s.planner, args: &s.args,
	}
	s.settle = settling{&s.running}

	s.setter = setter{h: h, state: &s.state, answers: &s.answers, kept: &s.kept, held: &s.held, reply: &s.reply}
	s.verbs = verbs{h: h, state: &s.state, kept: &s.kept, held: &s.held, reply: &s.reply, setter: &s.setter}
	s.peers = peers{h: h, c: c, shared: &s.shared, kept: &s.kept}
	s.shows = shows{h: h, c: c, state: &s.state, answers: &s.answers, peers: &s.peers}
	s.values = values{c: c, state: &s.state, answers: &s.answers}
	s.handles.c = c
	s.preparer = preparer{
		h: h, c: c, shared: &s.shared, state: &s.state, answers: &s.answers, kept: &s.kept, held: &s.held, reply: &s.reply,
		planner: &s.planner, values: &s.values, shows: &s.shows, handles: &s.handles, args: &s.args,
	}
	s.cursors = cursors{
		c: c, shared: &s.shared, kept: &s.kept, held: &s.held, reply: &s.reply, handles: &s.handles, running: &s.running,
	}
	return s
}

// serve reads commands until the connection ends.
func (s *Session) serve(ctx context.Context) {
	defer s.close()
	for {
		s.c.ResetSequence()
		s.c.Release()
		if !s.apart {
			s.c.Task.Join()
		}
		s.apart = false
		// An idle session's stack is as short as it can be: what it has used is given back then.
		var packet []byte
		var err error
		if s.state.wait == 0 {
			packet, err = s.c.ReadPacket()
		} else {
			packet, err = await(s.c, s.state.wait)
		}
		if err != nil {
			readFailed(s.c, &s.state, err)
			return
		}
		takeUp(&s.shared, &s.kept)
		if !brief(packet) || !driven(&s.kept) {
			s.c.Task.Leave()
		}
		err = s.command(ctx, packet)
		if err == nil {
			err = s.c.Flush()
		}
		if killed := s.shared.end(&s.kept); err != nil || killed || s.kept.gone {
			return
		}
		letRest(&s.kept)
		forget(s)
	}
}

// forget lets go of the command's bytes: the buffer that has them goes back to its pool, and would stay in memory
// for as long as somebody points into it.
func forget(s *Session) {
	s.args.SQL, s.args.Params = nil, nil
	r := &s.running.req
	r.SQL, r.Execute, r.Long = nil, nil, nil
}

// await reads the next command, within wait_timeout, which the client has set. (It is not
// set for the client that has not: some hours of the servers' own.)
func await(c *server.Client, wait time.Duration) ([]byte, error) {
	if err := c.NetConn().SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	packet, err := c.ReadPacket()
	if err == nil {
		err = c.NetConn().SetReadDeadline(time.Time{})
	}
	return packet, err
}

// What is taken of a packet that is too large, before it is answered.
const (
	skipMost = 1 << 30
	skipTime = 30 * time.Second
)

// readFailed tells the client about a packet that could not be read.
func readFailed(c *server.Client, s *state, err error) {
	var answer *wire.Error
	switch {
	case errors.Is(err, wire.ErrTooLarge):
		// Clients look for an answer only after they have sent all.
		if c.SetDeadline(time.Now().Add(skipTime)) != nil || c.SkipPacket(skipMost) != nil {
			return
		}
		answer = &wire.Error{Code: 1153, SQLState: "08S01", Message: "Got a packet bigger than 'max_allowed_packet' bytes"}
	case errors.Is(err, os.ErrDeadlineExceeded) && s.wait > 0 && s.mode.MariaDB:
		return // it says nothing
	case errors.Is(err, os.ErrDeadlineExceeded) && s.wait > 0:
		answer = &wire.Error{Code: 4031, SQLState: "HY000", Message: "The client was disconnected by the server because of inactivity. " +
			"See wait_timeout and interactive_timeout for configuring this behavior."}
	case errors.Is(err, os.ErrDeadlineExceeded):
		answer = &wire.Error{Code: 1159, SQLState: "08S01", Message: "Got timeout reading communication packets"}
	case errors.Is(err, wire.ErrSequence):
		answer = &wire.Error{Code: 1156, SQLState: "08S01", Message: "Got packets out of order"}
	default:
		return
	}
	if c.WriteError(answer) == nil {
		_ = c.Flush() // the connection ends either way
	}
}

// long is the size from which a command is not brief: to scan and bind it takes some 100 us.
const long = 64 << 10

// brief tells whether a command may be carried out on the engine's loop as far as it does not
// turn out to be more.
func brief(packet []byte) bool {
	if len(packet) == 0 {
		return true
	}
	if len(packet) > long {
		return false
	}
	switch packet[0] {
	case wire.ComQuery, wire.ComStmtExecute, wire.ComStmtClose, wire.ComStmtSendLongData, wire.ComPing, wire.ComQuit:
		return true
	}
	return false
}

// close gives up everything that the session holds: connections may be another's at once.
func (s *Session) close() {
	s.c.Task.Leave() // a transaction's end may have to ask whether a shard still works
	takeUp(&s.shared, &s.kept)
	s.handles.clear()
	s.held.drop()
	s.kept.drop()
}

// reset brings the session to the state after a login (COM_RESET_CONNECTION, COM_CHANGE_USER).
func (s *Session) reset() {
	s.kept.drop()
	s.handles.clear()
	s.preparer.named = nil
	s.answers = answers{}
	s.state.reset()
}
