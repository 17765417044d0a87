package session

import (
	"strings"

	"sluice/router"
)

// calling looks at the programs that a statement calls before it runs.
type calling struct{ *running }

// check refuses those that would do what only the client's one connection could follow.
func (r calling) check(p *router.Plan) error {
	for _, c := range [...]*router.Called{p.Called, p.Runs} {
		if c == nil {
			continue
		}
		for _, v := range c.Sets {
			if r.h.vars[v.Name] == privileged {
				return denied("SUPER")
			}
			if value := strings.ToUpper(v.Value); r.h.vars[v.Name] == fixed && !neutral(v.Name, value, value == "DEFAULT") {
				return notBuilt("a stored program that sets %s, which a proxy with several connections cannot follow", v.Name)
			}
		}
	}
	c := p.Runs
	if c == nil || !c.Ends() && !c.Savepoints() || len(r.bound.Legs) != 1 {
		return nil
	}
	at := r.args.Map.ShardName(r.bound.Legs[0].Shard)
	for _, l := range r.kept.tx.Legs() {
		switch {
		case l.Shard == at:
		case c.Ends():
			return endsOne(at)
		default:
			return notBuilt("a program with SAVEPOINT, ROLLBACK TO or RELEASE in a transaction on another shard than %s, where it runs, too; "+
				"call it in a transaction of its own, or send these statements yourself", at)
		}
	}
	return nil
}

// endsOne is the answer to a program that would end one shard's part of a transaction.
func endsOne(at string) error {
	return notBuilt("a program that begins or ends transactions (also by DDL), in a transaction on another shard than %s, where it runs, too; "+
		"COMMIT or ROLLBACK before the call", at)
}
