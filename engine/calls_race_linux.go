//go:build race

package engine

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// read and write are package syscall's, which tell the race detector that what was written
// comes before what is read, at both ends of a socket.
func read(fd int, p []byte) (int, unix.Errno) { return outcome(syscall.Read(fd, p)) }

// write writes a; b is for the next call.
func write(fd int, a, _ []byte) (int, unix.Errno) { return outcome(syscall.Write(fd, a)) }

func outcome(n int, err error) (int, unix.Errno) {
	errno, _ := err.(syscall.Errno) // they give no other
	return max(n, 0), errno
}

// peek says how a read would go, without reading.
func peek(fd int) unix.Errno {
	_, _, err := syscall.Recvfrom(fd, make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	_, errno := outcome(0, err)
	return errno
}
