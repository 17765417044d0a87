package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/backend"
	"sluice/query"
	"sluice/wire"
)

// setOnServer has a server check and carry out its part, and takes the values over.
func (s *setter) setOnServer(ctx context.Context, st *statement, p *setPlan) (warnings [][][]byte, err error) {
	text := p.text(st.sql)
	if p.pin != "" {
		err = s.held.onHome(ctx, p.pin, func(c *backend.Conn) error {
			warnings, err = s.setOn(c, text, p)
			return err
		})
		return warnings, err
	}
	key := ""
	if p.plain && len(text) <= maxSetText {
		key = s.state.vars.backend.Key + "\x00" + string(text)
	}
	if v := s.h.sets.get(key); v != nil {
		d := &s.h.defaults
		s.kept.tx.sessionSet(slices.Contains(p.reads, d.isolationVar()), slices.Contains(p.reads, d.readOnlyVar()))
		s.state.setVars(v)
		return nil, nil
	}
	if c, shard := s.kept.any(); c != nil {
		if err := s.kept.sync(c, shard); err != nil {
			return nil, err
		}
		warnings, err = s.setOn(c, text, p)
		if !inOrder(err) {
			s.kept.lose(c, shard)
			s.kept.lost()
		}
	} else {
		warnings, err = s.setOnPool(ctx, text, p)
	}
	if err == nil && len(warnings) == 0 && key != "" {
		s.h.sets.put(key, s.state.vars)
	}
	return warnings, err
}

func (s *setter) setOnPool(ctx context.Context, text []byte, p *setPlan) (warnings [][][]byte, err error) {
	c, err := s.h.pools.GetFor(ctx, wants(s.kept), s.state.defaultShard(), s.state.class, s.state.schema, s.state.vars.backend)
	if err != nil {
		return nil, err
	}
	if warnings, err = s.setOn(c, text, p); err == nil {
		err = c.Sync(s.state.schema, s.state.vars.backend)
	}
	if err == nil || !p.ran && inOrder(err) {
		c.Put()
	} else {
		c.Close()
	}
	return warnings, err
}

// setOn runs the server's part on a connection that is in the session's state, and takes
// the values that the variables have then into the session's settings.
func (s *setter) setOn(c *backend.Conn, text []byte, p *setPlan) (warnings [][][]byte, err error) {
	if p.asksID {
		if _, err = c.Exec("SET last_insert_id=" + strconv.FormatUint(s.answers.insertID, 10)); err != nil {
			return nil, err
		}
	}
	ok, err := c.ExecBytes(text)
	if err != nil {
		if inOrder(err) { // a part of it may have been done
			if back := s.takeBack(c, p); back != nil {
				return nil, back
			}
		}
		return nil, p.named(err)
	}
	p.ran = true
	if ok.Warnings > 0 {
		if _, warnings, err = c.Query("SHOW WARNINGS"); err != nil {
			return nil, err
		}
	}
	if p.asksID {
		if s.answers.insertID, err = askUint(c, "SELECT LAST_INSERT_ID() LIMIT 1"); err != nil {
			return nil, err
		}
	}
	if len(p.reads) == 0 {
		return warnings, nil
	}
	changes, err := readVariables(c, p.reads)
	if err == nil && p.computed {
		p.autocommit = changes[standIn]
		delete(changes, standIn)
		err = s.resetStandIn(c, p)
	}
	if err == nil {
		err = checkSettings(changes)
	}
	if err != nil {
		if _, back := c.Exec(s.state.vars.text()); back != nil {
			return nil, back
		}
		return nil, err
	}
	if p.described != nil {
		changes[resultsCollation] = *p.described
	}
	before := s.state.vars
	s.carry(changes)
	return warnings, s.adopt(c, before)
}

// takeBack is what follows on a SET that has failed.
func (s *setter) takeBack(c *backend.Conn, p *setPlan) error {
	if p.asksID {
		id, err := askUint(c, "SELECT LAST_INSERT_ID() LIMIT 1")
		if err != nil {
			return err
		}
		s.answers.insertID = id
	}
	if _, err := c.Exec(s.state.vars.text()); err != nil {
		return err
	}
	return s.resetStandIn(c, p)
}

