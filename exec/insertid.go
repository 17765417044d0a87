package exec

import (
	"sluice/router"
	"sluice/wire"
)

// reportID puts the id into the answer that one server would report for an INSERT whose ids
// are the cluster sequence's, and clears Bound.InsertID when no new row has it: IGNORE and ON
// DUPLICATE KEY UPDATE may not have used the ids. Of one row its server knows: the new row's
// id, that of the row that was updated, or none. Of several it is told only when all were
// inserted; no id is better than that of a row that is not there.
func (s *scatter) reportID(ok *wire.OK) {
	b := s.req.Bound
	if b.InsertID == 0 {
		reportGiven(s, ok)
		return
	}
	if stmt := b.Plan.Stmt; stmt != nil && stmt.Insert != nil && (stmt.Insert.Ignore || stmt.Insert.OnDuplicate) {
		var c counts
		for i := range s.legs {
			c.add(&s.legs[i].ok, s.ignores())
			if b.Strategy == router.Everywhere {
				break // the others are the same rows
			}
		}
		switch reported := s.legs[0].ok.LastInsertID; {
		case c.records == 1 && reported != b.InsertID:
			ok.LastInsertID, b.InsertID = reported, 0
			return
		case c.records > 1 && (c.duplicates > 0 || ok.AffectedRows != c.records):
			b.InsertID = 0
		}
	}
	ok.LastInsertID = b.InsertID
}

// reportGiven puts the id into the answer that one server would report where the statement gives
// all ids: that of its last row.
func reportGiven(s *scatter, ok *wire.OK) {
	if s.req.Bound.Strategy != router.SplitInsert {
		return
	}
	for i := range s.legs {
		if l := &s.legs[i]; l.shard == s.req.Bound.LastRow && l.ok.LastInsertID != 0 {
			ok.LastInsertID = l.ok.LastInsertID
		}
	}
}
