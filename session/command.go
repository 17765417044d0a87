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
	s.reply.diagnosed = false
	if len(packet) == 0 {
		return s.reply.unknownCommand()
	}
	cmd, arg := packet[0], packet[1:]
	switch cmd {
	case wire.ComQuery:
		s.shared.begin("Query", arg, now)
		return s.queries(ctx, arg, now)
	case wire.ComStmtExecute:
		s.shared.begin("Execute", nil, now)
		return s.execute(ctx, arg, now)
	case wire.ComStmtPrepare:
		s.shared.begin("Prepare", arg, now)
		return s.preparer.command(ctx, arg)
	case wire.ComStmtFetch:
		s.shared.begin("Fetch", nil, now)
		return s.cursors.fetch(arg)
	case wire.ComStmtSendLongData:
		s.shared.begin("Long Data", nil, now)
		s.handles.longData(arg)
	case wire.ComStmtClose:
		s.shared.begin("Close stmt", nil, now)
		s.cursors.closeStmt(arg)
	case wire.ComStmtReset:
		s.shared.begin("Reset stmt", nil, now)
		return s.cursors.reset(arg)
	case wire.ComQuit:
		s.kept.gone = true
	case wire.ComPing:
		return s.c.WriteOK(wire.OK{Status: s.kept.tx.status()})
	default:
		s.shared.begin("Other", nil, now)
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
		if err = s.state.use(string(arg)); err == nil {
			s.reply.tracker.schema(nil)
			err = s.reply.ok(&st, wire.OK{})
		}
	case wire.ComFieldList:
		if bytes.IndexByte(arg, 0) < 0 {
			return s.reply.unknownCommand() // the table's name has no end
		}
		err = s.fieldList(ctx, arg)
	case wire.ComStatistics:
		return s.c.WritePacket(s.peers.statistics())
	case wire.ComProcessInfo:
		cols, rows := s.peers.processList(true)
		err = s.reply.result(&st, cols, rows)
	case wire.ComProcessKill:
		if len(arg) != 4 {
			return s.reply.unknownCommand()
		}
		if err = s.peers.kill(uint64(binary.LittleEndian.Uint32(arg)), true); err == nil {
			err = s.reply.ok(&st, wire.OK{})
		}
	case wire.ComSetOption:
		return s.setOption(arg)
	case wire.ComResetConnection:
		s.reset()
		return s.c.WriteOK(wire.OK{Status: s.kept.tx.status()})
	case wire.ComChangeUser:
		return s.changeUser(arg)
	default:
		return s.reply.unknownCommand()
	}
	if err != nil {
		return s.reply.fail(err)
	}
	return nil
}

// setOption switches multi-statements on or off.
func (s *Session) setOption(arg []byte) error {
	if len(arg) != 2 {
		return s.reply.unknownCommand()
	}
	switch binary.LittleEndian.Uint16(arg) {
	case wire.OptionMultiStatementsOn:
		s.c.Capabilities |= wire.ClientMultiStatements
	case wire.OptionMultiStatementsOff:
		s.c.Capabilities &^= wire.ClientMultiStatements
	default:
		return s.reply.unknownCommand()
	}
	return s.c.WriteEOF(s.kept.tx.status(), 0)
}

// changeUser carries out COM_CHANGE_USER: a new login on the same connection.
func (s *Session) changeUser(arg []byte) error {
	if s.h.server == nil {
		return s.reply.unknownCommand()
	}
	if err := s.h.server.ChangeUser(s.c, append([]byte(nil), arg...)); err != nil {
		return err
	}
	s.reset()
	s.state.setSchema(s.c.Schema)
	s.shared.noteLogin()
	return s.c.WriteOK(wire.OK{Status: s.kept.tx.status()})
}

// fieldList carries out COM_FIELD_LIST on a shard that has the schema's tables.
func (s *Session) fieldList(ctx context.Context, arg []byte) error {
	if err := s.state.load(ctx); err != nil {
		return err
	}
	if s.state.schema == "" {
		return &wire.Error{Code: 1046, SQLState: "3D000", Message: "No database selected"}
	}
	arg = append([]byte(nil), arg...)
	return s.kept.onShard(ctx, s.state.defaultShard(), false, func(c *backend.Conn) error {
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
