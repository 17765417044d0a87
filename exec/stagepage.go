package exec

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"sluice/router"
	"sluice/wire"
)

// pager reads the temporary table's rows in the order in which they came, a page at a time:
// between two pages the home connection is free to insert.
type pager struct {
	*staging
	vals [][]byte
}

// Rows of a page: few at first, more while they are small.
const (
	firstPage = 64
	mostPage  = 2048
)

func (p pager) run() error {
	sql := "SELECT " + stagedOrder + ", " + p.to.Select + " FROM " + tableName(p.to.Schema, p.to.Name) + " WHERE " + stagedOrder + ">? ORDER BY " + stagedOrder + " LIMIT ?"
	stmt, err := prepareOnce(p.home.conn, []byte(sql))
	if err != nil {
		return p.home.failed(err)
	}
	p.gathering.stmt = stmt.ID // closed with what else is left there
	if p.to.All {
		p.begin(p.to.Targets)
	} else {
		for _, shard := range p.to.Targets {
			p.begin([]int{shard})
		}
	}
	var after, read uint64
	for n := uint64(firstPage); ; {
		if err := p.awaitHome(); err != nil {
			return err
		}
		var at [8]byte
		var limit [8]byte
		binary.LittleEndian.PutUint64(at[:], after)
		binary.LittleEndian.PutUint64(limit[:], n)
		req := &Request{Execute: &wire.Execute{Params: []wire.Param{
			{Type: wire.TypeLongLong, Unsigned: true, Value: at[:]}, {Type: wire.TypeLongLong, Unsigned: true, Value: limit[:]},
		}}}
		if err := sendExecute(p.home.conn, stmt, req, &router.Leg{}, wire.CursorNone); err != nil {
			return p.home.failed(err)
		}
		p.home.state, p.home.known = legSent, false
		rows, size, last, err := p.page()
		if err != nil {
			return err
		}
		read += rows
		for _, b := range p.batches {
			if b.full() {
				if err := b.flush(); err != nil {
					return err
				}
			}
		}
		if rows < n {
			break
		}
		after = last
		if size < stagedBytes/2 {
			n = min(2*n, mostPage)
		} else if size > 2*stagedBytes {
			n = max(n/2, 1)
		}
		if err := p.interrupted(); err != nil {
			return err
		}
	}
	if read != p.staged && !p.to.Replace {
		return refuse(1105, "HY000", "of %d computed rows %d could be read", p.staged, read)
	}
	p.staged = read
	return nil
}

// awaitHome waits for what is under way on the home connection.
func (p *pager) awaitHome() error {
	for _, b := range p.batches {
		if slices.Contains(b.legs, p.home) {
			if err := b.await(); err != nil {
				return err
			}
		}
	}
	return nil
}

// page reads the rows of one page into the batches.
func (p *pager) page() (rows uint64, size int, last uint64, err error) {
	l := p.home
	if err := l.header(); err != nil {
		return 0, 0, 0, err
	}
	if len(l.cols) != len(p.to.Columns)+1 {
		return 0, 0, 0, refuse(1412, "HY000", "shard %s gives %d columns of %s.%s, not %d", l.conn.Shard(), len(l.cols)-1, p.to.Schema, p.to.Table, len(p.to.Columns))
	}
	for {
		row, err := l.next()
		if err != nil || row == nil {
			return rows, size, last, err
		}
		if p.vals, err = wire.SplitBinaryRow(row, l.cols, p.vals); err != nil {
			return 0, 0, 0, err
		}
		if len(p.vals[0]) != 8 {
			return 0, 0, 0, fmt.Errorf("%w: a row's number", wire.ErrMalformed)
		}
		last = binary.LittleEndian.Uint64(p.vals[0])
		rows++
		size += len(row)
		if err := p.row(p.vals[1:], l.cols[1:]); err != nil {
			return 0, 0, 0, err
		}
	}
}

// row writes a row for the shard that it belongs to.
func (p *pager) row(vals [][]byte, cols []wire.Column) error {
	id, explicit, err := p.id(vals, cols)
	if err != nil {
		return err
	}
	b := p.batches[0]
	if p.to.Key >= 0 {
		shard, err := p.owner(vals, cols, id, explicit)
		if err != nil {
			return err
		}
		at, ok := slices.BinarySearch(p.to.Targets, shard)
		if !ok {
			return refuse(1105, "HY000", "a row of %s.%s belongs to shard %d, which was not asked", p.to.Schema, p.to.Table, shard)
		}
		b = p.batches[at]
	}
	if b.rows > 0 {
		b.buf = append(b.buf, ',')
	}
	b.buf = append(b.buf, '(')
	for i, v := range vals {
		if i > 0 {
			b.buf = append(b.buf, ',')
		}
		switch c := &p.to.Columns[i]; {
		case i == p.to.Auto && !explicit && id != 0:
			b.buf = fmt.Appendf(b.buf, "%d", id)
		case i == p.to.Auto && !explicit:
			b.buf, b.ids = append(b.buf, "NULL"...), true
		case v == nil:
			b.buf = append(b.buf, "NULL"...)
		case p.to.Tail != nil:
			b.buf, err = appendAnywhere(b.buf, v, &cols[i], c.Form)
		default:
			b.buf, err = appendLoaded(b.buf, v, &cols[i], c.Form)
		}
		if err != nil {
			return fmt.Errorf("column %s of %s.%s: %w", p.to.Columns[i].Name, p.to.Schema, p.to.Table, err)
		}
	}
	b.buf = append(b.buf, ')')
	b.rows++
	return nil
}

// id gives the row's id: explicit as it has come, or one of the cluster's sequence; 0 where
// its server gives one, or where the table has none (explicit).
func (p *pager) id(vals [][]byte, cols []wire.Column) (id uint64, explicit bool, err error) {
	at := p.to.Auto
	if at < 0 {
		return 0, true, nil
	}
	if v := vals[at]; v != nil {
		var buf [40]byte
		text, err := wire.BinaryToText(buf[:0], v, &cols[at])
		if err != nil {
			return 0, false, err
		}
		if zero := strings.Trim(string(text), "0.") == ""; !zero || p.to.ZeroIsID {
			p.lastID = number(text)
			return p.lastID, true, nil
		}
	}
	if p.req.Sequence == nil {
		return 0, false, nil
	}
	id = p.next
	p.next++
	return id, false, nil
}

// owner gives the shard of a row.
func (p *pager) owner(vals [][]byte, cols []wire.Column, id uint64, explicit bool) (int, error) {
	at := p.to.Key
	if at == p.to.Auto && !explicit {
		return p.to.OwnerOfID(id), nil
	}
	v := vals[at]
	if v == nil {
		return 0, refuse(1048, "23000", "Column '%s' cannot be null: it is the shard key of %s.%s and says where the row lives", p.to.ShardKey, p.to.Schema, p.to.Table)
	}
	if p.to.Columns[at].Form == router.AsBytes {
		key, n, ok := wire.LenencBytes(v)
		if !ok || n != len(v) {
			return 0, fmt.Errorf("%w: a shard key", wire.ErrMalformed)
		}
		return p.to.Owner(key), nil
	}
	var buf [40]byte
	key, err := wire.BinaryToText(buf[:0], v, &cols[at])
	if err != nil {
		return 0, err
	}
	return p.to.Owner(key), nil
}
