package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// TestPacketSizes sends packets of every interesting size through a real connection.
func TestPacketSizes(t *testing.T) {
	sizes := []int{0, 1, 49, 250, 251, directSize - 5, directSize, bufSize - 5, bufSize - 4, bufSize - 3, bufSize, bufSize + 1,
		65535, 65536, mediumSize - 1, mediumSize, mediumSize + 1, maxPiece - 1, maxPiece, maxPiece + 1, 2*maxPiece - 1, 2 * maxPiece, 40 << 20}
	for name, start := range map[string]func(*Conn) error{
		"plain": func(*Conn) error { return nil },
		"zlib":  func(c *Conn) error { return c.StartCompression(Zlib, 1) },
		"zstd":  func(c *Conn) error { return c.StartCompression(Zstd, 0) },
	} {
		sizes := sizes
		switch { // many megabytes of compression take long
		case name == "plain" && !raceEnabled:
		case name == "plain" || !raceEnabled:
			sizes = append(append([]int{}, sizes[:17]...), maxPiece+1)
		default:
			sizes = sizes[:17]
		}
		t.Run(name, func(t *testing.T) {
			na, nb := tcpPair(t)
			a, b := NewConn(na, testLimit), NewConn(nb, testLimit)
			for _, c := range []*Conn{a, b} {
				if err := start(c); err != nil {
					t.Fatal(err)
				}
			}
			payload := make([]byte, 40<<20)
			for i := range 1 << 16 {
				payload[i] = byte(i>>9) ^ byte(i*7)
			}
			for i := 1 << 16; i < len(payload); i += 1 << 16 {
				copy(payload[i:], payload[:1<<16])
				payload[i]++ // no two pieces are the same
			}
			done := make(chan error, 1)
			go func() {
				for _, n := range sizes {
					a.ResetSequence()
					err := errors.Join(a.Command(ComQuery, payload[:n]), a.WritePacket(payload[:n]), a.Flush())
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			for _, n := range sizes {
				b.ResetSequence()
				for i := range 2 {
					got, err := b.ReadPacket()
					if err != nil {
						t.Fatalf("%d bytes: %v", n, err)
					}
					if i == 0 {
						if len(got) == 0 || got[0] != ComQuery {
							t.Fatalf("%d bytes: no command", n)
						}
						got = got[1:]
					}
					if !bytes.Equal(got, payload[:n]) {
						t.Fatalf("%d bytes came as %d", n, len(got))
					}
				}
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if b.Buffered() != 0 {
				t.Errorf("%d bytes left", b.Buffered())
			}
			b.Release()
			if b.in.buf != nil || b.big.mapping != nil || b.big.medium != nil || a.out.buf != nil {
				t.Error("buffers are held after Release")
			}
		})
	}
}

// TestReadPacketSplit reads packets that come in pieces of every size.
func TestReadPacketSplit(t *testing.T) {
	payloads := [][]byte{[]byte("a"), {}, bytes.Repeat([]byte("b"), 300), []byte("cc"), bytes.Repeat([]byte("d"), bufSize+10), []byte("e")}
	for _, step := range []int{0, 1, 2, 3, 4, 5, 7, 100, 4095, bufSize - 1, bufSize} {
		c := NewConn(&script{in: frame(0, payloads...), step: step}, testLimit)
		for i, want := range payloads {
			got, err := c.ReadPacket()
			if err != nil || !bytes.Equal(got, want) || got == nil {
				t.Fatalf("step %d, packet %d: %d bytes, %v", step, i, len(got), err)
			}
		}
		if _, err := c.ReadPacket(); err != io.EOF {
			t.Fatalf("step %d: %v at the end, want io.EOF", step, err)
		}
	}
}

func TestReadPacketFaults(t *testing.T) {
	big := frame(0, make([]byte, 300<<10))
	huge := frame(0, make([]byte, maxPiece+10))
	for _, c := range []struct {
		name  string
		in    []byte
		limit int
		want  error
	}{
		{"closed", nil, 100, io.EOF},
		{"half a header", []byte{1, 0}, 100, io.ErrUnexpectedEOF},
		{"no payload", []byte{1, 0, 0, 0}, 100, io.ErrUnexpectedEOF},
		{"half a payload", []byte{2, 0, 0, 0, 1}, 100, io.ErrUnexpectedEOF},
		{"wrong number", []byte{1, 0, 0, 1, 1}, 100, ErrSequence},
		{"above the limit", []byte{101, 0, 0, 0}, 100, ErrTooLarge},
		{"at the limit", frame(0, make([]byte, 100)), 100, nil},
		{"half of 20 kB", frame(0, make([]byte, 20000))[:9000], 1 << 20, io.ErrUnexpectedEOF},
		{"half of 300 kB", big[:100000], 1 << 20, io.ErrUnexpectedEOF},
		{"16 MiB without a continuation", huge[:4+maxPiece], testLimit, io.ErrUnexpectedEOF},
		{"continuation above the limit", huge, maxPiece + 9, ErrTooLarge},
		{"continuation out of order", append(huge[:4+maxPiece:4+maxPiece], 10, 0, 0, 5), testLimit, ErrSequence},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := NewConn(&script{in: c.in}, c.limit)
			_, err := conn.ReadPacket()
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			conn.Release()
		})
	}
}

// TestTooLargeIsAnswered: the connection can still say why it closes, with the right number.
func TestTooLargeIsAnswered(t *testing.T) {
	peer := &script{in: []byte{0xff, 0, 0, 0}}
	c := NewConn(peer, 10)
	if _, err := c.ReadPacket(); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if err := errors.Join(c.WriteError(&Error{Code: 1153, SQLState: "08S01", Message: "too big"}), c.Flush()); err != nil {
		t.Fatal(err)
	}
	want := unhex(t, "10 00 00 01 ff 8104 23 3038533031 746f6f20626967")
	if !bytes.Equal(peer.out.Bytes(), want) {
		t.Fatalf("sent %x, want %x", peer.out.Bytes(), want)
	}
}

// TestHeaderAloneCostsNothing: a header that announces much gets memory as bytes come.
func TestHeaderAloneCostsNothing(t *testing.T) {
	c := NewConn(&script{in: []byte{0x00, 0xff, 0x03, 0}, end: errScript}, testLimit)
	if _, err := c.ReadPacket(); !errors.Is(err, errScript) {
		t.Fatal(err)
	}
	if c.big.medium != nil || c.big.mapping != nil {
		t.Fatal("memory was taken for a payload that never came")
	}
}

// TestFlushOnce: small packets are one write, and a large one goes out with what is before it.
func TestFlushOnce(t *testing.T) {
	peer := &script{}
	c := NewConn(peer, testLimit)
	var want []byte
	for i := range 50 {
		p := []byte(fmt.Sprint("row ", i))
		want = append(want, frame(byte(i), p)...)
		if err := c.WritePacket(p); err != nil {
			t.Fatal(err)
		}
	}
	if peer.writes != 0 {
		t.Fatal("written before Flush")
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if peer.writes != 1 || !bytes.Equal(peer.out.Bytes(), want) {
		t.Fatalf("%d writes, %d bytes of %d", peer.writes, peer.out.Len(), len(want))
	}
	if err := c.Flush(); err != nil || peer.writes != 1 {
		t.Fatal("an empty flush writes")
	}
}

// TestWriteErrorSticks: after a failed write nothing more is sent.
func TestWriteErrorSticks(t *testing.T) {
	peer := &script{failAt: 1}
	c := NewConn(peer, testLimit)
	if err := c.WriteOK(OK{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); !errors.Is(err, errScript) {
		t.Fatal(err)
	}
	if err := errors.Join(c.WriteOK(OK{}), c.Flush()); !errors.Is(err, errScript) || peer.writes != 1 {
		t.Fatalf("error %v after %d writes", err, peer.writes)
	}
}

// TestIdleHoldsNothing: while a read waits the buffer is in the pool, for sockets and others.
func TestIdleHoldsNothing(t *testing.T) {
	na, nb := tcpPair(t)
	c := NewConn(na, testLimit)
	for range 2 {
		if _, err := nb.Write(frame(0, []byte("ping"))); err != nil {
			t.Fatal(err)
		}
		c.ResetSequence()
		if got, err := c.ReadPacket(); err != nil || string(got) != "ping" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var ne net.Error
	if _, err := c.ReadPacket(); !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("error %v, want a timeout", err)
	}
	if c.in.buf != nil {
		t.Fatal("a buffer is held after a wait")
	}
	// The connection goes on after a wait that ended between packets.
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	nb.Write(frame(0, []byte("pong")))
	c.ResetSequence()
	if got, err := c.ReadPacket(); err != nil || string(got) != "pong" {
		t.Fatalf("%q, %v", got, err)
	}
	waits := &script{end: errScript}
	p := NewConn(waits, testLimit)
	if _, err := p.ReadPacket(); !errors.Is(err, errScript) || p.in.buf != nil {
		t.Fatalf("%v; buffer held: %v", err, p.in.buf != nil)
	}
}

func TestCloseUnblocks(t *testing.T) {
	na, _ := tcpPair(t)
	c := NewConn(na, testLimit)
	done := make(chan error)
	go func() {
		_, err := c.ReadPacket()
		done <- err
	}()
	time.Sleep(10 * time.Millisecond)
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("error %v, want %v", err, net.ErrClosed)
	}
	if err := c.CheckIdle(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("error %v, want %v", err, net.ErrClosed)
	}
}

func TestCheckIdle(t *testing.T) {
	na, nb := tcpPair(t)
	c := NewConn(na, testLimit)
	if err := c.CheckIdle(); err != nil || c.Readable() {
		t.Fatalf("error %v, readable: %v", err, c.Readable())
	}
	eventually := func(want error) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			err := c.CheckIdle()
			if errors.Is(err, want) {
				if !c.Readable() {
					t.Fatalf("%v, and it is not readable", err)
				}
				return
			}
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("error %v, want %v", err, want)
			}
		}
	}
	nb.Write(frame(0, []byte("ab"), []byte("cd")))
	eventually(ErrMalformed)
	if _, err := c.ReadPacket(); err != nil {
		t.Fatal(err)
	}
	eventually(ErrMalformed) // the second packet is in our buffer
	if _, err := c.ReadPacket(); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckIdle(); err != nil || c.Readable() {
		t.Fatalf("error %v, readable: %v", err, c.Readable())
	}
	nb.Close()
	eventually(io.EOF)
}
