package wire

import (
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peeker looks at a socket's receive queue. What it needs is made once, so that looking
// does not allocate.
type peeker struct {
	raw          syscall.RawConn
	attempt      func(fd uintptr)
	bytesAllowed bool
	err          error
	fds          [1]unix.PollFd
}

// newPeeker gives nil for a connection that has no socket to ask.
func newPeeker(nc net.Conn) (*peeker, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	p := &peeker{raw: raw}
	p.attempt = p.try
	return p, nil
}

// look gives nil when the peer has neither closed nor sent anything. Bytes are allowed
// under TLS, whose peers may send records of their own accord (session tickets).
func (p *peeker) look(bytesAllowed bool) error {
	p.bytesAllowed, p.err = bytesAllowed, nil
	if err := p.raw.Control(p.attempt); err != nil {
		return err
	}
	return p.err
}

func (p *peeker) try(fd uintptr) {
	var b [1]byte
	for {
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
		case err != nil:
			p.err = err
		case n == 0:
			p.err = io.EOF
		case !p.bytesAllowed:
			p.err = fmt.Errorf("%w: bytes that no command asked for", ErrMalformed)
		default:
			p.err = p.hangup(fd)
		}
		return
	}
}

// hangup tells whether the peer has closed behind the bytes that are there: a goodbye of
// TLS looks like any other record.
func (p *peeker) hangup(fd uintptr) error {
	p.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLRDHUP}
	for {
		n, err := unix.Poll(p.fds[:], 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n > 0:
			return io.EOF
		}
		return nil
	}
}
