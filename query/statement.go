package query

// Kind is the class of a statement.
type Kind uint8

const (
	Other Kind = iota // unknown to the parser or without meaning for routing
	Select
	Insert
	Replace
	Update
	Delete
	Set      // SET variables
	SetNames // SET NAMES, SET CHARACTER SET
	SetTx    // SET [SESSION] TRANSACTION
	Show
	Use
	Begin
	Commit
	Rollback
	Savepoint // SAVEPOINT, ROLLBACK TO, RELEASE
	CreateTable
	AlterTable
	DropTable
	TruncateTable
	RenameTable
	CreateIndex
	DropIndex
	OtherDDL // views, triggers, routines, events, users, databases
	Explain  // EXPLAIN statement, DESCRIBE table
	ExplainRoute
	Call
	LoadData
	PrepareText // PREPARE name FROM …, EXECUTE, DEALLOCATE
	Kill
	LockTables // and UNLOCK TABLES, FLUSH TABLES WITH READ LOCK
	XA
	Do
	Values // VALUES ROW(…), TABLE t
	Handler
	SetStatement // SET STATEMENT variables FOR statement
)

// InsertInfo is the shape of INSERT/REPLACE … VALUES or … SET.
type InsertInfo struct {
	Columns         []string  // nil when the statement has no column list
	ColumnsSpan     Span      // "( … )" of the column list; empty when none
	ColumnsAt       int32     // where a column list could be inserted
	SetForm         bool      // INSERT … SET a = 1
	Rows            [][]Value // one row when Collapsed (its holes repeat), else all
	ValueSpans      [][]Span  // text of each value, like Rows
	Collapsed       bool
	FromSelect      bool
	OnDuplicate     bool
	OnDuplicateCols []string      // columns that ON DUPLICATE KEY UPDATE assigns
	OnDuplicateSets []OnDuplicate // and what each gets
	// OnDuplicateRefs are the columns that its expressions name outside of VALUES(…);
	// OnDuplicateQuery says that one of them has a subquery.
	OnDuplicateRefs  []ColumnRef
	OnDuplicateQuery bool
	Ignore           bool
	Returning        bool
	RowsSpan         Span  // from the first "(" to the last ")"
	TailAt           int32 // behind the rows, SELECT or assignments: MySQL's alias of the row, ON DUPLICATE KEY UPDATE
}

// OnDuplicate is what ON DUPLICATE KEY UPDATE makes of a column.
type OnDuplicate struct {
	Keeps Keeps
	Value Value // that it is assigned
}

// Keeps says which value of its own a column is assigned.
type Keeps uint8

const (
	KeepsNothing Keeps = iota
	KeepsOwn           // k = k: the one that the row has
	KeepsNew           // k = VALUES(k), k = new.k: the one that was to be inserted
	KeepsAsked         // k = LAST_INSERT_ID(k): the row's own, as a BIGINT UNSIGNED
)

// LoadInfo is the shape of LOAD DATA. Its texts are values of literals: TextBound is set.
type LoadInfo struct {
	Charset           string // CHARACTER SET, lower case; "" when not written
	FieldEnd, LineEnd string
	LineStart         string
	Enclosed, Escaped string
	IgnoreLines       uint64
	IgnoreSpan        Span        // IGNORE n LINES; empty when not written
	Fields            []LoadField // nil when there is no list
	FieldsSpan        Span        // "( … )" of the list; empty when none
	FieldsAt          int32       // where a list could be inserted
	Sets              []string    // columns that SET assigns
	Assigns           bool        // := in SET
	Reads             []string    // user variables that SET reads, lower case
}

// LoadField is a column of LOAD DATA's list, or a user variable.
type LoadField struct {
	Name string // of a variable in lower case, without @
	Var  bool
}

// Assignment is one SET element, of SET or UPDATE. SET NAMES x COLLATE y, alone or in a
// list, is the elements "names" and "collate"; SET CHARACTER SET x is "character set".
type Assignment struct {
	Scope   string // "session", "global", "persist", "persist_only", "user" (@x), "" for UPDATE
	Name    string // lower case for variables; column name for UPDATE
	Col     ColumnRef
	Value   Value
	Text    Span   // of the value's expression
	Plain   string // the value when it is a literal or a bare word: utf8mb4, ON, 1, STRICT_TRANS_TABLES
	IsPlain bool
	Default bool
}

// Filter is a condition of WHERE that rows of the result fulfil, and that compares columns
// with values and nothing else: a < 5, b LIKE 'x%', c IS NULL OR c BETWEEN ? AND ?. What
// Predicates say is left out.
type Filter struct {
	Block int
	Span  Span // its text
	Cols  []ColumnRef
}

// CTE is a common table expression of a WITH clause.
type CTE struct {
	Name   string
	Named  Span // its name
	Span   Span // the whole definition, from the name to the ")" of its query
	Nested bool // of a WITH that is not the statement's own
}

// CTERef is a mention of a common table expression where a table could stand, also of a
// recursive one within itself.
type CTERef struct {
	CTE   int // index into Statement.CTEs
	Span  Span
	Alias string // "" when none
}

// Call is a mention of a function whose answer Sluice must give itself.
type FuncCall struct {
	// Name in lower case: last_insert_id, connection_id, found_rows, row_count, user, current_user, session_user, system_user;
	// also @@warning_count and @@error_count, where nothing else in the statement can be counted by them
	Name string
	Span Span // with its parentheses
	Args bool // has an argument
	Item int  // select item of block 0 that is exactly this call and has no alias; -1 otherwise
}

