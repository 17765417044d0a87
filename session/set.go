package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/query"
	"sluice/wire"
)

// setPlan is what a SET statement does: a part that a server checks and computes, whose
// values the session reads back and carries from then on, and a part that is the session's
// own affair.
type setPlan struct {
	elements []setElement // the server's part
	whole    bool         // it is all of the statement
	reads    []string     // variables that it sets
	told     []string     // them, as a client that tracks its session hears of them
	pin      string       // reason to keep the connection: user variables, unknown session variables
	plain    bool         // all values are literals: the result depends on nothing else
	ran      bool         // the server has carried its part out

	described  *string // resultsCollation; nil when it stays
	autocommit string  // "0" or "1"; "" when not set
	computed   bool    // autocommit is what the server gives to standIn
	insertID   *uint64
	asksID     bool // its values look at LAST_INSERT_ID(), or set it
	next       nextTx
}

// setElement is one assignment, as SQL. A user variable's value stays in the statement's text:
// it may be large.
type setElement struct {
	sql   string
	value query.Span
}

// text is the server's part as one statement.
func (p *setPlan) text(sql []byte) []byte {
	if p.whole {
		return sql
	}
	b := []byte("SET ")
	for i, e := range p.elements {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, e.sql...), e.value.Of(sql)...)
	}
	return b
}

// setter carries out SET.
type setter struct {
	*core
	held  *held
	reply *reply
}

// set carries out SET of variables and SET NAMES.
func (s *setter) set(ctx context.Context, st *statement, stmt *query.Statement) error {
	if len(stmt.Tables)+len(stmt.Routines) > 0 {
		return notBuilt("SET of a session variable from a table or a stored function; SELECT the value first")
	}
	p, err := s.planSet(st, stmt)
	if err != nil {
		return err
	}
	var warnings [][][]byte
	if len(p.elements) > 0 {
		if warnings, err = s.setOnServer(ctx, st, p); err != nil {
			return err
		}
	}
	if err := s.setLocally(p); err != nil {
		return err
	}
	s.reply.tracker.variables(p.told...)
	if p.autocommit != "" {
		s.reply.tracker.variables("autocommit")
	}
	s.answers.done(wire.OK{})
	if len(warnings) > 0 {
		s.answers.clear()
		s.answers.warn(warnings)
	}
	return s.reply.writeOK(st, wire.OK{Warnings: uint16(len(warnings))})
}

func (s *setter) planSet(st *statement, stmt *query.Statement) (*setPlan, error) {
	p := &setPlan{whole: true, plain: !st.scan.UserVariable && !st.scan.SystemVariable, asksID: readsInsertID(st.scan, stmt)}
	p.plain = p.plain && !p.asksID
	if st.scan.UserVariable { // it is read, or set within an expression
		p.pin = pinUserVars
	}
	for i := range stmt.Sets {
		a := &stmt.Sets[i]
		if a.Name == "collate" {
			continue // of the SET NAMES before it
		}
		var err error
		switch a.Scope {
		case "global", "persist", "persist_only":
			err = denied("SUPER")
		case "user":
			p.pin = pinUserVars
			p.elements = append(p.elements, setElement{"@" + string(query.QuoteName(nil, strings.TrimPrefix(a.Name, "@"))) + "=", a.Text})
		default:
			err = s.planVariable(p, st, stmt, i)
		}
		if err != nil {
			return nil, err
		}
	}
	if p.computed && slices.ContainsFunc(stmt.Sets, func(a query.Assignment) bool { return a.Name == standIn }) {
		return nil, notBuilt("SET of %s and, by an expression, autocommit; write two statements", standIn)
	}
	return p, nil
}

// planVariable adds one session variable to the plan.
func (s *setter) planVariable(p *setPlan, st *statement, stmt *query.Statement, i int) error {
	a := &stmt.Sets[i]
	text := "DEFAULT"
	if !a.Default {
		text = string(a.Text.Of(st.sql))
	}
	p.plain = p.plain && a.IsPlain && !a.Default
	value := strings.ToUpper(a.Plain)
	switch a.Name {
	case "names", "character set":
		return s.planCharset(p, st, stmt, i, text)
	case "autocommit":
		p.whole = false
		s.planAutocommit(p, a, text)
		return nil
	case "last_insert_id", "identity":
		if id, err := strconv.ParseUint(text, 10, 64); err == nil {
			p.whole, p.insertID = false, &id
			return nil
		}
		p.asksID, p.plain = true, false
		p.elements = append(p.elements, setElement{sql: "SESSION last_insert_id=" + text})
		return nil
	case "transaction_isolation", "tx_isolation", "transaction_read_only", "tx_read_only":
		if nextOnly(st.sql, a) && s.hasVariable(a.Name) {
			p.whole = false
			return s.planNext(p, a, value)
		}
	case "sql_mode":
		if word := foreignMode(value); word != "" {
			return foreignModeError(word)
		}
	}
	switch s.h.vars[a.Name] {
	case privileged:
		return denied("SUPER")
	case ofSchema:
		if !s.state.mode.MariaDB {
			return &wire.Error{Code: 1227, SQLState: "42000", Message: "Access denied; you need (at least one of) the " +
				"SUPER, SYSTEM_VARIABLES_ADMIN or SESSION_VARIABLES_ADMIN privilege(s) for this operation"}
		}
	case carried:
		if a.Name == "character_set_results" {
			p.described = new(string)
		}
	case fixed:
		p.whole = false
		if a.IsPlain && neutral(a.Name, value, a.Default) || a.Default && neutral(a.Name, "", true) {
			return nil
		}
		return notBuilt("SET of %s, which a proxy with several connections cannot follow", a.Name)
	case unknownVar:
		if p.pin == "" {
			p.pin = pinSessionVars
		}
	}
	p.elements = append(p.elements, setElement{sql: "SESSION " + string(query.QuoteName(nil, a.Name)) + "=" + text})
	p.reads = append(p.reads, s.readBack(a.Name)...)
	p.told = append(p.told, a.Name)
	return nil
}

