package session

import (
	"context"
	"errors"
	"os"
	"time"

	"sluice/backend"
	"sluice/server"
	"sluice/txn"
	"sluice/wire"
)

// Session is one client connection on the data port: its parts, each of which knows only
// those above it. Its task owns them all; other goroutines only touch shared. A session at rest is no more than this:
// the parts that carry a command out are its work, which it has while one runs.
type Session struct {
	h   *Handler
	c   *server.Client
	ctx context.Context

	shared  shared  // what other goroutines look at and touch: SHOW SESSIONS, KILL
	state   state   // what the client has set: variables, schema
	answers answers // what LAST_INSERT_ID(), ROW_COUNT(), SHOW WARNINGS … say
	kept    kept    // connections between statements: of the transaction, or pinned
	tracker tracker // what the client is told of the changes that it has made
	handles handles // prepared statements

	*work // nil while it rests

	lingers bool // it was answered from the cache, and waits for the next command off the loop for a moment
}

func newSession(ctx context.Context, h *Handler, c *server.Client) *Session {
	s := &Session{h: h, c: c, ctx: ctx}
	s.shared = shared{c: c, log: h.log, user: c.User, schema: c.Schema, attributes: c.Attributes, command: "Sleep", since: time.Now()}
	s.state = state{h: h, c: c, shared: &s.shared, vars: noSettings, schema: c.Schema}
	s.state.class = backend.Class{FoundRows: c.Capabilities&wire.ClientFoundRows != 0, LocalFile: c.Capabilities&wire.ClientLocalFiles != 0, Extended: c.Extended}
	s.kept = kept{h: h, state: &s.state}
	s.kept.tx = transaction{Tx: txn.Tx{Decisions: h.decisions}, state: &s.state}
	s.kept.pins.shared = &s.shared
	s.tracker = tracker{c: c, state: &s.state}
	s.handles.c = c
	return s
}

// Step implements server.Service: it reads a command and carries it out.
func (s *Session) Step() server.Next {
	packet, err := s.c.ReadPacket()
	if err == nil && (s.state.wait > 0 || s.lingers) {
		err = s.c.NetConn().SetReadDeadline(time.Time{})
	}
	if s.lingers && errors.Is(err, os.ErrDeadlineExceeded) && s.c.Idle() {
		if s.c.NetConn().SetReadDeadline(time.Time{}) != nil {
			return server.Ends
		}
		return await(s, false)
	}
	if err != nil {
		readFailed(s.c, &s.state, err)
		return server.Ends
	}
	takeUp(&s.shared, &s.kept)
	if !brief(packet) || !driven(&s.kept) {
		s.c.Task.Leave()
	}
	if s.work == nil {
		s.work = workOf(s)
	}
	err = s.command(s.ctx, packet)
	if err == nil {
		err = s.c.Flush()
	}
	if killed := s.shared.end(&s.kept); err != nil || killed || s.kept.gone {
		return server.Ends
	}
	letRest(&s.kept)
	apart := s.apart
	if s.work.done() {
		s.work = nil
	}
	s.c.ResetSequence()
	s.c.Release()
	return await(s, apart)
}

// lingerTime is how long a session that was answered from the cache waits where it is, with a goroutine and its stack.
const lingerTime = time.Second

// await says where the next command is waited for, and how long. After an answer from the cache that is off the engine's loop: the next
// one most likely comes from there, too, and to go to the loop and to leave it again would cost a fifth of it.
func await(s *Session, apart bool) server.Next {
	next, deadline := server.Rests, time.Time{}
	if apart {
		next = server.Waits
	}
	switch s.lingers = apart && s.state.wait == 0 && s.c.Idle(); {
	case s.lingers:
		deadline = time.Now().Add(lingerTime)
	case s.state.wait > 0: // the client has set wait_timeout; else it is some hours, of the servers' own
		deadline = time.Now().Add(s.state.wait)
	default:
		return next
	}
	if s.c.NetConn().SetReadDeadline(deadline) != nil {
		return server.Ends
	}
	return next
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

// Close implements server.Service. It gives up everything that the session holds: connections may be another's at once.
func (s *Session) Close() {
	s.c.Task.Leave() // a transaction's end may have to ask whether a shard still works
	defer s.h.gate.leave(&s.shared)
	takeUp(&s.shared, &s.kept)
	s.handles.clear()
	if s.work != nil {
		s.held.drop()
	}
	s.kept.drop()
}

// reset brings the session to the state after a login (COM_RESET_CONNECTION, COM_CHANGE_USER).
func (s *Session) reset() {
	s.kept.drop()
	s.handles.clear()
	s.answers = answers{}
	s.state.reset()
}
