package exec

import (
	"slices"
	"strings"

	"sluice/router"
	"sluice/wire"
)

// batch is the INSERT of many rows that is being written for one target, or for all.
type batch struct {
	s      *staging
	legs   []*leg
	states []*loadState // of the legs, nil when they are in the client's state
	buf    []byte
	head   int
	rows   int
	ids    bool // a row of it gets an id of its server
	sent   batchSent
	under  bool
}

type batchSent struct {
	rows int
	ids  bool
}

// begin starts a batch for the targets.
func (s *staging) begin(shards []int) *batch {
	b := &batch{s: s}
	for _, shard := range shards {
		b.legs = append(b.legs, s.source(shard))
	}
	b.states = make([]*loadState, len(b.legs))
	b.buf = s.to.AppendHead(nil)
	b.head = len(b.buf)
	s.batches = append(s.batches, b)
	return b
}

// stagedBytes is the text of one INSERT. There is one for each target at once.
const stagedBytes = 256 << 10

func (b *batch) full() bool { return len(b.buf)-b.head >= stagedBytes }

// enter brings the targets into the state in which values are taken as they are. With ON
// DUPLICATE KEY UPDATE they stay in the client's, in which that is meant.
func (b *batch) enter() error {
	for i, l := range b.legs {
		if b.states[i] != nil || b.s.to.Tail != nil {
			continue
		}
		state, err := enterLoad(l.conn, false)
		b.states[i] = state
		if err != nil {
			return l.failed(err)
		}
	}
	return nil
}

// flush sends what has been written when the batch before has been carried out.
func (b *batch) flush() error {
	if b.rows == 0 {
		return nil
	}
	if err := b.await(); err != nil {
		return err
	}
	if err := b.s.interrupted(); err != nil {
		return err
	}
	if err := b.enter(); err != nil {
		return err
	}
	b.buf = append(b.buf, b.s.to.Tail...)
	for _, l := range b.legs {
		if err := sendQuery(l.conn, b.buf); err != nil {
			return l.failed(err)
		}
		l.state, l.known = legSent, false
	}
	b.sent, b.under = batchSent{b.rows, b.ids}, true
	b.buf, b.rows, b.ids = b.buf[:b.head], 0, false
	return nil
}

// await reads the answers to the batch that is under way.
func (b *batch) await() error {
	if !b.under {
		return nil
	}
	b.under = false
	s := b.s
	for i, l := range b.legs {
		err := l.header()
		switch {
		case wire.IsCode(err, 1153):
			return refuse(1153, "08S01", "a row of %s.%s is larger than max_allowed_packet of shard %s", s.to.Schema, s.to.Table, l.conn.Shard())
		case err != nil:
			if inOrder(err) {
				if heard := s.hear(l, nil); heard != nil {
					return heard
				}
			}
			return err
		case l.cols != nil:
			return l.failed(l.rejectColumns())
		case i > 0:
			if l.ok.AffectedRows != b.legs[0].ok.AffectedRows {
				return refuse(1105, "HY000", "the copies of %s.%s are not alike: the statement would change another number of rows on shard %s than on the first",
					s.to.Schema, s.to.Table, l.conn.Shard())
			}
			continue
		}
		warnings := s.done.warnings
		s.done.add(&l.ok, s.to.Ignore)
		s.done.warnings = warnings // as heed counts them
		s.affected += l.ok.AffectedRows
		if b.sent.ids && s.serverID == 0 {
			s.serverID = l.ok.LastInsertID
		}
		if l.ok.Warnings > 0 {
			if err := b.heed(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// heed looks at a batch's warnings. Values have been converted already: of those that are
// taken as they are only what IGNORE leaves out is to be told.
func (b *batch) heed(l *leg) error {
	s := b.s
	if s.to.Tail != nil {
		s.done.warnings += uint64(l.ok.Warnings)
		return s.hear(l, nil)
	}
	told := 0
	err := s.hear(l, func(level, code, text string) (bool, error) {
		switch {
		case code == "1062" || code == "1452" || code == "1216" || code == "1169" || code == "1022":
			told++
			return true, nil
		case level == "Note", code == "1265" && b.isNumbered(text):
			return false, nil
		}
		return false, refuse(1105, "HY000", "a row of %s.%s could not be stored as it was computed: %s", s.to.Schema, s.to.Table, text)
	})
	if told > 0 { // servers keep the first of them only
		told = max(told, int(l.ok.Warnings))
	}
	s.done.warnings += uint64(told)
	return err
}

// isNumbered tells whether a warning names a column that is written as a number.
func (b *batch) isNumbered(text string) bool {
	return slices.ContainsFunc(b.s.to.Columns, func(c router.GatherColumn) bool {
		return c.Form == router.AsNumber && strings.Contains(text, "'"+c.Name+"'")
	})
}
