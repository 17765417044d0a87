package backend

import (
	"strconv"
)

// Process is a connection of a server as SHOW PROCESSLIST has it.
type Process struct {
	ID      uint64
	Own     bool // it is of the asking connection's account
	Command string
	Seconds int    // since it is in its state
	Text    string // at most the first 100 characters of its statement
}

// Processes lists the connections of the server; an account without the right to see all sees
// those of its own. (It asks by SHOW: Oracle MySQL fails a SELECT from information_schema's list,
// with 3854, while any connection's statement has a character of four bytes.)
func (c *Conn) Processes() ([]Process, error) {
	columns, rows, err := c.Query("SHOW PROCESSLIST")
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, col := range columns {
		at[string(col.Name)] = i
	}
	list, users, me := make([]Process, len(rows)), make([]string, len(rows)), ""
	for i, r := range rows {
		get := func(name string) string {
			if j, ok := at[name]; ok {
				return string(r[j])
			}
			return ""
		}
		p := &list[i]
		p.ID, _ = strconv.ParseUint(get("Id"), 10, 64) // digits
		p.Seconds, _ = strconv.Atoi(get("Time"))       // NULL: it has just come
		p.Command, p.Text, users[i] = get("Command"), get("Info"), get("User")
		if p.ID == uint64(c.threadID) {
			me = users[i]
		}
	}
	for i := range list {
		list[i].Own = users[i] == me
	}
	return list, nil
}
