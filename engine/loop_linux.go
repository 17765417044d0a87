package engine

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Engine is the loops of a process. A nil *Engine is one that leaves all to goroutines.
type Engine struct {
	loops []*loop
	table table
	next  atomic.Uint32 // the loop of the next task
	wg    sync.WaitGroup
}

// New starts an engine of n loops; n < 1: half as many as there are cores to run on. A loop has
// fewer waits, and costs less for each event, the more there is for it to do; the other half is
// for what runs on goroutines, and for the kernel's side.
func New(n int) (*Engine, error) {
	if n < 1 {
		n = (runtime.GOMAXPROCS(0) + 1) / 2
	}
	e := &Engine{}
	for range n {
		l, err := newLoop(e)
		if err != nil {
			e.Close()
			return nil, err
		}
		e.loops = append(e.loops, l)
		e.wg.Go(l.run)
	}
	return e, nil
}

// Close ends the loops. No task runs any more and no socket is waited for.
func (e *Engine) Close() {
	if e == nil {
		return
	}
	for _, l := range e.loops {
		l.stop.Store(true)
		l.wake()
	}
	e.wg.Wait()
	for _, l := range e.loops {
		for _, co := range l.free {
			co.stop()
		}
		_ = unix.Close(l.epoll) // they are given up either way
		_ = unix.Close(l.bell)
	}
}

// loop looks after sockets with one epoll, on one thread at a time.
type loop struct {
	engine *Engine
	epoll  int
	bell   int // an eventfd: written to when the loop blocks and has to look at its inbox
	stop   atomic.Bool
	turns  atomic.Uint64
	asleep atomic.Bool // it blocks, or is about to

	mu     sync.Mutex
	inbox  []*Task     // to be resumed, from other threads
	posted atomic.Bool // there may be something in the inbox

	spare  []*Task
	again  []*Task // gave way and go on after the others
	turned []*Task // the array of the turn before
	roused bool    // goroutines may be ready: they get the thread before the loop goes on

	free []*coroutine // their tasks rest
}

// mostFree bounds the coroutines that a loop keeps for the next steps. As many as there are sessions at work come and go
// without being made anew, whatever their number is, as long as it does not vary by more.
const mostFree = 256

// The events that are asked for, once for a socket's life. Edge-triggered: what is not waited for
// costs nothing. That a socket can be written to comes with the other events only, unless a
// write has found it full.
const interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

func newLoop(e *Engine) (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	bell, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err == nil {
		err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, bell, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(bell)})
	}
	if err != nil {
		_ = unix.Close(ep)
		return nil, fmt.Errorf("engine: %w", err)
	}
	return &loop{engine: e, epoll: ep, bell: bell}, nil
}

// stretch is how long the loop runs before Go's scheduler is told, less than the 10 ms after which that
// would stop it: it takes the processor of a goroutine that it finds in a system call then, starts a thread for it, and looks
// 50 times a millisecond for a while. To tell it wakes a thread, too. The clock is looked at after so many events, of which each takes some
// 20 us, or turns without one.
const (
	stretch = 6 * time.Millisecond
	glance  = 32
)

// events are taken from the kernel at a time.
const events = 128

func (l *loop) run() {
	var list [events]unix.EpollEvent
	yielded := time.Now()
	for n, count := 0, 0; !l.stop.Load(); count += n + 1 {
		l.turns.Add(1)
		if count >= glance {
			if count = 0; time.Since(yielded) > stretch {
				l.roused, yielded = true, time.Now()
			}
		}
		// After a turn with several events there is most likely another: that saves telling Go's scheduler.
		if n > 1 || len(l.again) > 0 {
			n = l.poll(list[:])
		} else {
			n = 0
		}
		if n == 0 && len(l.again) == 0 {
			n = l.block(list[:])
			l.turns.Add(1) // what follows has only begun
		}
		for i := range list[:n] {
			ev := &list[i]
			if int(ev.Fd) == l.bell {
				continue // edge-triggered: its count need not be read
			}
			if c := l.engine.table.get(int(ev.Fd)); c != nil {
				tell(l, c, ev.Events)
			}
		}
		l.takeIn()
		l.goOn()
		if l.roused {
			l.roused = false
			runtime.Gosched()
		}
	}
}

// poll asks for events without waiting: while there is work the thread never blocks, and Go's
// scheduler need not know of the system call.
func (l *loop) poll(list []unix.EpollEvent) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// block waits for events or the bell.
func (l *loop) block(list []unix.EpollEvent) int {
	l.asleep.Store(true)
	defer l.asleep.Store(false)
	l.mu.Lock()
	due := len(l.inbox) > 0 || l.stop.Load()
	l.mu.Unlock()
	if due {
		return 0
	}
	n, err := unix.EpollWait(l.epoll, list, -1)
	if err != nil {
		return 0
	}
	return n
}

// takeIn resumes what other threads have sent.
func (l *loop) takeIn() {
	if !l.posted.CompareAndSwap(true, false) {
		return
	}
	l.mu.Lock()
	list := l.inbox
	l.inbox = l.spare[:0]
	l.mu.Unlock()
	for i, t := range list {
		list[i] = nil
		l.resume(t)
	}
	l.spare = list
}

// goOn resumes what has given way.
func (l *loop) goOn() {
	list := l.again
	l.again = l.turned[:0]
	for i, t := range list {
		list[i] = nil
		l.resume(t)
	}
	l.turned = list
}

// post has a task resumed on the loop, from any thread.
func (l *loop) post(t *Task) {
	l.mu.Lock()
	l.inbox = append(l.inbox, t)
	l.mu.Unlock()
	l.posted.Store(true)
	if l.asleep.Load() {
		l.wake()
	}
}

func (l *loop) wake() {
	one := [8]byte{0: 1}
	_, _ = unix.Write(l.bell, one[:]) // full means rung already
}

// resume runs a task until it waits or rests.
func (l *loop) resume(t *Task) {
	if t.co == nil {
		t.co = l.coroutine()
		t.co.task = t
	}
	switch verb, _ := t.co.next(); verb { // one that has ended gives waits
	case leaves:
		l.roused = true
		go t.carry()
	case givesWay:
		l.again = append(l.again, t)
	case rests:
		l.release(t.co)
		t.co = nil
	}
}

// coroutine gives one that was used last, which is the most likely to be in the caches.
func (l *loop) coroutine() *coroutine {
	n := len(l.free) - 1
	if n < 0 {
		return newCoroutine()
	}
	co := l.free[n]
	l.free[n], l.free = nil, l.free[:n]
	return co
}

func (l *loop) release(co *coroutine) {
	if co.task = nil; len(l.free) < mostFree {
		l.free = append(l.free, co)
		return
	}
	co.stop()
}

// table finds the socket of a descriptor, without a lock.
type table struct {
	mu     sync.Mutex
	chunks [1024]atomic.Pointer[chunk]
}

type chunk [1024]atomic.Pointer[Conn]

func (t *table) get(fd int) *Conn {
	ch := t.chunks[fd>>10].Load()
	if ch == nil {
		return nil
	}
	return ch[fd&1023].Load()
}

func (t *table) set(fd int, c *Conn) bool {
	if fd>>10 >= len(t.chunks) {
		return false
	}
	ch := t.chunks[fd>>10].Load()
	if ch == nil {
		t.mu.Lock()
		if ch = t.chunks[fd>>10].Load(); ch == nil {
			ch = new(chunk)
			t.chunks[fd>>10].Store(ch)
		}
		t.mu.Unlock()
	}
	ch[fd&1023].Store(c)
	return true
}
