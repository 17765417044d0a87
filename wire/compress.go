package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// The compressed protocol puts the stream of packets, headers and all, into frames; where
// a frame ends has nothing to do with where a packet ends:
//
//	+--------+--------+--------+-----+--------+--------+--------+-------
//	| length of what follows   | seq | length uncompressed, or 0| data …
//	+--------+--------+--------+-----+--------+--------+--------+-------
//
// 0 says that the data is not compressed. The frames have their own sequence numbers, one
// count for both directions, and it is these that the servers check.
const (
	frameHeader = 7
	maxFrame    = bufSize - frameHeader // plain bytes that one of our frames takes
	minCompress = 50                    // shorter ones are not worth it; the servers' own limit
	maxWindow   = 16 << 20              // of zstd: no frame has more to look back at
)

// Compression algorithms of the protocol.
type Compression uint8

const (
	NoCompression Compression = iota
	Zlib
	Zstd
)

// StartCompression switches the compressed framing on, for both directions, from the
// next packet (right after the final OK of the login). level is the algorithm's own
// (zlib 1–9, zstd 1–22); 0 is its default.
func (c *Conn) StartCompression(algo Compression, level int) error {
	if algo == NoCompression {
		return nil
	}
	if c.comp != nil {
		return errors.New("wire: compression is on already")
	}
	if err := c.out.flush(); err != nil {
		return err
	}
	comp := &compression{}
	switch algo {
	case Zlib:
		if level < 0 || level > 9 {
			return fmt.Errorf("wire: zlib has no level %d", level)
		}
		comp.in.open, comp.out.pack = openZlib, packZlib(level)
	case Zstd:
		if level < 0 || level > 22 {
			return fmt.Errorf("wire: zstd has no level %d", level)
		}
		comp.in.open, comp.out.pack = openZstd, packZstd(level)
	default:
		return fmt.Errorf("wire: unknown compression %d", algo)
	}
	comp.in.in, comp.in.seq, comp.out.seq = c.in, &comp.seq, &comp.seq
	c.comp, c.in, c.out.comp = comp, newReader(&comp.in), &comp.out
	c.in.patience = comp.in.in.patience
	return nil
}

// compression is the state of both directions.
type compression struct {
	seq uint8 // of the next frame, read or written
	in  inflater
	out deflater
}

// inflater is the source of plain bytes. It unpacks as it is read, so that its memory
// does not depend on the lengths that a frame claims.
type inflater struct {
	in     reader
	seq    *uint8
	open   func(io.Reader) (unpacker, error)
	z      unpacker // of the frame being read; nil when that is stored plain
	packed int      // bytes of the frame's data that have not been read
	plain  int      // bytes that the frame still has to give
	err    error    // a violation, which lasts
}

// unpacker unpacks one frame.
type unpacker interface {
	io.Reader
	done() // back to its pool
}

// pending counts received bytes that nobody has asked for.
func (f *inflater) pending() int { return f.in.buffered() + f.plain }

func (f *inflater) ready([]byte) (int, error) {
	if f.err != nil || f.plain > 0 {
		return 0, f.err
	}
	return 0, f.in.need(1)
}

func (f *inflater) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.read(p)
	if errors.Is(err, ErrMalformed) || errors.Is(err, ErrSequence) {
		f.err = err
	}
	return n, err
}

func (f *inflater) read(p []byte) (int, error) {
	if f.plain == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	if len(p) > f.plain {
		p = p[:f.plain]
	}
	if f.z == nil {
		n, err := frameData{f}.Read(p)
		f.plain -= n
		return n, inside(err)
	}
	n, err := f.z.Read(p)
	f.plain -= n
	switch {
	case f.plain > 0 && err != nil:
		return n, f.fault(err)
	case f.plain == 0:
		if err := f.finish(err); err != nil {
			return 0, err // of a frame that is wrong at its end, the last bytes are not used
		}
	}
	return n, nil
}

// next reads a frame's header.
func (f *inflater) next() error {
	if err := f.in.need(frameHeader); err != nil {
		return err
	}
	h := f.in.bytes()
	packed, seq, plain := pieceLength(h), h[3], pieceLength(h[4:])
	f.in.skip(frameHeader)
	if seq != *f.seq {
		return ErrSequence
	}
	*f.seq++
	if packed == 0 {
		return fmt.Errorf("%w: empty frame", ErrMalformed)
	}
	f.packed, f.in.inside = packed, true
	if plain == 0 {
		f.plain = packed
		return nil
	}
	z, err := f.open(frameData{f})
	if err != nil {
		return f.fault(err)
	}
	f.z, f.plain = z, plain
	return nil
}

// finish ends a frame that has given what it claimed: there must be nothing more in it.
func (f *inflater) finish(err error) error {
	if err == nil {
		var more [1]byte
		n := 0
		for n == 0 && err == nil {
			n, err = f.z.Read(more[:])
		}
		if n > 0 {
			return fmt.Errorf("%w: a frame has more than its length says", ErrMalformed)
		}
	}
	if err != io.EOF {
		return f.fault(err)
	}
	if f.packed != 0 {
		return fmt.Errorf("%w: bytes behind a frame's end", ErrMalformed)
	}
	f.z.done()
	f.z = nil
	return nil
}

