package server

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// What is asked of the kernel about sockets. All but Linux go without: socket_other.go.

// tcpInfoOf asks the kernel about a connection.
func tcpInfoOf(tcp socket) (info tcpInfo, err error) {
	const established = 1 // TCP_ESTABLISHED of the kernel's tcp_states.h
	err = control(tcp, func(fd int) error {
		i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			info = tcpInfo{hungUp: i.State != established, unsent: i.Notsent_bytes, acked: i.Bytes_acked, quiet: time.Duration(i.Last_data_recv) * time.Millisecond}
		}
		return err
	})
	return info, err
}

// unread says that bytes have come that nobody has read.
func unread(tcp socket) bool {
	n := 0
	err := control(tcp, func(fd int) (err error) {
		n, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
		return err
	})
	return err == nil && n > 0
}

// setWriteTimeout has the kernel cut off a peer that for so long takes nothing of what was
// sent, or is not there any more. It costs nothing while the connection works.
func setWriteTimeout(tcp *net.TCPConn, d time.Duration) error {
	return control(tcp, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(max(d.Milliseconds(), 1)))
	})
}
