package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// prepared is a statement that the client has prepared. It is scanned once; it is prepared
// on a shard's connection when it runs there, by the connection's own cache.
type prepared struct {
	id     uint32
	sql    []byte
	scan   query.Scan
	mode   query.Mode
	schema string // current when it was prepared: the statement's for good
	params int

	charset, collation string // character_set_client, and of its literals: collation_connection

	cols   []wire.Column
	tables bool // it names some

	types    []byte // of the parameters, from the last execution that sent them
	exec     wire.Execute
	gathered map[int]*wire.Gathered // by COM_STMT_SEND_LONG_DATA
	long     map[int][]byte         // its bytes
	isLong   []bool
	longErr  error
	cursor   *cursor
}

// maxPrepared is the servers' default of max_prepared_stmt_count, which holds for a whole
// server there and for one session here.
const maxPrepared = 16382

// newPrepared scans sql, checks that it can be run, and lets a shard describe it.
func (s *Session) newPrepared(ctx context.Context, sql []byte) (*prepared, error) {
	if err := s.prepareState(ctx); err != nil {
		return nil, err
	}
	p := &prepared{
		sql: bytes.Clone(sql), mode: s.mode, schema: s.schema,
		charset: s.vars.plain("character_set_client"), collation: s.vars.plain("collation_connection"),
	}
	if err := p.scan.Run(p.sql, s.mode); err != nil {
		return nil, scanError(err)
	}
	if end := int(p.scan.End); end < len(p.sql) {
		if rest := p.sql[end+1:]; !s.blank(rest) {
			return nil, syntaxError(rest)
		}
		p.sql = p.sql[:end]
	}
	if len(p.scan.Fingerprint) == 0 {
		return nil, &wire.Error{Code: emptyQuery, SQLState: "42000", Message: "Query was empty"}
	}
	if p.scan.Params > wire.MaxParams {
		return nil, &wire.Error{Code: 1390, SQLState: "HY000", Message: "Prepared statement contains too many placeholders"}
	}
	p.params = p.scan.Params
	cols, err := s.describeStatement(ctx, p)
	p.cols = cols
	return p, err
}

// describeStatement gives the columns of a statement's result as its server names them.
func (s *Session) describeStatement(ctx context.Context, p *prepared) ([]wire.Column, error) {
	st := statement{sql: p.sql, scan: &p.scan, exec: unknownParams(p.params), binary: true, started: time.Now()}
	e, err := s.plan(ctx, &st)
	if err != nil {
		return nil, err
	}
	p.tables = len(e.stmt.Tables) > 0
	if e.action == local {
		return s.describeLocal(ctx, &st, e.stmt)
	}
	if e.action == substitute {
		inner := st
		if inner.sql, err = s.answerCalls(st.sql, e.stmt); err != nil {
			return nil, err
		}
		inner.scan = new(query.Scan)
		if err := inner.scan.Run(inner.sql, s.mode); err != nil {
			return nil, scanError(err)
		}
		if e, err = s.plan(ctx, &inner); err != nil || e.action != route {
			return nil, err
		}
	}
	if cols, done, err := s.describeGathering(ctx, e, p); done {
		return cols, err
	}
	first := s.shardToDescribe(e)
	if s.mode.MariaDB && e.plan.Write && !e.plan.Locking && s.status()&wire.StatusInTransReadonly != 0 && s.own(first) == nil {
		// MariaDB refuses already to prepare it; the shard has not been told of the transaction yet.
		return nil, &wire.Error{Code: 1792, SQLState: "25006", Message: "Cannot execute statement in a READ ONLY transaction"}
	}
	cols, err := s.describeOn(ctx, first, p)
	for i := range s.args.Map.Spec.Shards {
		var down *backend.Unavailable
		if !errors.As(err, &down) || e.plan.Target == router.ToDefault || e.plan.Target == router.ToNamed {
			break
		}
		if name := s.args.Map.ShardName(i); name != first {
			cols, err = s.describeOn(ctx, name, p)
		}
	}
	return cols, err
}

// describeOn lets one shard describe the statement.
func (s *Session) describeOn(ctx context.Context, shard string, p *prepared) (cols []wire.Column, err error) {
	err = s.onShard(ctx, shard, false, func(c *backend.Conn) error {
		stmt, err := c.Prepare(p.sql)
		if err == nil && stmt.Params != p.params {
			err = notBuilt("the server finds %d parameters where there are %d", stmt.Params, p.params)
		}
		if err == nil {
			cols = stmt.Columns
		}
		return err
	})
	return cols, err
}

// describeLocal gives the columns of a statement that the session answers.
func (s *Session) describeLocal(ctx context.Context, st *statement, stmt *query.Statement) ([]wire.Column, error) {
	switch {
	case stmt.Kind == query.PrepareText, stmt.Kind == query.Use, !s.mode.MariaDB && notPreparedByMySQL(stmt):
		return nil, &wire.Error{Code: 1295, SQLState: "HY000", Message: "This command is not supported in the prepared statement protocol yet"}
	case stmt.Kind == query.Show, stmt.Kind == query.Select:
		cols, _, err := s.localRows(ctx, st, stmt)
		return cols, err
	case stmt.Kind == query.ExplainRoute:
		return []wire.Column{textColumn("shard", 64), textColumn("sql", 65535), textColumn("strategy", 32)}, nil
	}
	return nil, nil
}

