package session

import (
	"slices"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
)

// pin is a connection that carries state which cannot be carried to another. It stays
// with the session until the client ends, and is closed then, except that one which only
// carried cursors goes back to its pool when the last is closed.
type pin struct {
	conn    *backend.Conn
	shard   string
	reason  string // "" when only cursors hold it
	home    bool   // it carries what statements without tables may look at
	cursors int
	// temporary: it has temporary tables, or procedures that may have made some.
	temporary bool
	tables    []router.TableName // the temporary tables that statements have made, by their names
	locked    bool               // it has tables locked
	since     time.Time
}

func (p *pin) why() string {
	if p.reason == "" {
		return "open cursors"
	}
	return p.reason
}

// Reasons for a pin. The first four make the connection the session's home.
const (
	pinUserVars    = "user variables"
	pinSessionVars = "session variables"
	pinProcedure   = "procedure state"
	pinXA          = "an XA transaction"
	pinTemporary   = "temporary tables"
	pinNamedLock   = "named locks"
	pinTableLock   = "table locks"
	pinHandler     = "open handlers"
)

func isHome(reason string) bool {
	return reason == pinUserVars || reason == pinSessionVars || reason == pinProcedure || reason == pinXA
}

// pins are a session's pinned connections, one a shard at most.
type pins struct {
	shared *shared
	list   []pin
}

// of gives the pinned connection of a shard, or nil.
func (p *pins) of(shard string) *backend.Conn {
	for i := range p.list {
		if p.list[i].shard == shard {
			return p.list[i].conn
		}
	}
	return nil
}

// temporary tells whether the session may have temporary tables.
func (p *pins) temporary() bool {
	for i := range p.list {
		if p.list[i].temporary {
			return true
		}
	}
	return false
}

// any tells whether a connection is pinned.
func (p *pins) any() bool { return len(p.list) > 0 }

func (p *pins) has(c *backend.Conn) bool { return p.index(c) >= 0 }

func (p *pins) index(c *backend.Conn) int {
	return slices.IndexFunc(p.list, func(q pin) bool { return q.conn == c })
}

// home gives the pin that carries the session's variables, or nil.
func (p *pins) home() *pin {
	for i := range p.list {
		if p.list[i].home {
			return &p.list[i]
		}
	}
	return nil
}

// add keeps a connection with the session; reason "" is a cursor.
func (p *pins) add(c *backend.Conn, shard string, reason string) {
	i := p.index(c)
	if i < 0 {
		i = len(p.list)
		p.list = append(p.list, pin{conn: c, shard: shard, since: time.Now()})
	}
	q := &p.list[i]
	if reason == "" {
		q.cursors++
	} else if q.reason == "" {
		q.reason = reason
	}
	q.home = q.home || isHome(reason)
	q.locked = q.locked || reason == pinTableLock
	q.temporary = q.temporary || reason == pinTemporary || reason == pinProcedure
	p.shared.notePins(p.list)
}

// remove takes a connection out of the pins; the caller puts it somewhere.
func (p *pins) remove(c *backend.Conn) {
	if i := p.index(c); i >= 0 {
		p.list = slices.Delete(p.list, i, i+1)
		p.shared.notePins(p.list)
	}
}

// closeCursor counts one cursor less and tells whether the connection is pinned no more.
func (p *pins) closeCursor(c *backend.Conn) (free bool) {
	i := p.index(c)
	if i < 0 {
		return false
	}
	q := &p.list[i]
	if q.cursors--; q.cursors > 0 || q.reason != "" {
		return false
	}
	p.remove(c)
	return true
}

// drop closes all pinned connections: what they carry ends with them.
func (p *pins) drop() {
	for i := range p.list {
		p.list[i].conn.Close()
	}
	p.list = nil
	p.shared.notePins(p.list)
}

// stateReason says what a statement leaves behind on its connection, "" for nothing.
func stateReason(scan *query.Scan, stmt *query.Statement) string {
	switch {
	case stmt.Temporary && stmt.Kind != query.DropTable: // a table, or MariaDB's sequence
		return pinTemporary
	case stmt.NamedLock:
		return pinNamedLock
	case stmt.Kind == query.Handler:
		return pinHandler
	case stmt.UserVarAssign, scan.UserVariable && (stmt.Into || stmt.Kind == query.Set || stmt.Opaque):
		return pinUserVars
	case len(stmt.Routines) > 0: // stored functions, which may do all that procedures do
		return pinProcedure
	case stmt.Kind == query.Call, stmt.Kind == query.Other && !stateless[stmt.Verb]:
		return pinProcedure
	}
	return ""
}

// leaves says what a statement, a trigger that it fires, or a function that a view calls, leaves behind on its connection.
func leaves(st *statement, e *entry) string {
	reason, c := stateReason(st.scan, e.stmt), e.plan.Called
	switch {
	case reason != "" || c == nil:
		return reason
	case c.Settings:
		return pinProcedure
	case len(c.Variables) > 0:
		return pinUserVars
	}
	return ""
}

// stateless are verbs of statements that are not analysed but are known to leave nothing
// behind on their connection.
var stateless = map[string]bool{
	"analyze table": true, "check table": true, "checksum table": true, "optimize table": true, "repair table": true,
	"help": true, "flush": true, "grant": true, "revoke": true,
}

// readsState tells whether a statement looks at, or adds to, what the home connection carries.
func readsState(scan *query.Scan, stmt *query.Statement) bool {
	return scan.UserVariable || stmt.Kind == query.Call || stmt.Kind == query.Other && !stateless[stmt.Verb]
}

// mayLookAtState tells whether a statement that could run anywhere should run where the
// session's state is. SHOW TABLES and the like are about the default shard's tables.
func mayLookAtState(scan *query.Scan, stmt *query.Statement) bool {
	if len(stmt.Tables) > 0 {
		return false
	}
	switch stmt.Kind {
	case query.Select, query.Do, query.Values, query.Set, query.Call:
		return true
	case query.Show:
		return stmt.ShowWhat == "variables" || stmt.ShowWhat == "status"
	}
	return readsState(scan, stmt) || scan.SystemVariable
}
