package mover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/binlog"
	"sluice/wire"
)

// Preflight gives everything that is in the way of a migration (reasons) and what may
// surprise (warnings), each with what to do about it. It changes nothing. An error is one of
// asking.
func Preflight(ctx context.Context, source, target Server, s Spec) (reasons, warnings []string, err error) {
	p := &preflight{ctx: ctx, spec: s}
	if p.src, err = plain(ctx, source); err != nil {
		return nil, nil, err
	}
	defer p.src.close()
	if p.dst, err = plain(ctx, target); err != nil {
		return nil, nil, err
	}
	defer p.dst.close()
	if err := p.servers(); err != nil {
		return nil, nil, err
	}
	if err := p.stream(source); err != nil {
		return nil, nil, err
	}
	for i, t := range s.Tables {
		if err := p.table(i, t); err != nil {
			return nil, nil, err
		}
	}
	if err := p.space(); err != nil {
		return nil, nil, err
	}
	return p.reasons, p.warnings, nil
}

type preflight struct {
	ctx      context.Context
	spec     Spec
	src, dst *session
	reasons  []string
	warnings []string
	bytes    int64
}

func (p *preflight) refuse(format string, args ...any) {
	p.reasons = append(p.reasons, fmt.Sprintf(format, args...))
}

func (p *preflight) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// settings are variables that have to have a value on both sides (the way back reads the target's log).
var settings = []struct {
	flavor      int // -1: every
	name, value string
	warn        bool
	why         string
}{
	{-1, "log_bin", "1", false, "start the server with --log-bin"},
	{-1, "binlog_format", "ROW", false, "SET GLOBAL binlog_format='ROW'"},
	{-1, "binlog_row_image", "FULL", false, "SET GLOBAL binlog_row_image='FULL'"},
	{-1, "binlog_checksum", "CRC32", true, "damage of the log on its way is not seen without"},
	{-1, "sync_binlog", "1", true, "transactions that were acknowledged may be lost when the machine fails, with or without a migration"},
	{-1, "innodb_flush_log_at_trx_commit", "1", true, "transactions that were acknowledged may be lost when the machine fails, with or without a migration"},
	{int(mariadb), "log_bin_compress", "0", false, "SET GLOBAL log_bin_compress=OFF"},
	{int(mysql), "binlog_row_value_options", "", false, "SET GLOBAL binlog_row_value_options=''"},
	{int(mysql), "binlog_transaction_compression", "0", false, "SET GLOBAL binlog_transaction_compression=OFF"},
	{int(mysql), "binlog_order_commits", "1", false, "SET GLOBAL binlog_order_commits=ON"},
}

// servers compares the servers and looks at their settings.
func (p *preflight) servers() error {
	f := flavorOf(p.src.Conn)
	if g := flavorOf(p.dst.Conn); f != g {
		p.refuse("the shard %s is a %v and %s a %v: values of several types are not the same there; move between servers of one kind", p.src.server, f, p.dst.server, g)
	}
	var packet [2]int64
	var names [2]string
	for i, s := range []*session{p.src, p.dst} {
		for _, set := range settings {
			if set.flavor >= 0 && flavor(set.flavor) != flavorOf(s.Conn) {
				continue
			}
			got, err := s.value("SELECT @@GLOBAL." + set.name)
			switch {
			case err != nil:
				return err
			case got == set.value:
			case set.warn:
				p.warn("%s has %s=%s: %s", s.server, set.name, got, set.why)
			default:
				p.refuse("%s has %s=%s; %s", s.server, set.name, got, set.why)
			}
		}
		got, err := s.value("SELECT CONCAT(@@GLOBAL.max_allowed_packet, ' ', @@GLOBAL.lower_case_table_names)")
		if err != nil {
			return err
		}
		size, lower, _ := strings.Cut(got, " ")
		packet[i], _ = strconv.ParseInt(size, 10, 64) // digits
		names[i] = lower
		if _, err := s.query("XA RECOVER"); code(err) != 0 {
			p.refuse("the account may not list prepared transactions on %s (%v); GRANT XA_RECOVER_ADMIN ON *.* to it", s.server, err)
		} else if err != nil {
			return err
		}
		if seconds, err := s.value("SELECT @@GLOBAL.binlog_expire_logs_seconds"); err == nil && seconds != "0" && len(seconds) < 5 {
			p.warn("%s keeps its binary log for %s s only; a migration that rests for longer has to start again", s.server, seconds)
		}
	}
	if packet[1] < packet[0] {
		p.refuse("max_allowed_packet is %d on %s and %d on %s: a large row could not be written; make it equal", packet[0], p.src.server, packet[1], p.dst.server)
	}
	if names[0] != names[1] {
		p.refuse("lower_case_table_names is %s on %s and %s on %s; it has to be equal", names[0], p.src.server, names[1], p.dst.server)
	}
	return nil
}

