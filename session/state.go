package session

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/server"
	"sluice/shard"
	"sluice/wire"
)

// state is what the client has set, and what follows from it for its statements.
type state struct {
	h      *Handler
	c      *server.Client
	shared *shared

	ready       bool // the servers' defaults are loaded and applied
	vars        *settings
	schema      string
	mode        query.Mode
	literals    string        // character set in which string literals reach the server's columns unconverted, or ""
	wait        time.Duration // how long the client may be silent; 0: it has not set wait_timeout
	zeroIsValue bool          // sql_mode NO_AUTO_VALUE_ON_ZERO
	shortSort   bool          // max_sort_length is below its default
	prefix      []byte        // of plan-cache keys: user, schema, mode
	class       backend.Class
}

// reset brings the state back to that after a login. The schema stays.
func (s *state) reset() {
	s.ready, s.wait = false, 0
	s.vars = noSettings
	s.class.FoundRows = s.c.Capabilities&wire.ClientFoundRows != 0
}

// charset is the one of the client's texts.
func (s *state) charset() string { return s.vars.charset }

// inResults gives columns of the session's own results the character set of results, in which
// their values are already: they are ASCII or a shard's words.
func (s *state) inResults(cols []wire.Column) []wire.Column {
	name := s.vars.plain("character_set_results")
	if name == "utf8" {
		name = "utf8mb3"
	}
	set, ok := s.h.defaults.charsets[name]
	if co := s.vars.plain(resultsCollation); co != "" {
		set.collation = s.h.defaults.byName[co]
	}
	for i := range cols {
		c := &cols[i]
		if c.Type != wire.TypeVarString && c.Type != wire.TypeLongBlob {
			continue
		}
		if ok {
			c.Collation = set.collation
		}
		if ok && c.Type == wire.TypeVarString {
			c.Length = c.Length / 4 * set.bytes
		}
		if s.mode.MariaDB && c.Decimals == wire.NotFixedDecimals {
			c.Decimals = mariaDBNotFixed
		}
	}
	return cols
}

// mariaDBNotFixed is what MariaDB says in place of wire.NotFixedDecimals.
const mariaDBNotFixed = 39

// load finds out what a session starts from, with its first statement.
func (s *state) load(ctx context.Context) error {
	if s.ready {
		return nil
	}
	s.c.Task.Leave()
	if err := s.h.defaults.load(ctx, s.h); err != nil {
		return err
	}
	s.ready = true
	vars := s.h.initial(s.c.Collation)
	if s.c.Capabilities&wire.ClientIgnoreSpace != 0 { // for the server it is a word of sql_mode
		vars = vars.with(map[string]string{"sql_mode": "'IGNORE_SPACE," + s.h.defaults.sqlMode + "'"}, s.h.intern)
	}
	s.setVars(vars)
	return nil
}

// setVars changes the session's variables and all that depends on them.
func (s *state) setVars(v *settings) {
	s.vars = v
	s.mode = modeOf(v, s.h.defaults.mode)
	s.wait = time.Duration(parseUint([]byte(v.plain("wait_timeout")))) * time.Second
	s.zeroIsValue = v.hasMode("NO_AUTO_VALUE_ON_ZERO")
	length := v.plain("max_sort_length")
	s.shortSort = isDigits(length) && parseUint([]byte(length)) < 1024
	s.literals = v.plain("character_set_client")
	if co := v.plain("collation_connection"); co != s.literals && !strings.HasPrefix(co, s.literals+"_") {
		s.literals = ""
	}
	s.rekey()
}

// setSchema changes the current schema.
func (s *state) setSchema(name string) {
	s.schema = name
	if _, set := s.vars.values[schemaCollation]; set {
		s.vars = s.vars.with(map[string]string{schemaCollation: "DEFAULT"}, s.h.intern)
	}
	s.rekey()
	s.shared.noteSchema(name)
}

// rekey makes the plan-cache prefix: everything besides the text that a plan depends on.
func (s *state) rekey() {
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
	b = append(b, s.vars.values[resultsCollation]...)
	// What a shard says of a result's columns, their types and lengths, follows from these.
	for _, name := range [...]string{"sql_mode", "group_concat_max_len", "lc_time_names", "div_precision_increment", "max_sort_length"} {
		b = append(b, 0)
		if v := s.vars.values[name]; name != "sql_mode" || v != "'"+s.h.defaults.sqlMode+"'" {
			b = append(b, v...)
		}
	}
	s.prefix = append(b, 0, bits)
}

func (s *state) autocommit() bool { return !s.vars.manual }

// defaultShard is where statements without tables go.
func (s *state) defaultShard() string {
	m := s.h.topo.Map()
	if sc := m.Schema(s.schema); sc != nil {
		return sc.DefaultShard
	}
	return m.ShardName(0)
}

