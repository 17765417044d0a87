package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// relayCase is one response and what comes of it.
type relayCase struct {
	name   string
	opts   RelayOptions
	in     [][]byte // the backend's packets, from number 1
	out    [][]byte // what the client gets; nil: the same
	want   Response // without Bytes
	wantIs error
}

func concat(parts ...[][]byte) (all [][]byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func resultSet(status uint16, rows ...[]byte) [][]byte {
	head := [][]byte{{2}, defPacket("id"), defPacket("name"), eofPacket(status)}
	return concat(head, rows, [][]byte{eofPacket(status)})
}

func relayCases() []relayCase {
	more := StatusMoreResults
	ok := OK{AffectedRows: 300, LastInsertID: 7, Status: 2, Warnings: 1, Info: "Records: 3"}
	eof := OK{Status: 2, Warnings: 2}
	dup := &Error{Code: 1062, SQLState: "23000", Message: "Duplicate entry"}
	rows := [][]byte{textRow("1", "ann"), AppendTextRow(nil, [][]byte{nil, []byte("x")}), textRow("", "")}
	binary := []byte{0x00, 0x00, 0x01, 'a', 0xfe}
	wide := textRow(string(bytes.Repeat([]byte("w"), 9000)), "x")
	cases := []relayCase{
		{name: "ok", in: [][]byte{okPacket(2)}, want: Response{OK: ok}},
		{name: "ok more", opts: RelayOptions{More: true}, in: [][]byte{okPacket(2)}, out: [][]byte{okPacket(2 | more)}, want: Response{OK: ok}},
		{name: "error", in: [][]byte{errPacket()}, want: Response{Err: dup}},
		{name: "error more", opts: RelayOptions{More: true}, in: [][]byte{errPacket()}, want: Response{Err: dup}},
		{name: "error held", opts: RelayOptions{HoldError: true}, in: [][]byte{errPacket()}, out: [][]byte{}, want: Response{Err: dup}},
		{name: "rows", in: resultSet(2, rows...), want: Response{OK: eof, Rows: 3, Columns: 2}},
		{name: "rows more", opts: RelayOptions{More: true}, in: resultSet(2, rows...), out: resultSet(2|more, rows...), want: Response{OK: eof, Rows: 3, Columns: 2}},
		{name: "no rows", in: resultSet(2), want: Response{OK: eof, Columns: 2}},
		{name: "error in rows", opts: RelayOptions{HoldError: true},
			in: concat(resultSet(2, rows...)[:6], [][]byte{errPacket()}), want: Response{Err: dup, Rows: 2, Columns: 2}},
		{name: "error in definitions", in: [][]byte{{2}, defPacket("id"), errPacket()}, want: Response{Err: dup, Columns: 2}},
		{name: "several results", in: concat(resultSet(2|more, rows...), resultSet(2|more), [][]byte{okPacket(2)}), want: Response{OK: ok}},
		{name: "several results more", opts: RelayOptions{More: true},
			in: concat([][]byte{okPacket(2 | more)}, resultSet(2, rows[0])), out: concat([][]byte{okPacket(2 | more)}, resultSet(2|more, rows[0])),
			want: Response{OK: eof, Rows: 1, Columns: 2}},
		{name: "error in a later result", opts: RelayOptions{HoldError: true},
			in: concat([][]byte{okPacket(2 | more)}, [][]byte{errPacket()}), want: Response{OK: OK{300, 7, 2 | more, 1, "Records: 3"}, Err: dup}},
		{name: "binary rows look like an OK", in: resultSet(2, binary, binary), want: Response{OK: eof, Rows: 2, Columns: 2}},
		{name: "cursor opened", opts: RelayOptions{Cursor: true},
			in:   [][]byte{{1}, defPacket("id"), eofPacket(2 | StatusCursorExists)},
			want: Response{OK: OK{Status: 2 | StatusCursorExists, Warnings: 2}, Columns: 1}},
		{name: "cursor not opened", opts: RelayOptions{Cursor: true}, in: resultSet(2, rows...), want: Response{OK: eof, Rows: 3, Columns: 2}},
		{name: "cursor flag without a cursor asked for", in: concat([][]byte{{1}, defPacket("id"), eofPacket(2 | StatusCursorExists)}, [][]byte{rows[0], eofPacket(2)}),
			want: Response{OK: eof, Rows: 1, Columns: 1}},
		{name: "fetch", opts: RelayOptions{Fetch: true}, in: [][]byte{binary, binary, eofPacket(2)}, want: Response{OK: eof, Rows: 2}},
		{name: "fetch nothing", opts: RelayOptions{Fetch: true}, in: [][]byte{eofPacket(2)}, want: Response{OK: eof}},
		{name: "fetch error held", opts: RelayOptions{Fetch: true, HoldError: true}, in: [][]byte{errPacket()}, out: [][]byte{}, want: Response{Err: dup}},
		{name: "field list", opts: RelayOptions{FieldList: true}, in: [][]byte{defPacket("id"), defPacket("n"), eofPacket(2)}, want: Response{OK: eof, Columns: 2}},
		{name: "field list error", opts: RelayOptions{FieldList: true}, in: [][]byte{errPacket()}, want: Response{Err: dup}},
		{name: "OUT parameters of MySQL",
			in:   concat([][]byte{{1}, defPacket("id"), eofPacket(2 | more | StatusPSOutParams)}, [][]byte{binary, eofPacket(2), okPacket(2)}),
			out:  concat([][]byte{{1}, defPacket("id"), eofPacket(2 | more | StatusPSOutParams)}, [][]byte{binary, eofPacket(2 | more | StatusPSOutParams), okPacket(2)}),
			want: Response{OK: ok}},
		{name: "wide rows", in: resultSet(2, wide, wide, wide, wide), want: Response{OK: eof, Rows: 4, Columns: 2}},

		{name: "local file not asked for", in: [][]byte{[]byte("\xfb/etc/passwd")}, wantIs: ErrMalformed},
		{name: "empty packet", in: [][]byte{{}}, wantIs: ErrMalformed},
		{name: "empty row", in: concat(resultSet(2)[:4], [][]byte{{}}), wantIs: ErrMalformed},
		{name: "end within the definitions", in: [][]byte{{2}, defPacket("id"), eofPacket(2)}, wantIs: ErrMalformed},
		{name: "definition too many", in: [][]byte{{1}, defPacket("id"), defPacket("id")}, wantIs: ErrMalformed},
		{name: "columns without number", in: [][]byte{{0xfd, 0, 0, 1}}, wantIs: ErrMalformed},
		{name: "column count and more", in: [][]byte{{1, 1}}, wantIs: ErrMalformed},
		{name: "truncated ok", in: [][]byte{{0, 0xfc}}, wantIs: ErrMalformed},
		{name: "short eof", in: concat(resultSet(2)[:4], [][]byte{{0xfe, 1}}), wantIs: ErrMalformed},
		{name: "short error", in: [][]byte{{0xff, 1}}, wantIs: ErrMalformed},
		{name: "an error of 20 kB", in: [][]byte{append([]byte{0xff, 1, 1}, make([]byte, 20000)...)}, wantIs: ErrMalformed},
	}
	if raceEnabled {
		return cases
	}
	huge := append([]byte{0xfe, 0, 0, 0, 1, 0, 0, 0, 0}, make([]byte, 16<<20)...) // a row of one 16 MiB value
	huge = append(huge, 0xff, 0xfe)
	full := append([]byte{0xfd, 0xfb, 0xff, 0xff}, make([]byte, maxPiece-4)...) // fills one piece exactly
	return append(cases,
		relayCase{name: "row above 16 MiB", in: resultSet(2, huge, rows[0]), want: Response{OK: eof, Rows: 2, Columns: 2}},
		relayCase{name: "row of exactly one piece", in: resultSet(2, full, rows[0]), want: Response{OK: eof, Rows: 2, Columns: 2}})
}

func runRelay(t *testing.T, c relayCase, src *script) (got []byte, resp Response, err error) {
	t.Helper()
	client := &script{}
	dst, from := NewConn(client, testLimit), NewConn(src, testLimit)
	dst.seq, from.seq = 1, 1
	resp, err = Relay(dst, from, c.opts)
	if err == nil && from.Buffered() != 0 {
		t.Errorf("%d bytes are left over", from.Buffered())
	}
	if ferr := dst.Flush(); ferr != nil {
		t.Fatal(ferr)
	}
	return client.out.Bytes(), resp, err
}

func checkRelay(t *testing.T, c relayCase, src *script) {
	t.Helper()
	total := len(src.in)
	got, resp, err := runRelay(t, c, src)
	if c.wantIs != nil {
		var re *RelayError
		if !errors.Is(err, c.wantIs) || !errors.As(err, &re) || re.Client {
			t.Fatalf("error %v, want the backend's %v", err, c.wantIs)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	out := c.out
	if out == nil {
		out = c.in
	}
	if want := frame(1, out...); !bytes.Equal(got, want) {
		t.Fatalf("the client got %d bytes, want %d\n%.200x\n%.200x", len(got), len(want), got, want)
	}
	if resp.Bytes != int64(total) {
		t.Errorf("%d bytes counted of %d", resp.Bytes, total)
	}
	resp.Bytes = 0
	if fmt.Sprintf("%+v %v", resp, resp.Err) != fmt.Sprintf("%+v %v", c.want, c.want.Err) {
		t.Errorf("response %+v, want %+v", resp, c.want)
	}
}

func TestRelay(t *testing.T) {
	for _, c := range relayCases() {
		t.Run(c.name, func(t *testing.T) {
			checkRelay(t, c, &script{in: frame(1, c.in...)})
		})
	}
}

// TestRelaySplit cuts every response at every byte, and into pieces of every small size.
func TestRelaySplit(t *testing.T) {
	for _, c := range relayCases() {
		whole := frame(1, c.in...)
		if len(whole) > 4096 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			for cut := 1; cut < len(whole); cut++ {
				checkRelay(t, c, &script{in: frame(1, c.in...), cuts: []int{cut}})
			}
			for step := 1; step < 12; step++ {
				checkRelay(t, c, &script{in: frame(1, c.in...), step: step})
			}
		})
	}
}

// TestRelaySplitLarge cuts large responses around every packet's start.
func TestRelaySplitLarge(t *testing.T) {
	for _, c := range relayCases() {
		if c.name != "wide rows" && c.name != "row of exactly one piece" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			in, at := frame(1, c.in...), 0
			for i, p := range c.in {
				if i >= len(c.in)-3 { // around the headers of small packets TestRelaySplit cuts
					for _, d := range []int{-1, 2, 4} {
						checkRelay(t, c, &script{in: in, cuts: []int{at + d}})
					}
				}
				at += len(frame(0, p))
			}
		})
	}
}

