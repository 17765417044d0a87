package exec

import (
	"context"
	"fmt"
	"math"
	"strings"

	"sluice/router"
	"sluice/wire"
)

// staging is an INSERT whose rows are computed on the home shard before they go to theirs
// (router.Staging).
//
//	lease all ─▶ the sources' copies and the temporary table ─▶ the client's INSERT fills it ─▶
//	ids ─▶ its rows, a page at a time ─▶ an INSERT of many rows for each target ─▶ one OK
type staging struct {
	*gathering
	to      *router.Staging
	batches []*batch // by target; one when all targets get all rows

	staged     uint64
	generated  uint64 // of the staged rows, those that an id is generated for
	next       uint64 // id of the cluster's sequence
	lastID     uint64 // explicit one of the last row
	serverID   uint64 // the first one that a target's server has generated
	done       counts
	affected   uint64
	conditions [][][]byte
}

func insertStaged(ctx context.Context, client *wire.Conn, leases Leases, req *Request) (Outcome, error) {
	g := &gathering{ctx: ctx, client: client, leases: leases, req: req, plan: req.Bound.Gathering, targets: req.Bound.Staging.Targets}
	s := &staging{gathering: g, to: req.Bound.Staging}
	err := readOnly(req) // also when no row comes to be written
	if err == nil {
		err = s.run()
	}
	s.settle()
	g.out.Legs = len(g.sources)
	err = conclude(ctx, client, &g.out, err)
	g.out.Conditions = s.conditions
	g.end()
	return g.out, err
}

func (s *staging) run() error {
	if err := s.lease(); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	s.prepared = s.create
	if err := s.fill(); err != nil {
		return err
	}
	if err := s.compute(); err != nil {
		return err
	}
	if s.staged > 0 {
		if err := s.takeIDs(); err != nil {
			return err
		}
		if err := (pager{staging: s}).run(); err != nil {
			return err
		}
		for _, b := range s.batches {
			if err := b.flush(); err != nil {
				return err
			}
		}
		for _, b := range s.batches {
			if err := b.await(); err != nil {
				return err
			}
		}
	}
	s.answer()
	return nil
}

// check lets a server look at the names of ON DUPLICATE KEY UPDATE, which it could not tell
// apart later: rows are sent without the tables that they come from.
func (s *staging) check() error {
	if s.to.Tail == nil || !s.to.FromSelect {
		return nil
	}
	l := s.home
	if s.to.Foreign {
		l = s.source(s.to.Targets[0])
	}
	if _, _, err := l.conn.Query("EXPLAIN " + string(s.req.SQL)); err != nil {
		return l.failed(err)
	}
	return nil
}

// create makes the temporary table. The home connection is in the loading state.
func (s *staging) create() error {
	l := s.home
	if s.to.Foreign {
		l = s.source(s.to.Targets[0])
	}
	d := definer{s.gathering}
	text, isView, err := d.shown(l, &router.GatherTable{Schema: s.to.Schema, Table: s.to.Table})
	if err != nil {
		return err
	}
	auto := ""
	if s.to.Auto >= 0 {
		auto = s.to.Columns[s.to.Auto].Name
	}
	name := tableName(s.to.Schema, s.to.Name)
	text, ok := stagingDefinition(text, name, auto)
	if !ok || isView {
		return refuse(1235, "42000", "the definition of %s.%s is not one whose rows can be computed before they are inserted; insert rows of values", s.to.Schema, s.to.Table)
	}
	err = d.createShown(name, text)
	switch {
	case err == nil:
	case (wire.IsCode(err, 1792) || wire.IsCode(err, 4091)) && !s.plan.Apart:
		return ErrApart
	case wire.IsCode(err, 1044) || wire.IsCode(err, 1142):
		return refuse(1105, "HY000", "the account of the proxies needs the privilege CREATE TEMPORARY TABLES on %s to insert rows that must be computed first", s.to.Schema)
	default:
		return s.home.failed(err)
	}
	return nil
}

// compute runs the client's statement over the temporary table.
func (s *staging) compute() error {
	l := s.home
	l.part = &s.req.Bound.Legs[0]
	if err := sendQuery(l.conn, l.part.SQL); err != nil {
		return l.failed(err)
	}
	l.state, l.known = legSent, false
	err := l.header()
	if wire.IsCode(err, noTextKey) {
		return scratcher{s.gathering}.unmatched()
	}
	if err == nil && l.cols != nil {
		return l.failed(l.rejectColumns())
	}
	if err == nil && l.ok.Warnings > 0 || inOrder(err) {
		s.done.warnings += uint64(l.ok.Warnings)
		if heard := s.hear(l, nil); heard != nil {
			return heard
		}
	}
	s.staged = l.ok.AffectedRows
	if we, ok := err.(*wire.Error); ok {
		own := *we
		own.Message = s.named(we.Message)
		return &own
	}
	return err
}

// named puts the table's own name in the place of the temporary one's.
func (s *staging) named(text string) string {
	return strings.ReplaceAll(text, s.to.Name, s.to.Table)
}