// use changes the current schema, as USE and COM_INIT_DB do.
func (s *state) use(name string) error {
	err := s.mayUse(name)
	if err == nil {
		s.setSchema(name)
	}
	return err
}

// mayUse answers as a server does: it does not tell whether a schema exists that the user
// has no right to.
func (s *state) mayUse(name string) error {
	m := s.h.topo.Map()
	if strings.EqualFold(name, "information_schema") {
		return nil
	}
	switch u := m.User(s.c.User); {
	case name == "":
		return &wire.Error{Code: 1046, SQLState: "3D000", Message: "No database selected"}
	case u == nil || !u.May(name) || shard.IsSystemSchema(name):
		return &wire.Error{Code: 1044, SQLState: "42000", Message: fmt.Sprintf("Access denied for user '%s'@'%%' to database '%s'", s.c.User, name)}
	case m.Schema(name) == nil:
		return &wire.Error{Code: 1049, SQLState: "42000", Message: fmt.Sprintf("Unknown database '%s'", name)}
	}
	return nil
}

// boundWords gives sql_mode, which is now, with those words as they were when the statement was prepared at which a server looks
// then and not again (as MariaDB 10.11 and MySQL 9.1 do; the other words are those of the execution).
func (s *state) boundWords(p *prepared, now string) string {
	if p.sqlMode == now {
		return now
	}
	bound := []string{"IGNORE_SPACE", "REAL_AS_FLOAT", "ONLY_FULL_GROUP_BY", "NO_UNSIGNED_SUBTRACTION"}
	if s.mode.MariaDB {
		bound = []string{"IGNORE_SPACE", "REAL_AS_FLOAT", "EMPTY_STRING_IS_NULL"}
	}
	is, was := strings.Split(now, ","), strings.Split(p.sqlMode, ",")
	same := true
	for _, word := range bound {
		has := slices.Contains(was, word)
		if has == slices.Contains(is, word) {
			continue
		}
		same = false
		if is = slices.DeleteFunc(is, func(w string) bool { return w == word || w == "" }); has {
			is = append(is, word)
		}
	}
	if same {
		return now
	}
	return strings.Join(is, ",")
}

// asPrepared puts the session where the statement was prepared: its schema, the collation of its
// literals and, where they decide what it means, the words of sql_mode that a parser looks at and
// the character set. The result puts it back.
func (s *state) asPrepared(p *prepared) (back func()) {
	vars, schema := s.vars, s.schema
	then := map[string]string{}
	if !p.late && !p.under && p.collation != vars.plain("collation_connection") {
		then["collation_connection"] = "'" + p.collation + "'"
	}
	words := vars.plain("sql_mode")
	if p.asWas {
		mode := p.mode
		mode.NoBackslashEscapes = s.mode.NoBackslashEscapes // the text has no backslash, or it is the same
		words = mode.Of(words)
		then["character_set_client"] = "'" + p.charset + "'"
	}
	if words = s.boundWords(p, words); words != vars.plain("sql_mode") {
		then["sql_mode"] = "'" + words + "'"
	}
	if len(then) > 0 {
		s.setVars(vars.with(then, s.h.intern))
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

// cut scans the first statement of sql and gives the text behind its semicolon.
func (s *state) cut(st *statement) (rest []byte, err error) {
	if err := st.scan.Run(st.sql, s.mode); err != nil {
		return nil, scanError(err)
	}
	end := int(st.scan.End)
	empty := len(st.scan.Fingerprint) == 0
	if empty && end < len(st.sql) && len(bytes.TrimLeft(st.sql[end:], " \t\n\v\f\r;")) > 0 {
		return nil, s.syntaxError(st.sql)
	}
	if end < len(st.sql) {
		rest = st.sql[end+1:]
		st.sql = st.sql[:end]
	}
	multi := s.c.Capabilities&wire.ClientMultiStatements != 0
	switch {
	case empty:
		return nil, &wire.Error{Code: emptyQuery, SQLState: "42000", Message: "Query was empty"}
	case len(bytes.TrimLeft(rest, " \t\n\v\f\r;")) == 0, !multi && s.blank(rest):
		return nil, nil
	case !multi:
		return nil, s.syntaxError(rest)
	}
	return rest, nil
}

// blank tells whether there is no statement in what follows a semicolon.
func (s *state) blank(rest []byte) bool {
	for _, c := range rest {
		switch c {
		case ' ', '\t', '\n', '\v', '\f', '\r', ';':
			continue
		}
		var scan query.Scan // comments only are blank as well
		return scan.Run(rest, s.mode) == nil && len(scan.Fingerprint) == 0 && int(scan.End) == len(rest)
	}
	return true
}

// emptyQuery is ER_EMPTY_QUERY.
const emptyQuery = 1065
