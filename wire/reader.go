package wire

import (
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// bufSize is the size of a pooled buffer: what MariaDB and MySQL write at once
// (net_buffer_length), so that most answers are one read.
const bufSize = 16 << 10

// buffers holds buffers that nobody uses. A pointer to an array goes in and out of the
// pool without an allocation; a slice would not.
var buffers = sync.Pool{New: func() any { return new([bufSize]byte) }}

func takeBuffer() []byte { return buffers.Get().(*[bufSize]byte)[:] }

// wideSize is the size of a buffer for results of many rows: what is read at once is written at once, and a
// system call less for every 16 KiB is a fifth of their cost. (Large values cost more with it: PERFORMANCE.md.)
const wideSize = 64 << 10

var wideBuffers = sync.Pool{New: func() any { return new([wideSize]byte) }}

// giveBuffer returns a buffer to the pool that it is from.
func giveBuffer(b []byte) {
	switch {
	case cap(b) >= wideSize:
		wideBuffers.Put((*[wideSize]byte)(b[:wideSize]))
	case cap(b) >= bufSize:
		buffers.Put((*[bufSize]byte)(b[:bufSize]))
	}
}

// source is where a reader's bytes come from.
type source interface {
	io.Reader
	// ready blocks until bytes are there without needing the reader's buffer. It may put
	// the first of them into tiny and say how many.
	ready(tiny []byte) (int, error)
}

// reader is a source with a buffer that exists only while it holds bytes or a packet is
// being read. While it waits with nothing buffered the buffer is back in the pool, so a
// connection that is idle costs none, whether anybody calls release or not.
type reader struct {
	src  source
	sock lender // src, when it is a plain socket: then waiting and reading are one step
	buf  []byte // nil, or a whole pooled buffer, of either size
	r, w int    // unread bytes are buf[r:w]
	tiny [16]byte

	inside   bool      // the peer owes what it has begun
	patience *patience // nil: no bound
}

// lender is a source that takes a buffer only once bytes are there.
type lender interface {
	// readWhenReadable reads once into a pooled buffer: buf, or one taken when bytes are there.
	// On an error there is no buffer.
	readWhenReadable(buf []byte) ([]byte, int, error)
}

// patience bounds how long a peer may pause within what it has begun to send; between
// packets it may be silent for as long as it likes. The clock is set anew while bytes come,
// so that nobody is cut off for being slow.
type patience struct {
	nc    net.Conn
	limit time.Duration
	set   time.Time // when the running clock was set; zero: none runs
}

func (p *patience) start() error {
	now := time.Now()
	if !p.set.IsZero() && now.Sub(p.set) < p.limit/8 {
		return nil
	}
	p.set = now
	return p.nc.SetReadDeadline(now.Add(p.limit))
}

func (p *patience) stop() error {
	if p.set.IsZero() {
		return nil
	}
	p.set = time.Time{}
	return p.nc.SetReadDeadline(time.Time{})
}

// done says that the peer has sent all that it had begun.
func (r *reader) done() error {
	r.inside = false
	if r.patience == nil {
		return nil
	}
	return r.patience.stop()
}

func newReader(src source) reader {
	sock, _ := src.(lender)
	return reader{src: src, sock: sock}
}

// bytes gives what is buffered. It stays valid until the next need, fill or release.
func (r *reader) bytes() []byte { return r.buf[r.r:r.w] }

func (r *reader) buffered() int { return r.w - r.r }

// skip consumes n buffered bytes.
func (r *reader) skip(n int) { r.r += n }

// release gives an empty buffer back.
func (r *reader) release() {
	if r.buf != nil && r.r == r.w {
		giveBuffer(r.buf)
		r.buf, r.r, r.w = nil, 0, 0
	}
}

// widen reads into a large buffer from now on, until the reader has to wait.
func (r *reader) widen() {
	if len(r.buf) >= wideSize {
		return
	}
	wide := wideBuffers.Get().(*[wideSize]byte)[:]
	r.w = copy(wide, r.bytes())
	giveBuffer(r.buf)
	r.buf, r.r = wide, 0
}

// need makes n bytes available, n being at most bufSize. io.EOF means that the peer
// closed and nothing is buffered.
func (r *reader) need(n int) error {
	for r.w-r.r < n {
		if r.r+n > len(r.buf) && r.r > 0 {
			r.w = copy(r.buf, r.buf[r.r:r.w])
			r.r = 0
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && r.w > r.r {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// fill reads once, what is there. The caller has left room in a buffer that is not empty.
func (r *reader) fill() error {
	if r.patience != nil && (r.inside || r.r != r.w) {
		if err := r.patience.start(); err != nil {
			return err
		}
	}
	if r.r != r.w {
		n, err := r.src.Read(r.buf[r.w:])
		r.w += n
		return progress(n, err)
	}
	r.r, r.w = 0, 0
	if r.sock != nil {
		buf, n, err := r.sock.readWhenReadable(r.buf)
		r.buf, r.w = buf, n
		return progress(n, err)
	}
	r.release()
	n, err := r.src.ready(r.tiny[:])
	if err != nil {
		return err
	}
	r.buf = takeBuffer()
	if n > 0 {
		r.w = copy(r.buf, r.tiny[:n])
		return nil
	}
	n, err = r.src.Read(r.buf)
	r.w = n
	return progress(n, err)
}

// readFull fills p: first from the buffer, then straight from the source.
func (r *reader) readFull(p []byte) error {
	n := copy(p, r.bytes())
	r.skip(n)
	for n < len(p) {
		if r.patience != nil {
			if err := r.patience.start(); err != nil {
				return err
			}
		}
		k, err := r.src.Read(p[n:])
		n += k
		if n < len(p) && err != nil {
			if err == io.EOF {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// progress makes one result of a Read's two: bytes count before the error that came with
// them, which the next Read will give again.
func progress(n int, err error) error {
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// stream is the source for connections that are no plain sockets: TLS, in-process pipes.
// A wait reads a few bytes only. For TLS that costs no system call more: the rest of the
// record is decrypted already and comes with the next Read.
type stream struct{ net.Conn }

func (s stream) ready(tiny []byte) (int, error) {
	n, err := s.Conn.Read(tiny)
	return n, progress(n, err)
}

// socket is the source for TCP and unix sockets. It takes a buffer only once the kernel
// has bytes, with the same system calls that an ordinary Read makes.
type socket struct {
	net.Conn
	raw syscall.RawConn
	try func(fd uintptr) bool // s.attempt, bound once so that a read does not allocate

	buf []byte
	n   int
	err error
}

// sourceOf chooses the source for a connection.
func sourceOf(nc net.Conn) source {
	if d, ok := nc.(Driven); ok {
		return driven{d}
	}
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return stream{nc}
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return stream{nc}
	}
	s := &socket{Conn: nc, raw: raw}
	s.try = s.attempt
	return s
}

func (s *socket) ready([]byte) (int, error) { return 0, nil }

func (s *socket) readWhenReadable(buf []byte) ([]byte, int, error) {
	s.buf = buf
	err := s.raw.Read(s.try)
	buf, n, tryErr := s.buf, s.n, s.err
	s.buf, s.n, s.err = nil, 0, nil
	if err == nil {
		err = tryErr
	}
	if err != nil && buf != nil {
		giveBuffer(buf)
		buf = nil
	}
	return buf, n, err
}

// attempt is one non-blocking read; false means: wait until the socket is readable.
func (s *socket) attempt(fd uintptr) bool {
	if s.buf == nil {
		s.buf = takeBuffer()
	}
	for {
		n, err := syscall.Read(int(fd), s.buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			giveBuffer(s.buf)
			s.buf = nil
			return false
		case err != nil:
			s.err = &net.OpError{Op: "read", Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
		case n == 0:
			s.err = io.EOF
		default:
			s.n = n
		}
		return true
	}
}

// Driven is a connection that tells when a read may find something, so that a buffer need not be
// held for the wait.
type Driven interface {
	net.Conn
	// WaitReadable blocks until a read may find something.
	WaitReadable() error
	// TryRead reads once, without blocking; ok is false when nothing is there.
	TryRead(p []byte) (n int, ok bool, err error)
	// WriteBoth writes a and then b.
	WriteBoth(a, b []byte) (int, error)
}

// driven is the source for one.
type driven struct{ Driven }

func (d driven) ready([]byte) (int, error) { return 0, d.WaitReadable() }

func (d driven) readWhenReadable(buf []byte) ([]byte, int, error) {
	for {
		if buf != nil {
			giveBuffer(buf)
			buf = nil
		}
		if err := d.WaitReadable(); err != nil {
			return nil, 0, err
		}
		buf = takeBuffer()
		n, ok, err := d.TryRead(buf)
		if err != nil {
			giveBuffer(buf)
			return nil, 0, err
		}
		if ok {
			return buf, n, nil
		}
	}
}
