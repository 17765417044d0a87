package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice/server"
	"sluice/wire"
)

// conn is one DBA's connection.
type conn struct {
	admin  *Admin
	client *server.Client
	ctx    context.Context // its statements'

	mu     sync.Mutex // guards what other goroutines ask for
	busy   bool
	since  time.Time
	cancel context.CancelFunc // of the running statement; nil when idle
	text   string
	count  int64
}

// Step implements server.Service.
func (s *conn) Step() server.Next {
	s.client.ResetSequence()
	s.client.Release()
	packet, err := s.client.ReadPacket()
	if err != nil {
		s.readFailed(err)
		return server.Ends
	}
	if len(packet) == 0 || packet[0] == wire.ComQuit {
		return server.Ends
	}
	if s.command(s.ctx, packet[0], packet[1:]) != nil || s.client.Flush() != nil {
		return server.Ends
	}
	return server.Waits
}

// Close implements server.Service.
func (s *conn) Close() {}

func (s *conn) readFailed(err error) {
	if !errors.Is(err, wire.ErrTooLarge) && !errors.Is(err, wire.ErrSequence) {
		return
	}
	if s.client.WriteError(&wire.Error{Code: 1156, SQLState: "08S01", Message: "Got packets out of order"}) == nil {
		_ = s.client.Flush() // the connection ends either way
	}
}

// command answers one packet. An error ends the connection.
func (s *conn) command(ctx context.Context, cmd byte, arg []byte) error {
	switch cmd {
	case wire.ComQuery:
		return s.query(ctx, string(arg))
	case wire.ComPing, wire.ComResetConnection, wire.ComSetOption:
		return s.client.WriteOK(wire.OK{Status: wire.StatusAutocommit})
	case wire.ComInitDB:
		return s.client.WriteError(refuse(1049, "42000", "the admin port has no databases"))
	case wire.ComStatistics:
		return s.client.WritePacket([]byte("Sluice admin"))
	case wire.ComStmtClose:
		return nil // no answer is expected
	case wire.ComStmtPrepare:
		return s.client.WriteError(refuse(1295, "HY000", "the admin port takes plain text statements only"))
	}
	return s.client.WriteError(&wire.Error{Code: 1047, SQLState: "08S01", Message: "Unknown command"})
}

// query runs one statement and answers it.
func (s *conn) query(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	s.begin(text, cancel)
	defer s.end()
	columns, rows, err := s.admin.run(ctx, s.client, text)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) { // what a closed connection says helps nobody
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	switch {
	case err != nil:
		return s.client.WriteError(asError(err))
	case columns == nil:
		return s.client.WriteOK(wire.OK{Status: wire.StatusAutocommit})
	}
	return s.client.WriteResult(definitions(columns), rows, wire.StatusAutocommit, 0)
}

func (s *conn) begin(text string, cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy, s.text, s.cancel, s.since = true, text, cancel, time.Now()
	s.count++
}

func (s *conn) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy, s.text, s.cancel, s.since = false, "", nil, time.Now()
}

// Busy implements server.Session.
func (s *conn) Busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy
}

// Kill implements server.Session.
func (s *conn) Kill(whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
	if whole {
		s.client.Close()
	}
}

// Info implements server.Session.
func (s *conn) Info() server.SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := server.SessionInfo{
		ID: s.client.ID, User: s.client.User, Remote: s.client.Remote.String(), Command: "Sleep", Since: s.since, Statements: s.count,
	}
	if s.busy {
		info.Command, info.Statement = "Query", s.text
	}
	return info
}

// definitions makes the columns of an answer. A name that begins with "#" is a number.
func definitions(names []string) []wire.Column {
	cols := make([]wire.Column, len(names))
	for i, name := range names {
		cols[i] = wire.Column{
			Catalog: "def", Name: name, Type: wire.TypeVarString, Length: 4 * 1024, Collation: wire.CollationUTF8MB4,
		}
		if number, ok := numeric(name); ok {
			cols[i].Name, cols[i].Type, cols[i].Length = number, wire.TypeLongLong, 20
			cols[i].Collation, cols[i].Flags = wire.CollationBinary, wire.FlagBinary|wire.FlagNum
		}
	}
	return cols
}

func numeric(name string) (string, bool) {
	if len(name) > 1 && name[0] == '#' {
		return name[1:], true
	}
	return name, false
}
