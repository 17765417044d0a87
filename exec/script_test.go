package exec

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// script is a server that answers with set bytes and keeps what it is sent.
type script struct {
	net.Conn // nil: only what is below may be called
	in       []byte
	again    []byte // follows in, for ever
	out      bytes.Buffer
	dropped  bool // what is sent is not kept
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		s.in = s.again
	}
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	if s.dropped {
		return len(p), nil
	}
	return s.out.Write(p)
}

func (s *script) Close() error                { return nil }
func (s *script) SetDeadline(time.Time) error { return nil }

// packets frames payloads as a server's answer.
func packets(payloads ...[]byte) []byte {
	var b []byte
	for i, p := range payloads {
		b = append(b, byte(len(p)), byte(len(p)>>8), byte(len(p)>>16), byte(i+1))
		b = append(b, p...)
	}
	return b
}

// scripted are shards that are scripts.
type scripted struct {
	scripts []*script
	dirty   []int
	conns   map[*backend.Conn]int
}

func newScripted(answers ...[]byte) *scripted {
	s := &scripted{conns: map[*backend.Conn]int{}}
	for _, a := range answers {
		s.scripts = append(s.scripts, &script{in: a})
	}
	return s
}

func (s *scripted) Lease(_ context.Context, sh int, _ bool) (*backend.Conn, error) {
	c := &backend.Conn{Conn: wire.NewConn(s.scripts[sh], 1<<20)}
	s.conns[c] = sh
	return c, nil
}

func (s *scripted) Apart(ctx context.Context, sh int) (*backend.Conn, error) {
	return s.Lease(ctx, sh, false)
}

func (s *scripted) Interrupted() error { return nil }

func (s *scripted) Done(c *backend.Conn, status uint16, ok bool) {
	if !ok {
		s.dirty = append(s.dirty, s.conns[c])
	}
	delete(s.conns, c)
}

func column(name string, t byte) []byte {
	return wire.AppendColumn(nil, &wire.Column{Name: name, Type: t, Collation: wire.CollationBinary, Length: 20})
}

func textRow(values ...string) []byte {
	var row [][]byte
	for _, v := range values {
		row = append(row, []byte(v))
	}
	return wire.AppendTextRow(nil, row)
}

// result is a result of one integer column and one string column.
func result(rows ...[]byte) []byte {
	eof := wire.AppendEOF(nil, wire.OK{Status: 2})
	all := append([][]byte{{2}, column("id", wire.TypeLongLong), column("s", wire.TypeVarString), eof}, rows...)
	return packets(append(all, eof)...)
}

