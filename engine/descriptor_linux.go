package engine

import (
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// descriptor is a socket's, without blocking. It is closed when it has been given up and nobody is
// within a system call on it.
type descriptor struct {
	fd    int
	users atomic.Int32 // within system calls; far below 0 once it is given up
	ended atomic.Bool
	conn  *Conn // told before it is closed
}

// closing is far more users than there can be.
const closing = -1 << 30

// isClosed stands for net.ErrClosed among the kernel's own.
const isClosed = unix.Errno(unix.EBADF)

// enter begins a system call on the descriptor, exit ends it.
func (d *descriptor) enter() error {
	if d.users.Add(1) < 0 {
		d.exit()
		return net.ErrClosed
	}
	return nil
}

func (d *descriptor) exit() {
	// One that came too late may count down to it again.
	if d.users.Add(-1) == closing && d.ended.CompareAndSwap(false, true) {
		d.conn.forget()
		_ = unix.Close(d.fd) // it is given up either way
	}
}

// close gives it up, as one of its users, who has to exit; false when it was given up before.
func (d *descriptor) close() bool {
	for {
		n := d.users.Load()
		if n < 0 {
			return false
		}
		if d.users.CompareAndSwap(n, n+closing+1) {
			return true
		}
	}
}

func (d *descriptor) closed() bool { return d.users.Load() < 0 }

func (d *descriptor) read(p []byte) (int, unix.Errno) {
	if d.enter() != nil {
		return 0, isClosed
	}
	defer d.exit()
	for {
		n, errno := read(d.fd, p)
		if errno != unix.EINTR {
			return n, errno
		}
	}
}

// empty tells whether a read would find nothing, not even the end.
func (d *descriptor) empty() bool {
	if d.enter() != nil {
		return false
	}
	defer d.exit()
	return peek(d.fd) == unix.EAGAIN
}

// write writes a and b once, one of which may be empty.
func (d *descriptor) write(a, b []byte) (int, unix.Errno) {
	if d.enter() != nil {
		return 0, isClosed
	}
	defer d.exit()
	if len(a) == 0 {
		a, b = b, nil
	}
	for {
		n, errno := write(d.fd, a, b)
		if errno != unix.EINTR {
			return n, errno
		}
	}
}

func (d *descriptor) shutdown(how int) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.exit()
	return os.NewSyscallError("shutdown", unix.Shutdown(d.fd, how))
}
