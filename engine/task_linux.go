package engine

import "iter"

// verb is what a task has switched for.
type verb uint8

const (
	waits    verb = iota // for a socket, whose event resumes it
	givesWay             // it goes on when the others have had their turn
	leaves               // it goes on on a goroutine
	joins                // it goes on on its loop
	rests                // its step has ended: the coroutine is free
)

// Task is code that runs on a loop, step by step. Its methods are called by that code alone; those of a nil
// *Task do nothing, but for Run.
type Task struct {
	loop    *loop
	step    func() Socket
	co      *coroutine // nil while it rests
	onLoop  bool
	self    waiter
	without int // reads and writes since it has last waited
}

// turn is how many reads and writes a task makes before others have theirs: with 16 KiB each
// some 100 us of work.
const turn = 8

// NewTask makes a task that uses sock, on the loop where that is; nil sock: on any. nil: there is no engine.
func (e *Engine) NewTask(sock Socket) *Task {
	if e == nil {
		return nil
	}
	t := &Task{loop: e.loops[int(e.next.Add(1))%len(e.loops)]}
	if c, ok := sock.(*Conn); ok {
		t.loop = c.home.Load()
	}
	t.self.task = t
	return t
}

// Run has step called on the loop, again and again: whenever there is something to read from the socket that it has given
// the last time, first from rest (nil: at once). It ends with the nil that step gives. Between two steps
// the task has no stack. A nil *Task runs on a goroutine of its own, and is not asked what it waits for.
func (t *Task) Run(rest Socket, step func() Socket) {
	if t == nil {
		go func() {
			for step() != nil {
			}
		}()
		return
	}
	t.step, t.onLoop = step, true
	if rest == nil || !t.rest(rest) {
		t.loop.post(t)
	}
}

// rest puts the task down at a socket, where what happens next resumes it; false: something has happened already. What has
// happened may have been for bytes that are read since: a step that finds nothing would wait with its stack.
func (t *Task) rest(sock Socket) bool {
	c := sock.(*Conn)
	s := &c.in
	if s.ready.Swap(false) && !c.sock.empty() {
		s.ready.Store(true)
	}
	if s.stirred() {
		return false
	}
	t.without = 0
	s.waiter.Store(&t.self)
	return !s.stirred() || !s.waiter.CompareAndSwap(&t.self, nil)
}

// carry runs a task on a goroutine until it joins its loop or ends.
func (t *Task) carry() {
	if _, running := t.co.next(); running {
		t.loop.post(t)
	}
}

// Leave goes on on a goroutine.
func (t *Task) Leave() {
	if t != nil && t.onLoop {
		t.onLoop = false
		t.co.yield(leaves)
	}
}

// Join goes on on the loop.
func (t *Task) Join() {
	if t != nil && !t.onLoop {
		t.co.yield(joins)
		t.onLoop = true
		t.without = 0
	}
}

// worked counts a read or write that did not have to wait.
func (t *Task) worked() {
	if t.without++; t.without > turn {
		t.without = 0
		t.co.yield(givesWay)
	}
}

// coroutine runs steps, one after the other, of one task at a time.
type coroutine struct {
	task  *Task
	next  func() (verb, bool)
	stop  func()
	yield func(verb) bool
}

func newCoroutine() *coroutine {
	co := &coroutine{}
	co.next, co.stop = iter.Pull(co.run)
	return co
}

func (co *coroutine) run(yield func(verb) bool) {
	co.yield = yield
	for co.steps() && yield(rests) {
	}
}

// steps runs the task until it rests or ends; false: it ended on a goroutine, and so does the coroutine.
func (co *coroutine) steps() bool {
	t := co.task
	for {
		sock := t.step()
		if sock == nil {
			return t.onLoop
		}
		t.Join()
		if t.rest(sock) {
			return true
		}
	}
}

// waiter is who waits for a socket: a task on its loop, or a goroutine.
type waiter struct {
	task *Task
	wake chan struct{} // holds one; made when a goroutine waits for the first time
}

// park waits until somebody has taken the waiter and wakes it.
func (w *waiter) park() {
	if w.task != nil {
		w.task.without = 0
		w.task.co.yield(waits)
		return
	}
	<-w.wake
}

// rouse ends the wait of a waiter that was taken; l is the loop whose thread this is, or nil.
func (w *waiter) rouse(l *loop) {
	switch {
	case w.task == nil:
		w.wake <- struct{}{}
		if l != nil {
			l.roused = true
		}
	case w.task.loop == l:
		l.resume(w.task)
	default:
		w.task.loop.post(w.task)
	}
}
