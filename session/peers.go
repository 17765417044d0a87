package session

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/query"
	"sluice/server"
	"sluice/shard"
	"sluice/wire"
)

// find gives the session of a connection id, or nil.
func (h *Handler) find(id uint64) server.Session {
	if h.server == nil || id > 1<<32-1 {
		return nil
	}
	c := h.server.Find(uint32(id))
	// A client that is told OK at this moment has no session yet, but knows its id already.
	for range 1000 {
		if c == nil {
			return nil
		}
		if s := c.Session(); s != nil {
			return s
		}
		time.Sleep(100 * time.Microsecond)
		c = h.server.Find(uint32(id))
	}
	return nil
}

// peers are the sessions of the proxy, as far as this one's user may look at them and stop them.
type peers struct{ *core }

// sessions lists what the server's registry has, by id; at least this one.
func (p *peers) sessions() (all []server.SessionInfo) {
	if p.h.server == nil {
		return []server.SessionInfo{p.shared.Info()}
	}
	for _, c := range p.h.server.Clients() {
		if other := c.Session(); other != nil {
			all = append(all, other.Info())
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// processList shows the sessions of the same user.
func (p *peers) processList(full bool) ([]wire.Column, [][][]byte) {
	mariaDB := p.h.defaults.mode.MariaDB
	cols := processColumns(full, mariaDB)
	var rows [][][]byte
	now := time.Now()
	for _, i := range p.sessions() {
		if i.User != p.c.User {
			continue
		}
		most := maxShownText
		if !full {
			most = 100
		}
		text := shownText(i.Statement, most, false)
		row := [][]byte{
			appendUint(nil, uint64(i.ID)), []byte(i.User), []byte(i.Remote), orNull(i.Schema), []byte(i.Command),
			strconv.AppendInt(nil, int64(max(now.Sub(i.Since), 0)/time.Second), 10), []byte(p.doing(&i, mariaDB)), orNull(text),
		}
		if mariaDB {
			row = append(row, []byte("0.000"))
		}
		rows = append(rows, row)
	}
	return cols, rows
}

// table gives the same sessions as rows of information_schema's PROCESSLIST, whatever columns the server's has. Of what is
// not known of a session the numbers are 0.
func (p *peers) table(columns []shard.Column) (rows [][][]byte) {
	now := time.Now()
	for _, i := range p.sessions() {
		if i.User != p.c.User {
			continue
		}
		run := max(now.Sub(i.Since), 0)
		row := make([][]byte, len(columns))
		for at, c := range columns {
			switch strings.ToUpper(c.Name) {
			case "ID":
				row[at] = appendUint(nil, uint64(i.ID))
			case "USER":
				row[at] = []byte(i.User)
			case "HOST":
				row[at] = []byte(i.Remote)
			case "DB":
				row[at] = orNull(i.Schema)
			case "COMMAND":
				row[at] = []byte(i.Command)
			case "TIME":
				row[at] = strconv.AppendInt(nil, int64(run/time.Second), 10)
			case "TIME_MS":
				row[at] = strconv.AppendFloat(nil, float64(run)/float64(time.Millisecond), 'f', 3, 64)
			case "STATE":
				row[at] = []byte(p.doing(&i, p.h.defaults.mode.MariaDB))
			case "INFO":
				row[at] = orNull(shownText(i.Statement, maxShownText, true))
			case "INFO_BINARY":
				row[at] = orNull(i.Statement)
			case "EXECUTION_ENGINE":
				row[at] = []byte("PRIMARY")
			default:
				row[at] = []byte("0")
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// processColumns describes the rows of SHOW PROCESSLIST as the servers do.
func processColumns(full, mariaDB bool) []wire.Column {
	cols := []wire.Column{
		numberColumn("Id"), textColumn("User", 32), textColumn("Host", 255), textColumn("db", 64), textColumn("Command", 16),
		numberColumn("Time"), textColumn("State", 30), textColumn("Info", 100),
	}
	for _, i := range []int{3, 6, 7} {
		cols[i].Flags = 0 // may be NULL
	}
	id, time, info := &cols[0], &cols[5], &cols[7]
	id.Flags, id.Length = wire.FlagNotNull|wire.FlagBinary, 22
	time.Flags, time.Length, time.Type = id.Flags, 8, wire.TypeLong
	if full {
		info.Type, info.Length = wire.TypeLongBlob, 3<<30
	}
	if !mariaDB {
		return cols
	}
	id.Length, time.Length, cols[1].Length, cols[2].Length = 11, 7, 128*4, 64*4
	return append(cols, wire.Column{Name: "Progress", Type: wire.TypeDouble, Collation: wire.CollationBinary, Length: 7, Flags: wire.FlagNotNull | wire.FlagBinary, Decimals: 3})
}

// doing gives a session's state. Of a running statement's only that it runs is known here.
func (p *peers) doing(i *server.SessionInfo, mariaDB bool) string {
	switch {
	case i.State != "" || i.Command == "Sleep":
		return i.State
	case i.ID == p.c.ID && mariaDB:
		return "starting"
	case i.ID == p.c.ID:
		return "init"
	}
	return "executing"
}

// statistics is the answer to COM_STATISTICS.
func (p *peers) statistics() []byte {
	up := time.Since(p.h.started)
	all := p.sessions()
	var questions int64
	for i := range all {
		questions += all[i].Statements
	}
	return fmt.Appendf(nil, "Uptime: %d  Threads: %d  Questions: %d  Slow queries: 0  Opens: 0  Open tables: 0  Queries per second avg: %.3f",
		int(up.Seconds()), len(all), questions, float64(questions)/max(up.Seconds(), 1))
}

// kill stops a session of the same user.
func (p *peers) kill(id uint64, whole bool) error {
	if id == uint64(p.c.ID) {
		p.kept.gone = p.kept.gone || whole
		if whole && p.h.defaults.mode.MariaDB {
			return &wire.Error{Code: 1927, SQLState: "70100", Message: "Connection was killed"}
		}
		return interrupted()
	}
	var other = p.h.find(id)
	if other == nil {
		return &wire.Error{Code: 1094, SQLState: "HY000", Message: fmt.Sprintf("Unknown thread id: %d", id)}
	}
	if other.Info().User != p.c.User {
		return &wire.Error{Code: 1095, SQLState: "HY000", Message: fmt.Sprintf("You are not owner of thread %d", id)}
	}
	other.Kill(whole)
	return nil
}

// killStatement carries out KILL.
func (p *peers) killStatement(st *statement, stmt *query.Statement) error {
	id := stmt.KillID
	if stmt.Opaque {
		if !strings.HasSuffix(strings.ToLower(string(st.scan.Fingerprint)), " connection_id()") {
			return notBuilt("KILL takes a connection id")
		}
		id = uint64(p.c.ID)
	}
	return p.kill(id, !stmt.KillQuery)
}

func orNull(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

// maxShownText bounds what SHOW PROCESSLIST shows of a statement, in bytes.
const maxShownText = 1024

// shownText gives the beginning of a statement in UTF-8, at most so many bytes and no part of a letter. What is no UTF-8 is shown
// as ?, and so are letters of four bytes in utf8mb3, the character set of the servers' information_schema.
func shownText(text string, most int, utf8mb3 bool) string {
	if len(text) >= most {
		text = text[:most]
		last := max(len(text)-1, 0)
		for last > 0 && len(text)-last < utf8.UTFMax && !utf8.RuneStart(text[last]) {
			last--
		}
		if !utf8.FullRuneInString(text[last:]) {
			text = text[:last]
		}
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || utf8mb3 && r > 0xffff {
			return '?'
		}
		return r
	}, text)
}
