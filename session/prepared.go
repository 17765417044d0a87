package session

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

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

	sqlMode            string
	charset, collation string // character_set_client, and of its literals: collation_connection
	late               bool   // it takes collation_connection when it is executed
	under              bool   // its text is read under collation, and it is executed under the session's
	bound              bool   // it is executed under other words of sql_mode than the session's: state.boundWords
	asWas              bool   // it is executed under the sql_mode and character set that it was prepared with

	cols   []wire.Column
	tables bool // it names some
	// defines: it is DDL, or not understood, and may store the sql_mode that it is executed under.
	defines bool

	types    []byte // of the parameters, from the last execution that sent them
	exec     wire.Execute
	gathered map[int]*wire.Gathered // by COM_STMT_SEND_LONG_DATA
	long     map[int][]byte         // its bytes
	isLong   []bool
	longErr  error
	cursor   *cursor
}

// preparer prepares statements, for the protocol's commands and for PREPARE.
type preparer struct {
	*core
	held    *held
	reply   *reply
	planner *planner
	values  *values
	shows   *shows
	args    *router.Args
}

// prepare scans sql, checks that it can be run, and lets a shard describe it.
func (pr *preparer) prepare(ctx context.Context, sql []byte) (*prepared, error) {
	if err := pr.state.load(ctx); err != nil {
		return nil, err
	}
	p := &prepared{
		sql: bytes.Clone(sql), mode: pr.state.mode, schema: pr.state.schema, sqlMode: pr.state.vars.plain("sql_mode"),
		charset: pr.state.charset(), collation: pr.state.vars.plain("collation_connection"),
	}
	if err := p.scan.Run(p.sql, pr.state.mode); err != nil {
		return nil, scanError(err)
	}
	if end := int(p.scan.End); end < len(p.sql) {
		if rest := p.sql[end+1:]; !pr.state.blank(rest) {
			return nil, pr.state.syntaxError(rest)
		}
		p.sql = p.sql[:end]
	}
	if len(p.scan.Fingerprint) == 0 {
		return nil, &wire.Error{Code: emptyQuery, SQLState: "42000", Message: "Query was empty"}
	}
	if p.scan.Params > wire.MaxParams {
		return nil, &wire.Error{Code: 1390, SQLState: "HY000", Message: "Prepared statement contains too many placeholders"}
	}
	p.params, p.late = p.scan.Params, p.mode.MariaDB && collatesLate(p)
	cols, err := pr.describe(ctx, p)
	p.cols = cols
	return p, err
}

// collatesLate tells whether nothing in a text has its collation from MariaDB's parser, as strings
// and casts do. Parameters and functions that write numbers and dates as text get the one that
// collation_connection is when the statement is executed. (Oracle MySQL does all that once.)
func collatesLate(p *prepared) bool {
	for _, lit := range p.scan.Literals {
		if lit.Kind == query.String {
			return false
		}
	}
	text := bytes.ToLower(p.sql)
	for _, word := range []string{"cast", "convert", "json_table"} {
		if bytes.Contains(text, []byte(word)) {
			return false
		}
	}
	return true
}

// command carries out COM_STMT_PREPARE.
func (pr *preparer) command(ctx context.Context, sql []byte) error {
	if err := pr.handles.room(len(sql)); err != nil {
		return pr.reply.fail(err)
	}
	p, err := pr.prepare(ctx, sql)
	if err != nil {
		return pr.reply.fail(err)
	}
	pr.handles.add(p)
	params := make([]wire.Column, p.params)
	for i := range params {
		params[i] = wire.Column{Name: "?", Type: wire.TypeVarString, Collation: wire.CollationBinary, Flags: wire.FlagBinary}
	}
	return wire.WritePrepare(pr.c.Conn, wire.PrepareOK{ID: p.id}, params, p.cols, pr.kept.tx.status())
}

// execute carries out COM_STMT_EXECUTE.
func (s *Session) execute(ctx context.Context, arg []byte, started time.Time) error {
	p, err := s.handles.of(arg, "mysqld_stmt_execute")
	if err != nil {
		return s.reply.fail(err)
	}
	defer s.handles.dropLong(p)
	s.shared.note("Execute", p.sql, started)
	s.cursors.close(p)
	if p.longErr != nil {
		return s.reply.fail(p.longErr)
	}
	if _, err := wire.ParseExecute(arg, p.params, p.types, p.isLong, &p.exec); err != nil {
		return s.reply.fail(&wire.Error{Code: 1210, SQLState: "HY000", Message: "Incorrect arguments to mysqld_stmt_execute"})
	}
	p.types = append(p.types[:0], p.exec.Types...)
	if err := s.preparer.rescan(p); err != nil {
		return s.reply.fail(err)
	}
	under, cursor := "", p.exec.Flags&wire.CursorReadOnly != 0 && len(p.cols) > 0
	if !cursor && readsUnder(p, s.state.vars.plain("collation_connection")) {
		under = p.collation
	}
	p.under = under != ""
	if p.asWas || p.bound || p.schema != s.state.schema || !p.late && p.collation != s.state.vars.plain("collation_connection") {
		defer s.state.asPrepared(p)()
	}
	p.exec.Flags = wire.CursorNone
	st := statement{sql: p.sql, exec: &p.exec, long: p.long, scan: &p.scan, binary: true, under: under, started: started}
	if cursor {
		return s.executeCursor(ctx, &st, p)
	}
	return s.query(ctx, &st)
}

