package wire

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// packed is what a peer with compression sends for plain bytes.
func packed(t *testing.T, algo Compression, payload []byte) []byte {
	t.Helper()
	peer := &script{}
	c := NewConn(peer, testLimit)
	if err := errors.Join(c.StartCompression(algo, 0), c.WritePacket(payload), c.Flush()); err != nil {
		t.Fatal(err)
	}
	return peer.out.Bytes()
}

// TestPatience: a peer that stops in the middle of something is given up, one that is silent
// between packets or merely slow is not.
func TestPatience(t *testing.T) {
	const limit = 400 * time.Millisecond
	packet := frame(0, bytes.Repeat([]byte("packet "), 20))
	large := frame(0, make([]byte, 300<<10))
	huge := frame(0, make([]byte, maxPiece+100))
	for _, c := range []struct {
		name string
		algo Compression
		sent []byte
	}{
		{"a byte of the header", NoCompression, packet[:1]},
		{"the header", NoCompression, packet[:4]},
		{"half a packet", NoCompression, packet[:70]},
		{"half a large packet", NoCompression, large[:150<<10]},
		{"one piece of two", NoCompression, huge[:maxPiece+4]},
		{"half a frame's header", Zlib, packed(t, Zlib, packet[4:])[:5]},
		{"a frame's header", Zstd, packed(t, Zstd, packet[4:])[:7]},
		{"half a frame", Zlib, packed(t, Zlib, packet[4:])[:20]},
		{"one frame of several", Zstd, packed(t, Zstd, large[4:])[:60]},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			near, far := tcpPair(t)
			conn := NewConn(near, testLimit)
			conn.SetPatience(limit)
			if err := conn.StartCompression(c.algo, 0); err != nil {
				t.Fatal(err)
			}
			go far.Write(c.sent)
			if b, err := conn.ReadPacket(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
	for _, algo := range []Compression{NoCompression, Zlib, Zstd} {
		t.Run(fmt.Sprintf("slow %d", algo), func(t *testing.T) {
			t.Parallel()
			near, far := tcpPair(t)
			conn := NewConn(near, testLimit)
			conn.SetPatience(limit)
			if err := conn.StartCompression(algo, 0); err != nil {
				t.Fatal(err)
			}
			sent := packet
			if algo != NoCompression {
				sent = packed(t, algo, packet[4:])
			}
			go func() {
				for range 2 {
					time.Sleep(limit * 5 / 4) // silence
					for b := sent; len(b) > 0; b = b[min(len(b), len(sent)/15):] {
						far.Write(b[:min(len(b), len(sent)/15)])
						time.Sleep(limit / 12) // slowness
					}
				}
			}()
			for range 2 {
				conn.ResetSequence()
				if b, err := conn.ReadPacket(); err != nil || !bytes.Equal(b, packet[4:]) {
					t.Fatalf("%d bytes, %v", len(b), err)
				}
				conn.Release()
			}
		})
	}
}
