package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"sluice/backend"
	"sluice/wire"
)

// command carries out one command packet. Its error ends the connection without a word;
// what the client is to hear has been written.
func (s *Session) command(ctx context.Context, packet []byte) error {
	now := time.Now()
	if len(packet) == 0 {
		return s.unknownCommand()
	}
	cmd, arg := packet[0], packet[1:]
	switch cmd {
	case wire.ComQuery:
		s.begin("Query", arg, now)
		return s.queries(ctx, arg, now)
	case wire.ComStmtExecute:
		s.begin("Execute", nil, now)
		return s.stmtExecute(ctx, arg, now)
	case wire.ComStmtPrepare:
		s.begin("Prepare", arg, now)
		return s.stmtPrepare(ctx, arg)
	case wire.ComStmtFetch:
		s.begin("Fetch", nil, now)
		return s.stmtFetch(arg)
	case wire.ComStmtSendLongData:
		s.begin("Long Data", nil, now)
		s.stmtLongData(arg)
	case wire.ComStmtClose:
		s.begin("Close stmt", nil, now)
		s.stmtClose(arg)
	case wire.ComStmtReset:
		s.begin("Reset stmt", nil, now)
		return s.stmtReset(arg)
	case wire.ComQuit:
		s.gone = true
	case wire.ComPing:
		return s.c.WriteOK(wire.OK{Status: s.status()})
	default:
		s.begin("Other", nil, now)
		return s.rareCommand(ctx, cmd, arg, now)
	}
	return nil
}

// rareCommand carries out what is not part of running statements.
func (s *Session) rareCommand(ctx context.Context, cmd byte, arg []byte, now time.Time) error {
	st := statement{started: now}
	var err error
	switch cmd {
	case wire.ComInitDB:
		err = s.use(&st, string(arg))
	case wire.ComFieldList:
		if bytes.IndexByte(arg, 0) < 0 {
			return s.unknownCommand() // the table's name has no end
		}
		err = s.fieldList(ctx, arg)
	case wire.ComStatistics:
		return s.c.WritePacket(s.statistics())
	case wire.ComProcessInfo:
		cols, rows := s.processList(true)
		err = s.result(&st, cols, rows)
	case wire.ComProcessKill:
		if len(arg) != 4 {
			return s.unknownCommand()
		}
		if err = s.kill(uint64(binary.LittleEndian.Uint32(arg)), true); err == nil {
			err = s.ok(&st, wire.OK{})
		}
	case wire.ComSetOption:
		return s.setOption(arg)
	case wire.ComResetConnection:
		s.reset()
		return s.c.WriteOK(wire.OK{Status: s.status()})
	case wire.ComChangeUser:
		return s.changeUser(arg)
	default:
		return s.unknownCommand()
	}
	if err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *Session) unknownCommand() error {
	return s.c.WriteError(&wire.Error{Code: 1047, SQLState: "08S01", Message: "Unknown command"})
}

// setOption switches multi-statements on or off.
func (s *Session) setOption(arg []byte) error {
	if len(arg) != 2 {
		return s.unknownCommand()
	}
	switch binary.LittleEndian.Uint16(arg) {
	case wire.OptionMultiStatementsOn:
		s.c.Capabilities |= wire.ClientMultiStatements
	case wire.OptionMultiStatementsOff:
		s.c.Capabilities &^= wire.ClientMultiStatements
	default:
		return s.unknownCommand()
	}
	return s.c.WriteEOF(s.status(), 0)
}

// changeUser carries out COM_CHANGE_USER: a new login on the same connection.
func (s *Session) changeUser(arg []byte) error {
	if s.h.server == nil {
		return s.unknownCommand()
	}
	if err := s.h.server.ChangeUser(s.c, append([]byte(nil), arg...)); err != nil {
		return err
	}
	s.reset()
	s.setSchema(s.c.Schema)
	s.shared.infoMu.Lock()
	s.shared.info.User, s.shared.info.Attributes = s.c.User, s.c.Attributes
	s.shared.infoMu.Unlock()
	return s.c.WriteOK(wire.OK{Status: s.status()})
}

// fieldList carries out COM_FIELD_LIST on a shard that has the schema's tables.
func (s *Session) fieldList(ctx context.Context, arg []byte) error {
	if err := s.prepareState(ctx); err != nil {
		return err
	}
	if s.schema == "" {
		return &wire.Error{Code: 1046, SQLState: "3D000", Message: "No database selected"}
	}
	arg = append([]byte(nil), arg...)
	return s.onShard(ctx, s.defaultShard(), false, func(c *backend.Conn) error {
		if err := c.Command(wire.ComFieldList, arg); err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
		_, err := wire.Relay(s.c.Conn, c.Conn, wire.RelayOptions{FieldList: true})
		return err
	})
}
