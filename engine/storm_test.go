//go:build linux

package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// TestStorm has tasks relay between two connections while all that can happen to sockets happens to
// them at random: slow and hasty peers, tiny and large writes, half and whole ends, resets, deadlines,
// closes from other threads, moves between loop and goroutine, rests. What comes through is what was sent, up to
// where it was cut; what was not disturbed comes through as a whole; every task ends.
func TestStorm(t *testing.T) {
	storms := 80
	if os.Getenv("SLUICE_SOAK") != "" {
		storms = 20_000
	}
	e := open(t, 2)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	slots := make(chan struct{}, 24)
	var all sync.WaitGroup
	for i := range storms {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			storm(t, e, rand.New(rand.NewPCG(seed, uint64(i))))
		})
	}
	all.Wait()
}

// storm is one relayed stream: source ──▶ (in │ task │ out) ──▶ sink.
func storm(t *testing.T, e *Engine, rnd *rand.Rand) {
	in, source := pair(t, e)
	out, sink := pair(t, e)
	defer func() { in.Close(); source.Close(); out.Close(); sink.Close() }()
	sent := make([]byte, rnd.IntN([]int{100, 50_000, 1_000_000}[rnd.IntN(3)])+1)
	for i := range sent {
		sent[i] = byte(i * 7 / 3)
	}
	trouble := rnd.IntN(8) // 0 to 3: none
	when := time.Duration(rnd.IntN(4000)) * time.Microsecond
	var all sync.WaitGroup
	defer all.Wait()
	one, two, three := rand.New(rand.NewPCG(rnd.Uint64(), 1)), rand.New(rand.NewPCG(rnd.Uint64(), 2)), rand.New(rand.NewPCG(rnd.Uint64(), 3))

	all.Go(func() { // the source
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+one.IntN([]int{3, 2000, 300_000}[one.IntN(3)]))
			if len(sent) > 1000 {
				n = min(len(rest), max(n, len(sent)/200))
			}
			if _, err := source.Write(rest[:n]); err != nil {
				return
			}
			if rest = rest[n:]; one.IntN(20) == 0 {
				time.Sleep(time.Duration(one.IntN(500)) * time.Microsecond)
			}
		}
		source.(*net.TCPConn).CloseWrite()
	})
	all.Add(1)
	relay := e.NewTask(in)
	in.Bind(relay)
	out.Bind(relay)
	buf := make([]byte, 1+three.IntN(32_000))
	end := func() Socket {
		out.Close()
		relay.Leave()
		all.Done()
		return nil
	}
	relay.Run(in, func() Socket { // one step is some turns of the relay
		for {
			if three.IntN(8) == 0 {
				relay.Leave()
			} else {
				relay.Join()
			}
			if three.IntN(10) == 0 {
				in.SetReadDeadline(time.Now().Add(time.Duration(three.IntN(300)) * time.Microsecond))
			}
			n, err := in.Read(buf)
			in.SetReadDeadline(time.Time{})
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			if err != nil {
				return end()
			}
			half := three.IntN(n + 1)
			if _, err := out.WriteBoth(buf[:half], buf[half:n]); err != nil {
				return end()
			}
			switch three.IntN(8) {
			case 0, 1, 2, 3:
				return in
			case 4: // its rest is short
				in.SetReadDeadline(time.Now().Add(time.Duration(three.IntN(300)) * time.Microsecond))
				return in
			}
		}
	})
	all.Go(func() { // the trouble
		if trouble <= 3 {
			return
		}
		time.Sleep(when)
		switch trouble {
		case 4:
			in.Close()
		case 5:
			out.CloseWrite()
		case 6:
			source.(*net.TCPConn).SetLinger(0)
			source.Close()
		case 7:
			sink.(*net.TCPConn).SetLinger(0)
			sink.Close()
		}
	})
	var got []byte
	part := make([]byte, 1+two.IntN(60_000))
	for {
		n, err := sink.Read(part)
		got = append(got, part[:n]...)
		if err != nil {
			if trouble <= 3 && err != io.EOF {
				t.Errorf("undisturbed, it ends with %v", err)
			}
			break
		}
		if two.IntN(30) == 0 {
			time.Sleep(time.Duration(two.IntN(1000)) * time.Microsecond)
		}
	}
	if !bytes.HasPrefix(sent, got) || trouble <= 3 && len(got) != len(sent) {
		t.Errorf("%d of %d bytes came, or others (trouble %d)", len(got), len(sent), trouble)
	}
}

// TestPanic: a panic in a task that is on its loop unwinds to the task's own recover, and the loop goes on.
func TestPanic(t *testing.T) {
	e := open(t, 1)
	for range 3 {
		done := make(chan any)
		start(e, func(task *Task) {
			defer func() {
				p := recover()
				task.Leave()
				done <- p
			}()
			task.Join()
			panic("out of order")
		})
		if p := <-done; p != "out of order" {
			t.Errorf("%v", p)
		}
	}
}

// TestWatch: a task that waits on its loop for something else is told of, an idle loop is not.
func TestWatch(t *testing.T) {
	e := open(t, 2)
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan int, 100), make(chan struct{})
	go func() {
		defer close(ended)
		e.Watch(ctx, 5*time.Millisecond, func(loop int) { told <- loop })
	}()
	block := make(chan struct{})
	done := make(chan struct{})
	start(e, func(task *Task) {
		defer close(done)
		defer task.Leave()
		task.Join()
		<-block
	})
	if loop := <-told; loop != 1 { // the first task's
		t.Errorf("it is loop %d", loop)
	}
	close(block)
	<-done
	stop()
	<-ended
	(*Engine)(nil).Watch(ctx, time.Second, nil)
}
