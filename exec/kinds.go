package exec

import (
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
