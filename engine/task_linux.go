package engine

import "iter"

// verb is what a task has switched for.
type verb uint8

const (
	waits    verb = iota // for a socket, whose event resumes it
	givesWay             // it goes on when the others have had their turn
	leaves               // it goes on on a goroutine
	joins                // it goes on on its loop
)

// Task is code that runs on a loop. Its methods are called by that code alone; those of a nil
// *Task do nothing.
type Task struct {
	loop    *loop
	next    func() (verb, bool)
	yield   func(verb) bool
	onLoop  bool
	self    waiter
	without int // reads and writes since it has last waited
}

// turn is how many reads and writes a task makes before others have theirs: with 16 KiB each
// some 100 us of work.
const turn = 8

// Go runs f as a task, at first on a goroutine.
func (e *Engine) Go(f func(*Task)) {
	if e == nil {
		go f(nil)
		return
	}
	t := &Task{loop: e.loops[int(e.next.Add(1))%len(e.loops)]}
	t.self.task = t
	t.next, _ = iter.Pull(func(yield func(verb) bool) {
		t.yield = yield
		f(t)
	})
	go t.carry()
}

// carry runs a task on a goroutine until it joins its loop or ends.
func (t *Task) carry() {
	if _, running := t.next(); running {
		t.loop.post(t)
	}
}

// Leave goes on on a goroutine.
func (t *Task) Leave() {
	if t != nil && t.onLoop {
		t.onLoop = false
		t.yield(leaves)
	}
}

// Join goes on on the loop.
func (t *Task) Join() {
	if t != nil && !t.onLoop {
		t.yield(joins)
		t.onLoop = true
		t.without = 0
	}
}

// worked counts a read or write that did not have to wait.
func (t *Task) worked() {
	if t.without++; t.without > turn {
		t.without = 0
		t.yield(givesWay)
	}
}

// waiter is who waits for a socket: a task on its loop, or a goroutine.
type waiter struct {
	task *Task
	wake chan struct{} // holds one
}

// park waits until somebody has taken the waiter and wakes it.
func (w *waiter) park() {
	if w.task != nil {
		w.task.without = 0
		w.task.yield(waits)
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
