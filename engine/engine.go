// Package engine drives sockets for code that is written to block. A session's code runs in steps, one for each command,
// each on a coroutine: where it would wait for a socket it switches to the loop that looks after its
// sockets, and the loop switches back when there is something to read. No goroutine is woken,
// no other thread is involved, and nothing of the session's code knows of it. Between two steps a task rests: it has no
// coroutine, and so no stack; the loop gives it one of a few when its next step is due.
//
//	        ┌────────────── loop: one for two cores, an epoll of its own ──────────────┐
//	        │                        ┌─ rests: its coroutine is another's ◀─┐          │
//	event ──┤ switch to the task that┴ waits ── it reads, plans, writes, waits ── back │
//	        └──────▲──────────────────────────────────────────────────────────┬────────┘
//	               │ Join: at the latest when the step ends                   │ Leave
//	        ┌──────┴──────────────────────────────────────────────────────────▼────────┐
//	        │ a goroutine: the same code, but a wait is a goroutine's wait             │
//	        └──────────────────────────────────────────────────────────────────────────┘
//
// Everything that may wait for something else than a socket of the task (a lock that others
// hold while they wait, a channel, a timer, a file) calls Leave first: the task goes on on a
// goroutine of its own, with the same sockets, until it calls Join or its step ends. The one exception is a Bell, which another
// thread or task rings: a task waits for it on its loop.
//
// What always holds:
//
//  1. A task runs on one thread at a time: on its loop, or on the goroutine that carries it.
//     Who resumes it has taken the one waiter out of the socket for which it waited, or at which it rests.
//  2. A waiter is put down before the socket's state is looked at for the last time, and the
//     state is set before the waiter is taken: no event is lost. An event may come for nothing;
//     a read then finds nothing and waits again.
//  3. A socket is bound to at most one task, and while that task is on its loop only the task
//     itself reads and writes it.
//  4. A descriptor is closed when nobody is within a system call on it: its number goes to
//     nobody else before.
//  5. A task that never has to wait gives way after a bounded number of reads and writes.
//  6. A task has a coroutine from the beginning of a step to its end, and rests only on its loop: nobody but the
//     loop gives it one, or takes it away. What a step leaves behind is in the step's own values, not on a stack.
//
// It refuses: files, datagrams, listening. On platforms without epoll there is no engine: New
// gives nil, with which every call falls back to goroutines and net.Conn.
package engine

import "context"

// Socket is a connection that an engine drives.
type Socket interface {
	// Bind says which task uses the socket from now on, nil: none. The socket comes to the task's loop.
	Bind(t *Task)
	// Near tells whether the socket is on the task's loop.
	Near(t *Task) bool
	// Quiet tells that nothing has happened on the socket since it was read from last: no bytes have
	// come, and the peer has not closed it, as far as the kernel has told the loop.
	Quiet() bool
}

type taskKey struct{}

// taskContext carries a task beside a context.
type taskContext struct {
	context.Context
	task *Task
}

func (c *taskContext) Value(key any) any {
	if _, ok := key.(taskKey); ok {
		return c.task
	}
	return c.Context.Value(key)
}

// With gives a context from which Of gives t.
func With(ctx context.Context, t *Task) context.Context { return &taskContext{ctx, t} }

// Of gives the task that runs under ctx, or nil.
func Of(ctx context.Context) *Task {
	if c, ok := ctx.(*taskContext); ok {
		return c.task
	}
	t, _ := ctx.Value(taskKey{}).(*Task)
	return t
}
