package binlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/backend"
	"sluice/wire"
)

// Stream reads the binary log of one server over one connection.
type Stream struct {
	conn   *backend.Conn
	lookup func(schema, name string) *Table
	tables map[uint64]*tableMap

	checksum bool // events end with a CRC32
	idSize   int  // bytes of a table's number
	pos      Position
	start    Position // where the transaction that is being read began
	open     bool     // a transaction is being read
	gtid     string
	single   bool // MariaDB: the transaction is the one event that follows
}

const (
	heartbeat = time.Second
	silence   = 30 * time.Second // without even a heartbeat: the server or the way to it is dead
	maxEvent  = 1 << 30
)

// Open begins to read at a position that Current or a Transaction gave. It owns the
// connection from now on, also when it fails. lookup says which tables' rows are asked for;
// it is asked often and must be quick; nil is a table that does not matter. server is the id
// by which the server knows its replicas apart; no other reader may use it.
func Open(ctx context.Context, c *backend.Conn, server uint32, from Position, lookup func(schema, name string) *Table) (*Stream, error) {
	s := &Stream{conn: c, lookup: lookup, tables: make(map[uint64]*tableMap), idSize: 6, pos: from, start: from}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	err := s.dump(server)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stream) dump(server uint32) error {
	if err := s.conn.SetDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	_, rows, err := s.conn.Query("SELECT @@GLOBAL.binlog_checksum")
	if err != nil {
		return err
	}
	s.checksum = len(rows) == 1 && len(rows[0]) == 1 && string(rows[0][0]) != "NONE"
	period := fmt.Sprint(heartbeat.Nanoseconds())
	for _, sql := range []string{
		"SET @master_binlog_checksum = @@GLOBAL.binlog_checksum, @source_binlog_checksum = @@GLOBAL.binlog_checksum",
		"SET @master_heartbeat_period = " + period + ", @source_heartbeat_period = " + period,
		"SET @mariadb_slave_capability = 4",
	} {
		if _, err := s.conn.Exec(sql); err != nil {
			return err
		}
	}
	if s.pos.Offset > 1<<32-1 {
		return faultf("the position %v cannot be asked for", s.pos)
	}
	arg := binary.LittleEndian.AppendUint32(nil, uint32(s.pos.Offset))
	arg = binary.LittleEndian.AppendUint16(arg, 0)
	arg = binary.LittleEndian.AppendUint32(arg, server)
	if err := s.conn.Command(wire.ComBinlogDump, append(arg, s.pos.File...)); err != nil {
		return err
	}
	s.conn.SetMaxPacket(maxEvent)
	return s.conn.Flush()
}

// Read reads until ctx ends or something fails, and closes the stream; it never returns nil. Errors: *Fault, that
// of the handler, ctx's, or that of a connection that was lost: then reading may go on from
// the last Transaction's Next with a new stream.
func (s *Stream) Read(ctx context.Context, h Handler) error {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer s.conn.Close()
	defer stop()
	err := s.read(h)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (s *Stream) read(h Handler) error {
	var until time.Time
	for {
		if now := time.Now(); until.Sub(now) < silence-heartbeat {
			until = now.Add(silence)
			if err := s.conn.SetDeadline(until); err != nil {
				return err
			}
		}
		b, err := s.conn.ReadPacket()
		switch {
		case err != nil:
			return fmt.Errorf("reading the binary log: %w", err)
		case wire.IsError(b):
			return refusal(b)
		case wire.IsEOF(b) || len(b) == 0:
			return fmt.Errorf("the server ended the binary log: %w", io.ErrUnexpectedEOF)
		}
		if err := s.event(b[1:], h); err != nil {
			if errors.Is(err, errShort) {
				err = faultf("after %v: %v", s.pos, err)
			}
			return err
		}
	}
}

// The server's ER_MASTER_FATAL_ERROR_READING_BINLOG: the position is gone, or was never.
const errFatalReading = 1236

func refusal(b []byte) error {
	e, err := wire.ParseError(b)
	if err != nil {
		return err
	}
	if e.Code == errFatalReading {
		return faultf("the server cannot give its binary log from there: %s", e.Message)
	}
	return e
}

// Current gives the position at the end of a server's log, and the GTID position with it.
// What is committed and visible after it was taken may stand before it in the log, and, by a
// moment, the other way round: see the package mover.
func Current(c *backend.Conn) (Position, error) {
	var last error
	for _, sql := range []string{"SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"} { // MySQL 8.4 knows only the second
		_, rows, err := c.Query(sql)
		if err != nil {
			last = err
			continue
		}
		if len(rows) != 1 || len(rows[0]) < 2 {
			return Position{}, faultf("the server %s writes no binary log; start it with log_bin", c.Shard())
		}
		p := Position{File: string(rows[0][0])}
		_, err = fmt.Sscan(string(rows[0][1]), &p.Offset)
		return p, err
	}
	return Position{}, last
}
