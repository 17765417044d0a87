package session

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/server"
	"sluice/txn"
	"sluice/wire"
)

// Session is one client connection on the data port. Its goroutine owns it; other
// goroutines only call Busy, Kill and Info.
type Session struct {
	h *Handler
	c *server.Client

	vars        *settings
	schema      string
	mode        query.Mode
	literals    string // character set in which string literals reach the server's columns unconverted, or ""
	zeroIsValue bool   // sql_mode NO_AUTO_VALUE_ON_ZERO
	prefix      []byte // of plan-cache keys: user, schema, mode
	class       backend.Class

	tx      txn.Tx
	next    nextTx // for the next transaction only
	applied nextTx // to the running statement, which may open one
	given   nextTx // to the open transaction
	pins    []pin
	held    []lease // leased for the running statement

	answers  answers              // what LAST_INSERT_ID(), ROW_COUNT(), SHOW WARNINGS … say
	stmts    map[uint32]*prepared // COM_STMT_PREPARE
	lastID   uint32               // of stmts
	stmtSize int                  // of stmts' texts
	longSize int                  // of stmts' long data
	named    map[string]*prepared // PREPARE name FROM …

	ready bool // defaults are loaded and applied
	gone  bool // the connection must end after this answer

	// of the running statement:
	guarded   bool   // a savepoint of the session's own stands before it
	mayWrite  bool   // it may change data although its plan is a read's
	apart     bool   // the statement is planned to be gathered outside of the transaction
	preset    bool   // leased connections are told the session's LAST_INSERT_ID() first
	localFile bool   // leased connections may ask for a file
	failed    bool   // the client was answered an error
	diagnosed bool   // answers has the server's words about it
	rows      uint64 // sent to the client

	scan   query.Scan
	bound  router.Bound
	args   router.Args
	params params
	req    exec.Request
	key    []byte // scratch: plan-cache key

	shared shared
}

func newSession(h *Handler, c *server.Client) *Session {
	s := &Session{h: h, c: c, vars: noSettings, schema: c.Schema}
	s.tx.Decisions = h.decisions
	s.class = backend.Class{FoundRows: c.Capabilities&wire.ClientFoundRows != 0}
	s.shared.info = server.SessionInfo{
		ID: c.ID, User: c.User, Remote: c.Remote.String(), Schema: c.Schema, Command: "Sleep", Since: time.Now(),
		Attributes: c.Attributes,
	}
	return s
}

// serve reads commands until the connection ends.
func (s *Session) serve(ctx context.Context) {
	defer s.close()
	for {
		s.c.ResetSequence()
		s.c.Release()
		packet, err := s.c.ReadPacket()
		if err != nil {
			s.readFailed(err)
			return
		}
		err = s.command(ctx, packet)
		if err == nil {
			err = s.c.Flush()
		}
		s.end()
		if err != nil || s.gone {
			return
		}
	}
}

// What is taken of a packet that is too large, before it is answered.
const (
	skipMost = 1 << 30
	skipTime = 30 * time.Second
)

