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
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, loops int) *Engine {
	t.Helper()
	e, err := New(loops)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// start runs f in a task of one step, at first on a goroutine.
func start(e *Engine, f func(*Task)) {
	task := e.NewTask(nil)
	task.Run(nil, func() Socket {
		task.Leave()
		f(task)
		return nil
	})
}

// pair gives a connection of the engine's and its other end, an ordinary one.
func pair(t *testing.T, e *Engine) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := e.Adopt(near)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close(); nc.Close() })
	return nc.(*Conn), far
}

// TestEcho has many tasks answer at once. They move between their loop and goroutines at random, use
// a second connection each, which goes from task to task, and must not lose a byte.
func TestEcho(t *testing.T) {
	e := open(t, 3)
	const tasks, rounds = 24, 150
	spare := make(chan *Conn, tasks) // echoes of a far end
	var far sync.WaitGroup
	for range tasks {
		c, other := pair(t, e)
		far.Go(func() { io.Copy(other, other) })
		spare <- c
	}
	var all sync.WaitGroup
	for i := range tasks {
		c, other := pair(t, e)
		all.Add(2)
		start(e, func(task *Task) {
			defer all.Done()
			defer task.Leave()
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			c.Bind(task)
			buf, back := make([]byte, 40_000), make([]byte, 40_000)
			for {
				if rnd.IntN(4) > 0 {
					task.Join()
				} else {
					task.Leave()
				}
				n, err := c.Read(buf)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Error(err)
					return
				}
				task.Leave()
				shard := <-spare
				if rnd.IntN(2) > 0 {
					task.Join()
				}
				shard.Bind(task)
				half := n / 2
				if _, err := shard.WriteBoth(buf[:half], buf[half:n]); err != nil {
					t.Error(err)
				}
				if _, err := io.ReadFull(shard, back[:n]); err != nil || !bytes.Equal(back[:n], buf[:n]) {
					t.Errorf("the second connection gave other bytes: %v", err)
				}
				shard.Bind(nil)
				spare <- shard
				if _, err := c.Write(back[:n]); err != nil {
					t.Error(err)
				}
			}
		})
		go func() {
			defer all.Done()
			rnd := rand.New(rand.NewPCG(uint64(i), 2))
			out, in := make([]byte, 100_000), make([]byte, 100_000)
			for range rounds {
				p := out[:1+rnd.IntN([]int{10, 1000, 100_000}[rnd.IntN(3)])]
				for k := range p {
					p[k] = byte(rnd.Uint32())
				}
				sent := make(chan error, 1)
				go func() {
					_, err := other.Write(p)
					sent <- err
				}()
				if _, err := io.ReadFull(other, in[:len(p)]); err != nil || !bytes.Equal(in[:len(p)], p) {
					t.Errorf("the echo is another: %v", err)
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
			}
			other.(*net.TCPConn).CloseWrite()
		}()
	}
	all.Wait()
	close(spare)
	for c := range spare {
		c.CloseWrite()
	}
	far.Wait()
}

// each runs f in a task that is on its loop, then on one that is not, then without a task.
func each(t *testing.T, e *Engine, f func(t *testing.T, c *Conn, far net.Conn)) {
	for _, where := range []string{"on the loop", "left", "no task"} {
		t.Run(where, func(t *testing.T) {
			c, far := pair(t, e)
			if where == "no task" {
				f(t, c, far)
				return
			}
			done := make(chan struct{})
			start(e, func(task *Task) {
				defer close(done)
				c.Bind(task)
				if where == "on the loop" {
					task.Join()
				}
				f(t, c, far)
				task.Leave()
			})
			<-done
		})
	}
}

func TestDeadline(t *testing.T) {
	each(t, open(t, 1), func(t *testing.T, c *Conn, far net.Conn) {
		b := make([]byte, 1)
		c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v", err)
		}
		far.Write(b)
		if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
		c.SetReadDeadline(time.Now().Add(time.Hour))
		c.SetReadDeadline(time.Time{})
		if _, err := c.Read(b); err != nil {
			t.Errorf("without a deadline: %v", err)
		}
		c.SetReadDeadline(time.Now().Add(time.Hour))
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // an earlier one than is armed
		if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v", err)
		}
		c.SetDeadline(time.Now().Add(50 * time.Millisecond))
		for big := make([]byte, 1<<20); ; {
			if _, err := c.Write(big); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a write: %v", err)
				}
				break
			}
		}
	})
}

func TestEnds(t *testing.T) {
	e := open(t, 1)
	t.Run("of the peer", func(t *testing.T) {
		each(t, e, func(t *testing.T, c *Conn, far net.Conn) {
			far.Write([]byte("last words"))
			far.Close()
			b, err := io.ReadAll(c)
			if string(b) != "last words" || err != nil {
				t.Errorf("%q, %v", b, err)
			}
			if c.Quiet() {
				t.Error("it is said to be quiet")
			}
		})
	})
	t.Run("closed by another", func(t *testing.T) {
		each(t, e, func(t *testing.T, c *Conn, _ net.Conn) {
			time.AfterFunc(20*time.Millisecond, func() { c.Close() })
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v", err)
			}
			if _, err := c.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v", err)
			}
			if err := c.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed again: %v", err)
			}
		})
	})
	t.Run("reading shut down", func(t *testing.T) {
		each(t, e, func(t *testing.T, c *Conn, _ net.Conn) {
			time.AfterFunc(20*time.Millisecond, func() { c.CloseRead() })
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%v", err)
			}
		})
	})
}

