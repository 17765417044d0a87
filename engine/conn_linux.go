package engine

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is a stream socket that an engine drives. It is a net.Conn: reads and writes block, the
// task or else the goroutine. At a time one may read and one may write.
type Conn struct {
	engine        *Engine
	sock          descriptor
	home          atomic.Pointer[loop]
	task          *Task
	hung          atomic.Bool // the peer has ended, or the connection has: reads do not wait any more
	in, out       side
	local, remote net.Addr
}

// Adopt takes a connection over and closes nc, whose place the given one takes. A connection that
// cannot be driven (TLS, say) is given back as it is.
func (e *Engine) Adopt(nc net.Conn) (net.Conn, error) {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nc, nil
	}
	if e == nil {
		return nc, nil
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	if cerr := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	c := &Conn{engine: e, local: nc.LocalAddr(), remote: nc.RemoteAddr()}
	c.sock.fd, c.sock.conn = fd, c
	c.in.conn, c.out.conn = c, c
	if !e.table.set(fd, c) {
		_ = unix.Close(fd) // it is given up either way
		return nc, nil
	}
	l := e.loops[int(e.next.Load())%len(e.loops)]
	c.home.Store(l)
	if err := nc.Close(); err != nil { // takes it out of Go's own epoll
		c.Close()
		return nil, err
	}
	if err := l.watch(unix.EPOLL_CTL_ADD, fd); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// watch adds or removes a descriptor.
func (l *loop) watch(op, fd int) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, op, fd, &unix.EpollEvent{Events: interest, Fd: int32(fd)}))
}

// Bind implements Socket.
func (c *Conn) Bind(t *Task) {
	c.task = t
	if t == nil || c.home.Load() == t.loop {
		return
	}
	if c.sock.enter() != nil {
		return
	}
	defer c.sock.exit()
	// An event that is lost in between comes again with the second call: what is there then is one.
	if c.home.Load().watch(unix.EPOLL_CTL_DEL, c.sock.fd) == nil {
		c.home.Store(t.loop)
		if t.loop.watch(unix.EPOLL_CTL_ADD, c.sock.fd) != nil {
			c.hung.Store(true) // nobody would be told of anything: reads and writes say what is wrong
		}
	}
}

// Near implements Socket.
func (c *Conn) Near(t *Task) bool { return t == nil || c.home.Load() == t.loop }

// Quiet implements Socket.
func (c *Conn) Quiet() bool { return !c.in.ready.Load() && !c.hung.Load() && !c.sock.closed() }

// Close ends the connection and all that wait for it. Safe from any goroutine, more than once.
func (c *Conn) Close() error {
	if !c.sock.close() {
		return net.ErrClosed
	}
	c.in.end()
	c.out.end()
	c.sock.exit()
	return nil
}

// forget takes the descriptor out of the engine, just before it is closed.
func (c *Conn) forget() {
	c.engine.table.set(c.sock.fd, nil)
	_ = c.home.Load().watch(unix.EPOLL_CTL_DEL, c.sock.fd) // it may have a duplicate
}

// tell tells who waits that something has happened; on the thread of loop l.
func tell(l *loop, c *Conn, what uint32) {
	if what&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.hung.Store(true)
		what |= unix.EPOLLIN | unix.EPOLLOUT
	}
	if what&unix.EPOLLIN != 0 {
		c.in.signal(l)
	}
	if what&unix.EPOLLOUT != 0 {
		c.out.signal(l)
	}
}

// WaitReadable blocks until a read may find something.
func (c *Conn) WaitReadable() error {
	if err := c.in.fault(); err != nil {
		return err
	}
	if c.in.ready.Swap(false) {
		if t := c.task; t != nil && t.onLoop {
			t.worked()
		}
		return nil
	}
	return c.in.wait()
}

// TryRead reads once; ok is false when nothing is there. io.EOF is the end.
func (c *Conn) TryRead(p []byte) (n int, ok bool, err error) {
	n, errno := c.sock.read(p)
	switch {
	case errno == unix.EAGAIN:
		return 0, false, nil
	case errno != 0:
		return 0, true, c.fault("read", errno)
	case n == 0 && len(p) > 0:
		c.in.ready.Store(true) // every following read finds the end
		return 0, true, io.EOF
	case n == len(p) || c.hung.Load():
		c.in.ready.Store(true) // there may be more, of which no event tells
	}
	return n, true, nil
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		if err := c.WaitReadable(); err != nil {
			return 0, err
		}
		if n, ok, err := c.TryRead(p); ok {
			return n, err
		}
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) { return c.send(p, nil) }

// WriteBoth writes a and then b, with one system call where nothing is between.
func (c *Conn) WriteBoth(a, b []byte) (int, error) { return c.send(a, b) }

func (c *Conn) send(a, b []byte) (sent int, err error) {
	for len(a)+len(b) > 0 {
		if err := c.out.fault(); err != nil {
			return sent, err
		}
		n, errno := c.sock.write(a, b)
		switch {
		case errno == unix.EAGAIN:
			if err := c.out.wait(); err != nil {
				return sent, err
			}
			continue
		case errno != 0:
			return sent, c.fault("write", errno)
		}
		sent += n
		k := min(n, len(a))
		a, b = a[k:], b[n-k:]
		if t := c.task; t != nil && t.onLoop && len(a)+len(b) > 0 {
			t.worked()
		}
	}
	return sent, nil
}

// fault words what the kernel said.
func (c *Conn) fault(op string, errno unix.Errno) error {
	if errno == isClosed {
		return net.ErrClosed
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: os.NewSyscallError(op, errno)}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.in.setDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.out.setDeadline(t) }

// CloseRead shuts the receiving side down.
func (c *Conn) CloseRead() error { return c.sock.shutdown(unix.SHUT_RD) }

// CloseWrite shuts the sending side down.
func (c *Conn) CloseWrite() error { return c.sock.shutdown(unix.SHUT_WR) }

// SyscallConn implements syscall.Conn, for options of the socket.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return rawConn{c}, nil }

type rawConn struct{ c *Conn }

var errWaits = fmt.Errorf("engine: a raw connection does not wait")

func (r rawConn) Control(f func(fd uintptr)) error {
	if err := r.c.sock.enter(); err != nil {
		return err
	}
	defer r.c.sock.exit()
	f(uintptr(r.c.sock.fd))
	return nil
}

func (r rawConn) Read(func(fd uintptr) bool) error  { return errWaits }
func (r rawConn) Write(func(fd uintptr) bool) error { return errWaits }
