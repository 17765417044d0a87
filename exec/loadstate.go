package exec

import (
	"fmt"
	"strings"

	"sluice/backend"
	"sluice/wire"
)

// loadState is what a connection has been set to while rows are loaded on it: each value is
// to arrive in its column as it was read, whatever the client has set.
type loadState struct {
	conn    *backend.Conn
	results string   // character_set_results
	restore []string // statements that bring the client's state back
}

// loadVariables are the variables that decide how values and definitions are read, with
// what loading needs. Bytes are taken as they are; ids of 0, dates like 2024-02-31 and
// columns without a value are accepted; instants are written in UTC, where none is ambiguous.
func loadVariables(isMariaDB bool) []variable {
	list := []variable{
		{"sql_mode", "'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'"},
		{"time_zone", "'+00:00'"},
		{"character_set_client", "binary"},
		{"sql_quote_show_create", "1"},
		{"max_error_count", "64"},
	}
	if isMariaDB {
		list = append(list, variable{"check_constraint_checks", "0"})
	}
	return list
}

type variable struct{ name, value string }

// enterLoad brings a connection into the state for loading. A connection outside of a
// transaction may also be told to write although the client's session is read only.
func enterLoad(c *backend.Conn, apart bool) (s *loadState, err error) {
	s = &loadState{conn: c}
	isMariaDB := strings.Contains(c.ServerVersion(), "MariaDB")
	readOnly := "transaction_read_only"
	if isMariaDB {
		readOnly = "tx_read_only"
	}
	variables := loadVariables(isMariaDB)
	ask := "SELECT @@character_set_results, @@" + readOnly
	for _, v := range variables {
		ask += ", @@" + v.name
	}
	_, rows, err := c.Query(ask)
	if err != nil {
		return s, err
	}
	if len(rows) != 1 || len(rows[0]) != 2+len(variables) {
		return s, fmt.Errorf("%w: %d rows of system variables", wire.ErrMalformed, len(rows))
	}
	s.results = string(rows[0][0])
	var set, back []string
	for i, v := range variables {
		set = append(set, "SESSION "+v.name+"="+v.value)
		back = append(back, "SESSION "+v.name+"="+systemValue(rows[0][i+2]))
	}
	s.restore = []string{"SET " + strings.Join(back, ", ")}
	if apart && string(rows[0][1]) == "1" {
		s.restore = append(s.restore, "SET SESSION TRANSACTION READ ONLY")
		if _, err := c.Exec("SET SESSION TRANSACTION READ WRITE"); err != nil {
			return s, err
		}
	}
	_, err = c.Exec("SET " + strings.Join(set, ", "))
	return s, err
}

// unconverted makes texts of the server come as they are, which a character set of the
// client's may not be able to hold. (SET character_set_results is avoided where it is not
// needed: it also forgets the collation that the connection has logged in with.)
func (s *loadState) unconverted() error {
	switch s.results {
	case "", "binary", "utf8mb4":
		return nil
	}
	s.restore = append(s.restore, "SET SESSION character_set_results="+s.results)
	s.results = ""
	_, err := s.conn.Exec("SET SESSION character_set_results=NULL")
	return err
}

// systemValue writes the value of a variable. Numbers are not strings to SET.
func systemValue(v []byte) string {
	if v == nil {
		return "NULL"
	}
	digits := len(v) > 0
	for _, b := range v {
		digits = digits && b >= '0' && b <= '9'
	}
	if digits {
		return string(v)
	}
	return "'" + strings.ReplaceAll(string(v), "'", "''") + "'"
}

// leave brings the client's state back. On error the connection is in neither state.
func (s *loadState) leave() error {
	for len(s.restore) > 0 {
		if _, err := s.conn.Exec(s.restore[0]); err != nil {
			return err
		}
		s.restore = s.restore[1:]
	}
	return nil
}
