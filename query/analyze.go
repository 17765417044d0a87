package query

import (
	"fmt"
	"strings"
	"sync"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // the values of the parser's trees
)

// Analyzer analyses statements and keeps parsers for the next ones: a parser is 20 KB and
// not safe for concurrent use, the Analyzer is. The zero value is ready.
type Analyzer struct{ parsers sync.Pool }

// keepParserText: a parser keeps its last statement alive, so after a larger one it is dropped.
const keepParserText = 16 << 10

// Analyze finds out what the statement is that scan has read at the start of sql. It never
// fails: what is not understood is Opaque. scan may be nil, then no Value is a literal.
func Analyze(sql []byte, scan *Scan, mode Mode) *Statement {
	return new(Analyzer).Analyze(sql, scan, mode)
}

// Analyze is the function Analyze with reused parsers.
func (z *Analyzer) Analyze(sql []byte, scan *Scan, mode Mode) *Statement {
	t := &text{tokens: &tokens{sql: sql, mode: mode, end: len(sql)}, scan: scan}
	if scan != nil && scan.End > 0 && int(scan.End) < len(sql) {
		t.end = int(scan.End)
	}
	if scan == nil {
		t.scan = new(Scan)
	}
	reason := t.cut()
	for n := len(t.toks); n > 0 && t.toks[n-1].kind == tokSemi; n-- {
		t.toks, t.pair = t.toks[:n-1], t.pair[:n-1]
	}
	if reason != "" {
		return fallback(t, 0, reason)
	}
	return z.statement(t, 0)
}

// analysis is one Analyze under way, with a tree of the parser.
type analysis struct {
	*text
	z   *Analyzer
	st  *Statement
	lo  int // first token of the statement
	hi  int // and where it ends
	why string

	reserved bool          // Blocks[0] is set aside for the top query
	joins    map[int]*join // the joins of a block
	item     int           // select item of block 0 under way, -1 elsewhere
	newRow   rowAlias      // of an INSERT
	itemSpan Span
}

// fail makes the statement opaque. The first reason stands.
func (a *analysis) fail(format string, args ...any) {
	if a.why == "" {
		a.why = fmt.Sprintf(format, args...)
	}
}

// statement analyses the tokens from lo on.
func (z *Analyzer) statement(t *text, lo int) *Statement {
	if st := z.special(t, lo); st != nil {
		return st
	}
	a := &analysis{text: &text{tokens: t.tokens, scan: t.scan}, z: z, st: &Statement{}, lo: lo, item: -1}
	dialect{a}.cut()
	if a.hi == lo {
		return fallback(t, lo, "empty statement")
	}
	reason := z.parse(a, false)
	if reason != "" && a.hasParserWord() {
		reason = z.parse(a, true)
	}
	if reason == "" {
		reason = a.why
	}
	if reason != "" {
		return fallback(t, lo, reason)
	}
	a.st.Verb = verbOf(t.tokens, lo)
	a.noteConditionCounts()
	return a.st
}

// parse runs the parser over the masked text, and the analysis over its tree.
func (z *Analyzer) parse(a *analysis, words bool) (reason string) {
	if !a.chooseStandIns(words) {
		return "names cannot be analysed in this character set"
	}
	src, ok := a.masked(a.lo, a.hi, repetition(a.text, a.lo))
	if !ok {
		return "statement is too long to be analysed"
	}
	return z.withTree(src, a.mode, a.node)
}

// withTree gives use the tree of src. The parser is kept for the next only when use is done:
// a parser writes into nodes of the tree that it made before.
func (z *Analyzer) withTree(src string, mode Mode, use func(ast.StmtNode)) (reason string) {
	p, _ := z.parsers.Get().(*parser.Parser)
	if p == nil {
		p = parser.New()
	}
	p.SetSQLMode(parserMode(mode))
	node, reason, broken := parseOne(p, src)
	if node != nil {
		use(node)
	}
	if !broken && len(src) <= keepParserText {
		z.parsers.Put(p)
	}
	return reason
}

