package session

import (
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

// pinned gives the pinned connection of a shard, or nil.
func (s *Session) pinned(shard string) *backend.Conn {
	for i := range s.pins {
		if s.pins[i].shard == shard {
			return s.pins[i].conn
		}
	}
	return nil
}

// hasTemporary tells whether the session may have temporary tables.
func (s *Session) hasTemporary() bool {
	for i := range s.pins {
		if s.pins[i].temporary {
			return true
		}
	}
	return false
}

// home gives the pin that carries the session's variables, or nil.
func (s *Session) home() *pin {
	for i := range s.pins {
		if s.pins[i].home {
			return &s.pins[i]
		}
	}
	return nil
}

// homeShard names the shard whose connection has, or would get, the session's variables.
func (s *Session) homeShard() string {
	if p := s.home(); p != nil {
		return p.shard
	}
	return s.defaultShard()
}

// defaultShard is where statements without tables go.
func (s *Session) defaultShard() string {
	m := s.h.topo.Map()
	if sc := m.Schema(s.schema); sc != nil {
		return sc.DefaultShard
	}
	return m.ShardName(0)
}

// pinHeld keeps the connections of the running statement with the session.
func (s *Session) pinHeld(reason string) {
	for i := range s.held {
		if l := &s.held[i]; l.done && l.ok && s.keeps(l) {
			s.pin(l.conn, l.shard, reason)
		}
	}
}

// pin keeps a connection with the session; reason "" is a cursor.
func (s *Session) pin(c *backend.Conn, shard string, reason string) {
	var p *pin
	for i := range s.pins {
		if s.pins[i].conn == c {
			p = &s.pins[i]
		}
	}
	if p == nil {
		s.pins = append(s.pins, pin{conn: c, shard: shard, since: time.Now()})
		p = &s.pins[len(s.pins)-1]
	}
	if reason == "" {
		p.cursors++
	} else if p.reason == "" {
		p.reason = reason
	}
	p.home = p.home || isHome(reason)
	p.temporary = p.temporary || reason == pinTemporary || reason == pinProcedure
	s.notePins()
}

// unpin takes a connection out of the pins; the caller puts it somewhere.
func (s *Session) unpin(c *backend.Conn) {
	for i := range s.pins {
		if s.pins[i].conn == c {
			s.pins = append(s.pins[:i], s.pins[i+1:]...)
			s.notePins()
			return
		}
	}
}

// cursorClosed frees a connection whose last cursor was closed and that carries nothing else.
func (s *Session) cursorClosed(c *backend.Conn) {
	for i := range s.pins {
		p := &s.pins[i]
		if p.conn != c {
			continue
		}
		if p.cursors--; p.cursors > 0 || p.reason != "" {
			return
		}
		shard := p.shard
		s.unpin(c)
		if s.tx.Leg(shard) != c {
			c.Put()
		}
		return
	}
}

// dropPins closes all pinned connections: what they carry ends with them.
func (s *Session) dropPins() {
	for i := range s.pins {
		s.pins[i].conn.Close()
	}
	s.pins = nil
	s.notePins()
}

// keepState pins the statement's connection when it now carries what no other has.
func (s *Session) keepState(st *statement, e *entry) {
	if reason := stateReason(st.scan, e.stmt); reason != "" {
		s.pinHeld(reason)
	}
}

// stateReason says what a statement leaves behind on its connection, "" for nothing.
func stateReason(scan *query.Scan, stmt *query.Statement) string {
	switch {
	case stmt.Temporary && stmt.Kind == query.CreateTable:
		return pinTemporary
	case stmt.NamedLock:
		return pinNamedLock
	case stmt.Kind == query.LockTables:
		return pinTableLock
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

// placePinned sends a statement without tables to the shard whose connection carries the
// session's state, and refuses one that reads such state elsewhere. Named locks are those
// of the first shard, whatever the schema, so that all sessions mean the same ones.
func (s *Session) placePinned(st *statement, e *entry) error {
	if e.stmt.NamedLock {
		return s.placeLock(e)
	}
	home := s.home()
	if home == nil || len(s.bound.Legs) == 0 {
		return nil
	}
	i, ok := s.args.Map.ShardIndex(home.shard)
	if !ok {
		return refuse(1105, "HY000", "shard %s, which carries the session's %s, was removed; connect again", home.shard, home.reason)
	}
	if e.plan.Target == router.ToDefault && len(s.bound.Legs) == 1 && mayLookAtState(st.scan, e.stmt) {
		s.bound.Legs[0].Shard = i
		return nil
	}
	if readsState(st.scan, e.stmt) && (len(s.bound.Legs) > 1 || s.bound.Legs[0].Shard != i) {
		return notBuilt("the session's %s live on shard %s, but this statement goes to another; "+
			"put the value into the statement instead", home.reason, home.shard)
	}
	return nil
}

func (s *Session) placeLock(e *entry) error {
	if len(s.bound.Legs) != 1 {
		return notBuilt("a function of named locks in a statement over several shards; ask for the lock in a statement of its own")
	}
	if len(e.stmt.Tables) == 0 {
		s.bound.Legs[0].Shard = 0
	}
	if s.bound.Legs[0].Shard != 0 {
		return notBuilt("named locks live on shard %s, but this statement goes to shard %s; ask for the lock in a statement of its own",
			s.args.Map.ShardName(0), s.args.Map.ShardName(s.bound.Legs[0].Shard))
	}
	if home := s.home(); home != nil && home.shard != s.args.Map.ShardName(0) && s.args.Scan.UserVariable {
		return notBuilt("named locks live on shard %s and the session's %s on shard %s; put the value into the statement instead",
			s.args.Map.ShardName(0), home.reason, home.shard)
	}
	return nil
}
