package exec

import (
	"fmt"
	"math"
	"strings"

	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// count reads the OKs of legs that write and makes one of them. It is not written: the
// session commits first. All legs are read to their end, whatever happens to one: they
// have all begun.
func (s *scatter) count() error {
	errs := make([]error, len(s.legs))
	rows := false
	for i := range s.legs {
		errs[i] = s.legs[i].header()
		rows = rows || s.legs[i].cols != nil
	}
	everywhere := s.req.Bound.Strategy == router.Everywhere
	if err := s.verdict(errs, everywhere && s.req.Bound.Plan.DDL); err != nil {
		return err
	}
	if rows {
		return s.countedRows()
	}
	for i := range s.legs {
		if l := &s.legs[i]; l.part.Nothing {
			if info := updated(l.ok.Info); info == nil || info[0] > 0 {
				return ErrMoves
			}
		}
	}
	if stmt := s.req.Bound.Plan.Stmt; s.req.Bound.Strategy == router.AddCounts ||
		s.req.Bound.Strategy == router.SplitInsert && stmt != nil && stmt.Insert != nil && (stmt.Insert.FromSelect || stmt.Insert.OnDuplicate) {
		if err := (warned{s}).note(); err != nil {
			return err
		}
	}
	for i := range s.legs {
		if s.legs[i].ok.Warnings > 0 {
			s.out.Warned = append(s.out.Warned, s.legs[i].shard)
		}
	}
	if everywhere {
		s.out.Response.OK = s.one()
		if s.req.Bound.Plan.Copies {
			copied(s.legs, &s.out.Response.OK)
		}
	} else {
		s.out.Response.OK = s.sum()
	}
	s.reportID(&s.out.Response.OK)
	s.out.Response.OK.Status = s.req.Status
	return nil
}

// countedRows passes on the rows of a write that gives some: RETURNING on one shard, or
// ANALYZE TABLE on all.
func (s *scatter) countedRows() error {
	for i := range s.legs {
		if s.legs[i].cols == nil {
			return refuse(1235, "42000", "some shards answered with rows and others without")
		}
	}
	if stmt := s.req.Bound.Plan.Stmt; stmt != nil && stmt.Insert != nil && len(s.legs) > 1 {
		if s.req.Bound.Strategy == router.SplitInsert && s.req.Bound.RowShards == nil {
			return s.legs[0].rejectColumns()
		}
		return returning{s}.answer()
	}
	return s.rows()
}

// verdict makes one error of the legs'. Of a statement that is rolled back everywhere the
// first one is told; DDL cannot be rolled back, so its error says where it was done.
func (s *scatter) verdict(errs []error, ddl bool) error {
	var first error
	failed, alike := 0, true
	for _, err := range errs {
		if err == nil {
			continue
		}
		failed++
		if first == nil {
			first = err
		}
		alike = alike && sameError(first, err)
	}
	if failed == 0 || !ddl || failed == len(errs) && alike {
		return first
	}
	return s.partly(errs, first)
}

// sameError tells whether two shards refused a statement for the same reason.
func sameError(a, b error) bool {
	ea, oka := a.(*wire.Error)
	eb, okb := b.(*wire.Error)
	return oka && okb && ea.Code == eb.Code
}

// partly says where a DDL statement was done and where not, under the number of the first
// error.
func (s *scatter) partly(errs []error, first error) error {
	var done, failed []string
	complete := true // what failed had been there before
	for i, err := range errs {
		name := s.legs[i].conn.Shard()
		if err == nil {
			done = append(done, name)
			continue
		}
		failed = append(failed, name+": "+strings.TrimPrefix(err.Error(), "shard "+name+": "))
		complete = complete && already(err, s.req.Bound.Plan.Stmt)
	}
	e := asClientError(first)
	var b strings.Builder
	b.WriteString("sluice: ")
	if len(done) > 0 {
		fmt.Fprintf(&b, "done on %s; ", strings.Join(done, ", "))
	}
	fmt.Fprintf(&b, "failed on %s", strings.Join(failed, "; on "))
	if !complete {
		b.WriteString("; run the statement again to complete it")
	}
	return &Partly{Err: &wire.Error{Code: e.Code, SQLState: e.SQLState, Message: b.String()}, Already: complete && len(done) > 0}
}

// Partly is the error of a DDL statement that was done on some shards only. Already says
// that the others had what it wants before.
type Partly struct {
	Err     *wire.Error
	Already bool
}

func (p *Partly) Error() string { return p.Err.Message }

func (p *Partly) Unwrap() error { return p.Err }

// already tells whether a DDL's error says that what it wants is so already: database
// exists or is gone, table exists or is gone, column or key exists or is gone. A table or
// column that is not there was renamed before.
func already(err error, stmt *query.Statement) bool {
	for _, code := range [...]uint16{1007, 1008, 1050, 1051, 1060, 1061, 1068, 1091} {
		if wire.IsCode(err, code) {
			return true
		}
	}
	return stmt != nil && (stmt.Kind == query.RenameTable && wire.IsCode(err, 1146) || stmt.Kind == query.AlterTable && wire.IsCode(err, 1054))
}

// one gives the first leg's counts: what is written everywhere counts once.
func (s *scatter) one() wire.OK {
	ok := s.legs[0].ok
	for i := range s.legs[1:] {
		l := &s.legs[1+i]
		if l.ok.AffectedRows != ok.AffectedRows {
			s.out.Uneven = append(s.out.Uneven, l.shard)
		}
		ok.Warnings = max(ok.Warnings, l.ok.Warnings)
	}
	return ok
}

// copied adds the rows of a sharded table's parts that a change of its definition has copied. What it warns of is
// the same on each shard.
func copied(legs []leg, ok *wire.OK) {
	var total, said [3]uint64
	if !readInfo(ok.Info, total[:]) {
		return
	}
	ok.AffectedRows, total = 0, [3]uint64{2: total[2]}
	for i := range legs {
		l := &legs[i].ok
		ok.AffectedRows += l.AffectedRows
		if readInfo(l.Info, said[:]) {
			total[0], total[1] = total[0]+said[0], total[1]+said[1]
		}
	}
	ok.Info = writeInfo(ok.Info, total[:])
}

// sum adds the counts of the parts of one INSERT.
func (s *scatter) sum() wire.OK {
	var total wire.OK
	var infos counts
	warnings := 0
	for i := range s.legs {
		ok := &s.legs[i].ok
		total.AffectedRows += ok.AffectedRows
		warnings += int(ok.Warnings)
		if total.LastInsertID == 0 {
			total.LastInsertID = ok.LastInsertID
		}
		infos.add(ok, s.ignores())
	}
	total.Warnings = uint16(min(warnings, math.MaxUint16))
	total.Info = s.legs[0].ok.Info
	if s.req.Bound.Strategy == router.AddCounts {
		total.Info = s.matched()
	} else if len(s.legs) > 1 {
		total.Info = infos.String()
	}
	return total
}

// ignores tells whether the statement is an INSERT IGNORE.
func (s *scatter) ignores() bool {
	stmt := s.req.Bound.Plan.Stmt
	return stmt != nil && stmt.Insert != nil && stmt.Insert.Ignore
}

// matched adds the numbers of an UPDATE's info text; a DELETE has none.
func (s *scatter) matched() string {
	sum := updated(s.legs[0].ok.Info)
	for i := 1; i < len(s.legs); i++ {
		one := updated(s.legs[i].ok.Info)
		if len(one) != len(sum) {
			return ""
		}
		for j := range sum {
			sum[j] += one[j]
		}
	}
	return writeInfo(s.legs[0].ok.Info, sum)
}

// counts are the numbers of a multi-row INSERT's info text.
type counts struct {
	records, duplicates, warnings uint64

	info string // of a shard that has said one
}

func (c *counts) String() string {
	info := c.info
	if info == "" {
		info = recordsInfo
	}
	return writeInfo(info, []uint64{c.records, c.duplicates, c.warnings})
}

// add adds a leg's numbers. An INSERT of a single row has no info text: a row that was
// replaced or updated counts as two affected ones, an ignored one as none.
func (c *counts) add(ok *wire.OK, ignore bool) {
	var l counts
	var said [3]uint64
	if readInfo(ok.Info, said[:]) {
		l, c.info = counts{records: said[0], duplicates: said[1], warnings: said[2]}, ok.Info
	} else {
		l = counts{records: 1, warnings: uint64(ok.Warnings)}
		if ok.AffectedRows > 1 || ok.AffectedRows == 0 && ignore {
			l.duplicates = 1
		}
	}
	c.records += l.records
	c.duplicates += l.duplicates
	c.warnings += l.warnings
}
