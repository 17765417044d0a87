package session

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"sluice/query"
	"sluice/wire"
)

// shownLocally tells which SHOW statements are about the session or its user, not about a
// shard's server.
func shownLocally(stmt *query.Statement) bool {
	switch stmt.ShowWhat {
	case "databases", "schemas", "warnings", "errors", "count warnings", "count errors", "processlist", "grants":
		return true
	}
	return asksGTIDs(stmt) || asksCipher(stmt)
}

// clearsWarnings tells whether a statement forgets the warnings of the one before it also
// when it has none itself. MySQL's all do but those that show warnings; MariaDB's only when they
// open a table (mysql_execute_command, opt_clear_warning_info).
func clearsWarnings(stmt *query.Statement, mariaDB bool) bool {
	switch stmt.Kind {
	case query.Show:
		return !showsConditions(stmt) && (!mariaDB || stmt.ShowWhat != "processlist" && stmt.ShowWhat != "grants")
	case query.Set, query.SetNames, query.SetTx, query.Use, query.Begin, query.Commit, query.Rollback, query.Savepoint,
		query.Kill, query.PrepareText, query.Do, query.Select, query.Values, query.Explain, query.LockTables:
		// A statement in which the counts are put comes again without them.
		return (!mariaDB || len(stmt.Tables) > 0) && !countsConditions(stmt) && !(asksConditions(stmt) && substitutes(stmt))
	}
	return true
}

// showsConditions tells which statements show the warnings, and therefore keep them.
func showsConditions(stmt *query.Statement) bool {
	switch stmt.ShowWhat {
	case "warnings", "errors", "count warnings", "count errors":
		return true
	}
	return false
}

// shows are the SHOW statements that are about the session or its user.
type shows struct {
	*core
	peers *peers
}

// rows gives the rows of a SHOW statement, or of SELECT @@warning_count.
func (s *shows) rows(st *statement, stmt *query.Statement) ([]wire.Column, [][][]byte, error) {
	if stmt.Kind == query.Select && slices.Contains(stmt.SysVars, gtidMode) {
		if s.state.mode.MariaDB {
			return nil, nil, &wire.Error{Code: 1193, SQLState: "HY000", Message: "Unknown system variable 'gtid_mode'"}
		}
		return []wire.Column{textColumn(stmt.Blocks[0].Items[0].Label, 64)}, [][][]byte{{[]byte("OFF")}}, nil
	}
	if asksFoundRows(stmt) {
		return s.foundRows(stmt)
	}
	if stmt.Kind == query.Select {
		return s.conditionCounts(stmt)
	}
	switch stmt.ShowWhat {
	case "databases", "schemas":
		return s.databases(stmt)
	case "warnings":
		return s.conditions(st, "")
	case "errors":
		return s.conditions(st, "Error")
	case "count warnings":
		return countRow("@@session.warning_count", s.answers.count)
	case "count errors":
		return countRow("@@session.error_count", s.answers.errors())
	case "processlist":
		if stmt.ShowHasLike || stmt.ShowWhere {
			break
		}
		cols, rows := s.peers.processList(stmt.ShowFull)
		return cols, rows, nil
	case "status":
		return s.cipher(stmt.ShowLike)
	case "variables":
		return showGTIDMode(s.state.mode.MariaDB)
	case "grants":
		cols, rows, err := s.grants(st, stmt)
		return cols, rows, err
	}
	return nil, nil, notBuilt("this form of SHOW %s", stmt.ShowWhat)
}

// asksGTIDs finds the statement by which mysqldump asks whether to set the GTIDs of the
// server that its output is loaded into. Those of one shard's are not the cluster's.
func asksGTIDs(stmt *query.Statement) bool {
	return stmt.ShowWhat == "variables" && stmt.ShowHasLike && stmt.ShowLike == gtidMode
}

const gtidMode = "gtid_mode"

