package query

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// visitor looks at every expression below a node, and hands subqueries to the analysis.
type visitor struct {
	a     *analysis
	block int
	scope *scope
}

func (a *analysis) expr(n ast.ExprNode, b int, sc *scope) {
	if n != nil {
		a.nodes(n, b, sc)
	}
}

func (a *analysis) nodes(n ast.Node, b int, sc *scope) {
	if a.why == "" {
		n.Accept(&visitor{a, b, sc})
	}
}

func (v *visitor) Leave(n ast.Node) (ast.Node, bool) { return n, v.a.why == "" }

func (v *visitor) Enter(n ast.Node) (ast.Node, bool) {
	a := v.a
	switch n := n.(type) {
	case *ast.SubqueryExpr:
		v.subquery(n)
		return n, true
	case *ast.FuncCallExpr:
		v.function(n)
	case *ast.WindowFuncExpr:
		a.st.Window = true
	case *ast.VariableExpr:
		v.variable(n)
	case *ast.TableNameExpr:
		a.fail("table name within an expression")
		return n, true
	case *ast.SelectStmt, *ast.SetOprStmt:
		a.fail("query where none is expected")
		return n, true
	}
	return n, a.why != ""
}

func (v *visitor) subquery(n *ast.SubqueryExpr) {
	a, b, sc := v.a, v.block, v.scope
	i := a.exprAt(n)
	if a.kind(i) != tokOpen {
		a.fail("subquery is not where it should be")
		return
	}
	a.st.Subquery = true
	item := a.item
	a.item = -1
	a.query(n.Query, i+1, int(a.pair[i]), b, sc)
	a.item = item
}

func (v *visitor) variable(n *ast.VariableExpr) {
	a := v.a
	if !n.IsSystem {
		if n.Value != nil {
			a.st.UserVarAssign = true
		}
		return
	}
	if name := strings.ToLower(n.Name); !slices.Contains(a.st.SysVars, name) {
		a.st.SysVars = append(a.st.SysVars, name)
	}
}

// function looks at a call. Functions of stored programs have a name that no built-in has.
func (v *visitor) function(n *ast.FuncCallExpr) {
	a := v.a
	name := n.FnName.L
	a.st.Clock = a.st.Clock || isClock(name) && n.Schema.O == ""
	switch {
	case n.Schema.O != "":
		a.routine(name)
	case isSessionFunction(name):
		v.call(n, name)
	case name == "is_used_lock":
		a.st.NamedLock = true
		v.call(n, name)
	case isLockFunction(name):
		a.st.NamedLock = true
	case name == "sleep" || name == "benchmark":
		a.st.Sleep = true
	case isNondeterministic(name):
		a.st.Nondeterministic = true
		if !isBuiltin(name, a.mode) {
			a.routine(name)
		}
	case name == "nextval" || name == "lastval" || name == "setval":
		a.fail("sequence functions are not analysed")
	case !isBuiltin(name, a.mode):
		a.routine(name)
	}
}

func (a *analysis) routine(name string) {
	if !slices.Contains(a.st.Routines, name) {
		a.st.Routines = append(a.st.Routines, name)
	}
}

// call notes a function that Sluice answers itself, with its place in the text.
func (v *visitor) call(n *ast.FuncCallExpr, name string) {
	a := v.a
	i := a.exprAt(n)
	if i < 0 || !a.isName(i) || !equalFold(string(a.raw(i)), name) {
		a.fail("call of %s is not where it should be", name)
		return
	}
	c := FuncCall{Name: name, Item: -1, Args: len(n.Args) > 0}
	end := i + 1
	if a.kind(end) == tokOpen {
		end = a.next(end)
	}
	c.Span = a.span(i, end)
	if a.item >= 0 && c.Span == a.itemSpan {
		c.Item = a.item
	}
	a.st.Calls = append(a.st.Calls, c)
}

func isSessionFunction(name string) bool {
	switch name {
	case "last_insert_id", "connection_id", "found_rows", "row_count", "user", "current_user",
		"session_user", "system_user":
		return true
	}
	return false
}

func isLockFunction(name string) bool {
	switch name {
	case "get_lock", "release_lock", "release_all_locks", "is_free_lock", "is_used_lock":
		return true
	}
	return false
}

// isClock lists the functions of the time at which the statement began: all of them give
// one time within it. SYSDATE() is none.
func isClock(name string) bool {
	switch name {
	case "now", "current_timestamp", "localtime", "localtimestamp", "curdate", "current_date", "curtime", "current_time",
		"utc_date", "utc_time", "utc_timestamp", "unix_timestamp":
		return true
	}
	return false
}

// isNondeterministic: two servers, or two moments, give different values. NOW() and its like
// are among them: each server has its own clock.
func isNondeterministic(name string) bool {
	switch name {
	case "rand", "uuid", "uuid_short", "sys_guid", "random_bytes", "sysdate", "load_file":
		return true
	}
	return isClock(name)
}

// hasAggregate says whether an expression aggregates over its own block.
func hasAggregate(n ast.ExprNode) bool {
	f := &aggregateFinder{}
	n.Accept(f)
	return f.found
}

type aggregateFinder struct{ found bool }

func (f *aggregateFinder) Enter(n ast.Node) (ast.Node, bool) {
	switch n.(type) {
	case *ast.AggregateFuncExpr:
		f.found = true
	case *ast.SubqueryExpr:
		return n, true
	}
	return n, f.found
}

func (f *aggregateFinder) Leave(n ast.Node) (ast.Node, bool) { return n, true }