// parseOne parses one statement. A bug of the parser must not take the proxy down; a broken
// parser is not used again.
func parseOne(p *parser.Parser, src string) (node ast.StmtNode, reason string, broken bool) {
	defer func() {
		if r := recover(); r != nil {
			node, reason, broken = nil, "the parser failed", true
		}
	}()
	stmts, _, err := p.ParseSQL(src)
	switch {
	case err != nil:
		return nil, "not understood: " + shorten(err.Error(), 200), false
	case len(stmts) != 1:
		return nil, "not one statement", false
	}
	return stmts[0], "", false
}

func shorten(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}

func parserMode(mode Mode) mysql.SQLMode {
	var m mysql.SQLMode
	for _, f := range []struct {
		on   bool
		mode mysql.SQLMode
	}{{mode.ANSIQuotes, mysql.ModeANSIQuotes}, {mode.NoBackslashEscapes, mysql.ModeNoBackslashEscapes},
		{mode.PipesAsConcat, mysql.ModePipesAsConcat}, {mode.IgnoreSpace, mysql.ModeIgnoreSpace},
		{mode.HighNotPrecedence, mysql.ModeHighNotPrecedence}} {
		if f.on {
			m |= f.mode
		}
	}
	return m
}

// node fills the Statement from the tree.
func (a *analysis) node(n ast.StmtNode) {
	switch n := n.(type) {
	case *ast.SelectStmt:
		a.st.Kind = Select
		if n.Kind != ast.SelectStmtKindSelect {
			a.st.Kind = Values
		}
		a.query(n, a.lo, a.hi, -1, nil)
	case *ast.SetOprStmt:
		a.st.Kind = Select
		a.query(n, a.lo, a.hi, -1, nil)
	case *ast.InsertStmt:
		a.insert(n)
	case *ast.UpdateStmt:
		dmlReader{a}.update(n)
	case *ast.DeleteStmt:
		dmlReader{a}.delete(n)
	case *ast.DoStmt:
		a.st.Kind = Do
		b := a.block(-1)
		for _, e := range n.Exprs {
			a.expr(e, b, nil)
		}
	default:
		a.fail("statement is not one that is analysed")
	}
}

// verbOf gives the leading keywords in lower case: one, or two where the second belongs to
// the name of the statement.
func verbOf(t *tokens, lo int) string {
	for t.kind(lo) == tokOpen {
		lo++
	}
	if t.kind(lo) != tokWord {
		return ""
	}
	first := lower(t.bytes(lo))
	switch first {
	case "truncate":
		return "truncate table"
	case "create", "alter", "drop", "rename", "analyze", "check", "checksum", "optimize", "repair", "start", "stop",
		"lock", "unlock", "load", "release", "install", "uninstall", "purge", "change", "reset", "backup":
	default:
		return first
	}
	lo++
	for t.isAny(lo, "OR", "REPLACE", "TEMPORARY", "UNIQUE", "FULLTEXT", "SPATIAL", "ONLINE", "OFFLINE", "IGNORE",
		"NO_WRITE_TO_BINLOG", "LOCAL", "DEFINER", "SQL", "SECURITY", "INVOKER", "AGGREGATE", "ALGORITHM",
		"MERGE", "UNDEFINED", "TEMPTABLE", "PUBLIC") || t.isOp(lo, "=") || isDefinerValue(t, lo) {
		lo++
	}
	if t.is(lo, "TABLES") {
		return first + " table"
	}
	if t.kind(lo) == tokWord {
		return first + " " + lower(t.bytes(lo))
	}
	return first
}

// isDefinerValue: a token of the account after DEFINER =.
func isDefinerValue(t *tokens, i int) bool {
	switch t.kind(i) {
	case tokUserVar:
		return true
	case tokString, tokQuoted:
		return t.isOp(i-1, "=")
	case tokWord:
		return t.isOp(i-1, "=") && t.is(i-2, "DEFINER")
	case tokOpen, tokClose:
		return t.is(i-1, "CURRENT_USER") || t.is(i-2, "CURRENT_USER")
	}
	return false
}
