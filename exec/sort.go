package exec

import (
	"math"
	"slices"

	"sluice/router"
)

// The bounds of what is held in memory to be sorted: groups whose order depends on their
// combined values can only be sorted when all are there.
const (
	maxSortRows  = 300_000
	maxSortBytes = 64 << 20
)

// sorter sorts combined groups by keys that the shards could not sort by. With a LIMIT it
// holds only the first rows.
type sorter struct {
	reader keyReader
	shape  *shape
	keep   int64 // rows that can matter: offset + limit
	rows   []sortedRow
	bytes  int
	apart  error // as legHeap's
}

// sortedRow is a row of the visible columns with its keys.
type sortedRow struct {
	row  []byte
	keys []key
}

// rowOverhead is about what a held row costs besides its bytes.
const rowOverhead = 96

func newSorter(specs []router.SortKey, sh *shape, offset, limit int64) (*sorter, error) {
	reader, err := newKeyReader(specs, sh)
	if err != nil {
		return nil, err
	}
	keep := int64(math.MaxInt64)
	if limit < math.MaxInt64-offset {
		keep = offset + limit
	}
	return &sorter{reader: reader, shape: sh, keep: keep}, nil
}

// add takes a row, whose values are given too.
func (s *sorter) add(row []byte, vals [][]byte) error {
	if s.keep == 0 {
		return nil
	}
	keys := make([]key, len(s.reader.specs))
	if err := s.reader.read(keys, vals); err != nil {
		return err
	}
	s.rows = append(s.rows, sortedRow{slices.Clone(row), keys})
	s.bytes += rowBytes(&s.rows[len(s.rows)-1])
	if int64(len(s.rows)/2) >= s.keep && len(s.rows) >= 1024 {
		s.prune()
	}
	if len(s.rows) > maxSortRows || s.bytes > maxSortBytes {
		s.prune()
	}
	if len(s.rows) > maxSortRows || s.bytes > maxSortBytes {
		return refuse(1235, "42000", "more than %d groups or %d MiB would have to be sorted by a combined value; "+
			"add a LIMIT or a WHERE, or sort by the GROUP BY columns", maxSortRows, maxSortBytes>>20)
	}
	return nil
}

func rowBytes(r *sortedRow) int {
	n := len(r.row) + rowOverhead
	for i := range r.keys {
		n += len(r.keys[i].b) + 56
	}
	return n
}

// prune sorts and drops rows that a LIMIT leaves out. The sort is stable: rows with equal
// keys stay in the order of the groups.
func (s *sorter) prune() {
	slices.SortStableFunc(s.rows, func(a, b sortedRow) int {
		c := compareKeys(a.keys, b.keys, s.reader.specs)
		if c != 0 && s.apart == nil {
			s.apart = toldApart(a.keys, b.keys, s.reader.specs)
		}
		return c
	})
	if int64(len(s.rows)) <= s.keep {
		return
	}
	for i := int(s.keep); i < len(s.rows); i++ {
		s.bytes -= rowBytes(&s.rows[i])
	}
	clear(s.rows[s.keep:])
	s.rows = s.rows[:s.keep]
}

// flush sends the rows in their order.
func (s *sorter) flush(out *sink) error {
	s.prune()
	if s.apart != nil {
		return s.apart
	}
	if err := out.begin(); err != nil {
		return err
	}
	for i := 0; i < len(s.rows) && !out.full(); i++ {
		if out.skip() {
			continue
		}
		if err := out.write(s.rows[i].row); err != nil {
			return err
		}
	}
	return nil
}
