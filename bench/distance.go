package main

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/testkit"
)

// distance is a way to a server on which everything takes some time longer, however many
// pieces it comes in. (The kit's Link delays piece after piece.)
type distance struct {
	addr string
	way  atomic.Int64 // nanoseconds, one direction
}

// far makes a way to a server.
func (h *house) far(target string) *distance {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", testkit.Port(h)))
	if err != nil {
		h.Fatalf("%v", err)
	}
	d := &distance{addr: l.Addr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", target)
			if err != nil {
				c.Close()
				continue
			}
			mu.Lock()
			open = append(open, c, s)
			mu.Unlock()
			wg.Go(func() { d.carry(s, c) })
			wg.Go(func() { d.carry(c, s) })
		}
	})
	h.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return d
}

// carry passes on what it reads when its time has come.
func (d *distance) carry(to, from net.Conn) {
	type piece struct {
		at    time.Time
		bytes []byte
	}
	pieces := make(chan piece, 1024)
	var wg sync.WaitGroup
	wg.Go(func() {
		for p := range pieces {
			time.Sleep(time.Until(p.at))
			if _, err := to.Write(p.bytes); err != nil {
				from.Close() // ends the reads
			}
		}
		to.Close()
	})
	for {
		buf := make([]byte, 16<<10)
		n, err := from.Read(buf)
		if err != nil {
			break
		}
		pieces <- piece{time.Now().Add(time.Duration(d.way.Load())), buf[:n]}
	}
	close(pieces)
	wg.Wait()
}
