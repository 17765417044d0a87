package exec

import (
	"errors"
	"strings"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// scratcher makes copies as permanent tables, which InnoDB needs for FULLTEXT keys (router.Input.
// Scratch), and removes them, also those that a proxy which died has left.
type scratcher struct{ *gathering }

// leftAfter is when a scratch table is nobody's any more. One that is still read is held by its
// server; one that is lost while it is filled fails its statement.
const leftAfter = "INTERVAL 1 DAY"

// noTextKey is ER_FT_MATCHING_KEY_NOT_FOUND.
const noTextKey = 1191

// unmatched says how a statement with MATCH … AGAINST is to be planned again.
func (g scratcher) unmatched() error {
	switch {
	case g.write == nil && !g.plan.Sifted:
		return ErrUnmatched
	case !g.plan.Ranked:
		return ErrUnranked
	}
	return refuse(1235, "42000", "the rank of MATCH … AGAINST, or MATCH within a longer condition, over rows of several shards of a table that is written; "+
		"select the keys of the rows first, use MATCH as a condition of WHERE by itself, or give the shard key a value")
}

// create makes the copy of a table that has FULLTEXT keys a temporary table cannot have; done is
// false for others.
func (g scratcher) create(t *router.GatherTable) (done bool, err error) {
	l := g.home
	if t.Foreign && len(t.Legs) > 0 {
		l = g.source(t.Legs[0].Shard)
	}
	text, isView, err := definer(g).shown(l, t)
	if err != nil {
		return false, err
	}
	if isView || !hasTextKey(text) || !strings.Contains(text, "ENGINE=InnoDB") {
		return false, nil
	}
	name := tableName(t.Schema, t.Name)
	text, ok := scratchDefinition(text, name)
	if !ok {
		return false, refuse(1105, "HY000", "the definition of %s.%s is not understood", t.Schema, t.Table)
	}
	if len(g.scratch) == 0 {
		if err := g.sweep(t.Schema); err != nil {
			return false, g.home.failed(err)
		}
	}
	g.scratch = append(g.scratch, name) // before it is there: it may be when the answer is lost
	if err := definer(g).createShown("", text); err != nil {
		return false, g.home.failed(err)
	}
	return true, nil
}

// filled makes the rows visible to FULLTEXT keys, which a transaction's own are not.
func (g scratcher) filled() error {
	if len(g.scratch) == 0 {
		return nil
	}
	if _, err := g.home.conn.Exec("COMMIT"); err != nil {
		return g.home.failed(err)
	}
	return nil
}

// drop removes the tables.
func (g scratcher) drop(c *backend.Conn) error {
	if len(g.scratch) == 0 {
		return nil
	}
	if _, err := c.Exec("DROP TABLE IF EXISTS " + strings.Join(g.scratch, ", ")); err != nil {
		return err
	}
	g.scratch = nil
	return nil
}

// sweep drops a few of what was left in a schema.
func (g scratcher) sweep(schema string) error {
	c := g.home.conn
	_, rows, err := c.Query("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + "'" + strings.ReplaceAll(schema, "'", "''") + "'" +
		" AND TABLE_NAME REGEXP '^sluice_g[0-9]+_[0-9a-f]{16}$' AND CREATE_TIME < NOW() - " + leftAfter + " LIMIT 10")
	if err != nil || len(rows) == 0 {
		return err
	}
	_, wait, err := c.Query("SELECT @@lock_wait_timeout")
	if err != nil || len(wait) != 1 {
		return err
	}
	g.state.restore = append(g.state.restore, "SET SESSION lock_wait_timeout="+systemValue(wait[0][0]))
	if _, err := c.Exec("SET SESSION lock_wait_timeout=1"); err != nil {
		return err
	}
	for _, r := range rows {
		_, err := c.Exec("DROP TABLE IF EXISTS " + tableName(schema, string(r[0])))
		if said := (*wire.Error)(nil); err != nil && !errors.As(err, &said) {
			return err
		}
	}
	return nil
}

// hasTextKey tells whether a text of SHOW CREATE TABLE has a FULLTEXT key.
func hasTextKey(text string) bool { return strings.Contains(text, "\n  FULLTEXT KEY ") }

// scratchDefinition is that of a table with FULLTEXT keys: without constraints, whose names are a schema's.
func scratchDefinition(text, name string) (string, bool) {
	return definitionOf(text, "CREATE TABLE "+name, "ENGINE=InnoDB ", func(line string) bool { return strings.HasPrefix(line, "CONSTRAINT ") })
}
