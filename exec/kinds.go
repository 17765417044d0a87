package exec

import (
	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// kinds appends the kind of each parameter of a leg. A server keeps the type that a
// statement's parameter was executed with, and computes with it, so executions of other
// kinds have statements of their own. NULL has no type and counts as a string, so that a
// row's NULLs do not make a statement for each combination of them.
func (r *Request) kinds(dst []byte, leg *router.Leg) []byte {
	if leg.Params == nil {
		for i := range r.Execute.Params {
			dst = append(dst, kind(&r.Execute.Params[i]))
		}
		return dst
	}
	for _, i := range leg.Params {
		if i >= 0 && i < len(r.Execute.Params) {
			dst = append(dst, kind(&r.Execute.Params[i]))
		}
	}
	return dst
}

// prepare gives a leg's statement for an execution with the request's parameters. MariaDB keeps
// conclusions from the values of a statement's earlier executions: 10.11 finds NULL NOT IN (SELECT …)
// once the subquery has been empty. They were another client's, so that one with subqueries is
// prepared each time.
func (r *Request) prepare(c *backend.Conn, leg *router.Leg) (*backend.Stmt, error) {
	var types [64]byte
	kinds := r.kinds(types[:0], leg)
	stmt := r.Bound.Plan.Stmt
	anew := r.MariaDB && len(kinds) > 0 && (stmt.Subquery || stmt.Opaque)
	if r.ReadUnder != "" {
		return c.PrepareUnder(r.ReadUnder, r.CollationOwn, r.text(leg), kinds, anew)
	}
	if anew {
		return c.PrepareAnew(r.text(leg), kinds)
	}
	return c.PrepareAs(r.text(leg), kinds)
}

func kind(p *wire.Param) byte {
	if p.Value == nil && !p.LongData {
		return 's'
	}
	switch p.Type {
	case wire.TypeTiny, wire.TypeShort, wire.TypeLong, wire.TypeInt24, wire.TypeLongLong, wire.TypeYear:
		if p.Unsigned {
			return 'u'
		}
		return 'i'
	case wire.TypeVarchar, wire.TypeVarString, wire.TypeString:
		return 's'
	}
	return p.Type
}
