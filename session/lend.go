package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// The values of user variables live on one connection. A statement that only reads them, on
// others, finds them there: they are set with it, to the same values and types, and gone
// before the connection is another client's.
//
//	home ──SELECT @a, HEX(@a) …──▶ SET @a = … ──▶ the statement's connections
//
// What it assigns there comes back the same way.

// lent are the variables that the running statement finds on other connections than home.
type lent struct {
	names []string        // as the statement writes them
	text  string          // the SET that makes them, once it is known
	all   bool            // on all connections of the statement; else only outside of the transaction
	back  bool            // the statement assigns some
	to    []*backend.Conn // that have them
}

// add adds names that are not there yet, in this spelling.
func (l *lent) add(names []string) {
	for _, n := range names {
		if !slices.Contains(l.names, n) {
			l.names = append(l.names, n)
		}
	}
}

// lendable tells whether a statement only reads user variables, each by its name.
func lendable(stmt *query.Statement) bool {
	switch stmt.Kind {
	case query.Select, query.Values, query.Do, query.Insert, query.Replace, query.Update, query.Delete:
		return !stmt.UserVarAssign && !stmt.Into && !stmt.Opaque && len(stmt.Routines) == 0
	}
	return false
}

// assignable tells whether a statement assigns user variables, each by its name, and its answer says when it is done.
func assignable(scan *query.Scan, stmt *query.Statement) bool {
	switch stmt.Kind {
	case query.Select, query.Values, query.Do, query.Set:
		return !stmt.Opaque && len(stmt.Routines) == 0 && stateReason(scan, stmt) == pinUserVars
	}
	return false
}

// called lends the variables of a statement with stored functions, and of these.
func (l *lent) called(st *statement, c *router.Called, mode query.Mode) {
	l.names = query.UserVariables(st.sql[:st.scan.End], mode)
	l.add(c.Variables)
	l.all, l.back = true, len(l.names) > 0
}

// lend gives a connection of the statement the variables' values.
func (h *held) lend(c *backend.Conn) error {
	home := h.kept.pins.home()
	if len(h.lent.names) == 0 || home == nil || home.conn == c {
		return nil
	}
	if h.lent.text == "" {
		err := h.kept.sync(home.conn, home.shard)
		if err == nil {
			h.lent.text, err = userValues(home.conn, h.lent.names)
		}
		if err != nil {
			return err
		}
	}
	c.Soil()
	_, err := c.Exec(h.lent.text)
	if err == nil {
		h.lent.to = append(h.lent.to, c)
	}
	return err
}

// takeBack brings what a statement outside of the transaction has assigned home.
func (h *held) takeBack(c *backend.Conn) error {
	home := h.kept.pins.home()
	if home == nil {
		return fmt.Errorf("there is no connection for user variables")
	}
	text, err := userValues(c, h.lent.names)
	if err == nil {
		_, err = home.conn.Exec(text)
	}
	return err
}

// maxLent bounds the text that carries variables, in bytes.
const maxLent = 8 << 20

// userValues writes the SET that gives variables the values, types and collations that they
// have on a connection.
func userValues(c *backend.Conn, names []string) (string, error) {
	var ask []string
	for _, n := range names {
		ask = append(ask, n, "HEX("+n+")", "CHARSET("+n+")", "COLLATION("+n+")")
	}
	cols, rows, err := c.Query("SELECT " + strings.Join(ask, ", ") + " LIMIT 1") // its own, whatever sql_select_limit says
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || len(cols) != 4*len(names) || len(rows[0]) != len(cols) {
		return "", fmt.Errorf("%w: a look at %d user variables gives %d columns", wire.ErrMalformed, len(names), len(cols))
	}
	set := "SET "
	for i, n := range names {
		v := rows[0][4*i : 4*i+4]
		if i > 0 {
			set += ", "
		}
		set += n + " = " + variableText(&cols[4*i], v[0], v[1], string(v[2]), string(v[3]))
	}
	if len(set) > maxLent {
		return "", notBuilt("user variables of more than %d MiB on another shard; put the value into the statement instead", maxLent>>21)
	}
	return set, nil
}

// variableText writes a variable's value as an expression of its type: a variable is an
// integer, a decimal, a double or a string (MySQL manual, "User-Defined Variables").
func variableText(col *wire.Column, value, hex []byte, charset, collation string) string {
	text := string(value)
	if value == nil {
		text = "NULL"
	}
	switch col.Type {
	case wire.TypeTiny, wire.TypeShort, wire.TypeInt24, wire.TypeLong, wire.TypeLongLong:
		if col.Flags&wire.FlagUnsigned != 0 {
			return "CAST(" + text + " AS UNSIGNED)"
		}
		return "CAST(" + text + " AS SIGNED)"
	case wire.TypeDecimal, wire.TypeNewDecimal:
		_, fraction, _ := strings.Cut(text, ".")
		return "CAST(" + text + " AS DECIMAL(65," + strconv.Itoa(len(fraction)) + "))"
	case wire.TypeFloat, wire.TypeDouble:
		if value == nil || !strings.ContainsAny(text, "eE") {
			text += "e0"
		}
		if value == nil {
			return "NULL + 0e0"
		}
		return text
	}
	switch {
	case value == nil && charset == "binary":
		return "NULL"
	case charset == "binary":
		return "_binary X'" + string(hex) + "'"
	case value == nil:
		return "CONVERT(NULL USING " + charset + ") COLLATE " + collation
	}
	return "_" + charset + " X'" + string(hex) + "' COLLATE " + collation
}
