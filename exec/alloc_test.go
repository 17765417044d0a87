//go:build !race

package exec

import (
	"context"
	"encoding/binary"
	"net"
	"testing"

	"sluice/backend"
	"sluice/internal/testkit"
	"sluice/router"
	"sluice/wire"
)

// held gives the same connection to every statement, as a transaction does.
type held struct {
	conn *backend.Conn
	done int
}

func (h *held) Lease(context.Context, int, bool) (*backend.Conn, error) { return h.conn, nil }

func (h *held) Done(c *backend.Conn, status uint16, ok bool) {
	if ok {
		h.done++
	}
}

func (h *held) Apart(context.Context, int) (*backend.Conn, error) { return h.conn, nil }

func (h *held) Interrupted() error { return nil }

// exchange is one client's statement after the other on one real shard.
type exchange struct {
	c    *client
	raw  net.Conn
	h    *held
	got  []byte
	size int // of the answer
}

// newExchange runs a request once, to know how long its answer is.
func newExchange(t testing.TB, w *world, req *Request) *exchange {
	t.Helper()
	conn, err := w.pools.Get(context.Background(), "s0", backend.Class{}, w.names[0], settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Put)
	x := &exchange{c: newClient(t), h: &held{conn: conn}, got: make([]byte, 64<<10)}
	x.raw = x.c.peer.NetConn()
	x.run(t, req)
	n, err := x.raw.Read(x.got)
	if err != nil {
		t.Fatal(err)
	}
	x.size = n
	return x
}

func (x *exchange) run(t testing.TB, req *Request) {
	x.c.front.ResetSequence()
	out, err := Run(context.Background(), x.c.front, x.h, req)
	if err != nil || !out.Answered || out.Response.Err != nil || out.Response.Rows != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := x.c.front.Flush(); err != nil {
		t.Fatal(err)
	}
}

// again runs the request once more and drops the answer.
func (x *exchange) again(t testing.TB, req *Request) {
	x.run(t, req)
	for n := 0; n < x.size; {
		k, err := x.raw.Read(x.got)
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
}

// pointSelects are the hot path in both protocols.
func pointSelects() map[string]*Request {
	text := request(bound(router.Relay, []router.Leg{{}}, nil), nil)
	text.SQL = []byte("SELECT v FROM p WHERE id = 7")
	prepared := request(bound(router.Relay, []router.Leg{{}}, nil),
		[]wire.Param{{Type: wire.TypeLongLong, Value: binary.LittleEndian.AppendUint64(nil, 7)}})
	prepared.SQL = []byte("SELECT v FROM p WHERE id = ?")
	return map[string]*Request{"text": text, "prepared": prepared}
}

// TestRelayAllocations: a one-shard statement costs no allocation in the executor.
func TestRelayAllocations(t *testing.T) {
	w := newWorld(t, testkit.MariaDBFlavor)
	w.everywhere("CREATE TABLE p (id INT PRIMARY KEY, v VARCHAR(200))")
	w.everywhere("INSERT INTO p VALUES (7, REPEAT('x', 120))")
	for name, req := range pointSelects() {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t, w, req)
			if n := testing.AllocsPerRun(300, func() { x.again(t, req) }); n != 0 {
				t.Errorf("%v allocations a statement", n)
			}
			if x.h.done != 302 {
				t.Errorf("%d leases ended", x.h.done)
			}
		})
	}
}

func BenchmarkRelay(b *testing.B) {
	w := newWorld(b, testkit.MariaDBFlavor)
	w.everywhere("CREATE TABLE p (id INT PRIMARY KEY, v VARCHAR(200))")
	w.everywhere("INSERT INTO p VALUES (7, REPEAT('x', 120))")
	for name, req := range pointSelects() {
		b.Run(name, func(b *testing.B) {
			x := newExchange(b, w, req)
			b.ReportAllocs()
			for b.Loop() {
				x.again(b, req)
			}
		})
	}
}
