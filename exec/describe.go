package exec

import (
	"bytes"
	"encoding/binary"
	"fmt"
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

// TableInfo looks a table's columns up on a connection (router.NeedTable), their
// collations as Describe does. An unknown table gives the server's *wire.Error 1146.
func TableInfo(c *backend.Conn, schema, table string) (*shard.TableInfo, error) {
	name := tableName(schema, table)
	cols, _, err := c.Query("SELECT * FROM " + name + " LIMIT 0")
	if err != nil {
		return nil, err
	}
	info := &shard.TableInfo{Columns: columns(cols)}
	_, fields, err := c.Query("SHOW FULL COLUMNS FROM " + name)
	if err != nil {
		return nil, err
	}
	if err := addHidden(c, info, name, fields); err != nil {
		return nil, err
	}
	// A word CHECK in a comment only makes copies of the table complete.
	_, text, err := c.Query("SHOW CREATE TABLE " + name)
	if err == nil && len(text) == 1 && len(text[0]) > 1 {
		info.Tied = info.Tied || bytes.Contains(bytes.ToUpper(text[0][1]), []byte("CHECK"))
		info.Period = periodOf(text[0][1])
	}
	return info, err
}

// periodOf gives the period columns of a text of SHOW CREATE TABLE. The servers' own names do not stand there.
func periodOf(text []byte) []string {
	if _, after, ok := bytes.Cut(text, []byte("\n  PERIOD FOR SYSTEM_TIME (")); ok {
		list, _, _ := bytes.Cut(after, []byte(")"))
		var names []string
		for _, quoted := range bytes.Split(list, []byte(", ")) {
			names = append(names, strings.Trim(string(quoted), "`\""))
		}
		return names
	}
	if options := text[bytes.LastIndex(text, []byte("\n)"))+1:]; bytes.Contains(options, []byte(" WITH SYSTEM VERSIONING")) {
		return []string{"row_start", "row_end"}
	}
	return nil
}

// addHidden adds what SHOW COLUMNS tells beyond a result's definitions: which columns a
// server computes, and those that are invisible.
func addHidden(c *backend.Conn, info *shard.TableInfo, name string, fields [][][]byte) error {
	generated, computed, onUpdate, types := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string][2]string{}
	hidden := ""
	for _, f := range fields {
		if len(f) < 7 {
			return fmt.Errorf("%w: SHOW FULL COLUMNS gives %d columns", wire.ErrMalformed, len(f))
		}
		field, extra := string(f[0]), string(f[6])
		types[strings.ToLower(field)] = [2]string{string(f[1]), string(f[2])}
		if strings.Contains(extra, "VIRTUAL GENERATED") || strings.Contains(extra, "STORED GENERATED") {
			generated[strings.ToLower(field)] = true
		}
		// MariaDB tells an expression from a string by nothing; one with a parenthesis counts as one.
		computed[strings.ToLower(field)] = strings.Contains(extra, "DEFAULT_GENERATED") || bytes.IndexByte(f[5], '(') >= 0
		onUpdate[strings.ToLower(field)] = strings.Contains(strings.ToLower(extra), "on update")
		if info.Index(field) < 0 {
			hidden += ", " + quoteName(field)
		}
	}
	if hidden != "" {
		cols, _, err := c.Query("SELECT " + hidden[len(", "):] + " FROM " + name + " LIMIT 0")
		if err != nil {
			return err
		}
		info.Hidden = columns(cols)
	}
	info.Tied = len(generated) > 0
	for _, list := range [][]shard.Column{info.Columns, info.Hidden} {
		for i := range list {
			name := strings.ToLower(list[i].Name)
			list[i].Generated, list[i].Computed, list[i].OnUpdate = generated[name], computed[name], onUpdate[name]
			typed(&list[i], types[name][0], types[name][1])
		}
	}
	return nil
}

// typed adds what a result's definition does not say of a column: MariaDB calls its own types
// strings, and its uca1400 collations by the number of another one.
func typed(c *shard.Column, typ, collation string) {
	switch typ {
	case "inet4", "inet6", "uuid":
		c.Native = typ
	}
	charset, name, is := strings.Cut(collation, "_uca1400_")
	first, known := map[string]uint16{"utf8mb3": 2048, "utf8mb4": 2304, "ucs2": 2560, "utf16": 2816, "utf32": 3072}[charset]
	if !is || !known {
		return
	}
	// Its number without the language, which is in bits 3 to 7.
	c.Collation = first
	for i, part := range []string{"_cs", "as_", "nopad_"} {
		if strings.Contains("_"+name, part) {
			c.Collation |= 1 << i
		}
	}
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

func tableName(schema, table string) string { return quoteName(schema) + "." + quoteName(table) }