// Statement is what a parse found. It aliases nothing of the parser; positions are in the
// text that was analysed, so a Statement is used with that text, or by holes with another
// text of the same fingerprint.
type Statement struct {
	Kind   Kind
	Opaque bool // not understood: only relayed where no understanding is needed
	// Reason says why it is opaque.
	Reason string
	// Verb is the leading keywords in lower case: "select", "create table", "analyze table".
	Verb string
	// TextBound: fields hold values of literals (Plain, ShowLike, KillID, PrepareFrom …), so
	// this Statement holds for this very text only, not for others of the fingerprint.
	TextBound bool

	// Tables of an opaque statement are every name that could be a table (a.b.c gives
	// table b of a as well as the tables a and b).
	Tables []TableRef
	// Mentions of an opaque SELECT are its tables by their places in FROM; empty where that is
	// in doubt. MentionItems are the items of its outermost select list that have no alias.
	Mentions     []TableRef
	MentionItems []Span
	MentionKeys  []MentionKey
	MentionLock  Span     // the locking clause that ends it
	MentionCalls []string // what it calls that only stored functions can be, lower case
	MentionPast  bool     // FOR SYSTEM_TIME stands behind one of the tables
	AnyTable     bool     // of an opaque statement: it may name tables that are not in Tables
	Blocks       []Block  // Blocks[0] is the top
	Predicates   []Predicate
	Equalities   []Equality
	Filters      []Filter
	Matches      []Filter // MATCH … AGAINST of a value, in the place of a Filter
	Insert       *InsertInfo
	Sets         []Assignment // UPDATE and SET
	Calls        []FuncCall
	CTEs         []CTE
	CTERefs      []CTERef

	Union, CTE, Window, Subquery bool // anywhere
	TableForm                    bool // TABLE t, which MariaDB does not have
	MultiTable                   bool // multi-table UPDATE or DELETE
	Returning                    bool // INSERT, REPLACE or DELETE … RETURNING: it answers with rows
	Into                         bool // SELECT … INTO
	CalcFoundRows                bool
	Clock                        bool     // NOW(), CURRENT_DATE …: functions of the time at which the statement began
	Nondeterministic             bool     // RAND(), UUID(), NOW() … in a value that reference tables would store differently
	UserVarAssign                bool     // assigns @x outside SET
	SysVars                      []string // @@names, lower case, without scope
	Routines                     []string // called functions that are not built in, lower case: they may read tables or change the session
	NamedLock                    bool     // GET_LOCK, RELEASE_LOCK, IS_FREE_LOCK …
	Sleep                        bool
	Temporary                    bool   // CREATE/DROP TEMPORARY TABLE
	IfExists                     bool   // IF EXISTS / IF NOT EXISTS
	OrReplace                    bool   // CREATE OR REPLACE TABLE
	ShowWhat                     string // "databases", "tables", "warnings", "errors", "processlist", "variables", "status", "create table", "columns", "index", "count warnings", … lower case
	ShowLike                     string
	ShowHasLike                  bool
	ShowFull                     bool
	ShowScope                    string // "global", "session" or ""
	ShowWhere                    bool
	Schema                       string // USE x, SHOW … FROM x, CREATE/DROP DATABASE x, DROP TRIGGER x.y
	Savepoint                    string
	SavepointOp                  string // "savepoint", "rollback", "release"
	TxReadOnly                   bool
	TxReadWrite                  bool // READ WRITE was written
	TxSnapshot                   bool
	TxText                       string // characteristics of START TRANSACTION as written
	Chain, NoRelease, Release    bool   // COMMIT/ROLLBACK AND CHAIN / RELEASE
	KillID                       uint64
	KillQuery                    bool // KILL QUERY n
	Inner                        Span // EXPLAIN [ROUTE] inner, SET STATEMENT … FOR inner: the text of the statement within
	InnerKind                    Kind // EXPLAIN inner: its kind; the other fields are those of the inner statement
	InnerRuns                    bool // EXPLAIN ANALYZE, ANALYZE …: the inner statement is executed
	PrepareName                  string
	PrepareOp                    string // "prepare", "execute", "execute immediate", "deallocate"
	PrepareFrom                  Value  // literal text or
	PrepareSQL                   string // value of the literal, in the client's character set; it sets TextBound
	PrepareFromVar               string // @var: its name, lower case
	PrepareUsing                 []string
	ColumnDefs                   []ColumnDef // CREATE TABLE
	TableCharset, TableCollate   string      // CREATE TABLE: of the table, "" when not written
	CreateLike                   *TableRef
	CreateSelect                 bool
	CreateRows                   CreateRows
	LocalFile                    bool       // LOAD DATA LOCAL
	Load                         *LoadInfo  // LOAD DATA whose clauses are understood; else nil
	Isolation                    string     // SET TRANSACTION ISOLATION LEVEL
	TxScope                      string     // SET TRANSACTION: "", "session", "global"
	ForeignKeys                  []TableRef // tables referenced by foreign keys in DDL
}

// CreateRows is the query of CREATE TABLE … SELECT.
type CreateRows struct {
	At              int // where it begins, after AS
	Ignore, Replace bool
}

// ColumnDef is a column of CREATE TABLE, as far as routing needs it.
type ColumnDef struct {
	Name              string
	Type              string // lower case type word: bigint, varchar …
	Unsigned          bool
	Binary            bool // BINARY attribute or charset binary
	Charset           string
	Collate           string
	AutoIncrement     bool
	InPrimaryOrUnique bool
}
