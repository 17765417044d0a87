package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Listening ports lie below the range from which the kernel takes the ports of outgoing
// connections (32768 upwards): a server that is stopped finds its port free when it returns.
const (
	firstPort = 10240
	lastPort  = 32700
)

// Port reserves a free loopback port until the test ends. Test binaries that run at the same
// time never get the same one: the reservation is an abstract unix socket, which the kernel
// gives to one process at a time and takes back when that process ends.
func Port(t TB) int {
	t.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		held, err := net.Listen("unix", fmt.Sprintf("@sluice-test-port-%d", port))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			held.Close()
			continue
		}
		l.Close()
		t.Cleanup(func() { held.Close() })
		return port
	}
	t.Fatalf("testkit: no free port between %d and %d", firstPort, lastPort)
	return 0
}
