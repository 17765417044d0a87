// Package router decides where a statement goes and how its answers become one. It is
// pure: the same statement, map and catalog give the same plan; no I/O, clock, lock or
// randomness. A plan prints itself, and that one rendering is EXPLAIN ROUTE, the slow
// log's and the golden tests'.
//
// What it refuses to do: to answer over several shards what is not proven to be the answer
// of one server. Such a statement is a Refusal with a number and a way out.
package router

import (
	"sluice/query"
	"sluice/shard"
)

// Strategy is how the answers of the shards become one.
type Strategy uint8

const (
	Relay        Strategy = iota // one shard: its bytes are the answer
	Concatenate                  // rows of all legs one after the other
	MergeSort                    // legs are ordered; k-way merge, then offset and limit
	Aggregate                    // partial aggregates combined, with or without groups
	SplitInsert                  // rows of one INSERT on several shards; counts added
	Everywhere                   // the same write on every shard (reference tables, DDL); one answer
	Gather                       // rows of several shards come together on one, whose bytes are the answer
	AddCounts                    // an UPDATE or DELETE, each shard of its own rows; counts added
	GatherWrite                  // an UPDATE or DELETE of rows that come together on one shard; what it changed goes back
	SplitLoad                    // rows of a LOAD DATA LOCAL dealt to the shards while they stream; counts added
	InsertSelect                 // the rows of an INSERT are computed on one shard and go to their own; counts added
	CreateSelect                 // one shard makes the definition of a new table; then DDL, and an INSERT of the rows
)

func (s Strategy) String() string {
	return [...]string{"relay", "concatenate", "merge-sort", "aggregate", "split-insert", "everywhere", "gather", "add-counts", "gather-write", "split-load", "insert-select", "create-select"}[s]
}

// Target is the set of shards a plan can reach, before values are known.
type Target uint8

const (
	ToDefault Target = iota // the schema's default shard, or the first shard without a schema
	ToKey                   // the shard(s) of the key value(s)
	ToAll                   // every shard
	ToAny                   // any one shard (only reference tables); a shard that the session already holds is best
	ToNamed                 // the shard named by a hint
)

func (t Target) String() string {
	return [...]string{"default", "key", "all", "any", "named"}[t]
}

// Plan says how statements of one fingerprint are run. It is immutable once resolved and
// safe for concurrent use; it does not depend on the slot map, only on the rules and the
// catalog (a new Map.Version or Catalog.Version invalidates cached plans).
type Plan struct {
	Strategy Strategy // when more than one shard is reached; Bound.Strategy tells what it came to
	Target   Target
	Write    bool // changes data, or takes locks: must run on the primary, joins a transaction as a writer
	Locking  bool // SELECT … FOR UPDATE
	DDL      bool
	Strict   bool // a value that a condition has to convert is an error: an INSERT … SELECT under a strict sql_mode
	Clock    bool // looks at the time, or may store it in a column by itself: its legs must be told the same
	Stmt     *query.Statement
	Copies   bool        // changes the definition of a sharded table, for which each shard may copy its rows
	Leaves   []TableName // RENAME TABLE on several shards: the names that no table has then
	Nameless bool        // adds a key or constraint for which each server makes up a name: cannot be repeated where it was carried out
	Table    string      // schema.table of the sharded table that decides, for messages and digests

	Called  *Called  // what the stored programs that it calls, and the triggers that it fires, do to the session; nil when they do nothing
	Runs    *Called  // that of a CALL, or of a compound statement: Called and what its own text does
	Unasked []string // shards that were down when the triggers of what it writes were looked at
	Program bool     // it makes a stored program, and what that asks of the session is looked at

	// Probe, when not empty, is SQL to PREPARE on any shard of the target; its column
	// definitions go to Resolve before the plan can be bound.
	Probe string

	// Declares is the rule that CREATE TABLE of a table with an auto_shard_key column makes;
	// nil for everything else. Declare stores it.
	Declares      *shard.Table
	declareSchema string
	declared      bool    // it is that of a statement before, and must be there still
	undeclares    []ruled // DROP TABLE: rules of that kind

	home       string // shard of ToDefault and ToNamed; "" is the first one
	pinned     bool   // the home shard is meant: not any other that the session holds
	slot       int    // of a key hint; -1 without one
	charset    string // Input.Charset
	keys       []keyUse
	oneOnly    *Refusal    // why several shards may not be reached; nil when they may
	edits      []edit      // made on every leg
	many       *many       // how the answers of several legs become one; nil for writes
	gather     *gatherPlan // how one shard answers instead; nil when it cannot, or need not
	insert     *insertPlan
	load       *loadPlan
	stage      *stagePlan // the rows of an INSERT are computed first; nil when they are known
	creation   *Creation  // CREATE TABLE in several statements
	sequence   string     // of stage: "schema.table"
	orStage    bool       // ErrStage where the shards of the keys are not certain
	oneOrStage bool       // and where there are several
	staying    *staying   // UPDATE assigns the shard key: perhaps no row moves
	setKeys    []setKey   // UPDATE assigns the shard key: only the value that it has
	drops      []string
	renames    [][2]string
	usesText   bool
	resolver   *merger // what Resolve finishes
	system     *systemHome
	lock       *lockPlan
	defines    []TableName

	momentary bool
	atHome    bool // it calls functions of the current schema's default shard
	unique    bool

	sharded    bool     // a sharded table is named
	own        []edit   // leave out rows that a shard holds without owning them; see own.go
	ownAlone   bool     // also where the statement goes to one shard: a hint chose it
	unfiltered *Refusal // why that is not possible, where a hint chose the shard

	// elsewhere is the text for all shards but home, when it is another there.
	elsewhere []byte
}

