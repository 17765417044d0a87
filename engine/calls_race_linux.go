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
