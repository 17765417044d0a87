package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/wire"
)

// socket is a client's connection below TLS: a *net.TCPConn, or an engine's.
type socket interface {
	net.Conn
	syscall.Conn
	CloseRead() error
	CloseWrite() error
}

// lingerTime is how long a connection that is given up still takes what the client sends,
// so that the answer is not lost by a reset.
const lingerTime = 500 * time.Millisecond

// acceptAll accepts until the server stops. What the kernel refuses meanwhile, most likely
// for want of file descriptors, is tried again.
func (s *Server) acceptAll() error {
	const shortest, longest = 5 * time.Millisecond, time.Second
	wait := shortest
	for {
		nc, err := s.listener.Accept()
		if err == nil {
			wait = shortest
			s.admit(nc.(*net.TCPConn))
			continue
		}
		select {
		case <-s.stopping:
			return nil
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		s.opts.Log.Error("accept", slog.String("port", s.opts.Name), slog.Any("error", err), slog.Duration("again_in", wait))
		select {
		case <-s.stopping:
			return nil
		case <-time.After(wait):
			wait = min(2*wait, longest)
		}
	}
}

// admit starts a connection's login, or refuses it when there are too many.
func (s *Server) admit(tcp *net.TCPConn) {
	switch s.clients.admit(tcp) {
	case welcome:
		s.wg.Add(1) // Serve is counted: the wait for all has not ended
		go s.login(tcp)
		return
	case full:
		s.opts.Metrics.Refused(s.opts.Name, whyTooMany)
		refuse(tcp, tooMany())
	}
	_ = tcp.Close() // it is given up either way
}

// refuse answers a connection that has not been greeted. Clients know no SQLSTATE then:
// what the capabilities allow has not been said yet.
func refuse(tcp *net.TCPConn, answer *wire.Error) {
	payload := append([]byte{0xff, byte(answer.Code), byte(answer.Code >> 8)}, answer.Message...)
	packet := append([]byte{byte(len(payload)), byte(len(payload) >> 8), 0, 0}, payload...)
	if err := tcp.SetWriteDeadline(time.Now().Add(lingerTime)); err != nil {
		return
	}
	if _, err := tcp.Write(packet); err == nil {
		discard(tcp)
	}
}

// linger ends the sending side and takes what the client still sends: closing a socket
// with unread bytes is a reset, which would overtake the answer.
func linger(tcp socket) {
	if err := tcp.CloseWrite(); err != nil {
		return
	}
	if err := tcp.SetReadDeadline(time.Now().Add(lingerTime)); err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(tcp, 1<<30)) // whatever ends it, it is over
}

// control runs f on the socket's descriptor.
func control(tcp socket, f func(fd int) error) error {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

// discard drops what has come already, without waiting: the header of the PROXY protocol.
func discard(tcp *net.TCPConn) {
	var b [proxyMax]byte
	_ = control(tcp, func(fd int) error {
		_, err := unix.Read(fd, b[:])
		return err
	})
}

// addrPort is the address of the connection's other end.
func addrPort(tcp *net.TCPConn) netip.AddrPort {
	if a, ok := tcp.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