// notPreparedByMySQL lists what MySQL does not prepare and MariaDB does.
func notPreparedByMySQL(stmt *query.Statement) bool {
	return stmt.Kind == query.Begin || stmt.Kind == query.Savepoint || stmt.Kind == query.Select || showsConditions(stmt)
}

// shardToDescribe names a shard on which the statement can be prepared before its values
// are known: where there is a choice any will do, because all have the tables.
func (s *Session) shardToDescribe(e *entry) string {
	if e.plan.Target == router.ToDefault || e.plan.Target == router.ToNamed {
		var b router.Bound
		if bound, err := e.plan.Bind(&s.args, &b); err == nil && len(bound.Legs) > 0 {
			return s.args.Map.ShardName(bound.Legs[0].Shard)
		}
	}
	for i := range e.stmt.Tables {
		if schema := e.stmt.Tables[i].Schema; schema != "" {
			return s.shardOf(schema)
		}
	}
	return s.defaultShard()
}

// unknownParams stands for parameters that have no value yet.
func unknownParams(n int) *wire.Execute {
	e := &wire.Execute{Params: make([]wire.Param, n)}
	for i := range e.Params {
		e.Params[i].Type = wire.TypeNull
	}
	return e
}

// stmtPrepare carries out COM_STMT_PREPARE.
func (s *Session) stmtPrepare(ctx context.Context, sql []byte) error {
	if len(s.stmts) >= maxPrepared {
		return s.fail(&wire.Error{Code: 1461, SQLState: "42000",
			Message: fmt.Sprintf("Can't create more than max_prepared_stmt_count statements (current value: %d)", maxPrepared)})
	}
	if limit := s.c.MaxPacket(); s.stmtSize+len(sql) > limit {
		return s.fail(refuse(1461, "42000", "the texts of the prepared statements of this connection are more than max_packet (%d) together; close some", limit))
	}
	p, err := s.newPrepared(ctx, sql)
	if err != nil {
		return s.fail(err)
	}
	for s.lastID++; s.lastID == 0 || s.stmts[s.lastID] != nil; s.lastID++ {
	}
	p.id = s.lastID
	if s.stmts == nil {
		s.stmts = map[uint32]*prepared{}
	}
	s.stmts[p.id] = p
	s.stmtSize += len(p.sql)
	params := make([]wire.Column, p.params)
	for i := range params {
		params[i] = wire.Column{Name: "?", Type: wire.TypeVarString, Collation: wire.CollationBinary, Flags: wire.FlagBinary}
	}
	return wire.WritePrepare(s.c.Conn, wire.PrepareOK{ID: p.id}, params, p.cols, s.status())
}

// stmtOf finds the statement that a command names in its first four bytes.
func (s *Session) stmtOf(arg []byte, command string) (*prepared, error) {
	if len(arg) < 4 {
		return nil, &wire.Error{Code: 1210, SQLState: "HY000", Message: "Incorrect arguments to " + command}
	}
	id := binary.LittleEndian.Uint32(arg)
	if p := s.stmts[id]; p != nil {
		return p, nil
	}
	return nil, &wire.Error{Code: 1243, SQLState: "HY000", Message: fmt.Sprintf("Unknown prepared statement handler (%d) given to %s", id, command)}
}

// stmtExecute carries out COM_STMT_EXECUTE.
func (s *Session) stmtExecute(ctx context.Context, arg []byte, started time.Time) error {
	p, err := s.stmtOf(arg, "mysqld_stmt_execute")
	if err != nil {
		return s.fail(err)
	}
	defer s.dropLong(p)
	s.note("Execute", p.sql, started)
	s.closeCursor(p)
	if p.longErr != nil {
		return s.fail(p.longErr)
	}
	if _, err := wire.ParseExecute(arg, p.params, p.types, p.isLong, &p.exec); err != nil {
		return s.fail(&wire.Error{Code: 1210, SQLState: "HY000", Message: "Incorrect arguments to mysqld_stmt_execute"})
	}
	p.types = append(p.types[:0], p.exec.Types...)
	if err := s.rescan(p); err != nil {
		return s.fail(err)
	}
	if p.schema != s.schema || p.collation != s.vars.plain("collation_connection") {
		defer s.asPrepared(p)()
	}
	flags := p.exec.Flags
	p.exec.Flags = wire.CursorNone
	st := statement{sql: p.sql, exec: &p.exec, long: p.long, scan: &p.scan, binary: true, started: started}
	if flags&wire.CursorReadOnly != 0 && len(p.cols) > 0 {
		return s.executeWithCursor(ctx, &st, p)
	}
	return s.query(ctx, &st)
}