// TableName names a table of a schema.
type TableName struct{ Schema, Table string }

// Defines gives the tables that DDL over shards leaves, which must be alike there.
func (p *Plan) Defines() []TableName { return p.defines }

// MayAddUnique tells whether the DDL may add a unique key to them.
func (p *Plan) MayAddUnique() bool { return p.unique }

// keyUse says which rows of the sharded tables matter: those whose key is one of values.
type keyUse struct {
	typ      keyType
	table    string // schema.table
	values   []query.Value
	all      bool // all literals of the hole of values[0]
	nullable bool // of the optional side of an outer join: NULL would mean its absence
	stored   bool // the value is put into the key, not compared with it
}

// setKey is an assignment of the shard key in an UPDATE.
type setKey struct {
	typ   keyType
	value query.Value
	name  string
	why   *Refusal // why a row cannot move; nil when it can
}

// Input is what planning looks at.
type Input struct {
	SQL     []byte
	Scan    *query.Scan
	Mode    query.Mode
	Schema  string // current schema, "" when none
	User    *shard.User
	Map     *shard.Map
	Catalog *shard.Catalog
	Hints   query.Hints
	// Charset is the client's character set when string literals reach columns of that set
	// unchanged (character_set_connection is the same one), else "". Without it only ASCII
	// values of a string key are certain.
	Charset string
	// NoAutoValueOnZero says that sql_mode makes 0 an id like any other.
	NoAutoValueOnZero bool
	// ShortSort says that servers sort by less of a string than they do by default.
	ShortSort bool
	// Strict says that sql_mode makes a value that does not fit an error.
	Strict bool
	// Sizes are the rows of NeedSizes, by its table's name.
	Sizes map[string][]Size
	// Rows are those of NeedRows, by its table's name: values as text in UTF-8, nil for NULL.
	Rows map[string][][][]byte
	// Homes asks for the rows of all shards' information_schema (ErrHomes).
	Homes bool
	// Apart asks for a gathering outside of the session's transaction (Gathering.Apart).
	Apart bool
	// Sift asks for rows that MATCH … AGAINST finds on the shards: the copies have no FULLTEXT keys.
	Sift bool
	// Scratch makes the names of tables unique that copies with FULLTEXT keys are made as: MATCH …
	// AGAINST ranks by all rows. It goes with Apart.
	Scratch string
	// Staged asks for the rows of an INSERT to be computed before they are sent to their
	// shards (ErrStage).
	Staged bool
}

// UsesText tells whether the plan holds only for the very text that it was made from, not
// for others of the same fingerprint.
func (p *Plan) UsesText() bool { return p.usesText }

// Staged tells whether the rows of an INSERT are computed before they go to their shards.
func (p *Plan) Staged() bool { return p.stage != nil }

// DropsSequences gives "schema.table" of every dropped or truncated table that may have a
// sequence.
func (p *Plan) DropsSequences() []string { return p.drops }

// PassesSequences gives the old and the new "schema.table" of every table that RENAME TABLE gives another name, in its order.
func PassesSequences(p *Plan) [][2]string { return p.renames }

// Sequence gives "schema.table" when the plan inserts into a table with a sequence or
// AUTO_INCREMENT column on a sharded table, else "".
func (p *Plan) Sequence() string {
	if p.stage != nil {
		return p.sequence
	}
	if p.insert == nil || p.insert.seqColumn == "" {
		return ""
	}
	return p.insert.table
}
