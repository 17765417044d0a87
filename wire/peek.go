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
	events       int16
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

// any tells whether there is something to read, an end or an error.
func (p *peeker) any() bool { return p.look(true) != nil || p.events != 0 }

// try asks poll first: most often nothing is there, and that costs no allocation.
func (p *peeker) try(fd uintptr) {
	events, err := p.poll(fd)
	p.events = events
	switch {
	case err != nil:
		p.err = err
	case events == 0:
	case p.bytesAllowed:
		// A goodbye of TLS looks like any other record, but it is the end of the stream.
		if events&^unix.POLLIN != 0 {
			p.err = io.EOF
		}
	default:
		p.err = p.receive(fd)
	}
}

// poll asks for bytes and for the end of the stream, without waiting.
func (p *peeker) poll(fd uintptr) (events int16, err error) {
	for {
		p.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN | pollHangup}
		if _, err = unix.Poll(p.fds[:], 0); err != unix.EINTR {
			return p.fds[0].Revents, err
		}
	}
}

// receive tells an end of the stream from bytes, without taking them.
func (p *peeker) receive(fd uintptr) error {
	var b [1]byte
	for {
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return io.EOF
		}
		return fmt.Errorf("%w: bytes that no command asked for", ErrMalformed)
	}
}