// asksCipher finds the statement by which clients ask whether their connection is encrypted.
func asksCipher(stmt *query.Statement) bool {
	return stmt.ShowWhat == "status" && stmt.ShowHasLike && stmt.ShowScope != "global" && !strings.Contains(stmt.ShowLike, "%") &&
		(like("Ssl_cipher", stmt.ShowLike) || like("Ssl_version", stmt.ShowLike))
}

// openSSLName words a cipher suite as the servers do.
var openSSLName = strings.NewReplacer("TLS_RSA_WITH_", "", "TLS_", "", "_WITH_", "-", "AES_128_CBC", "AES128", "AES_256_CBC", "AES256",
	"AES_128", "AES128", "AES_256", "AES256", "_POLY1305_SHA256", "-POLY1305", "_", "-")

// cipher answers it of the client's connection with Sluice.
func (s *shows) cipher(pattern string) ([]wire.Column, [][][]byte, error) {
	var version, suite string
	if c, ok := s.c.NetConn().(*tls.Conn); ok {
		state := c.ConnectionState()
		version, suite = strings.ReplaceAll(tls.VersionName(state.Version), "TLS 1", "TLSv1"), tls.CipherSuiteName(state.CipherSuite)
		if state.Version < tls.VersionTLS13 { // whose names OpenSSL has, too
			suite = openSSLName.Replace(suite)
		}
	}
	row := [][]byte{[]byte("Ssl_cipher"), []byte(suite)}
	if like("Ssl_version", pattern) {
		row = [][]byte{[]byte("Ssl_version"), []byte(version)}
	}
	return []wire.Column{textColumn("Variable_name", 64), textColumn("Value", 1024)}, [][][]byte{row}, nil
}

func showGTIDMode(mariaDB bool) ([]wire.Column, [][][]byte, error) {
	cols := []wire.Column{textColumn("Variable_name", 64), textColumn("Value", 1024)}
	if mariaDB { // which has no such variable
		return cols, nil, nil
	}
	return cols, [][][]byte{{[]byte("gtid_mode"), []byte("OFF")}}, nil
}

func countRow(name string, n int) ([]wire.Column, [][][]byte, error) {
	col := numberColumn(name)
	col.Flags = wire.FlagUnsigned | wire.FlagBinary
	return []wire.Column{col}, [][][]byte{{strconv.AppendInt(nil, int64(n), 10)}}, nil
}

// databases lists what the user may use.
func (s *shows) databases(stmt *query.Statement) ([]wire.Column, [][][]byte, error) {
	if stmt.ShowWhere {
		return nil, nil, notBuilt("SHOW DATABASES WHERE; use LIKE")
	}
	name := "Database"
	if stmt.ShowHasLike {
		name += " (" + stmt.ShowLike + ")"
	}
	names := []string{"information_schema"}
	if !s.state.mode.MariaDB {
		names = append(names, "performance_schema") // MySQL lets all see that it is there
	}
	m := s.h.topo.Map()
	if u := m.User(s.c.User); u != nil {
		for i := range m.Spec.Schemas {
			if schema := m.Spec.Schemas[i].Name; u.May(schema) {
				names = append(names, schema)
			}
		}
	}
	sort.Strings(names)
	var rows [][][]byte
	for _, n := range names {
		if !stmt.ShowHasLike || like(n, stmt.ShowLike) {
			rows = append(rows, [][]byte{[]byte(n)})
		}
	}
	col := textColumn(name, 64)
	col.Table, col.Decimals, col.Flags = "SCHEMATA", 0, wire.FlagNotNull|flagNoDefault
	if s.state.mode.MariaDB {
		col.Schema, col.OrgTable, col.OrgName = "information_schema", "SCHEMATA", "SCHEMA_NAME"
	} else {
		col.OrgTable, col.OrgName, col.Flags = "schemata", name, col.Flags|wire.FlagBinary
	}
	return []wire.Column{col}, rows, nil
}

// flagNoDefault says that a column of a table has no default value.
const flagNoDefault = 0x1000

