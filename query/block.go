package query

// TableRef is one mention of a table.
type TableRef struct {
	Schema string // "" when not qualified
	Name   string
	Alias  string // "" when none
	Block  int    // index into Statement.Blocks
	Span   Span   // of [schema.]name in the text
	// Nullable: on the inner side of an outer join.
	Nullable bool
	// Target: written by the statement (INSERT INTO, UPDATE, DELETE FROM, DDL).
	Target bool
	Lock   Span // of a statement that is not understood: the locking clause of the subquery that it stands in
}

// Value is what a column is compared with or set to.
type Value struct {
	Kind ValueKind
	Hole int // into Scan.Holes, when Kind is ValLiteral; the literal's position within the hole:
	Pos  int
}

// ValueKind classifies a Value.
type ValueKind uint8

const (
	ValLiteral ValueKind = iota // a literal or a '?' of the text
	ValNull
	ValDefault // DEFAULT in an INSERT
	ValOther   // any expression
)

// ColumnRef names a column as written.
type ColumnRef struct{ Schema, Table, Column string }

// Predicate says that rows whose column is not one of Values are not in the result: from
// col = v, v = col, col <=> v, col IN (…), (a,b) = (x,y), nested AND, OR of the same
// column; in WHERE, in ON of an inner join, or in ON of an outer join when the column
// belongs to its inner side. Hole-wise: a collapsed IN list is All of Hole. It is sound only
// for tables of its own block: a column without qualifier that none of them has belongs to
// an outer block, and then the predicate says nothing.
type Predicate struct {
	Block  int
	Col    ColumnRef
	Values []Value
	All    bool // the values are all literals of Hole Values[0].Hole
}

// Equality says a = b of two columns filters rows the same way. Directed: only b's rows
// are filtered (ON of an outer join, a on its outer side; or a of an outer block). B must be
// a column of the block's own tables, else the equality says nothing.
type Equality struct {
	Block    int
	A, B     ColumnRef
	Directed bool
}

// Agg is an aggregate function that stands alone as a select item.
type Agg uint8

const (
	NoAgg Agg = iota
	Count     // COUNT(*) and COUNT(expr)
	Sum
	Avg
	Min
	Max
	OtherAgg // any other aggregate, DISTINCT inside, or an expression over aggregates
)

// Item is one select item.
type Item struct {
	Span  Span   // text of the expression, without alias
	Alias string // "" when none
	Label string // the column name that MySQL would show
	Star  bool   // * or t.*
	Agg   Agg
	Arg   Span       // argument of the aggregate
	Col   *ColumnRef // when the item is a plain column
}

// OrderItem is one ORDER BY or GROUP BY element.
type OrderItem struct {
	Span     Span // of the expression, without ASC/DESC
	Directed bool // ASC or DESC stands there
	Desc     bool
	Position int        // ORDER BY 2; 0 when none
	Col      *ColumnRef // when it is a plain column or alias
	Literal  *Value     // when the element is one integer literal or '?': a plan for ORDER BY 2 holds for that value only
	ByAlias  bool       // Item was found by its alias; in GROUP BY a column of that name comes first
	Item     int        // index of the select item that it names or repeats (alias, position, same text or same column); -1 when none
}

// Limit is LIMIT/OFFSET.
type Limit struct {
	Has           bool
	Span          Span // the whole clause, from the keyword
	Count, Offset Value
	HasOffset     bool
}

// Block is one query block: a SELECT of the statement at any depth, or the statement
// itself for UPDATE, DELETE, INSERT.
type Block struct {
	Parent     int // -1 for the top
	Distinct   bool
	Items      []Item
	Aggregate  bool // an aggregate function in the items, HAVING or ORDER BY
	GroupBy    []OrderItem
	Rollup     bool
	Having     bool
	HavingSpan Span
	OrderBy    []OrderItem
	Limit      Limit
	Where      Span     // expression after WHERE; empty when none
	Locking    bool     // FOR UPDATE, LOCK IN SHARE MODE …
	Lock       Span     // the text of that; empty when it names tables (OF), or INTO stands beside it
	LockText   string   // then: it without them
	LockOf     []string // the tables that it names; nil: all
	LockMore   []Lock   // what follows it
	ItemsEnd   int32    // where a further select item can be inserted (just before FROM …)
	OrderEnd   int32    // where ", expr" continues ORDER BY, or " ORDER BY expr" can be inserted
	From       Span     // the table references after FROM (after UPDATE for UPDATE)
}

// Lock is a locking clause without the tables that it names.
type Lock struct {
	Text string
	Of   []string
}
