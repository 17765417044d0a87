package exec

import (
	"encoding/binary"
	"strings"

	"sluice/backend"
	"sluice/shard"
	"sluice/wire"
)

// Describe prepares sql on a connection for its column definitions only (router.Plan.Probe).
// As in every result, strings have the collation of character_set_results; the caller sets
// that to NULL to see the columns' own.
func Describe(c *backend.Conn, sql string) ([]shard.Column, error) {
	if err := c.Command(wire.ComStmtPrepare, []byte(sql)); err != nil {
		return nil, err
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	ok, _, cols, err := wire.ReadPrepare(c.Conn)
	if err != nil {
		return nil, err
	}
	var id [4]byte
	binary.LittleEndian.PutUint32(id[:], ok.ID)
	if err := c.Command(wire.ComStmtClose, id[:]); err != nil { // it has no answer
		return nil, err
	}
	return columns(cols), c.Flush()
}

// TableInfo looks a table's visible columns up on a connection (router.NeedTable), their
// collations as Describe does. An unknown table gives the server's *wire.Error 1146.
func TableInfo(c *backend.Conn, schema, table string) (*shard.TableInfo, error) {
	cols, _, err := c.Query("SELECT * FROM " + quoteName(schema) + "." + quoteName(table) + " LIMIT 0")
	if err != nil {
		return nil, err
	}
	return &shard.TableInfo{Columns: columns(cols)}, nil
}

func columns(cols []wire.Column) []shard.Column {
	out := make([]shard.Column, len(cols))
	for i := range cols {
		c := &cols[i]
		out[i] = shard.Column{Name: c.Name, Type: c.Type, Collation: c.Collation, Length: c.Length, Flags: c.Flags, Decimals: c.Decimals}
	}
	return out
}

// quoteName quotes an identifier; under every sql_mode backticks do.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