// readBack names what a variable is carried as.
func (s *setter) readBack(name string) []string {
	switch name {
	case "character_set_connection":
		return []string{"collation_connection"}
	case "character_set_database":
		return []string{schemaCollation}
	case "transaction_isolation", "tx_isolation":
		return []string{s.h.defaults.isolationVar()}
	case "transaction_read_only", "tx_read_only":
		return []string{s.h.defaults.readOnlyVar()}
	case "storage_engine":
		return []string{"default_storage_engine"}
	}
	return []string{name}
}

func (s *setter) planCharset(p *setPlan, st *statement, stmt *query.Statement, i int, text string) error {
	element, described := "NAMES "+text, ""
	if stmt.Sets[i].Name != "names" {
		element = "CHARACTER SET " + text
	} else if i+1 < len(stmt.Sets) && stmt.Sets[i+1].Name == "collate" {
		collate := string(stmt.Sets[i+1].Text.Of(st.sql))
		element += " COLLATE " + collate
		co := strings.ToLower(strings.Trim(collate, "'\"`"))
		described = s.h.defaults.described(s.h.defaults.collations[s.h.defaults.byName[co]].charset, co)
	}
	p.described = &described
	p.elements = append(p.elements, setElement{sql: element})
	p.reads = append(p.reads, "character_set_client", "character_set_results", "collation_connection")
	p.told = append(p.told, "character_set_client", "character_set_results", connectionCharset)
	return nil
}

// standIn is a variable that takes the values that autocommit takes, and nobody uses: a server gives it an expression's.
const standIn = "sql_warnings"

func (s *setter) planAutocommit(p *setPlan, a *query.Assignment, text string) {
	switch value := strings.ToUpper(text); {
	case a.Default:
		p.autocommit = s.h.defaults.autocommit
	case isOn(value) || value == "'ON'":
		p.autocommit = "1"
	case isOff(value) || value == "'OFF'":
		p.autocommit = "0"
	default:
		p.computed, p.plain = true, false
		p.elements = append(p.elements, setElement{sql: "SESSION " + standIn + "=" + text})
		p.reads = append(p.reads, standIn)
	}
}

// hasVariable tells whether servers of this kind and version have the name of a transaction's characteristic.
func (s *setter) hasVariable(name string) bool {
	if s.state.mode.MariaDB {
		return strings.HasPrefix(name, "tx_") || s.h.defaults.isolationVar() == "transaction_isolation"
	}
	return !strings.HasPrefix(name, "tx_")
}

// planNext is SET @@transaction_isolation without SESSION, which holds for the next
// transaction only.
func (s *setter) planNext(p *setPlan, a *query.Assignment, value string) error {
	if s.kept.tx.Open() {
		return characteristicsLate()
	}
	if !a.IsPlain || a.Default {
		return notBuilt("SET @@%s takes a literal; write SET TRANSACTION", a.Name)
	}
	if strings.HasSuffix(a.Name, "isolation") {
		level := strings.ReplaceAll(value, "-", " ")
		switch level {
		case "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE":
			p.next.isolation = level
			return nil
		}
	} else if isOn(value) {
		p.next.access = "READ ONLY"
		return nil
	} else if isOff(value) {
		p.next.access = "READ WRITE"
		return nil
	}
	return &wire.Error{Code: 1231, SQLState: "42000", Message: fmt.Sprintf("Variable '%s' can't be set to the value of '%s'", a.Name, a.Plain)}
}

// nextOnly tells whether a variable was written as @@name, without a scope.
func nextOnly(sql []byte, a *query.Assignment) bool {
	before := strings.ToLower(strings.TrimRight(string(sql[:max(a.Text.Start, 0)]), " \t\r\n"))
	before = strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(before, "="), ":"), " \t\r\n")
	return strings.HasSuffix(before, "@@"+a.Name) || strings.HasSuffix(before, "@@`"+a.Name+"`")
}

// setLocally carries out the session's own part.
func (s *setter) setLocally(p *setPlan) error {
	if p.insertID != nil {
		s.answers.insertID = *p.insertID
	}
	if p.next.isolation != "" {
		s.kept.tx.next.isolation = p.next.isolation
	}
	if p.next.access != "" {
		s.kept.tx.next.access = p.next.access
	}
	if p.autocommit == "" {
		return nil
	}
	if p.autocommit == "1" && !s.state.autocommit() && s.kept.tx.Open() {
		given := s.kept.tx.given
		if err := s.kept.commit(); err != nil {
			return err
		}
		s.kept.tx.next = given // the servers do not take it back with this commit (fix_autocommit)
	}
	s.state.setVars(s.state.vars.with(map[string]string{"autocommit": p.autocommit}, s.h.intern))
	return nil
}

// denied is what an application without a privilege is told.
func denied(privilege string) *wire.Error {
	return &wire.Error{Code: 1227, SQLState: "42000",
		Message: "Access denied; you need (at least one of) the " + privilege + " privilege(s) for this operation"}
}
