package shard

import "strings"

// Column is what a shard's server says of a table's column. Types are those of the
// protocol (wire.Type…); a Catalog is filled from result-set metadata.
type Column struct {
	Name      string
	Type      byte   // protocol type, wire.Type…
	Collation uint16 // collation id; 63 is binary
	Length    uint32 // display length in bytes
	Flags     uint16 // wire.Flag…
	Decimals  byte
	Generated bool // computed from other columns: no value can be given to it
	Computed  bool // where a row gives no value, its server computes one: DEFAULT NOW(), DEFAULT (an expression)
	OnUpdate  bool // ON UPDATE CURRENT_TIMESTAMP
	// Native is MariaDB's own type of a column that the protocol calls a string: "inet4", "inet6", "uuid".
	Native string
}

// TableInfo lists the columns of a table in their order.
type TableInfo struct {
	Columns []Column // the visible ones
	Hidden  []Column // the invisible ones, which SELECT * leaves out
	// Tied: columns depend on each other (CHECK constraints, generated columns), so that a
	// copy of some of them may be no table of this kind.
	Tied bool
	// Period are the columns of a MariaDB table WITH SYSTEM VERSIONING that say when a row was there.
	Period []string
}

// Programs are the stored programs of a schema, and the names that they may mean.
type Programs struct {
	Routines map[string]Routine // by name, in lower case
	Tables   map[string]Name    // tables and views of the default shard, by name in lower case
	Hidden   bool               // there may be others, which the proxies' account does not see
}

// Name is a table's or view's.
type Name struct {
	Name string
	View bool
}

// Routine is a stored function or procedure.
type Routine struct {
	Body       string
	Mode       string   // the sql_mode that it was made with
	Parameters []string // their names
	Unseen     bool     // the proxies' account may not read it
	Definer    bool     // it runs as an account that is not the proxies' own
}

// Trigger is one of a table.
type Trigger struct {
	Routine
	Name   string
	Event  string // INSERT, UPDATE or DELETE
	Before bool
	Uneven bool // of a table of several shards: not all of them have this one
}

// View is one that the default shard of its schema has.
type View struct {
	Text    string // its SELECT, in which servers qualify all names; "" where the proxies' account may not see it
	Definer bool   // it runs as its DEFINER, who is not the proxies' account
}

// Catalog is a snapshot of what has been looked at. It is immutable.
type Catalog struct {
	Version  int64
	Tables   map[[2]string]*TableInfo // {schema, table}
	Programs map[string]*Programs     // by schema
	// Views are those of a schema's default shard, by schema and name in lower case; no map for a schema that
	// has not been looked at, none at all where nobody looks.
	Views map[string]map[string]View
	// Triggers are those of the tables of a schema, by schema and table in lower case; no map for a schema
	// that has not been looked at, none at all where nobody looks.
	Triggers map[string]map[string][]Trigger
	Unasked  map[string][]string // by schema: shards that were down, whose triggers are not among them
	Hidden   map[string][]string // by schema: shards that do not show the proxies' account all triggers
}

// Program gives what is known of a schema's stored programs, or nil if they have not been looked at.
func (c *Catalog) Program(schema string) *Programs {
	if c == nil {
		return nil
	}
	return c.Programs[schema]
}

// Table gives what is known of a table, or nil if it has not been looked at.
func (c *Catalog) Table(schema, table string) *TableInfo {
	if c == nil {
		return nil
	}
	return c.Tables[[2]string{schema, table}]
}

// Index gives the position of a column (names compare without case, as in MySQL), or -1.
func (t *TableInfo) Index(name string) int {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return i
		}
	}
	return -1
}
