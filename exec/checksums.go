package exec

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"sluice/wire"
)

// checksums adds up the shards' answers to CHECKSUM TABLE (Table, Checksum), which have the same tables in the same order. The
// checksum of a table is the sum of its rows' in 32 bits, in whatever order they are read, on MariaDB and on Oracle MySQL
// (handler::checksum, mysql_checksum_table). NULL is that of a table which is not there, or that has none at hand (QUICK).
type checksums struct{ *scatter }

type checksum struct {
	table []byte
	sum   uint32
	null  bool
}

func (s checksums) answer(out *sink) error {
	var list []checksum
	var vals [][]byte
	for i := range s.legs {
		l := &s.legs[i]
		for at := 0; ; at++ {
			row, err := l.next()
			if err != nil {
				return err
			}
			if row == nil {
				if at != len(list) {
					return l.rejectColumns()
				}
				break
			}
			if s.req.Execute != nil {
				vals, err = wire.SplitBinaryRow(row, l.cols, vals)
			} else {
				vals, err = wire.SplitTextRow(row, vals)
			}
			if err != nil || len(vals) != 2 {
				return l.rejectColumns()
			}
			if i == 0 {
				list = append(list, checksum{table: bytes.Clone(vals[0])})
			}
			if at >= len(list) || !bytes.Equal(list[at].table, vals[0]) || !list[at].add(vals[1], s.req.Execute != nil) {
				return l.rejectColumns()
			}
		}
	}
	if err := out.begin(); err != nil {
		return err
	}
	for _, c := range list {
		if err := out.row(c.row(s.req.Execute != nil, out.shape.cols)); err != nil {
			return err
		}
	}
	return nil
}

// add adds a shard's value, false where it is none.
func (c *checksum) add(v []byte, inBinary bool) bool {
	switch {
	case v == nil:
		c.null = true
	case inBinary && len(v) == 8:
		c.sum += uint32(binary.LittleEndian.Uint64(v))
	case inBinary:
		return false
	default:
		n, err := strconv.ParseUint(string(v), 10, 64)
		c.sum += uint32(n)
		return err == nil
	}
	return true
}

func (c *checksum) row(inBinary bool, cols []wire.Column) []byte {
	vals := [][]byte{c.table, nil}
	switch {
	case c.null:
	case inBinary:
		vals[1] = binary.LittleEndian.AppendUint64(nil, uint64(c.sum))
	default:
		vals[1] = strconv.AppendUint(nil, uint64(c.sum), 10)
	}
	if inBinary {
		return wire.AppendBinaryRow(nil, vals, cols)
	}
	return wire.AppendTextRow(nil, vals)
}