// readsUnder tells whether the text alone is read under the older collation of its preparation: MariaDB's functions have the
// one of their execution. Where that is of another character set, routing has to know the older one too, and all is done under it.
func readsUnder(p *prepared, now string) bool {
	then, _, _ := strings.Cut(p.collation, "_")
	set, _, _ := strings.Cut(now, "_")
	return !p.asWas && !p.late && p.mode.MariaDB && len(p.cols) > 0 && p.collation != now && then == set && selects(p.scan.Fingerprint)
}

// selects tells whether a statement is a SELECT.
func selects(fingerprint []byte) bool {
	return len(fingerprint) > 6 && bytes.EqualFold(fingerprint[:6], []byte("select"))
}

// rescan reads the text again when sql_mode or the character set have changed since. What a
// server has parsed once keeps its meaning; where the text may have got another one, it is run under
// what they were then (state.asPrepared).
func (pr *preparer) rescan(p *prepared) error {
	now := pr.state.vars.plain("sql_mode")
	p.asWas, p.bound = false, p.sqlMode != now && pr.state.boundWords(p, now) != now
	if p.bound && bytes.Contains(bytes.ToLower(p.sql), []byte("@@")) && bytes.Contains(bytes.ToLower(p.sql), []byte("sql_mode")) {
		return notBuilt("the statement was prepared under another sql_mode, which it asks for; prepare it again")
	}
	if p.bound && p.defines {
		return notBuilt("the statement was prepared under another sql_mode, which may be part of what it defines; prepare it again")
	}
	if p.mode == pr.state.mode && p.charset == pr.state.charset() {
		return nil
	}
	var scan query.Scan
	if err := scan.Run(p.sql, pr.state.mode); err == nil && string(scan.Fingerprint) == string(p.scan.Fingerprint) && !pr.meansOther(p) {
		p.scan, p.mode, p.charset = scan, pr.state.mode, pr.state.charset()
		return nil
	}
	p.asWas = true
	dialect := slices.ContainsFunc([]string{"ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB"}, pr.state.vars.hasMode) // MariaDB's, which stand for others, too
	// The client escapes strings as the status flags of an answer say that the session reads them.
	escapes := p.mode.NoBackslashEscapes != pr.state.mode.NoBackslashEscapes && bytes.IndexByte(p.sql, '\\') >= 0
	if dialect || escapes || bytes.Contains(p.sql, []byte("@@")) || p.charset != pr.state.charset() && slices.ContainsFunc(p.exec.Params, beyondASCII) {
		return notBuilt("the statement may mean something else since sql_mode or the character set have changed, and tells of them, or has backslashes or a parameter with letters beyond ASCII; prepare it again")
	}
	return nil
}

// beyondASCII tells whether a parameter's bytes depend on the character set.
func beyondASCII(p wire.Param) bool {
	switch p.Type {
	case wire.TypeVarchar, wire.TypeVarString, wire.TypeString, wire.TypeTinyBlob, wire.TypeMediumBlob, wire.TypeLongBlob, wire.TypeBlob:
		return p.LongData || slices.ContainsFunc(p.Value, func(b byte) bool { return b >= 0x80 })
	}
	return false
}

// meansOther tells whether what has changed of sql_mode and the character set could give a
// text another meaning although its tokens are the same: backslashes in strings, || and NOT,
// bytes outside of ASCII.
func (pr *preparer) meansOther(p *prepared) bool {
	was, is := &p.mode, &pr.state.mode
	var special string
	if was.NoBackslashEscapes != is.NoBackslashEscapes {
		special = "\\"
	}
	if was.PipesAsConcat != is.PipesAsConcat {
		special += "|"
	}
	if was.HighNotPrecedence != is.HighNotPrecedence && (bytes.IndexByte(p.sql, '!') >= 0 || bytes.Contains(bytes.ToLower(p.sql), []byte("not"))) {
		return true
	}
	if p.charset != pr.state.charset() && bytes.ContainsFunc(p.sql, func(r rune) bool { return r >= 0x80 }) {
		return true
	}
	return bytes.ContainsAny(p.sql, special)
}

// inline writes a prepared statement's values into its text.
func inline(st *statement, charset string) ([]byte, error) {
	var edits []query.Edit
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