// readFailed tells the client about a packet that could not be read.
func (s *Session) readFailed(err error) {
	var answer *wire.Error
	switch {
	case errors.Is(err, wire.ErrTooLarge):
		// Clients look for an answer only after they have sent all.
		if s.c.SetDeadline(time.Now().Add(skipTime)) != nil || s.c.SkipPacket(skipMost) != nil {
			return
		}
		answer = &wire.Error{Code: 1153, SQLState: "08S01", Message: "Got a packet bigger than 'max_allowed_packet' bytes"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		answer = &wire.Error{Code: 1159, SQLState: "08S01", Message: "Got timeout reading communication packets"}
	case errors.Is(err, wire.ErrSequence):
		answer = &wire.Error{Code: 1156, SQLState: "08S01", Message: "Got packets out of order"}
	default:
		return
	}
	if s.c.WriteError(answer) == nil {
		_ = s.c.Flush() // the connection ends either way
	}
}

// close gives up everything that the session holds.
func (s *Session) close() {
	for _, p := range s.stmts {
		s.dropLong(p)
	}
	for i := range s.held {
		s.lose(&s.held[i])
	}
	s.held = nil
	s.rollbackAll()
	s.dropPins()
}

// reset brings the session to the state after a login (COM_RESET_CONNECTION, COM_CHANGE_USER).
func (s *Session) reset() {
	s.rollbackAll()
	s.dropPins()
	for _, p := range s.stmts {
		s.dropLong(p)
	}
	s.stmts, s.named, s.stmtSize = nil, nil, 0
	s.answers = answers{}
	s.next, s.applied = nextTx{}, nextTx{}
	s.ready = false
	s.vars = noSettings
	s.class.FoundRows = s.c.Capabilities&wire.ClientFoundRows != 0
}

// prepareState loads what a session starts from, with its first statement.
func (s *Session) prepareState(ctx context.Context) error {
	if s.ready {
		return nil
	}
	if err := s.h.defaults.load(ctx, s.h); err != nil {
		return err
	}
	s.ready = true
	s.setVars(s.h.initial(s.c.Collation))
	return nil
}

// setVars changes the session's variables and all that depends on them.
func (s *Session) setVars(v *settings) {
	s.vars = v
	s.mode = modeOf(v, s.h.defaults.mode)
	s.zeroIsValue = v.hasMode("NO_AUTO_VALUE_ON_ZERO")
	s.literals = v.plain("character_set_client")
	if co := v.plain("collation_connection"); co != s.literals && !strings.HasPrefix(co, s.literals+"_") {
		s.literals = ""
	}
	s.rekey()
}

// setSchema changes the current schema.
func (s *Session) setSchema(name string) {
	s.schema = name
	s.rekey()
	s.shared.infoMu.Lock()
	s.shared.info.Schema = name
	s.shared.infoMu.Unlock()
}

// rekey makes the plan-cache prefix: everything besides the text that a plan depends on.
func (s *Session) rekey() {
	var bits byte
	for i, on := range []bool{s.mode.ANSIQuotes, s.mode.NoBackslashEscapes, s.mode.PipesAsConcat, s.mode.IgnoreSpace,
		s.mode.HighNotPrecedence, s.zeroIsValue} {
		if on {
			bits |= 1 << i
		}
	}
	b := s.prefix[:0]
	b = append(b, s.c.User...)
	b = append(b, 0)
	b = append(b, s.schema...)
	b = append(b, 0)
	b = append(b, s.vars.values["character_set_client"]...)
	b = append(b, 0)
	b = append(b, s.vars.values["collation_connection"]...)
	// What a shard says of a result's columns, their types and lengths, follows from these.
	for _, name := range [...]string{"sql_mode", "group_concat_max_len", "lc_time_names", "div_precision_increment"} {
		b = append(b, 0)
		if v := s.vars.values[name]; name != "sql_mode" || v != "'"+s.h.defaults.sqlMode+"'" {
			b = append(b, v...)
		}
	}
	s.prefix = append(b, 0, bits)
}

// status gives the status flags of an answer that no server gave.
func (s *Session) status() uint16 {
	var st uint16
	if s.autocommit() {
		st |= wire.StatusAutocommit
	}
	if s.tx.Open() && !s.tx.Statement() {
		st |= wire.StatusInTrans
		if s.given.access == "READ ONLY" || s.given.access == "" && s.vars.plain(s.h.defaults.readOnlyVar()) == "1" {
			st |= wire.StatusInTransReadonly
		}
	}
	if s.mode.NoBackslashEscapes {
		st |= wire.StatusNoBackslashEscapes
	}
	return st
}

func (s *Session) autocommit() bool {
	v := s.vars.values["autocommit"]
	return v == "" || v == "1"
}

// fail answers an error: as a packet of its own, in MySQL's words.
func (s *Session) fail(err error) error {
	s.failed = true
	e := s.clientError(err)
	if e == nil {
		return err // the client's side broke: nothing can be said to it
	}
	if s.diagnosed {
		s.answers.rowCount = -1 // the server's own words are there already
	} else {
		s.answers.failed(e)
	}
	return s.c.WriteError(e)
}

// clientError turns any error into what the client sees; nil when it is the client's side
// that failed.
func (s *Session) clientError(err error) *wire.Error {
	var we *wire.Error
	var refusal *router.Refusal
	var down *backend.Unavailable
	var relay *wire.RelayError
	switch {
	case errors.As(err, &refusal):
		return &wire.Error{Code: refusal.Code, SQLState: refusal.SQLState, Message: refusal.Message}
	case errors.As(err, &we):
		return we
	case errors.As(err, &down) && down.Full:
		return refuse(1040, "08004", "%v", down)
	case errors.As(err, &down):
		return refuse(1105, "HY000", "%v", down)
	case errors.As(err, &relay) && relay.Client:
		return nil
	case errors.As(err, &relay):
		s.gone = s.gone || s.tx.Open()
		return refuse(2013, "HY000", "lost connection to a shard during query: %v", relay.Err)
	case errors.Is(err, context.Canceled):
		return &wire.Error{Code: 1053, SQLState: "08S01", Message: "Server shutdown in progress"}
	case errors.Is(err, context.DeadlineExceeded):
		return &wire.Error{Code: 3024, SQLState: "HY000", Message: "Query execution was interrupted, maximum statement execution time exceeded"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(2013, "HY000", "lost connection to a shard")
	}
	return refuse(1105, "HY000", "%v", err)
}
