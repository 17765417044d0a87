package exec

import (
	"bytes"

	"sluice/wire"
)

// reports makes one of the shards' answers to CHECK, ANALYZE, OPTIMIZE and REPAIR TABLE, whose
// rows say of one table after the other (Table, Op, Msg_type, Msg_text) what was found.
type reports struct{ *scatter }

// report is what the shards say of a table.
type report struct {
	table  []byte
	rows   [][]byte // each once
	good   []bool   // status OK
	failed bool     // on some shard
}

// mostReported bounds what is held of them, in bytes.
const mostReported = 16 << 20

func (s reports) answer(out *sink) error {
	var list []*report
	size := 0
	var vals [][]byte
	for i := range s.legs {
		l := &s.legs[i]
		for {
			row, err := l.next()
			if err != nil {
				return err
			}
			if row == nil {
				break
			}
			if size += len(row); size > mostReported {
				return refuse(1104, "42000", "the shards report more than %d MiB; name fewer tables", mostReported>>20)
			}
			if s.req.Execute != nil {
				vals, err = wire.SplitBinaryRow(row, l.cols, vals)
			} else {
				vals, err = wire.SplitTextRow(row, vals)
			}
			if err != nil || len(vals) != 4 {
				return l.rejectColumns()
			}
			list = note(list, row, vals)
		}
	}
	if err := out.begin(); err != nil {
		return err
	}
	for _, r := range list {
		for i, row := range r.rows {
			if r.good[i] && r.failed {
				continue // only some shards say so
			}
			if err := out.row(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// note adds a row to what is known of its table.
func note(list []*report, row []byte, vals [][]byte) []*report {
	var r *report
	for _, known := range list {
		if bytes.Equal(known.table, vals[0]) {
			r = known
		}
	}
	if r == nil {
		r = &report{table: bytes.Clone(vals[0])}
		list = append(list, r)
	}
	good := string(vals[2]) == "status" && string(vals[3]) == "OK"
	r.failed = r.failed || string(vals[2]) == "error" || string(vals[2]) == "Error"
	for _, known := range r.rows {
		if bytes.Equal(known, row) {
			return list
		}
	}
	r.rows, r.good = append(r.rows, bytes.Clone(row)), append(r.good, good)
	return list
}
