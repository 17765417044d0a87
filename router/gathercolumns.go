package router

import (
	"strings"
	"unicode/utf8"

	"sluice/query"
	"sluice/shard"
)

// Further protocol types and flags, of columns that are copied.
const (
	typeVector   = 0xf2
	typeJSON     = 0xf5
	typeEnum     = 0xf7
	typeSet      = 0xf8
	typeGeometry = 0xff

	flagPrimary   = 0x0002
	flagUnique    = 0x0004
	flagMultiple  = 0x0008
	flagPartOfKey = 0x4000 // servers send it, although the manual calls it internal
)

// selectColumns plans which columns a copy gets values of: those that the statement
// mentions, where that is certain, and those that keys need; else all.
func (g *gatherer) selectColumns(i int, c *copied) error {
	t := &g.tables[i]
	every := c.to.Scratch || t.info.Tied || g.unsureOfNames() || g.write.movesRows(i) || g.stmt.Returning
	star := every || g.hasStar(t)
	for _, name := range t.info.Period { // no copy has it
		if g.write == nil && t.info.Index(name) >= 0 && (g.hasStar(t) || g.unsureOfNames()) || g.mentioned(name) {
			return notOverShards("the period of "+t.name()+", which has SYSTEM VERSIONING,", "leave its columns out, or "+oneKey)
		}
	}
	if err := g.addColumns(c, t, t.info.Columns, star); err != nil {
		return err
	}
	if err := g.addColumns(c, t, t.info.Hidden, every); err != nil {
		return err
	}
	for j := 0; len(c.to.Columns) == 0 && j < len(t.info.Columns); j++ { // COUNT(*) needs rows, whatever is in them
		if err := g.addColumns(c, t, t.info.Columns[j:j+1], true); err != nil {
			return err
		}
	}
	if len(c.to.Columns) == 0 {
		return refuse(1105, "HY000", "%s has no column that a value can be given to", t.name())
	}
	return nil
}

// addColumns adds columns to a copy: all, or those that are needed.
func (g *gatherer) addColumns(c *copied, t *table, columns []shard.Column, all bool) error {
	for j := range columns {
		col := &columns[j]
		if col.Generated || !all && !g.needed(col) && !(col.OnUpdate && g.write != nil) {
			continue
		}
		quoted := string(query.QuoteName(nil, col.Name))
		expr, form, ok := sourceOf(col, quoted)
		if !ok {
			return notOverShards("column "+col.Name+" of "+t.name()+", which has a type that is not known,", oneKey)
		}
		if !g.nameable(col.Name) || !g.nameable(t.schema) || !g.nameable(t.rule.Name) {
			return notOverShards("a name with letters beyond ASCII ("+t.name()+"."+col.Name+") in this connection's character set",
				"SET NAMES utf8mb4 first")
		}
		if len(c.columns) > 0 {
			c.columns += ", "
		}
		c.columns += expr
		c.to.Columns = append(c.to.Columns, GatherColumn{col.Name, form})
	}
	return nil
}

// nameable tells whether a name of the catalog, which is in UTF-8, is the same bytes in the
// client's character set.
func (g *gatherer) nameable(name string) bool {
	return g.in.Mode.Charset == query.Plain || isASCII([]byte(name))
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// needed tells whether a column must be copied: it is mentioned, or a key may need its
// values to tell rows apart. (A GEOMETRY that may not be NULL has no value of its own.)
func (g *gatherer) needed(c *shard.Column) bool {
	return c.Flags&(flagPartOfKey|flagPrimary|flagUnique|flagMultiple) != 0 || c.Type == typeGeometry || g.mentioned(c.Name)
}

// unsureOfNames tells whether the statement may use columns that it does not mention.
func (g *gatherer) unsureOfNames() bool {
	if len(g.words) >= maxWords || g.words.has("natural") {
		return true
	}
	return g.stmt.Opaque || g.in.Mode.Charset != query.Plain && !isASCII(g.in.Scan.Fingerprint)
}

// mentioned tells whether a column's name stands anywhere in the statement.
func (g *gatherer) mentioned(name string) bool {
	if !isASCII([]byte(name)) {
		return true // letters are equal to others in more ways than are known here
	}
	if g.names == nil {
		g.names = make(map[string]bool, len(g.words))
		for _, w := range g.words {
			if quote := w[0]; quote == '`' || quote == '"' || quote == '\'' {
				w = strings.Trim(w, string(quote))
			}
			g.names[strings.ToLower(w)] = true
		}
	}
	return g.names[strings.ToLower(name)] || strings.ContainsAny(name, "`\"' ")
}

// hasStar tells whether * or t.* stands for the columns of the table.
func (g *gatherer) hasStar(t *table) bool {
	for b := range g.stmt.Blocks {
		for i := range g.stmt.Blocks[b].Items {
			it := &g.stmt.Blocks[b].Items[i]
			if !it.Star {
				continue
			}
			text := it.Span.Of(g.in.SQL)
			if words := wordsOf(text); g.stmt.Kind == query.Values || len(words) < 3 {
				if b == t.ref.Block {
					return true
				}
				continue
			}
			return true // t.*: which one t is only matters for what is copied in vain
		}
	}
	return false
}

// sourceOf gives the expression by which a column's values are read.
func sourceOf(c *shard.Column, quoted string) (expr string, form Form, ok bool) {
	if c.Flags&(flagEnum|flagSet) != 0 || c.Type == typeEnum || c.Type == typeSet {
		return "CAST(" + quoted + " AS UNSIGNED)", AsNumber, true
	}
	switch c.Type {
	case typeTiny, typeShort, typeLong, typeLongLong, typeInt24, typeYear, typeDecimal, typeNewDecimal:
		return quoted, AsNumber, true
	case typeFloat, typeDouble:
		return quoted, AsFloat, true
	case typeTimestamp:
		return "UNIX_TIMESTAMP(" + quoted + ")", AsInstant, true
	case typeDate, typeTime, typeDatetime, typeNewDate: // a cursor would lose 2024-02-31
		return "CAST(" + quoted + " AS BINARY)", AsTime, true
	case typeBit, typeVector, typeGeometry:
		return quoted, AsBytes, true
	case typeJSON:
		return "CAST(CAST(" + quoted + " AS CHAR CHARACTER SET utf8mb4) AS BINARY)", AsJSON, true
	case typeVarchar, typeVarString, typeString, typeTinyBlob, typeTinyBlob + 1, typeTinyBlob + 2, typeBlob:
		if c.Collation == collationBinary {
			return quoted, AsBytes, true
		}
		return "CAST(" + quoted + " AS BINARY)", AsBytes, true
	}
	return "", 0, false
}
