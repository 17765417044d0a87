package exec

import (
	"math"

	"sluice/router"
	"sluice/wire"
)

// mostReturned bounds the rows that INSERT … RETURNING over several shards holds: those of a
// statement of one packet are seldom much larger than itself.
const mostReturned = 64 << 20

// returning answers INSERT and REPLACE … RETURNING of several shards.
type returning struct{ *scatter }

// answer brings the rows together. A server gives a row
// for each row of VALUES, in their order, unless it has ignored some; which ones it does not
// say. All rows are here before the first is sent; what ends them comes after the commit.
func (s returning) answer() error {
	cols, err := agree(s.legs, s.req.Execute != nil)
	if err != nil {
		return err
	}
	rows := make([][][]byte, len(s.legs))
	bytes := 0
	for i := range s.legs {
		for {
			row, err := s.legs[i].next()
			if err != nil {
				return err
			}
			if row == nil {
				break
			}
			if bytes += len(row); bytes > mostReturned {
				return refuse(1104, "42000", "the rows that the INSERT returns have more than %d MiB; insert fewer rows, or return fewer columns", mostReturned>>20)
			}
			rows[i] = append(rows[i], append([]byte(nil), row...))
		}
	}
	ordered, err := s.inOrderOfValues(rows)
	if err != nil {
		return err
	}
	return s.sendReturned(cols, ordered)
}

// inOrderOfValues brings the shards' rows into the order of the statement's.
func (s returning) inOrderOfValues(rows [][][]byte) ([][]byte, error) {
	if s.req.Bound.Strategy == router.Everywhere {
		for i := range rows[1:] {
			if len(rows[1+i]) != len(rows[0]) {
				s.out.Uneven = append(s.out.Uneven, s.legs[1+i].shard)
			}
		}
		return rows[0], nil
	}
	legOf := map[int]int{}
	for i := range s.legs {
		legOf[s.legs[i].shard] = i
	}
	taken := make([]int, len(rows))
	ordered := make([][]byte, 0, len(s.req.Bound.RowShards))
	for _, shard := range s.req.Bound.RowShards {
		i, ok := legOf[int(shard)]
		if !ok || taken[i] == len(rows[i]) {
			return nil, notAllReturned()
		}
		ordered = append(ordered, rows[i][taken[i]])
		taken[i]++
	}
	for i := range rows {
		if taken[i] != len(rows[i]) {
			return nil, notAllReturned()
		}
	}
	return ordered, nil
}

func notAllReturned() error {
	return refuse(1235, "42000", "INSERT … RETURNING of rows on several shards, some of which returned none (duplicates that are ignored): "+
		"their order is not known, and nothing was inserted; insert them one by one, or SELECT the rows afterwards")
}

// sendReturned sends rows without what ends them.
func (s returning) sendReturned(cols []wire.Column, rows [][]byte) error {
	warnings := 0
	for i := range s.legs {
		n := int(s.legs[i].ok.Warnings)
		if n > 0 {
			s.out.Warned = append(s.out.Warned, s.legs[i].shard)
		}
		if s.req.Bound.Strategy == router.Everywhere {
			warnings = max(warnings, n)
		} else {
			warnings += n
		}
	}
	status := s.req.Status
	if s.req.More {
		status |= wire.StatusMoreResults
	}
	s.out.Started = true
	s.out.Response.Columns = len(cols)
	if err := wire.WriteColumns(s.client, cols, status, 0); err != nil {
		return clientGone(err)
	}
	for _, row := range rows {
		if err := s.client.WritePacket(row); err != nil {
			return clientGone(err)
		}
		s.out.Response.Rows++
		s.out.Response.Bytes += int64(len(row))
	}
	s.out.Response.OK = wire.OK{Status: s.req.Status, Warnings: uint16(min(warnings, math.MaxUint16))}
	s.out.Unended = true
	return nil
}
