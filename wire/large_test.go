package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// TestWriteExecute: what is written from where it lies is, byte by byte, what is written after
// it was put together, wherever the pieces of 16 MiB end.
func TestWriteExecute(t *testing.T) {
	const head = 1 + 9 + 1 + 1 + 2*3 // command, id … iterations, NULLs, types follow, types
	sizes := []int{0, 1, 250, 251, directSize - 1, directSize, 70000, 1 << 24}
	if !raceEnabled {
		sizes = append(sizes, 40<<20)
		for d := -6; d <= 6; d++ {
			sizes = append(sizes, maxPiece-head-4+d, 2*maxPiece-head-9+d)
		}
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			e := &Execute{ID: 9, Params: []Param{
				{Type: TypeLong, Value: []byte{1, 2, 3, 4}},
				{Type: TypeBlob, Value: bytes.Repeat([]byte{'x'}, n)},
				{Type: TypeString},
			}}
			peer := &script{}
			c := NewConn(peer, testLimit)
			scratch, err := c.WriteExecute(e, nil)
			if err = errors.Join(err, c.Flush()); err != nil {
				t.Fatal(err)
			}
			if want := frame(0, append([]byte{ComStmtExecute}, AppendExecute(nil, e)...)); !bytes.Equal(peer.out.Bytes(), want) {
				t.Errorf("%d bytes, want %d: %x…", peer.out.Len(), len(want), peer.out.Bytes()[:40])
			}
			if cap(scratch) > 2*directSize+64 {
				t.Errorf("%d bytes of scratch", cap(scratch))
			}
		})
	}
}

func TestWriteLongData(t *testing.T) {
	for _, n := range []int{0, 1, longPiece, longPiece + 1, 5 * longPiece} {
		value := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
		peer := &script{}
		c := NewConn(peer, testLimit)
		if err := errors.Join(c.WriteLongData(7, 300, value), c.Flush()); err != nil {
			t.Fatal(err)
		}
		var got []byte
		back := NewConn(&script{in: peer.out.Bytes()}, testLimit)
		for packets := 0; len(got) < n || packets == 0; packets++ {
			back.ResetSequence()
			b, err := back.ReadPacket()
			if err != nil {
				t.Fatal(err)
			}
			if b[0] != ComStmtSendLongData || binary.LittleEndian.Uint32(b[1:]) != 7 || binary.LittleEndian.Uint16(b[5:]) != 300 {
				t.Fatalf("packet %x", b[:7])
			}
			got = append(got, b[7:]...)
		}
		if !bytes.Equal(got, value) || back.Buffered() != 0 {
			t.Errorf("%d bytes come as %d", n, len(got))
		}
	}
}

func TestGathered(t *testing.T) {
	for _, piece := range []int{1, 1000, mediumSize, mediumSize + 1, 3 << 20} {
		var g Gathered
		var want []byte
		for len(want) < 4*piece || len(want) < mediumSize+1000 {
			p := bytes.Repeat([]byte{byte(len(want) % 251)}, piece)
			want = append(want, p...)
			if err := g.Append(p, 16<<20); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(g.Bytes(), want) {
			t.Errorf("pieces of %d: %d bytes, want %d", piece, len(g.Bytes()), len(want))
		}
		if err := g.Append(make([]byte, 16<<20), 16<<20); !errors.Is(err, ErrTooLarge) {
			t.Errorf("above the limit: %v", err)
		}
		g.Drop()
		if err := g.Append([]byte("again"), 5); err != nil || string(g.Bytes()) != "again" {
			t.Errorf("after Drop: %q, %v", g.Bytes(), err)
		}
	}
}

// TestSkipPacket: after a packet that is too large the connection is in order again.
func TestSkipPacket(t *testing.T) {
	for _, n := range []int{101, 70000, maxPiece - 1, maxPiece, maxPiece + 1, 2*maxPiece + 5} {
		for _, limit := range []int{100, maxPiece + 1} {
			if n <= limit || raceEnabled && n > 70000 {
				continue
			}
			peer := &script{in: append(frame(0, make([]byte, n)), frame(byte(n/maxPiece+1), []byte("next"))...)}
			c := NewConn(peer, limit)
			if _, err := c.ReadPacket(); !errors.Is(err, ErrTooLarge) {
				t.Fatalf("%d bytes: %v", n, err)
			}
			if err := c.SkipPacket(1 << 30); err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			if b, err := c.ReadPacket(); err != nil || string(b) != "next" {
				t.Errorf("%d bytes: then %q, %v", n, b, err)
			}
		}
	}
	if raceEnabled {
		return
	}
	c := NewConn(&script{in: frame(0, make([]byte, 2*maxPiece))}, 100)
	if _, err := c.ReadPacket(); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if err := c.SkipPacket(maxPiece + 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("more than is to be skipped: %v", err)
	}
}