// value gives the one value of a result.
func (s *session) value(sql string) (string, error) {
	rows, err := s.query(sql)
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return "", fmt.Errorf("shard %s: %s gave %d rows", s.server, sql, len(rows))
	}
	return string(rows[0][0]), nil
}

// stream looks whether the binary log can be read.
func (p *preflight) stream(source Server) error {
	at, err := binlog.Current(p.src.Conn)
	var refused *wire.Error
	var fault *binlog.Fault
	switch {
	case errors.As(err, &fault):
		p.refuse("%v", err)
		return nil
	case errors.As(err, &refused):
		p.refuse("the account may not see the state of the binary log on %s (%v); GRANT REPLICATION CLIENT (MariaDB: BINLOG MONITOR) ON *.* to it", p.src.server, err)
		return nil
	case err != nil:
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, 300*time.Millisecond)
	defer cancel()
	err = readLog(ctx, source, at, func(string, string) *binlog.Table { return nil }, nothing{})
	switch {
	case p.ctx.Err() != nil:
		return context.Cause(p.ctx)
	case errors.As(err, &refused):
		p.refuse("the account may not read the binary log of %s (%v); GRANT REPLICATION SLAVE ON *.* to it", p.src.server, err)
	case errors.As(err, &fault):
		p.refuse("the binary log of %s cannot be read: %v", p.src.server, err)
	}
	return nil
}

// nothing is a handler that wants nothing.
type nothing struct{}

func (nothing) Changed(*binlog.Table, binlog.Row, binlog.Row) error { return nil }
func (nothing) Statement(string, []byte) error                      { return nil }
func (nothing) Ended(binlog.Transaction) error                      { return nil }

