package router

// MATCH … AGAINST over copies. Where it is more than a condition of WHERE its value is the rank of a
// row, which depends on how many rows of the whole table have each word, so all rows are copied.
// InnoDB has no FULLTEXT keys in temporary tables. With Input.Scratch the copies of tables that may
// have some are permanent tables, for as long as the statement runs:
//
//	transaction's connections ─SELECT─▶ rows ─INSERT─▶ apart: sluice_g1_5f… with FULLTEXT keys ─ COMMIT ─ the statement ─ DROP TABLE

// scratchHome is the shard for such tables: not the schemas' default shard, which answers SHOW TABLES.
func scratchHome(p *planner) string {
	list := p.in.Map.Spec.Shards
	for i := range list {
		if list[i].Name != p.currentHome() && p.in.Map.SlotCount(i) > 0 {
			return list[i].Name
		}
	}
	return ""
}

// hasText tells whether a table may have a FULLTEXT key.
func (g *gatherer) hasText(t *table) bool {
	if t.info == nil {
		return false
	}
	for i := range t.info.Columns {
		c := &t.info.Columns[i]
		switch c.Type {
		case typeVarchar, typeVarString, typeString, typeTinyBlob, typeTinyBlob + 1, typeTinyBlob + 2, typeBlob:
			if c.Flags&(flagPartOfKey|flagPrimary|flagUnique|flagMultiple) != 0 {
				return true
			}
		}
	}
	return false
}

// addMatches asks the table's shards for MATCH … AGAINST, of which the statement then has
// only the rows that match.
func (g sifter) addMatches(i int, c *copied) error {
	t := &g.tables[i]
	if !g.in.Sift || t.ref.Nullable || !g.nameable(t.ref.Alias) {
		return nil
	}
	for _, f := range g.stmt.Matches {
		if f.Block != t.ref.Block || !g.allOf(f.Cols, f.Block, i) {
			continue
		}
		from, ok1 := placeOf(g.in.SQL, g.in.Scan, f.Span.Start)
		to, ok2 := placeOf(g.in.SQL, g.in.Scan, f.Span.End)
		if !ok1 || !ok2 || len(from.gap)+len(to.gap) > maxGap {
			continue
		}
		c.alias = t.ref.Alias
		g.matched++
		c.where = append(c.where, condition{from: from, to: to, must: true})
		if err := g.edit(f.Span, "1"); err != nil {
			return err
		}
	}
	return nil
}