// fault names what went wrong inside a frame: the connection's error, or the frame's own.
func (f *inflater) fault(err error) error {
	var ne net.Error
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && f.packed > 0:
		return io.ErrUnexpectedEOF
	case errors.As(err, &ne), errors.Is(err, net.ErrClosed):
		return err
	}
	return fmt.Errorf("%w: compressed frame: %v", ErrMalformed, err)
}

// frameData reads the current frame's data and not one byte more.
type frameData struct{ f *inflater }

func (d frameData) Read(p []byte) (int, error) {
	if d.f.packed == 0 {
		return 0, io.EOF
	}
	if err := d.f.in.need(1); err != nil {
		return 0, inside(err)
	}
	b := d.f.in.bytes()
	n := copy(p, b[:min(len(b), d.f.packed)])
	d.f.in.skip(n)
	d.f.packed -= n
	d.f.in.inside = d.f.packed > 0
	return n, nil
}

func (d frameData) ReadByte() (byte, error) {
	var b [1]byte
	_, err := d.Read(b[:])
	return b[0], err
}

// deflater packs what is written into frames.
type deflater struct {
	seq  *uint8
	pack func(dst, src []byte) ([]byte, bool)
}

// write sends b in as many frames as it takes.
func (d *deflater) write(nc net.Conn, b []byte) error {
	for len(b) > 0 {
		n := min(len(b), maxFrame)
		if err := d.frame(nc, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (d *deflater) frame(nc net.Conn, src []byte) error {
	buf := takeBuffer()
	defer giveBuffer(buf)
	out, plain := buf[:frameHeader], 0
	if len(src) >= minCompress {
		if packed, ok := d.pack(out, src); ok {
			out, plain = packed, len(src)
		}
	}
	if plain == 0 {
		out = append(out, src...)
	}
	n := len(out) - frameHeader
	copy(out, []byte{byte(n), byte(n >> 8), byte(n >> 16), *d.seq, byte(plain), byte(plain >> 8), byte(plain >> 16)})
	*d.seq++
	_, err := nc.Write(out)
	return err
}

var (
	zlibReaders sync.Pool
	zlibWriters [10]sync.Pool // by level
	zstdReaders sync.Pool
	zstdWriters [zstd.SpeedBestCompression + 1]sync.Pool // by level
)

type zlibReader struct{ io.ReadCloser }

func openZlib(r io.Reader) (unpacker, error) {
	if z, ok := zlibReaders.Get().(*zlibReader); ok {
		if err := z.ReadCloser.(zlib.Resetter).Reset(r, nil); err != nil {
			return nil, err
		}
		return z, nil
	}
	z, err := zlib.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &zlibReader{z}, nil
}

// done keeps the reader of a good frame; those of bad ones are left to the collector.
func (z *zlibReader) done() { zlibReaders.Put(z) }

type zstdReader struct{ *zstd.Decoder }

func openZstd(r io.Reader) (unpacker, error) {
	z, ok := zstdReaders.Get().(*zstdReader)
	if !ok {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		z = &zstdReader{d}
	}
	return z, z.Reset(r)
}

func (z *zstdReader) done() {
	if z.Reset(nil) == zstd.ErrDecoderNilInput { // forget the connection
		zstdReaders.Put(z)
	}
}

// limited is a writer that refuses what does not fit.
type limited struct {
	b   []byte
	max int
}

var errFull = errors.New("wire: compressed data is longer than plain")

func (l *limited) Write(p []byte) (int, error) {
	if len(l.b)+len(p) > l.max {
		return 0, errFull
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

// packZlib gives a function that appends src compressed to dst; it says no when that
// would not be shorter.
func packZlib(level int) func(dst, src []byte) ([]byte, bool) {
	if level == 0 {
		level = 6
	}
	pool := &zlibWriters[level]
	return func(dst, src []byte) ([]byte, bool) {
		l := limited{b: dst, max: len(dst) + len(src) - 1}
		z, ok := pool.Get().(*zlib.Writer)
		if ok {
			z.Reset(&l)
		} else {
			var err error
			if z, err = zlib.NewWriterLevel(&l, level); err != nil {
				return nil, false
			}
		}
		_, err := z.Write(src)
		if cerr := z.Close(); err == nil {
			err = cerr
		}
		z.Reset(io.Discard)
		pool.Put(z)
		return l.b, err == nil
	}
}

// packZstd is packZlib for zstd.
func packZstd(level int) func(dst, src []byte) ([]byte, bool) {
	if level == 0 {
		level = 3
	}
	speed := zstd.EncoderLevelFromZstd(level)
	pool := &zstdWriters[speed]
	return func(dst, src []byte) ([]byte, bool) {
		z, ok := pool.Get().(*zstd.Encoder)
		if !ok {
			var err error
			z, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(speed), zstd.WithWindowSize(bufSize))
			if err != nil {
				return nil, false
			}
		}
		out := z.EncodeAll(src, dst)
		pool.Put(z)
		return out, len(out)-len(dst) < len(src) && len(out) <= bufSize
	}
}