// table looks at one table on both sides.
func (p *preflight) table(i int, of Table) error {
	src, err := load(p.src.Conn, p.src.server, of, i)
	var none *errNoTable
	if errors.As(err, &none) {
		p.refuse("%v; the rule of the table says that it has", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.shape(src); err != nil {
		return err
	}
	dst, err := load(p.dst.Conn, p.dst.server, of, i)
	if errors.As(err, &none) {
		return nil // it will be made
	}
	if err != nil {
		return err
	}
	if why := unlike(src, dst); why != "" {
		p.refuse("the table %s is not the same on %s and %s: %s; make them equal", of, p.src.server, p.dst.server, why)
	}
	return p.triggers(p.dst, of)
}

// shape looks at what a table is made of.
func (p *preflight) shape(t *table) error {
	where := " WHERE TABLE_SCHEMA = " + literal(t.Schema) + " AND TABLE_NAME = " + literal(t.Name)
	rows, err := p.src.query("SELECT COALESCE(ENGINE, ''), TABLE_TYPE, COALESCE(DATA_LENGTH + INDEX_LENGTH, 0) FROM information_schema.TABLES" + where)
	if err != nil {
		return err
	}
	if len(rows) == 1 {
		if e := string(rows[0][0]); e != "InnoDB" {
			p.refuse("the table %s has the engine %s; only InnoDB tables can be moved: ALTER TABLE … ENGINE=InnoDB", t, e)
		}
		if typ := string(rows[0][1]); typ != "BASE TABLE" {
			p.refuse("%s is a %s; only ordinary tables can be moved", t, typ)
		}
		n, _ := strconv.ParseInt(string(rows[0][2]), 10, 64) // digits
		p.bytes += n
	}
	if t.key < 0 {
		p.refuse("the table %s has no primary key (or unique key without NULL) of whole numbers, decimals, strings or dates; give it one", t)
	}
	if !t.Whole {
		p.shardKey(t)
	}
	for i := range t.columns {
		if strings.Contains(t.columns[i].fullType, "COMPRESSED") {
			p.refuse("the column %s of %s is COMPRESSED, which is not supported; take that away", t.columns[i].name, t)
		}
	}
	for _, u := range t.uniques {
		if slices.Contains(u.columns, -1) {
			p.refuse("the unique key %s of %s is over an expression, which is not supported; use a generated column", u.name, t)
		} else if t.shard >= 0 && !slices.Contains(u.columns, t.shard) {
			p.warn("the unique key %s of %s does not contain the shard key: if a value of it is on both sides, the migration stops and names both rows", u.name, t)
		}
	}
	if err := p.foreign(t); err != nil {
		return err
	}
	return p.triggers(p.src, t.Table)
}

func (p *preflight) shardKey(t *table) {
	if t.shard < 0 {
		p.refuse("the table %s has no column %s, which its rule names as the shard key", t, t.Key)
		return
	}
	switch c := &t.columns[t.shard]; c.dataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "varbinary", "binary":
	case "char", "varchar":
		if !strings.HasSuffix(c.collation, "_bin") && !strings.HasSuffix(c.collation, "_nopad_bin") {
			p.refuse("the shard key %s of %s has the collation %s; only binary strings and _bin collations have slots", c.name, t, c.collation)
		}
	default:
		p.refuse("the shard key %s of %s is a %s; only whole numbers and strings have slots", c.name, t, c.fullType)
	}
}

// triggers refuses tables with triggers of users: the rows that they write are in the log
// already, and they would write them again.
func (p *preflight) triggers(s *session, t Table) error {
	rows, err := s.query("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = " + literal(t.Schema) + " AND EVENT_OBJECT_TABLE = " + literal(t.Name))
	if err != nil {
		return err
	}
	for _, r := range rows {
		if name := string(r[0]); !strings.HasPrefix(name, "_sluice_") {
			p.refuse("the table %s has the trigger %s on %s, which would fire for copied rows again; drop it for the migration", t, name, s.server)
		}
	}
	return nil
}

// foreign looks at foreign keys from and to a table.
func (p *preflight) foreign(t *table) error {
	rows, err := p.src.query("SELECT r.CONSTRAINT_NAME, r.CONSTRAINT_SCHEMA, r.TABLE_NAME, r.UNIQUE_CONSTRAINT_SCHEMA, r.REFERENCED_TABLE_NAME, r.DELETE_RULE, r.UPDATE_RULE " +
		"FROM information_schema.REFERENTIAL_CONSTRAINTS r WHERE r.CONSTRAINT_SCHEMA = " + literal(t.Schema) + " AND r.TABLE_NAME = " + literal(t.Name) +
		" OR r.UNIQUE_CONSTRAINT_SCHEMA = " + literal(t.Schema) + " AND r.REFERENCED_TABLE_NAME = " + literal(t.Name))
	if err != nil {
		return err
	}
	for _, r := range rows {
		child, parent := Table{Schema: string(r[1]), Name: string(r[2])}, Table{Schema: string(r[3]), Name: string(r[4])}
		isChild := child.Schema == t.Schema && child.Name == t.Name
		if isChild && !p.moves(parent) {
			p.refuse("the foreign key %s of %s refers to %s, which does not move; drop it", r[0], child, parent)
		}
		if !isChild && !p.moves(child) {
			p.refuse("the foreign key %s of %s, which does not move, refers to %s; drop it", r[0], child, parent)
		}
		for _, rule := range r[5:] {
			if v := string(rule); isChild && v != "RESTRICT" && v != "NO ACTION" {
				p.refuse("the foreign key %s of %s changes rows by itself (%s), and such changes are in no log; make it RESTRICT", r[0], child, v)
				break
			}
		}
	}
	return nil
}

// moves tells whether a table moves, or is on every shard as a whole.
func (p *preflight) moves(t Table) bool {
	same := func(o Table) bool { return o.Schema == t.Schema && o.Name == t.Name }
	return slices.ContainsFunc(p.spec.Tables, same) || slices.ContainsFunc(p.spec.Present, same)
}

// unlike says in what the definitions of a table differ, as far as values and keys go.
func unlike(a, b *table) string {
	if len(a.columns) != len(b.columns) {
		return fmt.Sprintf("%d and %d columns", len(a.columns), len(b.columns))
	}
	for i := range a.columns {
		x, y := &a.columns[i], &b.columns[i]
		if *x != *y {
			return fmt.Sprintf("column %d is %s %s %s %s and %s %s %s %s", i+1, x.name, x.fullType, x.collation, x.rest, y.name, y.fullType, y.collation, y.rest)
		}
	}
	if !slices.EqualFunc(a.uniques, b.uniques, func(x, y unique) bool {
		return x.name == y.name && slices.Equal(x.columns, y.columns) && slices.Equal(x.prefix, y.prefix)
	}) {
		return "their unique keys differ"
	}
	return ""
}