// hear asks a connection for the conditions of its last statement and keeps those of which
// keep says so.
func (s *staging) hear(l *leg, keep func(level, code, text string) (bool, error)) error {
	_, rows, err := l.conn.Query("SHOW WARNINGS")
	if err != nil {
		return l.failed(err)
	}
	for _, r := range rows {
		if len(r) != 3 {
			return l.failed(fmt.Errorf("%w: a warning of %d columns", wire.ErrMalformed, len(r)))
		}
		if keep != nil {
			if ok, err := keep(string(r[0]), string(r[1]), string(r[2])); err != nil || !ok {
				if err != nil {
					return err
				}
				continue
			}
		}
		const most = 64 // the servers' default of max_error_count
		if len(s.conditions) < most {
			s.conditions = append(s.conditions, [][]byte{r[0], r[1], []byte(s.named(string(r[2])))})
		}
	}
	return nil
}

// takeIDs finds out how many ids are needed and takes them, and keeps the sequence away from
// those that rows bring.
func (s *staging) takeIDs() error {
	if err := s.instants(); err != nil || s.to.Auto < 0 {
		return err
	}
	column := quoteName(s.to.Columns[s.to.Auto].Name)
	missing := column + " IS NULL"
	if !s.to.ZeroIsID {
		missing += " OR " + column + "=0"
	}
	_, rows, err := s.home.conn.Query("SELECT COUNT(IF(" + missing + ",1,NULL)), MIN(IF(" + column + ">0," + column + ",NULL)), MAX(" + column + ") FROM " + tableName(s.to.Schema, s.to.Name))
	if err != nil {
		return s.home.failed(err)
	}
	if len(rows) != 1 || len(rows[0]) != 3 {
		return s.home.failed(fmt.Errorf("%w: no count of rows", wire.ErrMalformed))
	}
	s.generated = number(rows[0][0])
	if s.req.Sequence == nil {
		return nil
	}
	if least, most := number(rows[0][1]), number(rows[0][2]); least > 0 {
		if err := s.req.Sequence.Keep(s.ctx, least, most); err != nil {
			return err
		}
	}
	if s.generated > 0 {
		if s.generated > math.MaxInt32 {
			return refuse(1105, "HY000", "the statement needs %d ids at once; insert fewer rows", s.generated)
		}
		s.next, err = s.req.Sequence.Take(s.ctx, int(s.generated))
	}
	if s.generated > 0 {
		s.req.Bound.InsertID = s.next
	}
	return err
}

// instants refuses times that the session's time zone has twice, where they are written in
// it: with ON DUPLICATE KEY UPDATE, which is meant in the client's state.
func (s *staging) instants() error {
	if s.to.Tail == nil {
		return nil
	}
	for _, c := range s.to.Columns {
		if c.Form != router.AsInstant {
			continue
		}
		at := "UNIX_TIMESTAMP(" + quoteName(c.Name) + ")"
		_, rows, err := s.home.conn.Query("SELECT 1 FROM " + tableName(s.to.Schema, s.to.Name) + " WHERE " + at + "<>0 AND UNIX_TIMESTAMP(FROM_UNIXTIME(" + at + "))<>" + at + " LIMIT 1")
		if err != nil {
			return s.home.failed(err)
		}
		if len(rows) > 0 {
			return refuse(1235, "42000", "ON DUPLICATE KEY UPDATE with a time in column %s that the session's time zone has twice; SET time_zone = '+00:00' first", c.Name)
		}
	}
	return nil
}

// number reads an unsigned integer, 0 for what is none.
func number(text []byte) (n uint64) {
	if _, err := fmt.Sscan(string(text), &n); err != nil {
		return 0
	}
	return n
}

// answer makes the OK that one server would give.
func (s *staging) answer() {
	ok := wire.OK{AffectedRows: s.affected, Status: s.req.Status}
	c := s.done
	ok.Warnings = uint16(min(c.warnings, math.MaxUint16))
	if s.to.FromSelect || s.staged > 1 {
		ok.Info = c.String()
	}
	b := s.req.Bound
	if s.generated > 0 && b.InsertID == 0 {
		b.InsertID = s.serverID
	}
	switch {
	case b.InsertID == 0 && (s.to.Replace || s.affected == s.staged && c.duplicates == 0): // REPLACE stores all
		ok.LastInsertID = s.lastID
	case (s.to.Ignore || s.to.Tail != nil) && (c.duplicates > 0 || s.affected != s.staged):
		b.InsertID = 0 // as reportID
	}
	if b.InsertID != 0 {
		ok.LastInsertID = b.InsertID
	}
	s.out.Response.OK = ok
}

// settle brings the targets' connections to rest, and back to the client's state.
func (s *staging) settle() {
	stopAll(s.sources)
	for _, b := range s.batches {
		for i, state := range b.states {
			if l := b.legs[i]; state != nil && l.state == legIdle {
				if err := state.leave(); err != nil {
					l.state = legBroken
				}
			}
		}
	}
}
