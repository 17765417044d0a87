package wire

import (
	"io"
	"net"
	"testing"
)

// exchange is a client, the relay's two connections and a backend, all over loopback.
type exchange struct {
	client, backend net.Conn // the peers' ends
	front, back     *Conn    // ours
	command, answer []byte
	got             []byte
}

func newExchange(t testing.TB, answer []byte) *exchange {
	x := &exchange{command: frame(0, []byte("\x03SELECT c FROM sbtest1 WHERE id=4711")), answer: answer}
	x.got = make([]byte, max(len(answer), 256))
	var front, back net.Conn
	x.client, front = tcpPair(t)
	x.backend, back = tcpPair(t)
	x.front, x.back = NewConn(front, testLimit), NewConn(back, testLimit)
	return x
}

// run is one query, without goroutines: every byte is in the kernel when it is read.
func (x *exchange) run(t testing.TB) {
	if _, err := x.client.Write(x.command); err != nil {
		t.Fatal(err)
	}
	x.front.ResetSequence()
	p, err := x.front.ReadPacket()
	if err != nil {
		t.Fatal(err)
	}
	if x.back.Command(p[0], p[1:]) != nil || x.back.Flush() != nil {
		t.Fatal("command not sent")
	}
	if _, err := x.backend.Read(x.got); err != nil {
		t.Fatal(err)
	}
	if _, err := x.backend.Write(x.answer); err != nil {
		t.Fatal(err)
	}
	if _, err := Relay(x.front, x.back, RelayOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := x.front.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(x.client, x.got[:len(x.answer)]); err != nil {
		t.Fatal(err)
	}
}

func repeatRow(n int) (rows [][]byte) {
	for range n {
		rows = append(rows, textRow("4711", "68487932199-96439406143-93774651418-41631865787-96406072701-20604855487"))
	}
	return rows
}

func BenchmarkExchange(b *testing.B) {
	for name, rows := range map[string]int{"1row": 1, "100rows": 100} {
		b.Run(name, func(b *testing.B) {
			x := newExchange(b, frame(1, resultSet(2, repeatRow(rows)...)...))
			b.ReportAllocs()
			for b.Loop() {
				x.run(b)
			}
		})
	}
}

// replay serves the same bytes again and again and swallows what is written.
type replay struct {
	net.Conn
	b  []byte
	at int
}

func (r *replay) Read(p []byte) (int, error) {
	n := copy(p, r.b[r.at:])
	r.at = (r.at + n) % len(r.b)
	return n, nil
}

func (r *replay) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkRelay is the state machine alone, without a kernel.
func BenchmarkRelay(b *testing.B) {
	for name, rows := range map[string]int{"1row": 1, "100rows": 100, "100000rows": 100000} {
		b.Run(name, func(b *testing.B) {
			answer := frame(1, resultSet(2, repeatRow(rows)...)...)
			src, dst := NewConn(&replay{b: answer}, testLimit), NewConn(&replay{}, testLimit)
			b.SetBytes(int64(len(answer)))
			b.ReportAllocs()
			for b.Loop() {
				src.seq, dst.seq = 1, 1
				if _, err := Relay(dst, src, RelayOptions{}); err != nil {
					b.Fatal(err)
				}
				if err := dst.Flush(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseExecute(b *testing.B) {
	packet := AppendExecute(nil, &Execute{ID: 1, Params: []Param{{Type: TypeLongLong, Value: make([]byte, 8)}}})
	e := &Execute{}
	for b.Loop() {
		if _, err := ParseExecute(packet, 1, nil, nil, e); err != nil {
			b.Fatal(err)
		}
	}
}