// TestMalice: a server that does not speak the protocol is an error and loses its
// connection; the others keep theirs.
func TestMalice(t *testing.T) {
	good := result(textRow("1", "a"))
	eof := wire.AppendEOF(nil, wire.OK{})
	for name, c := range map[string]struct {
		bad   []byte
		dirty bool
	}{
		"local file":      {packets([]byte("\xfb/etc/passwd")), true},
		"column bomb":     {packets([]byte{0xfc, 0xff, 0xff}), true},
		"no packet":       {nil, true},
		"empty packet":    {packets(nil), true},
		"too many values": {result(textRow("1", "a", "b")), true},
		"too few values":  {result(textRow("1")), true},
		"overlong value":  {result([]byte{1, '1', 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), true},
		"cut result":      {good[:len(good)-10], true},
		"huge packet":     {[]byte{0xff, 0xff, 0xff, 1, 0}, true},
		"out of order":    {append(bytes.Clone(good[:5]), 1, 2, 3), true},
		"not a number":    {result(textRow("abc", "a")), false},
		"only an end":     {packets([]byte{2}, eof), true},
	} {
		for _, strategy := range []router.Strategy{router.MergeSort, router.Aggregate} {
			t.Run(fmt.Sprint(name, " ", strategy), func(t *testing.T) {
				l := newScripted(good, c.bad)
				front := &script{}
				m := &router.Merge{Visible: 1, Hidden: 1, Sort: byID, Groups: byID,
					Aggs: []router.AggColumn{{Column: 1, Fn: query.Max, Compare: router.ByBytes, Key: 1}}}
				out, err := Run(context.Background(), wire.NewConn(front, 1<<20), l, request(bound(strategy, allLegs("SELECT …")[:2], m), nil))
				if err == nil && out.Response.Err == nil {
					t.Fatalf("no error: %+v, sent %q", out, front.out.Bytes())
				}
				if len(l.conns) != 0 || c.dirty != (len(l.dirty) == 1 && l.dirty[0] == 1) {
					t.Errorf("closed %v, left %d", l.dirty, len(l.conns))
				}
			})
		}
	}
}

// TestSortBound: groups that must be sorted in memory have a bound, which a LIMIT lifts.
func TestSortBound(t *testing.T) {
	l := newScripted(manyRows(maxSortRows+10), result())
	m := &router.Merge{Visible: 2, Sort: byID, Groups: byID, Resort: []router.SortKey{{Column: 1, Compare: router.ByBytes, Desc: true}}}
	front := &script{}
	b := bound(router.Aggregate, allLegs("SELECT …")[:2], m)
	_, err := Run(context.Background(), wire.NewConn(front, 1<<20), l, request(b, nil))
	var refusal *router.Refusal
	if !errors.As(err, &refusal) || refusal.Code != 1235 || !strings.Contains(refusal.Message, "300000 groups") {
		t.Errorf("%v", err)
	}
	if front.out.Len() != 0 || len(l.dirty) != 0 {
		t.Errorf("%d bytes sent, closed %v", front.out.Len(), l.dirty)
	}
	l = newScripted(manyRows(maxSortRows+10), result())
	b.Limit = 10
	out, err := Run(context.Background(), wire.NewConn(front, 1<<20), l, request(b, nil))
	if err != nil || out.Response.Rows != 10 {
		t.Errorf("with LIMIT: %v, %+v", err, out)
	}
}

// manyRows is an answer with n rows in order.
func manyRows(n int) []byte {
	r := result()
	eofSize := 4 + len(wire.AppendEOF(nil, wire.OK{Status: 2}))
	b := r[:len(r)-eofSize]
	seq := byte(5)
	for i := range n {
		row := textRow(fmt.Sprint(i), fmt.Sprintf("%07d", i*7919%n))
		b = append(b, byte(len(row)), byte(len(row)>>8), 0, seq)
		b = append(b, row...)
		seq++
	}
	end := wire.AppendEOF(nil, wire.OK{Status: 2})
	b = append(b, byte(len(end)), 0, 0, seq)
	return append(b, end...)
}

// TestLongData: long data goes out in pieces before the execution, an empty one too.
func TestLongData(t *testing.T) {
	s := &script{}
	c := &backend.Conn{Conn: wire.NewConn(s, 1<<20)}
	const piece = 32 << 10 // of WriteLongData
	data := bytes.Repeat([]byte("x"), piece+10)
	req := &Request{Execute: &wire.Execute{Params: []wire.Param{{Type: wire.TypeBlob, LongData: true}, {Type: wire.TypeBlob, LongData: true}}},
		Long: map[int][]byte{0: data}}
	if err := sendExecute(c, &backend.Stmt{ID: 5, Params: 2}, req, &router.Leg{}, 0); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for b := s.out.Bytes(); len(b) > 0; {
		n := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		if id := binary.LittleEndian.Uint32(b[5:]); id != 5 {
			t.Errorf("statement %d", id)
		}
		sizes = append(sizes, n)
		b = b[4+n:]
	}
	if want := fmt.Sprint([]int{7 + piece, 17, 7, 16}); fmt.Sprint(sizes) != want {
		t.Errorf("packets of %v bytes, want %v", sizes, want)
	}
}

// BenchmarkMerge is the merge of four sorted legs alone, without a kernel.
func BenchmarkMerge(b *testing.B) {
	const legRows = 10_000
	for name, plan := range map[string]struct {
		strategy router.Strategy
		merge    *router.Merge
	}{
		"concatenate": {router.Concatenate, nil},
		"sort":        {router.MergeSort, &router.Merge{Visible: 2, Sort: byID}},
		"sort-hidden": {router.MergeSort, &router.Merge{Visible: 1, Hidden: 1, Sort: byID}},
		"groups": {router.Aggregate, &router.Merge{Visible: 2, Sort: byID, Groups: byID,
			Aggs: []router.AggColumn{{Column: 1, Fn: query.Sum}}}},
	} {
		b.Run(name, func(b *testing.B) {
			answer := manyRows(legRows)
			bd := bound(plan.strategy, make([]router.Leg, 4), plan.merge)
			for i := range bd.Legs {
				bd.Legs[i] = router.Leg{Shard: i, SQL: []byte("SELECT …")}
			}
			req := request(bd, nil)
			front := wire.NewConn(&script{dropped: true}, 1<<20)
			b.ReportAllocs()
			for b.Loop() {
				l := newScripted(answer, answer, answer, answer)
				for _, s := range l.scripts {
					s.dropped = true
				}
				if out, err := Run(context.Background(), front, l, req); err != nil || out.Response.Err != nil {
					b.Fatal(err, out.Response.Err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(4*legRows), "ns/row")
		})
	}
}
