//go:build !linux

package server

import (
	"errors"
	"net"
	"time"
)

// tcpInfoOf knows nothing: clients that leave or are slow are noticed when they are written to.
func tcpInfoOf(socket) (info tcpInfo, err error) { return info, errors.ErrUnsupported }

// unread cannot tell, and supposes it.
func unread(socket) bool { return true }

// setWriteTimeout leaves it to the kernel's own patience.
func setWriteTimeout(*net.TCPConn, time.Duration) error { return nil }