// TestRelayMany: a result of many rows, of all sizes around those of the buffers, however it comes.
func TestRelayMany(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		var rows [][]byte
		size := 0
		for size < 4*wideSize {
			n := r.IntN(300)
			switch r.IntN(40) {
			case 0:
				n = bufSize - 10 + r.IntN(20)
			case 1:
				n = wideSize - 10 + r.IntN(20)
			case 2:
				n = r.IntN(2 * wideSize)
			}
			value := make([]byte, n)
			for i := range value {
				value[i] = byte(r.Uint32())
			}
			rows = append(rows, textRow("5", string(value)))
			size += n
		}
		c := relayCase{in: resultSet(2, rows...), want: Response{OK: OK{Status: 2, Warnings: 2}, Rows: uint64(len(rows)), Columns: 2}}
		src := &script{in: frame(1, c.in...)}
		for left := len(src.in); left > 0; {
			n := 1 + r.IntN(1<<(1+r.IntN(17)))
			src.cuts, left = append(src.cuts, n), left-n
		}
		checkRelay(t, c, src)
	}
}

// TestRelayRenumbers relays to a client whose sequence stands elsewhere.
func TestRelayRenumbers(t *testing.T) {
	for _, step := range []int{0, 1, 3} {
		var rows [][]byte
		for i := range 600 {
			rows = append(rows, textRow(fmt.Sprint(i), "name"))
		}
		packets := resultSet(2, rows...)
		client, src := &script{}, &script{in: frame(1, packets...), step: step}
		dst, from := NewConn(client, testLimit), NewConn(src, testLimit)
		dst.seq, from.seq = 250, 1
		if _, err := Relay(dst, from, RelayOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := dst.WriteOK(OK{}); err != nil {
			t.Fatal(err)
		}
		if err := dst.Flush(); err != nil {
			t.Fatal(err)
		}
		want := frame(250, append(packets, AppendOK(nil, OK{}))...)
		if !bytes.Equal(client.out.Bytes(), want) {
			t.Fatalf("step %d: packets are not renumbered", step)
		}
	}
}

func TestRelaySequence(t *testing.T) {
	b := frame(1, resultSet(2, textRow("1", "a"))...)
	b[4+1+3] = 9 // the second packet's number
	_, err := Relay(NewConn(&script{}, testLimit), atSeq(&script{in: b}, 1), RelayOptions{})
	if !errors.Is(err, ErrSequence) {
		t.Fatalf("error %v, want %v", err, ErrSequence)
	}
}

func atSeq(s *script, seq uint8) *Conn {
	c := NewConn(s, testLimit)
	c.seq = seq
	return c
}

// TestRelayLeftover: bytes behind the response stay for Buffered to tell.
func TestRelayLeftover(t *testing.T) {
	b := append(frame(1, okPacket(2)), "stray"...)
	src := atSeq(&script{in: b}, 1)
	if _, err := Relay(NewConn(&script{}, testLimit), src, RelayOptions{}); err != nil {
		t.Fatal(err)
	}
	if src.Buffered() != 5 {
		t.Fatalf("%d bytes left, want 5", src.Buffered())
	}
}

// TestRelayBackendDies ends a result at every byte: the client must be left between two
// packets unless Torn says otherwise.
func TestRelayBackendDies(t *testing.T) {
	wide := textRow(string(bytes.Repeat([]byte("w"), 9000)), "x")
	for name, packets := range map[string][][]byte{
		"small": resultSet(2, textRow("1", "ann"), textRow("2", "bob")),
		"wide":  resultSet(2, textRow("1", "ann"), wide),
	} {
		whole := frame(1, packets...)
		for cut := 0; cut < len(whole); cut++ {
			client := &script{}
			dst := atSeq(client, 1)
			_, err := Relay(dst, atSeq(&script{in: whole[:cut:cut]}, 1), RelayOptions{})
			var re *RelayError
			if !errors.As(err, &re) || re.Client {
				t.Fatalf("%s, cut at %d: error %v", name, cut, err)
			}
			if cut == 0 && re.Err != io.EOF || cut > 4 && re.Err != io.ErrUnexpectedEOF {
				t.Fatalf("%s, cut at %d: error %v", name, cut, err)
			}
			if err := dst.Flush(); err != nil {
				t.Fatal(err)
			}
			rest, n := client.out.Bytes(), 0
			for len(rest) >= 4 && len(rest) >= 4+pieceLength(rest) {
				rest = rest[4+pieceLength(rest):]
				n++
			}
			if torn := len(rest) > 0; torn != re.Torn {
				t.Fatalf("%s, cut at %d: torn %v, said %v", name, cut, torn, re.Torn)
			}
			if !re.Torn && int(dst.seq) != n+1 {
				t.Fatalf("%s, cut at %d: next number %d after %d packets", name, cut, dst.seq, n)
			}
			if name == "small" && re.Torn {
				t.Fatalf("cut at %d: a small packet is torn", cut)
			}
		}
	}
}

func TestRelayClientDies(t *testing.T) {
	var rows [][]byte
	for range 4000 {
		rows = append(rows, textRow("1", "a name"))
	}
	src := &script{in: frame(1, resultSet(2, rows...)...)}
	_, err := Relay(atSeq(&script{failAt: 2}, 1), atSeq(src, 1), RelayOptions{})
	var re *RelayError
	if !errors.As(err, &re) || !re.Client || !errors.Is(err, errScript) {
		t.Fatalf("error %v, want the client's", err)
	}
}

func TestDiscard(t *testing.T) {
	for _, c := range relayCases() {
		if c.opts != (RelayOptions{}) {
			continue
		}
		src := atSeq(&script{in: frame(1, c.in...), step: 7000}, 1)
		resp, err := Discard(src)
		if !errors.Is(err, c.wantIs) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.wantIs)
		}
		if err == nil && (resp.Rows != c.want.Rows || resp.OK != c.want.OK || src.Buffered() != 0) {
			t.Errorf("%s: %+v, want %+v", c.name, resp, c.want)
		}
	}
}
