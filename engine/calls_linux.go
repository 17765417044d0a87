//go:build !race

package engine

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// read and write are the system calls without Go's scheduler being told: they do not block. Those that are for sockets
// only save what all files have: a lock of the position, notices of changes.
func read(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// write writes a and then b, which may be empty, with one call.
func write(fd int, a, b []byte) (int, unix.Errno) {
	if len(b) == 0 {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(len(a)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		return int(n), errno
	}
	var parts [2]unix.Iovec
	parts[0].Base, parts[1].Base = unsafe.SliceData(a), unsafe.SliceData(b)
	parts[0].SetLen(len(a))
	parts[1].SetLen(len(b))
	n, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&parts[0])), uintptr(len(parts)))
	return int(n), errno
}

// peek says how a read would go, without reading.
func peek(fd int) unix.Errno {
	var b byte
	_, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
	return errno
}
