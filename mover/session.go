package mover

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"sluice/backend"
	"sluice/internal/fault"
	"sluice/wire"
)

// session is a connection of the mover's own, closed when its context ends.
type session struct {
	*backend.Conn
	server string
	stop   func() bool
	asked  *atomic.Int64 // statements that were sent; nil: they are not counted
	short  bool          // its statements are: lookLimit bounds them
}

// limit is when a statement that begins now has to have been answered.
func (s *session) limit() time.Time {
	if s.short {
		return time.Now().Add(lookLimit)
	}
	return time.Now().Add(statementTime)
}

// count counts a statement.
func (s *session) count() {
	if s.asked != nil {
		s.asked.Add(1)
	}
}

const (
	statementTime = 10 * time.Minute // of one statement: a table may have to be scanned
	lookLimit     = 2 * time.Second  // of one that looks at a server's load
	lockWait      = 5                // seconds
	maxPacket     = 1 << 30          // of a row
)

// dial opens a session with the settings of its server's flavor: nothing of a value may be
// converted, by the character set, the time zone or the sql_mode.
func dial(ctx context.Context, s Server, secret string) (*session, error) {
	c, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	ss := &session{Conn: c, server: s.Name, stop: context.AfterFunc(ctx, func() { c.Close() }), asked: s.asked}
	set := "SET NAMES binary, SESSION time_zone='+00:00', SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', SESSION foreign_key_checks=0, " +
		"SESSION unique_checks=1, SESSION innodb_lock_wait_timeout=" + itoa(lockWait) + ", SESSION lock_wait_timeout=" + itoa(lockWait)
	if flavorOf(c) == mariadb {
		set += ", SESSION check_constraint_checks=0, SESSION max_statement_time=0, SESSION idle_transaction_timeout=0"
	}
	if secret != "" {
		set += ", @_sluice_mover=" + literal(secret)
	}
	for _, sql := range []string{set, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"} {
		if err := ss.run(sql); err != nil {
			ss.close()
			return nil, err
		}
	}
	ss.SetMaxPacket(maxPacket)
	return ss, nil
}

// plain opens a session as a fresh one is: for definitions.
func plain(ctx context.Context, s Server) (*session, error) {
	c, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &session{Conn: c, server: s.Name, stop: context.AfterFunc(ctx, func() { c.Close() }), asked: s.asked}, nil
}

func (s *session) close() {
	if s != nil {
		s.stop()
		s.Close()
	}
}

// run runs a statement and drops what it answers.
func (s *session) run(sql string) error { _, err := s.exec([]byte(sql)); return err }

// exec runs a statement and gives the number of rows that it changed.
func (s *session) exec(sql []byte) (int64, error) {
	if err := s.SetDeadline(s.limit()); err != nil {
		return 0, err
	}
	s.count()
	ok, err := s.ExecBytes(sql)
	if err != nil {
		return 0, s.failed(err, sql)
	}
	return int64(ok.AffectedRows), nil
}

// query gives a short result.
func (s *session) query(sql string) ([][][]byte, error) {
	if err := s.SetDeadline(s.limit()); err != nil {
		return nil, err
	}
	s.count()
	_, rows, err := s.Query(sql)
	if err != nil {
		return nil, s.failed(err, []byte(sql))
	}
	return rows, nil
}

// each hands the rows of a result out as they come: the payload of each, valid until f
// returns. After an error of f the session is of no use.
func (s *session) each(sql []byte, f func(row []byte) error) error {
	if err := s.SetDeadline(s.limit()); err != nil {
		return err
	}
	s.count()
	if err := s.Command(wire.ComQuery, sql); err != nil {
		return s.failed(err, sql)
	}
	if err := s.Flush(); err != nil {
		return s.failed(err, sql)
	}
	h, err := s.ReadResultHeader()
	if err != nil {
		return s.failed(err, sql)
	}
	if h.Columns == nil {
		return fmt.Errorf("%w: no rows", wire.ErrMalformed)
	}
	for {
		row, end, err := s.ReadRow()
		if err != nil {
			return s.failed(err, sql)
		}
		if end != nil {
			return nil
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

// serverError is a server's refusal, with the statement.
type serverError struct {
	server, sql string
	err         *wire.Error
}

func (e *serverError) Error() string {
	return fmt.Sprintf("shard %s: %v (%s)", e.server, e.err, e.sql)
}
func (e *serverError) Unwrap() error { return e.err }

func (s *session) failed(err error, sql []byte) error {
	var we *wire.Error
	if errors.As(err, &we) {
		return &serverError{s.server, clip(string(sql)), we}
	}
	return fmt.Errorf("shard %s: %w", s.server, err)
}

func clip(s string) string {
	if len(s) > 120 {
		return s[:117] + "…"
	}
	return s
}

// code gives a server's error number, 0 for anything else.
func code(err error) uint16 {
	var we *wire.Error
	if errors.As(err, &we) {
		return we.Code
	}
	return 0
}

const (
	errDuplicate   = 1062
	errLockTimeout = 1205
	errDeadlock    = 1213
	errNoDatabase  = 1049
	errNoTableCode = 1146
	errDenied      = 1044
)

// passing are the refusals after which the same may succeed: the server is busy, stops,
// starts, is read only for the moment, or has killed the statement.
var passing = map[uint16]bool{
	1040: true, 1053: true, 1077: true, 1079: true, 1152: true, 1158: true, 1159: true, 1160: true, 1161: true, 1184: true, 1203: true,
	errLockTimeout: true, errDeadlock: true, 1290: true, 1317: true, 1836: true, 1927: true, 1969: true, 3024: true, 3032: true, 3168: true, 3169: true,
	1047: true, 4031: true, 1021: true, 1114: true,
}

// judged makes a *Stopped of an error that trying again does not help.
func judged(err error) error {
	var se *serverError
	var fe *fault.Error
	switch {
	case err == nil, Lasting(err), errors.As(err, &fe):
		return err
	case errors.As(err, &se) && !passing[se.err.Code]:
		return &Stopped{Reason: se.Error(), Do: "put that right, then RESUME"}
	}
	return faulted(err)
}

func itoa(n int) string { return strconv.Itoa(n) }
