package exec

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/query"
	"sluice/wire"
)

// finish ends the shards' files, reads their answers and makes one of them.
func (l *fileLoad) finish(err error) error {
	if err == nil {
		err = l.why
	}
	for _, p := range l.parts {
		p.close(err == nil)
	}
	var failed error // the first answer that is an error
	for _, p := range l.parts {
		if aerr := p.answer(); aerr != nil && failed == nil {
			failed = aerr
		}
	}
	if failed != nil && (err == nil || errors.Is(err, errPart)) {
		err = failed
	}
	cerr := l.conditions()
	verr := l.variables(err == nil)
	for _, p := range l.parts {
		if rerr := p.restore(); rerr != nil && verr == nil {
			verr = rerr
		}
	}
	for _, e := range []error{cerr, verr} {
		if err == nil {
			err = e
		}
	}
	if err != nil {
		return err
	}
	l.out.Response.OK = l.total()
	return nil
}

// total adds the shards' counts; copies count once.
func (l *fileLoad) total() wire.OK {
	ok := wire.OK{Status: l.req.Status, Info: loadedInfo}
	var sum, one [4]uint64
	for i := range l.legs {
		leg := &l.legs[i]
		if leg.ok.Warnings > 0 {
			l.out.Warned = append(l.out.Warned, leg.shard)
		}
		if l.load.Everywhere && i > 0 {
			if leg.ok.AffectedRows != l.legs[0].ok.AffectedRows {
				l.out.Uneven = append(l.out.Uneven, leg.shard)
			}
			continue
		}
		ok.AffectedRows += leg.ok.AffectedRows
		if readInfo(leg.ok.Info, one[:]) {
			ok.Info = leg.ok.Info
			for j := range sum {
				sum[j] += one[j]
			}
		}
	}
	ok.Warnings = uint16(min(sum[3], 0xFFFF))
	ok.Info = writeInfo(ok.Info, sum[:])
	return ok
}

// conditions asks the shards for their warnings, before anything else is said there, and
// gives them the row numbers of the file.
func (l *fileLoad) conditions() error {
	type condition struct {
		row    uint64
		values [][]byte
	}
	var all []condition
	for i, p := range l.parts {
		if p.leg.state != legIdle || p.leg.known && p.leg.ok.Warnings == 0 {
			continue
		}
		_, rows, err := p.leg.conn.Query("SHOW WARNINGS")
		if err != nil {
			p.leg.state = legBroken
			return lost(p.leg.conn, err)
		}
		if l.load.Everywhere && i > 0 {
			continue
		}
		row := uint64(0) // a warning without a number stands behind the one before
		for _, r := range rows {
			if len(r) == 3 {
				if n, text := p.renumber(r[2]); n > 0 {
					row, r[2] = n, text
				}
				all = append(all, condition{row, r})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b condition) int { return cmp.Compare(a.row, b.row) })
	l.out.Conditions = [][][]byte{}
	for _, c := range all {
		l.out.Conditions = append(l.out.Conditions, c.values)
	}
	return nil
}

// renumber puts the file's row number in the place of the part's: servers say "… at row 7",
// or "Row 7 …".
func (p *filePart) renumber(text []byte) (row uint64, renumbered []byte) {
	const at, front = " at row ", "Row "
	from, to := -1, len(text)
	if i := bytes.LastIndex(text, []byte(at)); i >= 0 {
		from = i + len(at)
	} else if bytes.HasPrefix(text, []byte(front)) {
		from = len(front)
		if to = bytes.IndexByte(text[from:], ' '); to < 0 {
			return 0, nil
		}
		to += from
	}
	if from < 0 {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(text[from:to]), 10, 64)
	if err != nil || n == 0 {
		return 0, nil
	}
	out := append([]byte(nil), text[:from]...)
	row, ok := p.place(n)
	if !ok { // far behind
		row = p.before
		out = fmt.Appendf(out, "%d of those of shard %s", n, p.leg.conn.Shard())
	} else {
		out = strconv.AppendUint(out, row, 10)
	}
	return row, append(out, text[to:]...)
}

// variables gives the user variables of the statement's list the values of the last row, on
// the session's home shard, and takes them away on the others, whose connections go to other
// clients.
func (l *fileLoad) variables(done bool) error {
	var names []string
	for _, f := range l.req.Bound.Plan.Stmt.Load.Fields {
		if f.Var {
			names = append(names, "@"+string(query.QuoteName(nil, f.Name)))
		}
	}
	if len(names) == 0 || l.rows == 0 {
		return nil
	}
	values := make([]string, len(names))
	if done {
		var err error
		if values, err = l.lastValues(names); err != nil {
			return err
		}
	}
	for _, p := range l.parts {
		if p.leg.state != legIdle || !p.asks {
			continue
		}
		var set []string
		for i, n := range names {
			v := "NULL"
			if p.leg.shard == l.req.HomeShard && values[i] != "" {
				v = values[i]
			}
			set = append(set, n+"="+v)
		}
		if err := p.say("SET " + strings.Join(set, ", ")); err != nil {
			return err
		}
	}
	return nil
}

// lastValues gives the variables' values as literals, "" for NULL.
func (l *fileLoad) lastValues(names []string) ([]string, error) {
	c := l.parts[l.last].leg.conn
	_, rows, err := c.Query("SELECT HEX(" + strings.Join(names, "), HEX(") + ")")
	if err == nil && (len(rows) != 1 || len(rows[0]) != len(names)) {
		err = fmt.Errorf("%w: user variables", wire.ErrMalformed)
	}
	if err != nil {
		l.parts[l.last].leg.state = legBroken
		return nil, lost(c, err)
	}
	values := make([]string, len(names))
	for i, v := range rows[0] {
		if _, err := hex.DecodeString(string(v)); err == nil && v != nil {
			values[i] = "_" + l.charset + " X'" + string(v) + "'"
		}
	}
	return values, nil
}