// rescan reads the text again when sql_mode or the character set have changed since. What a
// server has parsed once keeps its meaning; here the text must not have got another one.
func (s *Session) rescan(p *prepared) error {
	if p.mode == s.mode && p.charset == s.vars.plain("character_set_client") {
		return nil
	}
	var scan query.Scan
	if err := scan.Run(p.sql, s.mode); err != nil || string(scan.Fingerprint) != string(p.scan.Fingerprint) || meansOther(p.sql) {
		return notBuilt("the statement may mean something else since sql_mode or the character set have changed; prepare it again")
	}
	p.scan, p.mode, p.charset = scan, s.mode, s.vars.plain("character_set_client")
	return nil
}

// meansOther tells whether sql_mode or the character set could give a text another meaning
// although its tokens are the same: backslashes in strings, || and NOT, bytes outside of ASCII.
func meansOther(sql []byte) bool {
	for _, c := range sql {
		if c == '\\' || c == '|' || c == '!' || c >= 0x80 {
			return true
		}
	}
	return bytes.Contains(bytes.ToLower(sql), []byte("not"))
}

// asPrepared puts the session where the statement was prepared: its schema, and the
// collation of its literals. The result puts it back.
func (s *Session) asPrepared(p *prepared) (back func()) {
	vars, schema := s.vars, s.schema
	if p.collation != vars.plain("collation_connection") {
		s.setVars(vars.with(map[string]string{"collation_connection": "'" + p.collation + "'"}, s.h.intern))
	}
	if p.schema != schema {
		s.setSchema(p.schema)
	}
	during := s.vars
	return func() {
		if p.schema != schema && s.schema == p.schema {
			s.setSchema(schema)
		}
		if during != vars && s.vars == during {
			s.setVars(vars)
		}
	}
}

// stmtLongData carries out COM_STMT_SEND_LONG_DATA, which has no answer: an error waits for
// the execution. All that a session gathers is no more than a packet may have.
func (s *Session) stmtLongData(arg []byte) {
	p, err := s.stmtOf(arg, "mysqld_stmt_send_long_data")
	if err != nil || p.longErr != nil {
		return
	}
	if len(arg) < 6 || int(binary.LittleEndian.Uint16(arg[4:])) >= p.params {
		p.longErr = &wire.Error{Code: 1210, SQLState: "HY000", Message: "Incorrect arguments to mysqld_stmt_send_long_data"}
		return
	}
	i, data, limit := int(binary.LittleEndian.Uint16(arg[4:])), arg[6:], s.c.MaxPacket()
	if p.gathered == nil {
		p.gathered, p.long, p.isLong = map[int]*wire.Gathered{}, map[int][]byte{}, make([]bool, p.params)
	}
	g := p.gathered[i]
	if g == nil {
		g = &wire.Gathered{}
		p.gathered[i] = g
	}
	if s.longSize+len(data) > limit {
		err = wire.ErrTooLarge
	} else {
		err = g.Append(data, limit)
	}
	switch {
	case errors.Is(err, wire.ErrTooLarge):
		s.dropLong(p)
		p.longErr = &wire.Error{Code: 1301, SQLState: "HY000",
			Message: fmt.Sprintf("Result of mysqld_stmt_send_long_data() was larger than max_allowed_packet (%d) - truncated", limit)}
	case err != nil:
		s.dropLong(p)
		p.longErr = refuse(1041, "HY000", "out of memory: %v", err)
	default:
		s.longSize += len(data)
		p.long[i], p.isLong[i] = g.Bytes(), true
	}
}

// dropLong forgets a statement's long data.
func (s *Session) dropLong(p *prepared) {
	for _, g := range p.gathered {
		s.longSize -= len(g.Bytes())
		g.Drop()
	}
	p.gathered, p.long, p.isLong, p.longErr = nil, nil, nil, nil
}

// stmtReset carries out COM_STMT_RESET.
func (s *Session) stmtReset(arg []byte) error {
	p, err := s.stmtOf(arg, "mysqld_stmt_reset")
	if err != nil {
		return s.fail(err)
	}
	s.dropLong(p)
	s.closeCursor(p)
	return s.c.WriteOK(wire.OK{Status: s.status()})
}

// stmtClose carries out COM_STMT_CLOSE, which has no answer.
func (s *Session) stmtClose(arg []byte) {
	if p, err := s.stmtOf(arg, "mysqld_stmt_close"); err == nil {
		s.dropLong(p)
		s.closeCursor(p)
		delete(s.stmts, p.id)
		s.stmtSize -= len(p.sql)
	}
}

// inline writes a prepared statement's values into its text.
func (s *Session) inline(st *statement) ([]byte, error) {
	var edits []query.Edit
	charset := s.vars.plain("character_set_client")
	for _, lit := range st.scan.Literals {
		i := len(edits)
		if lit.Kind != query.Param || i >= len(st.exec.Params) {
			continue
		}
		var text []byte
		var err error
		if p := &st.exec.Params[i]; p.LongData {
			text, err = wire.AppendStringLiteral(nil, st.long[i], charset)
		} else {
			text, err = p.Literal(nil, charset)
		}
		if err != nil {
			return nil, notBuilt("parameter %d cannot be written as text: %v", i+1, err)
		}
		edits = append(edits, query.Edit{Span: lit.Span, Text: string(text)})
	}
	return query.Apply(nil, st.sql, edits)
}