// conditions lists what the last statement raised.
func (s *shows) conditions(st *statement, level string) ([]wire.Column, [][][]byte, error) {
	cols := []wire.Column{textColumn("Level", 7), codeColumn("Code", s.state.mode.MariaDB), textColumn("Message", 512)}
	var rows [][][]byte
	for _, w := range s.answers.warnings {
		if level == "" || w.level == level {
			rows = append(rows, [][]byte{[]byte(w.level), strconv.AppendInt(nil, int64(w.code), 10), []byte(w.message)})
		}
	}
	first, count := limitOf(st, len(rows))
	return cols, rows[first : first+count], nil
}

// limitOf reads LIMIT count, LIMIT first, count or LIMIT count OFFSET first, which hold the
// only literals of these statements.
func limitOf(st *statement, n int) (first, count int) {
	var v [2]int
	lits := st.scan.Literals
	for i := range lits[:min(len(lits), 2)] {
		v[i] = int(min(parseUint(lits[i].Of(st.sql)), uint64(n)))
	}
	switch {
	case len(lits) == 0:
		return 0, n
	case len(lits) == 1:
		return 0, v[0]
	case commaBetween(st, lits[0].End, lits[1].Start):
		first, count = v[0], v[1]
	default:
		first, count = v[1], v[0]
	}
	return first, min(count, n-first)
}

func commaBetween(st *statement, from, to int32) bool {
	for _, c := range (query.Span{Start: from, End: to}).Of(st.sql) {
		if c == ',' {
			return true
		}
	}
	return false
}

// grants words the user's rights as one server would. Those of others are not told.
func (s *shows) grants(st *statement, stmt *query.Statement) ([]wire.Column, [][][]byte, error) {
	m := s.h.topo.Map()
	u := m.User(s.c.User)
	if u == nil || forAnother(st.scan.Fingerprint) {
		return nil, nil, &wire.Error{Code: 1044, SQLState: "42000", Message: fmt.Sprintf("Access denied for user '%s'@'%%' to database 'mysql'", s.c.User)}
	}
	account := string(query.QuoteName(nil, u.Name)) + "@`%`"
	rows := [][][]byte{{[]byte("GRANT USAGE ON *.* TO " + account)}}
	for i := range m.Spec.Schemas {
		if schema := m.Spec.Schemas[i].Name; u.May(schema) {
			rows = append(rows, [][]byte{[]byte("GRANT ALL PRIVILEGES ON " + string(query.QuoteName(nil, schema)) + ".* TO " + account)})
		}
	}
	return []wire.Column{textColumn("Grants for "+u.Name+"@%", 1024)}, rows, nil
}

// forAnother tells whether SHOW GRANTS names an account other than the current one.
func forAnother(fingerprint []byte) bool {
	_, account, named := strings.Cut(strings.ToLower(string(fingerprint)), " for ")
	return named && account != "current_user" && account != "current_user()"
}

// countsConditions tells whether a statement is SELECT @@warning_count or @@error_count and
// nothing else.
func countsConditions(stmt *query.Statement) bool {
	return asksConditions(stmt) && asksOne(stmt, "", "session", "local")
}

// asksOne tells whether a statement is a SELECT of one variable, of one of the scopes, and
// nothing else.
func asksOne(stmt *query.Statement, scopes ...string) bool {
	if stmt.Kind != query.Select || stmt.Opaque || len(stmt.SysVars) != 1 || len(stmt.Blocks) != 1 || len(stmt.Tables) > 0 || stmt.Into {
		return false
	}
	b := &stmt.Blocks[0]
	if len(b.Items) != 1 || b.Items[0].Alias != "" || !b.Where.Empty() || b.Limit.Has || len(b.OrderBy)+len(b.GroupBy) > 0 || b.Having {
		return false
	}
	name, ok := strings.CutPrefix(strings.ToLower(b.Items[0].Label), "@@")
	scope, unscoped, scoped := strings.Cut(name, ".")
	if !scoped {
		scope, unscoped = "", name
	}
	return ok && unscoped == stmt.SysVars[0] && slices.Contains(scopes, scope)
}

