package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// zframe makes one compressed frame by hand; plain is the length that it claims.
func zframe(seq byte, packed []byte, plain int) []byte {
	n := len(packed)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq, byte(plain), byte(plain >> 8), byte(plain >> 16)}, packed...)
}

func zlibBytes(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstdBytes(t testing.TB, b []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(b, nil)
}

func compressed(t testing.TB, algo Compression, s *script) *Conn {
	t.Helper()
	c := NewConn(s, testLimit)
	if err := c.StartCompression(algo, 0); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCompressedSequence: frames are numbered on their own, through answers of many
// frames, and both directions count together.
func TestCompressedSequence(t *testing.T) {
	noise := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(noise)
	command := frame(0, []byte("\x03SELECT 1"))
	s := &script{in: zframe(0, command, 0)}
	c := compressed(t, Zlib, s)
	if _, err := c.ReadPacket(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.WriteOK(OK{}), c.WritePacket(noise), c.WriteOK(OK{}), c.Flush()); err != nil {
		t.Fatal(err)
	}
	out, seq := s.out.Bytes(), byte(1)
	var plain []byte
	for frames := 0; len(out) > 0; frames++ {
		if out[3] != seq {
			t.Fatalf("frame %d has number %d, want %d", frames, out[3], seq)
		}
		n := pieceLength(out)
		if pieceLength(out[4:]) != 0 {
			t.Fatalf("frame %d: noise is sent compressed", frames)
		}
		plain = append(plain, out[7:7+n]...)
		out = out[7+n:]
		seq++
	}
	want := frame(1, AppendOK(nil, OK{}), noise, AppendOK(nil, OK{}))
	if !bytes.Equal(plain, want) {
		t.Fatal("the frames do not hold the packets")
	}
	// The next command starts again at 0.
	s.in = zframe(0, command, 0)
	c.ResetSequence()
	if _, err := c.ReadPacket(); err != nil {
		t.Fatal(err)
	}
}

// TestCompressedSize: short data is sent as it is, long data shorter.
func TestCompressedSize(t *testing.T) {
	for _, algo := range []Compression{Zlib, Zstd} {
		for n, packed := range map[int]bool{minCompress - 5: false, 300: true, 5000: true} {
			s := &script{}
			c := compressed(t, algo, s)
			if err := errors.Join(c.WritePacket(bytes.Repeat([]byte("a"), n)), c.Flush()); err != nil {
				t.Fatal(err)
			}
			claims := pieceLength(s.out.Bytes()[4:])
			if packed && (claims != n+4 || s.out.Len() >= n+11) || !packed && claims != 0 {
				t.Errorf("algorithm %d, %d bytes: sent as %d, said %d", algo, n, s.out.Len(), claims)
			}
		}
	}
}

func TestCompressedFaults(t *testing.T) {
	plain := frame(0, bytes.Repeat([]byte("SELECT 1 "), 50))
	z, s := zlibBytes(t, plain), zstdBytes(t, plain)
	bomb := zlibBytes(t, make([]byte, 1<<20))
	window := zstdBytes(t, make([]byte, 1<<20), zstd.WithWindowSize(64<<20), zstd.WithSingleSegment(false))
	window[5] = 0x90 // a window of 256 MiB
	badSum := append([]byte{}, z...)
	badSum[len(badSum)-1] ^= 1
	for _, c := range []struct {
		name string
		algo Compression
		in   []byte
		want error
	}{
		{"zlib", Zlib, zframe(0, z, len(plain)), nil},
		{"zstd", Zstd, zframe(0, s, len(plain)), nil},
		{"stored", Zlib, zframe(0, plain, 0), nil},
		{"zlib claims less", Zlib, zframe(0, z, len(plain)-1), ErrMalformed},
		{"zlib claims more", Zlib, zframe(0, z, len(plain)+1), ErrMalformed},
		{"zstd claims less", Zstd, zframe(0, s, len(plain)-1), ErrMalformed},
		{"zstd claims more", Zstd, zframe(0, s, len(plain)+1), ErrMalformed},
		{"bomb claims little", Zlib, zframe(0, bomb, 100), ErrMalformed},
		{"zlib with a tail", Zlib, zframe(0, append(append([]byte{}, z...), 1, 2, 3), len(plain)), ErrMalformed},
		{"zlib cut short", Zlib, zframe(0, z[:len(z)-6], len(plain)), ErrMalformed},
		{"zlib with a wrong sum", Zlib, zframe(0, badSum, len(plain)), ErrMalformed},
		{"zlib that is none", Zlib, zframe(0, plain, len(plain)), ErrMalformed},
		{"zstd that is none", Zstd, zframe(0, plain, len(plain)), ErrMalformed},
		{"zstd sent as zlib", Zlib, zframe(0, s, len(plain)), ErrMalformed},
		{"zstd with a wide window", Zstd, zframe(0, window, 1<<20), ErrMalformed},
		{"empty frame", Zlib, zframe(0, nil, 0), ErrMalformed},
		{"empty frame that claims", Zlib, zframe(0, nil, 10), ErrMalformed},
		{"wrong number", Zlib, zframe(1, plain, 0), ErrSequence},
		{"closed", Zlib, nil, io.EOF},
		{"closed in a header", Zlib, []byte{1, 0, 0}, io.ErrUnexpectedEOF},
		{"closed in stored data", Zlib, zframe(0, plain, 0)[:20], io.ErrUnexpectedEOF},
		{"closed in packed data", Zlib, zframe(0, z, len(plain))[:20], io.ErrUnexpectedEOF},
		{"closed in zstd data", Zstd, zframe(0, s, len(plain))[:20], io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []int{0, 1, 10} {
				conn := compressed(t, c.algo, &script{in: c.in, step: step})
				var err error
				packets := 0
				for ; err == nil; packets++ {
					_, err = conn.ReadPacket()
				}
				if c.want == nil && packets == 2 && err == io.EOF {
					continue
				}
				if !errors.Is(err, c.want) || c.want == nil {
					t.Fatalf("step %d: error %v, want %v", step, err, c.want)
				}
				if _, again := conn.ReadPacket(); again == nil {
					t.Fatalf("step %d: the connection goes on after %v", step, err)
				}
			}
		})
	}
}

// TestCompressedBomb: what a frame claims costs no memory before it is read, and the
// packet limit is enforced on the way.
func TestCompressedBomb(t *testing.T) {
	bomb := frame(0, make([]byte, maxPiece-8))
	conn := NewConn(&script{in: zframe(0, zlibBytes(t, bomb), len(bomb))}, 1<<20)
	if err := conn.StartCompression(Zlib, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ReadPacket(); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("error %v, want %v", err, ErrTooLarge)
	}
}

// TestCompressedRelay relays between all kinds of framing, cut into small pieces.
func TestCompressedRelay(t *testing.T) {
	packets := resultSet(2)
	for i := range 3000 {
		row := textRow(string(rune('a'+i%26)), "some name that repeats")
		packets = append(packets[:len(packets)-1], row, packets[len(packets)-1])
	}
	plain := frame(1, packets...)
	for from := NoCompression; from <= Zstd; from++ {
		for to := NoCompression; to <= Zstd; to++ {
			wireBytes := &script{}
			w := compressed(t, from, wireBytes)
			w.out.append(plain)
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			src := compressed(t, from, &script{in: wireBytes.out.Bytes(), step: 777})
			src.seq = 1
			client := &script{}
			dst := compressed(t, to, client)
			dst.seq = 1
			resp, err := Relay(dst, src, RelayOptions{})
			if err != nil || resp.Rows != 3000 {
				t.Fatalf("%d to %d: %+v, %v", from, to, resp, err)
			}
			if err := dst.Flush(); err != nil {
				t.Fatal(err)
			}
			back := compressed(t, to, &script{in: client.out.Bytes()})
			got := make([]byte, len(plain))
			if err := back.in.readFull(got); err != nil || !bytes.Equal(got, plain) || back.Buffered() != 0 {
				t.Fatalf("%d to %d: %v", from, to, err)
			}
		}
	}
}

func TestStartCompressionRefuses(t *testing.T) {
	c := NewConn(&script{}, testLimit)
	for algo, level := range map[Compression]int{Zlib: 10, Zstd: 23, 7: 1} {
		if err := c.StartCompression(algo, level); err == nil {
			t.Errorf("algorithm %d takes level %d", algo, level)
		}
	}
	if err := c.StartCompression(Zlib, 9); err != nil {
		t.Fatal(err)
	}
	if err := c.StartCompression(Zlib, 9); err == nil {
		t.Error("compression starts twice")
	}
}
