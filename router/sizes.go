package router

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// SizesOf is one of information_schema's tables whose rows speak of how many rows or bytes
// a shard has: each shard has a part of a sharded table, and a row about it.
type SizesOf struct {
	Name    string
	Keys    []string // by which the shards' rows are the same
	Sums    []string // of the shards'
	Largest []string
}

// sizesOf lists them. The mean row length follows from the sums.
var sizesOf = []SizesOf{
	{Name: "TABLES", Keys: []string{"TABLE_SCHEMA", "TABLE_NAME"}, Sums: []string{"TABLE_ROWS", "DATA_LENGTH", "INDEX_LENGTH", "DATA_FREE"}, Largest: []string{"AUTO_INCREMENT"}},
	{Name: "PARTITIONS", Keys: []string{"TABLE_SCHEMA", "TABLE_NAME", "PARTITION_NAME", "SUBPARTITION_NAME"}, Sums: []string{"TABLE_ROWS", "DATA_LENGTH", "INDEX_LENGTH", "DATA_FREE"}},
	{Name: "STATISTICS", Keys: []string{"TABLE_SCHEMA", "TABLE_NAME", "INDEX_NAME", "SEQ_IN_INDEX"}, Sums: []string{"CARDINALITY"}},
}

// NeedSizes is returned by New when the plan depends on what the shards say of their sizes:
// ask them, add the rows up in Input.Sizes under the table's name, then plan again.
type NeedSizes struct{ Of *SizesOf }

func (e *NeedSizes) Error() string { return "the shards' rows of " + e.Of.Name + " are not known" }

// Size is what the shards other than its schema's default shard have of one table, partition or
// index. Nil values are NULL on all of them.
type Size struct {
	Keys          [][]byte // in UTF-8, as SizesOf.Keys
	Sums, Largest []*uint64
}

// Momentary tells whether the plan holds for this moment only.
func (p *Plan) Momentary() bool { return p.momentary }

// sums gives the rows of a table of information_schema with the shards' sizes added up, as a
// derived table; "" where the statement does not ask for sizes. rows is that table itself, "" for the shard's own.
func (p access) sums(t *table, rows string) (string, error) {
	at := slices.IndexFunc(sizesOf, func(s SizesOf) bool { return strings.EqualFold(s.Name, t.ref.Name) })
	if at < 0 || p.in.Hints.Shard != "" || p.in.Hints.HasKey || p.stmt.Kind == query.Explain || !p.hasSharded() {
		return "", nil
	}
	of := &sizesOf[at]
	if !p.asksSizes(of) {
		return "", nil
	}
	info := p.in.Catalog.Table(informationSchema, of.Name)
	if info == nil {
		return "", &NeedTable{informationSchema, of.Name}
	}
	sizes, known := p.in.Sizes[of.Name]
	if !known {
		return "", &NeedSizes{of}
	}
	p.plan.momentary = true
	if len(sizes) == 0 {
		return "", nil
	}
	b := []byte("(SELECT ")
	for i := range info.Columns {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = of.column(b, info.Columns[i].Name)
	}
	if rows == "" {
		rows = "information_schema." + of.Name
	}
	b = append(b, " FROM "+rows+" AS sluice_t LEFT JOIN ("...)
	for i := range sizes {
		if i > 0 {
			b = append(b, " UNION ALL "...)
		}
		b = sizes[i].text(b)
	}
	b = append(b, ") AS sluice_s ON "...)
	for i, key := range of.Keys {
		if i > 0 {
			b = append(b, " AND "...)
		}
		b = append(b, "CAST(sluice_t."+key+" AS BINARY) <=> sluice_s.k"+strconv.Itoa(i)...)
	}
	return string(append(b, " WHERE sluice_t.TABLE_SCHEMA IN ("+p.schemaList()+"))"...)), nil
}

// column writes a column of the derived table.
func (of *SizesOf) column(b []byte, name string) []byte {
	quoted := "sluice_t." + string(query.QuoteName(nil, name))
	if i := slices.IndexFunc(of.Sums, func(s string) bool { return strings.EqualFold(s, name) }); i >= 0 {
		return append(b, "CAST("+quoted+" + IFNULL(sluice_s.s"+strconv.Itoa(i)+", 0) AS UNSIGNED) AS "+name...)
	}
	if i := slices.IndexFunc(of.Largest, func(s string) bool { return strings.EqualFold(s, name) }); i >= 0 {
		return append(b, "CAST(GREATEST("+quoted+", IFNULL(sluice_s.l"+strconv.Itoa(i)+", 0)) AS UNSIGNED) AS "+name...)
	}
	if strings.EqualFold(name, "AVG_ROW_LENGTH") {
		return append(b, "CAST(IF(sluice_s.k0 IS NULL OR sluice_t.TABLE_ROWS IS NULL, "+quoted+", IFNULL((sluice_t.DATA_LENGTH + sluice_s.s1) DIV NULLIF(sluice_t.TABLE_ROWS + sluice_s.s0, 0), 0)) AS UNSIGNED) AS "+name...)
	}
	return append(b, quoted...)
}

// text is a row as a SELECT. Keys are in hexadecimal, so that the client's character set and sql_mode say nothing.
func (s *Size) text(b []byte) []byte {
	b = append(b, "SELECT "...)
	for i, k := range s.Keys {
		if k == nil {
			b = append(b, "NULL"...)
		} else {
			b = append(append(append(b, "x'"...), hex.EncodeToString(k)...), '\'')
		}
		b = append(b, " AS k"+strconv.Itoa(i)+", "...)
	}
	for i, v := range s.Sums {
		b = append(number(b, v), " AS s"+strconv.Itoa(i)+", "...)
	}
	for i, v := range s.Largest {
		b = append(number(b, v), " AS l"+strconv.Itoa(i)+", "...)
	}
	return b[:len(b)-len(", ")]
}

func number(b []byte, v *uint64) []byte {
	if v == nil {
		return append(b, "NULL"...)
	}
	return strconv.AppendUint(b, *v, 10)
}

// hasSharded tells whether one of the user's schemas has sharded tables.
func (p access) hasSharded() bool {
	for _, name := range p.in.User.Schemas {
		if s := p.in.Map.Schema(name); s != nil && (len(s.AutoShardKey) > 0 || slices.ContainsFunc(s.Tables, func(t shard.Table) bool { return t.Kind == shard.Sharded })) {
			return len(p.in.Map.Spec.Shards) > 1
		}
	}
	return false
}

// asksSizes tells whether a size may be in the answer: its name is mentioned, or a *.
func (p access) asksSizes(of *SizesOf) bool {
	if len(p.words) >= maxWords || p.words.has("natural") || p.stmt.Kind == query.Show {
		return true
	}
	for _, w := range p.words {
		name := unquoted(w)
		is := func(s string) bool { return strings.EqualFold(s, name) }
		if slices.ContainsFunc(of.Sums, is) || slices.ContainsFunc(of.Largest, is) || is("AVG_ROW_LENGTH") {
			return true
		}
	}
	for b := range p.stmt.Blocks {
		if slices.ContainsFunc(p.stmt.Blocks[b].Items, func(i query.Item) bool { return i.Star }) {
			return true
		}
	}
	return p.stmt.Kind == query.Values // TABLE t
}
