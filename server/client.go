package server

import (
	"net/netip"
	"sync/atomic"
	"time"

	"sluice/engine"
	"sluice/wire"
)

// Client is one authenticated connection. ID, Remote and Connected never change; its other
// fields belong to the goroutine that serves it: others ask its Session.
type Client struct {
	*wire.Conn
	ID        uint32
	Remote    netip.AddrPort // the real client, after PROXY protocol
	Connected time.Time
	// What the client said at login or in COM_CHANGE_USER:
	User         string
	Schema       string
	Capabilities uint32 // those that both sides have
	Extended     bool   // MariaDB's extended metadata
	Collation    uint16
	Attributes   map[string]string // the first of them, up to maxAttributeBytes

	scramble scramble     // the last one it was sent
	sock     socket       // the registry's key
	Task     *engine.Task // that runs the service; nil on a goroutine
	leaving  atomic.Bool  // Drain has told it to go
	session  atomic.Pointer[Session]
}

// SetSession is called by the handler before it serves, for registries and KILL.
func (c *Client) SetSession(s Session) { c.session.Store(&s) }

// Session is what the handler has set; nil until then. It may be asked from any goroutine.
func (c *Client) Session() Session {
	if s := c.session.Load(); s != nil {
		return *s
	}
	return nil
}

// Session is what the server and the admin port need of a handler's connection. Its
// methods may be called from any goroutine.
type Session interface {
	// Busy is true while a statement runs or a transaction is open.
	Busy() bool
	// Kill stops the running statement; with whole also the connection.
	Kill(whole bool)
	// Info describes the session for SHOW SESSIONS and SHOW PROCESSLIST.
	Info() SessionInfo
}

// SessionInfo is a row of SHOW SESSIONS.
type SessionInfo struct {
	ID          uint32
	User        string
	Remote      string
	Schema      string
	Command     string // Sleep, Query, Execute …
	Since       time.Time
	State       string
	Statement   string // the text now running, shortened; "" when idle
	Transaction string // "", "open", "read only"
	TxSince     time.Time
	TxName      string // of one over several shards
	Pinned      string // why connections are held: "user variables on s0", …; "" when not
	PinnedSince time.Time
	Shards      []string          // connections held now
	Attributes  map[string]string // what the client said of itself at its login; never changed
	Statements  int64
}