func (s *setter) resetStandIn(c *backend.Conn, p *setPlan) error {
	if !p.computed {
		return nil
	}
	_, err := c.Exec("SET SESSION " + standIn + "=" + cmp.Or(s.state.vars.values[standIn], "DEFAULT"))
	return err
}

// named gives an error about the variable that stood for autocommit its name.
func (p *setPlan) named(err error) error {
	var we *wire.Error
	if !p.computed || !errors.As(err, &we) {
		return err
	}
	own := *we
	own.Message = strings.Replace(own.Message, "'"+standIn+"'", "'autocommit'", 1)
	return &own
}

// adopt makes a connection on which the client's SET ran one that has the session's new
// settings like any other, so that the pool knows what is on it.
func (s *setter) adopt(c *backend.Conn, before *settings) error {
	if s.state.vars != before {
		return c.Sync("", s.state.vars.backend)
	}
	// The same values can still be another state: after SET NAMES … COLLATE Oracle MySQL
	// describes results by another collation than after SET character_set_results.
	_, err := c.Exec(s.state.vars.text())
	return err
}

// carry takes values into the session's settings.
func (s *setter) carry(changes map[string]string) {
	d := &s.h.defaults
	s.kept.tx.sessionSet(changes[d.isolationVar()] != "", changes[d.readOnlyVar()] != "")
	s.state.setVars(s.state.vars.with(changes, s.h.intern))
}

// checkSettings refuses values under which the scanner could not read the client's text, or
// Sluice the servers' answers.
func checkSettings(changes map[string]string) error {
	if set := strings.ToLower(strings.Trim(changes["character_set_results"], "'")); isWide(set) {
		return notBuilt("the character set %s for results; use utf8mb4", set)
	}
	if set, ok := changes["character_set_client"]; ok {
		name := strings.ToLower(strings.Trim(set, "'"))
		if _, usable := query.CharsetOf(name); !usable {
			return notBuilt("the character set %s for statements; use utf8mb4", name)
		}
	}
	if word := foreignMode(strings.ToUpper(strings.Trim(changes["sql_mode"], "'"))); word != "" {
		return foreignModeError(word)
	}
	return nil
}

// isWide names the character sets in which not even a digit is one byte.
func isWide(charset string) bool {
	switch charset {
	case "ucs2", "utf16", "utf16le", "utf32":
		return true
	}
	return false
}

// foreignMode finds a word of sql_mode that makes the servers read another dialect.
func foreignMode(modes string) string {
	for _, word := range strings.Split(modes, ",") {
		switch word = strings.TrimSpace(word); word {
		case "ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB", "MYSQL323", "MYSQL40":
			return word
		}
	}
	return ""
}

func foreignModeError(word string) error {
	return notBuilt("sql_mode %s, under which the servers read another dialect", word)
}

// readVariables gives session variables as SQL literals.
func readVariables(c *backend.Conn, names []string) (map[string]string, error) {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = "@@SESSION." + string(query.QuoteName(nil, name))
		if name == "character_set_results" {
			list[i] = "CAST(" + list[i] + " AS BINARY)" // readable whatever it is
		}
	}
	cols, rows, err := c.Query("SELECT " + strings.Join(list, ", ") + " LIMIT 1") // its own, whatever sql_select_limit says
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 || len(rows[0]) != len(names) || len(cols) != len(names) {
		return nil, fmt.Errorf("unexpected answer to a look at variables")
	}
	values := make(map[string]string, len(names))
	for i, name := range names {
		if values[name], err = variableLiteral(&cols[i], rows[0][i]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func variableLiteral(col *wire.Column, value []byte) (string, error) {
	if value == nil {
		return "NULL", nil
	}
	switch col.Type {
	case wire.TypeTiny, wire.TypeShort, wire.TypeInt24, wire.TypeLong, wire.TypeLongLong, wire.TypeFloat, wire.TypeDouble,
		wire.TypeDecimal, wire.TypeNewDecimal:
		return string(value), nil
	}
	text := string(value)
	if strings.ContainsAny(text, `'\`) { // no sql_mode may read it differently
		return fmt.Sprintf("_utf8mb4 x'%x'", text), nil
	}
	return "'" + text + "'", nil
}