// asksConditions tells whether a statement looks at how many conditions the last one raised,
// which the session knows and the connection may not.
func asksConditions(stmt *query.Statement) bool {
	return slices.Contains(stmt.SysVars, "warning_count") || slices.Contains(stmt.SysVars, "error_count")
}

// asksFoundRows tells whether a statement is SELECT FOUND_ROWS() and nothing else.
func asksFoundRows(stmt *query.Statement) bool {
	if stmt.Kind != query.Select || stmt.Opaque || len(stmt.Calls) != 1 || stmt.Calls[0].Name != "found_rows" || len(stmt.Blocks) != 1 ||
		len(stmt.Tables)+len(stmt.SysVars) > 0 || stmt.Into || stmt.Union || stmt.CalcFoundRows {
		return false
	}
	b := &stmt.Blocks[0]
	return len(b.Items) == 1 && b.Items[0].Span == stmt.Calls[0].Span && b.Where.Empty() && !b.Limit.Has && len(b.OrderBy)+len(b.GroupBy) == 0 && !b.Having
}

func (s *shows) foundRows(stmt *query.Statement) ([]wire.Column, [][][]byte, error) {
	if s.answers.unsure {
		return nil, nil, errUnsure()
	}
	col := numberColumn(cmp.Or(stmt.Blocks[0].Items[0].Alias, stmt.Blocks[0].Items[0].Label))
	col.Flags = wire.FlagNotNull | wire.FlagBinary
	return []wire.Column{col}, [][][]byte{{appendUint(nil, s.answers.found)}}, nil
}

// warn notes what MySQL has to say of a statement that is the session's own, and gives how many
// warnings that is.
func (s *shows) warn(stmt *query.Statement) uint16 {
	text := ""
	switch {
	case s.state.mode.MariaDB:
	case asksFoundRows(stmt):
		text = "FOUND_ROWS() is deprecated and will be removed in a future release. Consider using COUNT(*) instead."
	case stmt.ShowWhat == "processlist":
		text = "'INFORMATION_SCHEMA.PROCESSLIST' is deprecated and will be removed in a future release. Please use performance_schema.processlist instead"
	}
	if text == "" {
		return 0
	}
	s.answers.clear()
	s.answers.warn([][][]byte{{[]byte("Warning"), []byte("1287"), []byte(text)}})
	return 1
}

func (s *shows) conditionCounts(stmt *query.Statement) ([]wire.Column, [][][]byte, error) {
	name := stmt.Blocks[0].Items[0].Label
	if !s.state.mode.MariaDB {
		defer s.answers.clear() // MySQL keeps the counts for this statement, and forgets them with it
	}
	if stmt.SysVars[0] == "error_count" {
		return countRow(name, s.answers.errors())
	}
	return countRow(name, s.answers.count)
}

// like is SQL's LIKE without case, for names in ASCII. A "%" takes as little as it can, and
// only the last one is ever taken back: that is enough, and no pattern takes long.
func like(name, pattern string) bool {
	i, j, star, from := 0, 0, -1, 0
	for i < len(name) {
		if j < len(pattern) && pattern[j] == '%' {
			star, from = j, i
			j++
			continue
		}
		if n, ok := likeOne(pattern[j:], name[i]); ok {
			i, j = i+1, j+n
			continue
		}
		if star < 0 {
			return false
		}
		from++
		i, j = from, star+1
	}
	for j < len(pattern) && pattern[j] == '%' {
		j++
	}
	return j == len(pattern)
}

// likeOne matches one letter with the start of a pattern, n bytes of it.
func likeOne(pattern string, c byte) (n int, ok bool) {
	switch {
	case pattern == "":
		return 0, false
	case pattern[0] == '_':
		return 1, true
	case pattern[0] == '\\' && len(pattern) > 1:
		return 2, sameLetter(pattern[1], c)
	}
	return 1, sameLetter(pattern[0], c)
}

func sameLetter(a, b byte) bool {
	lower := func(c byte) byte {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}
	return lower(a) == lower(b)
}