// TestBell: who waits for a bell is woken, however it is rung and wherever he waits; a task that waits stays on its
// loop, where others run meanwhile.
func TestBell(t *testing.T) {
	e := open(t, 2)
	const tasks, rounds = 8, 300
	bells := make([]Bell, tasks)
	var turn [tasks]atomic.Int64
	var held sync.Mutex // those who ring hold it: to ring never runs who is woken
	var all sync.WaitGroup
	for i := range tasks {
		all.Add(1)
		start(e, func(task *Task) {
			defer all.Done()
			defer task.Leave()
			for r := range int64(rounds) {
				if i%4 != 3 { // one in four waits as a goroutine
					task.Join()
				} else {
					task = nil
				}
				for turn[i].Load() <= r { // rung before he came, or for nothing
					bells[i].Wait(task)
				}
				if task != nil && !task.onLoop {
					t.Error("a wait has left the loop")
				}
				if next := (i + 1) % tasks; next != 0 {
					held.Lock()
					turn[next].Add(1)
					bells[next].Ring()
					held.Unlock()
				}
			}
		})
	}
	for range rounds { // from outside, as fast as they come
		turn[0].Add(1)
		bells[0].Ring()
		bells[rand.IntN(tasks)].Ring()
	}
	all.Wait()
}

// TestFair: a task that always finds something to read leaves the loop to others.
func TestFair(t *testing.T) {
	e := open(t, 1)
	greedy, source := pair(t, e)
	polite, asker := pair(t, e)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Add(2)
	go func() {
		b := make([]byte, 1<<20)
		for {
			select {
			case <-stop:
				source.Close()
				return
			default:
				source.Write(b)
			}
		}
	}()
	start(e, func(task *Task) {
		defer all.Done()
		greedy.Bind(task)
		task.Join()
		io.Copy(io.Discard, greedy)
		task.Leave()
	})
	start(e, func(task *Task) {
		defer all.Done()
		polite.Bind(task)
		task.Join()
		io.Copy(polite, polite)
		task.Leave()
	})
	for range 100 {
		b := []byte{1}
		if _, err := asker.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(asker, b); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	asker.Close()
	all.Wait()
}

func TestNoEngine(t *testing.T) {
	var e *Engine
	var task *Task
	task.Join()
	task.Leave()
	done := make(chan struct{})
	steps := 0
	e.NewTask(nil).Run(nil, func() Socket {
		if steps++; steps < 3 {
			return &Conn{}
		}
		close(done)
		return nil
	})
	<-done
	if e.NewTask(nil) != nil {
		t.Error("there is a task")
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if nc, err := e.Adopt(a); nc != a || err != nil {
		t.Error("a pipe was adopted")
	}
	if Of(context.Background()) != nil || Of(context.WithValue(With(context.Background(), task), t, t)) != nil {
		t.Error("there is a task")
	}
	e.Close()
}

// TestNoAllocation: neither a wait nor a rest costs one.
func TestNoAllocation(t *testing.T) {
	for _, rests := range []bool{false, true} {
		e := open(t, 1)
		c, far := pair(t, e)
		done := make(chan struct{})
		task := e.NewTask(c)
		c.Bind(task)
		in := make([]byte, 64)
		task.Run(c, func() Socket {
			for {
				n, err := c.Read(in)
				if err != nil {
					close(done)
					return nil
				}
				c.Write(in[:n])
				if rests {
					return c
				}
			}
		})
		b := make([]byte, 8)
		if n := testing.AllocsPerRun(500, func() {
			far.Write(b)
			io.ReadFull(far, b)
		}); n > 0 {
			t.Errorf("%v allocations a round trip", n)
		}
		far.Close()
		<-done
	}
}

// TestRest: many tasks that rest share a few coroutines; what wakes one is bytes, the peer's end, a close by another, or a
// deadline, whether that comes before the rest or within it.
func TestRest(t *testing.T) {
	e := open(t, 1)
	const tasks = 60
	ends := make(chan error, tasks)
	var conns [tasks]*Conn
	var others [tasks]net.Conn
	var all [tasks]*Task
	for i := range tasks {
		c, other := pair(t, e)
		conns[i], others[i] = c, other
		task := e.NewTask(c)
		all[i] = task
		c.Bind(task)
		b := make([]byte, 1)
		if i%2 == 0 {
			other.Write(b) // before it rests for the first time
		}
		task.Run(c, func() Socket {
			if i%3 == 0 {
				task.Leave() // and comes back by itself
			}
			if _, err := c.Read(b); err != nil {
				ends <- err
				return nil
			}
			if i%5 == 0 {
				c.in.ready.Store(true) // an event that comes late
			}
			c.Write(b)
			return c
		})
	}
	for round := range 50 {
		for i, other := range others {
			b := make([]byte, 1)
			if round > 0 || i%2 != 0 {
				other.Write(b)
			}
			if _, err := io.ReadFull(other, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	work, free := -1, 0
	for range 100 {
		look := make(chan struct{})
		start(e, func(task *Task) {
			task.Join()
			work, free = 0, len(task.loop.free)
			for _, other := range all {
				if other.co != nil {
					work++
				}
			}
			task.Leave()
			close(look)
		})
		if <-look; work == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if work > 0 || free > tasks/3 { // a third of the tasks leaves at each step, and may come back late
		t.Errorf("%d tasks do not rest, and %d coroutines have been made for tasks that work one after the other", work, free)
	}
	for i := range tasks {
		switch i % 3 {
		case 0:
			others[i].Close()
			if err := <-ends; err != io.EOF {
				t.Errorf("of the peer's end it is told %v", err)
			}
		case 1:
			conns[i].Close()
			if err := <-ends; !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed, it is told %v", err)
			}
		case 2:
			conns[i].SetReadDeadline(time.Now().Add(time.Duration(i%2) * time.Millisecond))
			if err := <-ends; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("of a deadline it is told %v", err)
			}
		}
	}
}
