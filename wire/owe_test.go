package wire

import (
	"bytes"
	"errors"
	"testing"
)

// TestOwe: two commands go out in one write; the answer to the first is dropped, however what comes is cut,
// and where it is an error nothing of the second's is passed on.
func TestOwe(t *testing.T) {
	answer := frame(1, resultSet(2, textRow("1", "ann"))...)
	for _, first := range [][]byte{
		frame(1, okPacket(3)), frame(1, resultSet(2, textRow("7", "x"))...), frame(1, errPacket()),
	} {
		refused := first[4] == headerError
		for step := range 12 {
			in := append(append(append([]byte{}, first...), frame(1, okPacket(3))...), answer...)
			src, client := &script{in: in, step: step}, &script{}
			from, dst := NewConn(src, testLimit), atSeq(client, 1)
			for range 2 {
				if err := from.Command(ComQuery, []byte("BEGIN")); err != nil {
					t.Fatal(err)
				}
				from.Owe()
			}
			if src.out.Len() > 0 || !from.Owes() {
				t.Fatal("it was written at once")
			}
			if err := errors.Join(from.Command(ComQuery, []byte("SELECT")), from.Flush()); err != nil {
				t.Fatal(err)
			}
			resp, err := Relay(dst, from, RelayOptions{})
			if ferr := dst.Flush(); ferr != nil {
				t.Fatal(ferr)
			}
			var early *Early
			switch {
			case refused && (!errors.As(err, &early) || early.Err.Code != 1062 || client.out.Len() > 0 || !from.Refused()):
				t.Fatalf("refused: %v, %d bytes for the client", err, client.out.Len())
			case !refused && (err != nil || resp.Rows != 1 || !bytes.Equal(client.out.Bytes(), answer) || from.Owes() || from.Refused()):
				t.Fatalf("%v, %+v, %x", err, resp, client.out.Bytes())
			}
		}
	}
}

// TestOweRead: the same for who reads packets, and a peer that ends within what is owed.
func TestOweRead(t *testing.T) {
	both := append(frame(1, okPacket(3)), frame(1, okPacket(2))...)
	for cut := range len(both) {
		c := NewConn(&script{in: both[:cut+1]}, testLimit)
		if err := c.Command(ComQuery, []byte("BEGIN")); err != nil {
			t.Fatal(err)
		}
		c.Owe()
		if err := errors.Join(c.Command(ComQuery, []byte("SET")), c.Flush()); err != nil {
			t.Fatal(err)
		}
		c.AwaitAnswer()
		b, err := c.ReadPacket()
		if whole := cut+1 == len(both); whole != (err == nil) || whole && !bytes.Equal(b, okPacket(2)) {
			t.Fatalf("%d of %d bytes: %x, %v", cut+1, len(both), b, err)
		}
	}
}
